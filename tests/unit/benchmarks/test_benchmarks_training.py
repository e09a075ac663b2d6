import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks/training.py"


def test_the_benchmark_prints_one_line_of_json():
    options = ["--sites", "4", "--steps", "1", "--repeats", "1"]
    run = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=True
    )
    line = json.loads(run.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert line["value"] > 0 and line["reference"] > 0 and line["peak_rss_mb"] > 50
    assert abs(line["ratio"] - line["value"] / line["reference"]) < 0.02 * line["ratio"] + 0.01
