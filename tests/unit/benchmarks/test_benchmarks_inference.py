import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks/inference.py"


def test_the_benchmark_prints_one_line_of_json():
    options = ["--cells", "8", "--side", "4", "--repeats", "1", "--threads", "1"]
    run = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=True
    )
    line = json.loads(run.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert line["matmul_share"] > 0
    assert abs(line["ratio"] - line["value"] / line["reference"]) < 0.02 * line["ratio"] + 0.1
    assert min(line["details"][key] for key in ("tiles", "three_members", "bfloat16")) > 0
    assert line["details"]["deviation"]["predict_max"] < 1e-4


@pytest.mark.slow
def test_the_scaling_benchmark_prints_one_line_of_json():
    options = ["--cells", "8", "--side", "4", "--repeats", "1"]
    run = subprocess.run(
        [sys.executable, SCRIPT.with_name("scaling.py"), *options],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = json.loads(run.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert set(line["details"]["cost"]) == {"cells", "days", "members"}
    assert min(line["details"]["cost"].values()) > 0 and line["value"] > 0
