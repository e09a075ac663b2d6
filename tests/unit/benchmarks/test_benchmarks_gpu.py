"""The script for a GPU runs on the CPU, and says so where there is no GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[3] / "benchmarks/gpu.sh"
SMALL = ["--cells", "16", "--side", "4", "--sites", "6", "--repeats", "1", "--workers", "1"]


def run(*options, **environment):
    return subprocess.run([SCRIPT, *options], capture_output=True, text=True,
                          env=os.environ | {"PYTHON": sys.executable} | environment)  # fmt: skip


def test_all_steps_run_on_the_cpu_and_agree():
    finished = run("--device", "cpu", *SMALL)
    assert finished.returncode == 0, finished.stderr
    line = json.loads(finished.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert line["equal"] and line["value"] > 0 and line["reference"] > 0
    details = line["details"]
    assert set(details["share_beyond"]) == {"mean", "std", "resumed", "tiles"}
    assert details["lstm_difference"] == 0
    assert details["device"] == "cpu" and details["gpu_peak_mb"] is None
    assert min(details["stages"].values()) > 0 and len(details["stages"]) == 8
    # the state of a stopped training holds all that its end depends on
    assert details["training"]["loss_resumed"] == details["training"]["loss"]
    assert len(details["training"]["seconds_per_epoch"]) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured():
    finished = run(*SMALL)
    assert finished.returncode == 2 and not finished.stdout
    assert "no GPU" in finished.stderr and "nothing was measured" in finished.stderr
