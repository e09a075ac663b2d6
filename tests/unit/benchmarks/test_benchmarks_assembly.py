import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("assembly", ["--rows", "2", "--reading-rows", "2", "--repeats", "1"]),
        ("remote", ["--rows", "2"]),
        ("predictors", ["--rows", "2", "--files", "1", "--pixels", "1", "--repeats", "1"]),
    ],
)
def test_the_benchmark_prints_one_line_of_json(script, options):
    run = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py", *options],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = json.loads(run.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert line["name"] == script and line["value"] > 0 and line["reference"] > 0
    assert abs(line["ratio"] - line["value"] / line["reference"]) < 0.02 * line["ratio"] + 0.01
