"""A global year at 0.25 degree, from raw files to the product: wall time by stage, peak memory.

    python benchmarks/full_year.py FOLDER

prints one line of JSON. The raw files (demo Earth, 8 GB) are made once in FOLDER and reused; the
rest of FOLDER/results is made again. Takes about an hour on two cores and 40 GB of disk.

- `value`: wall minutes from raw files to the daily, monthly and annual NetCDF, training and
  calibration included.
- `reference`: wall minutes of the inference alone; `ratio` is the whole chain's cost in it.
- `details.stages`: minutes of each rule, summed over its jobs, which run side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

PROJECT = Path(__file__).parents[1]
RAW = ("simulate_era5", "simulate_modis", "simulate_static", "simulate_towers")
YEAR = 2002


def snakemake(folder: Path, cores: int, overlay: Path, *arguments: str) -> float:
    """Run the workflow in a folder; returns its wall time in minutes."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")]
    command += ["--directory", str(folder), "--cores", str(cores), *arguments, "--quiet", "all"]
    command += ["--configfile", str(PROJECT / "config.yaml"), str(overlay.absolute())]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr)
    return (time.perf_counter() - start) / 60


def stages(benchmarks: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Minutes and peak memory (MB) of each rule, from the workflow's own benchmark files."""
    minutes: dict[str, float] = {}
    memory: dict[str, float] = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        rule = "_".join(part for part in file.stem.split("_") if not part.isdigit())
        row = pd.read_csv(file, sep="\t").iloc[-1]
        minutes[rule] = minutes.get(rule, 0) + float(row["s"]) / 60
        memory[rule] = max(memory.get(rule, 0), float(row["max_rss"]))
    return minutes, memory


def measure(folder: Path, cores: int, overlay: Path, year: int) -> dict:
    """Make the raw files where they are not there, then time the rest of the chain."""
    results = folder / "results"
    # with old results Snakemake ignores a missing raw file and would make it in the timed run
    for path in results.glob("*"):
        if path.name != "demo_earth":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    snakemake(folder, cores, overlay, "--until", *RAW)
    products = [f"results/product/tamflux_{step}_{year}.nc" for step in ("daily", "annual")]
    wall = snakemake(folder, cores, overlay, *products)
    minutes, memory = stages(results / "benchmarks")
    inference = minutes["predict_tiles_tamrl"]
    largest = max(memory, key=memory.__getitem__)
    return {
        "name": "full_year",
        "value": round(wall, 2),
        "unit": "minutes",
        "reference": round(inference, 2),
        "ratio": round(wall / inference, 2),
        "peak_rss_mb": round(memory[largest], 1),
        "details": {
            "cores": cores,
            "largest": largest,
            "stages": {rule: round(value, 2) for rule, value in minutes.items()},
            "peak_rss_mb": {rule: round(value) for rule, value in memory.items()},
            "daily_mb": round((folder / products[0]).stat().st_size / 1e6, 1),
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of a global year at 0.25 degree")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--overlay", type=Path, default=PROJECT / "workflow/config/quarter_degree.yaml"
    )
    parser.add_argument("--year", type=int, default=YEAR)
    print(json.dumps(measure(**vars(parser.parse_args()))))
