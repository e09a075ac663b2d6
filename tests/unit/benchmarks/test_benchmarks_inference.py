import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks/inference.py"


def test_the_benchmark_prints_one_line_of_json():
    options = ["--cells", "8", "--side", "4", "--repeats", "1", "--threads", "1"]
    run = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=True
    )
    line = json.loads(run.stdout)
    assert {"name", "value", "unit", "reference", "ratio", "peak_rss_mb"} <= line.keys()
    assert 0 < line["matmul_share"] < 1.5
    assert abs(line["ratio"] - line["value"] / line["reference"]) < 0.02 * line["ratio"] + 0.1
    details = line["details"]
    assert 0 < details["tiles"] < details["three_members"] < line["value"]
    assert details["deviation"]["predict_max"] < 1e-4
