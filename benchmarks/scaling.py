"""How the cost of inference grows: with cells, days and members, and what a second worker brings.

    python benchmarks/scaling.py

prints one line of JSON. Weights and predictors are random, of the shapes of config.yaml.

- `value`: cell-days per second of `predict_tiles` with two workers; `reference`: with one.
- `details.cost`: time of twice the cells, days or members, in that of the single amount, one
  thread; 2 is proportional. Days are those that the recurrence runs through: spin-up and year.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from inference import (
    CONFIG,
    YEAR_DAYS,
    random_ensemble,
    tiles_rate,
    write_cubes,
    write_feature_space,
)

from tamflux.model.tamrl import WARM_UP_DAYS
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import LOOKBACK_DAYS
from tamflux.training.ensemble import Ensemble


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def doubling(cells: int, paths: list[Path], repeats: int) -> dict[str, list[float]]:
    """Times of two amounts over that of one, each measured in turns."""
    one, two = Ensemble.load(paths[:1]), Ensemble.load(paths[:2])
    random = np.random.default_rng(2)
    twice = LOOKBACK_DAYS + 2 * (WARM_UP_DAYS + YEAR_DAYS) - WARM_UP_DAYS
    x = random.normal(size=(2 * cells, twice, len(one.predictors))).astype(np.float32)
    static = random.random((2 * cells, len(STATIC_FEATURES)), np.float32)
    usual, half = slice(0, LOOKBACK_DAYS + YEAR_DAYS), slice(0, cells)
    costs: dict[str, list[float]] = {"cells": [], "days": [], "members": []}
    for _ in range(repeats):
        single = seconds(lambda: one.predict(x[half, usual], static[half]))
        for name, work in [
            ("cells", lambda: one.predict(x[:, usual], static)),
            ("days", lambda: one.predict(x[half], static[half])),
            ("members", lambda: two.predict(x[half, usual], static[half])),
        ]:
            costs[name].append(seconds(work) / single)
    return costs


def measure(cells: int, side: int, repeats: int) -> dict:
    """All costs, in turns; the median of the repeats counts."""
    settings = yaml.safe_load(CONFIG.read_text())
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = random_ensemble(settings, folder)
        ensemble = Ensemble.load(paths[:1])
        tile_size = math.ceil(side / 4)  # sixteen tiles
        arguments = write_cubes(folder, ensemble.predictors, side, tile_size)
        size = settings["model"]["embedding_size"]
        space = write_feature_space(folder / "feature_space", ensemble, size)
        arguments |= {"checkpoints": paths, "feature_space": space}
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(repeats):
            for workers, measured in rates.items():
                measured.append(tiles_rate(arguments, folder, side**2, workers))
        costs = doubling(cells, paths, repeats)
    one, two = (statistics.median(measured) for measured in rates.values())
    return {
        "name": "scaling",
        "value": round(two),
        "unit": "cell-days per second",
        "reference": round(one),
        "ratio": round(two / one, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "details": {
            "cost": {name: round(statistics.median(values), 2) for name, values in costs.items()},
            "exponent": {
                name: round(math.log2(statistics.median(values)), 2)
                for name, values in costs.items()
            },
            "repeats": {name: [round(v, 2) for v in values] for name, values in costs.items()},
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How the cost of inference grows")
    parser.add_argument("--cells", type=int, default=512)
    parser.add_argument("--side", type=int, default=80, help="cells along a side of the cubes")
    parser.add_argument("--repeats", type=int, default=3)
    print(json.dumps(measure(**vars(parser.parse_args()))))
