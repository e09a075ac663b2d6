"""A GPU against the CPU: inference from Zarr to tiles, training, equality, memory, time by stage.

    benchmarks/gpu.sh

prints one line of JSON. Weights, predictors and samples are random, of the shapes of config.yaml.

- `value`: cell-days per second of the ensemble through `Ensemble.predict` on the GPU.
- `reference`: the same on the CPU with one thread.
- `equal`: whether all differences below are small enough; else the script ends with 1.
- `details.lstm_difference`: largest difference of both without the trees; at most `TOLERANCE`.
- `details.share_beyond`: share of values that differ by more than `TOLERANCE` with the trees, for
  means, standard deviations, tiles from Zarr, and a resumed prediction; at most `MAX_SHARE`. A
  predictor within rounding of a split's border may fall on either side of it.
- `details.training`: seconds per epoch, whether in bfloat16, and the loss of the last epoch.
- `details.stages`: seconds of each stage; `details.gpu_peak_mb`: its largest allocation.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
import yaml
from inference import CONFIG, YEAR_DAYS, random_ensemble, write_cubes, write_feature_space
from training import random_samples

from tamflux.inference.predict import predict_tiles
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import LOOKBACK_DAYS
from tamflux.training.device import choose_device, has_bfloat16
from tamflux.training.ensemble import Ensemble
from tamflux.training.members import fit_member
from tamflux.training.trainer import Trainer

TOLERANCE = 1e-4
"""Largest difference between the devices, g C m-2 d-1."""

MAX_SHARE = 1e-4
"""Largest share of values that splits of trees may move by more than `TOLERANCE`."""

EPOCHS = 3


@contextmanager
def timed(stages: dict[str, float], name: str) -> Iterator[None]:
    """Note the seconds of a stage, and show its start to a person who waits."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    start = time.perf_counter()
    yield
    stages[name] = round(time.perf_counter() - start, 3)


def share_beyond(found: np.ndarray, expected: np.ndarray) -> float:
    """Share of values that differ by more than `TOLERANCE`, or of which one alone is missing."""
    same = (np.abs(found - expected) <= TOLERANCE) | (np.isnan(found) & np.isnan(expected))
    return float(1 - same.mean())


def compare_inference(paths, x, static, device, stages, repeats: int) -> tuple[dict, float, float]:
    """Differences of the bare ensemble, and cell-days per second of the device and of the CPU."""
    here, there = Ensemble.load(paths, device.type), Ensemble.load(paths, "cpu")
    with timed(stages, "first_prediction"):  # kernels are chosen, memory is allocated
        here.predict(x, static)
    with timed(stages, "predict"):
        for _ in range(repeats):
            found = here.predict(x, static)
    part = slice(0, max(1, len(x) // 8))
    with timed(stages, "predict_on_cpu"):
        expected = there.predict(x[part], static[part])
    day = 2 * here.block_days
    with timed(stages, "resume"):
        _, states = here.predict_from(x, static, keep=[day])
        rest = np.concatenate([x[:, :LOOKBACK_DAYS], x[:, LOOKBACK_DAYS + day :]], axis=1)
        resumed, _ = here.predict_from(rest, static, states=states[day])
    shares = {
        "mean": share_beyond(found.mean[part], expected.mean),
        "std": share_beyond(found.std[part], expected.std),
        "resumed": share_beyond(resumed.mean, found.mean[:, day:]),
    }
    days = YEAR_DAYS * repeats * len(x)
    reference = YEAR_DAYS * len(expected.mean) / stages["predict_on_cpu"]
    return shares, days / stages["predict"], reference


def compare_lstm(paths, x, static, device) -> float:
    """Largest difference of the members without their trees."""
    found = []
    for name in (device.type, "cpu"):
        ensemble = Ensemble.load(paths, name)
        for network in ensemble.networks:
            network.trees = None
        found.append(ensemble.predict(x, static).mean)
    return float(np.abs(found[0] - found[1]).max())


def compare_tiles(paths, settings, folder: Path, side: int, workers: int, device, stages) -> float:
    """Share of different values of tiles from Zarr."""
    ensemble = Ensemble.load(paths[:1])
    cubes = write_cubes(folder, ensemble.predictors, side, settings["grid"]["tile_size"])
    size = settings["model"]["embedding_size"]
    space = write_feature_space(folder / "feature_space", ensemble, size)
    cubes |= {"checkpoints": paths, "feature_space": space, "workers": workers}
    tiles = []
    for name in (device.type, "cpu"):
        output = folder / f"tiles_{name}_{len(tiles)}.zarr"
        with timed(stages, f"tiles_{name}_{len(tiles)}"):
            predict_tiles(**cubes, output=output, device=name)
        tiles.append(xr.open_zarr(output).load())
    return max(share_beyond(tiles[0][name].values, tiles[1][name].values) for name in tiles[0])


def train(settings, folder: Path, sites: int, device, stages, killed: bool) -> dict:
    """Train a member, resumed from its saved state if it was `killed` after an epoch."""
    samples = random_samples(sites, settings["predictors"]["variables"])
    training = settings["training"] | {"pretrain_epochs": 1, "epochs": EPOCHS - 1}
    training["device"] = device.type
    name = "resumed_training" if killed else "training"
    checkpoint, curve = folder / f"{name}.safetensors", folder / f"{name}.csv"

    def fit() -> None:
        fit_member(
            samples, list(samples.sites["site_id"]), checkpoint, curve, name="tamrl", seed=0,
            model=settings["model"], training=training, provenance={}, threads=1,
        )  # fmt: skip

    with timed(stages, name):
        if killed:
            with stopped_after_an_epoch():
                fit()
        fit()
    table = pd.read_csv(curve)
    found = Ensemble.load([checkpoint], device.type)
    return {
        "seconds_per_epoch": table["seconds"].round(3).to_list(),
        "loss": float(table["loss"].iloc[-1]),
        "bfloat16": has_bfloat16(device),
        "parameters": sum(parameter.numel() for parameter in found.networks[0].parameters()),
    }


class _Stopped(Exception):
    """Stands for a kill."""


@contextmanager
def stopped_after_an_epoch() -> Iterator[None]:
    """Stop the training when its second epoch starts."""
    original = Trainer.run_epoch

    def run_epoch(trainer: Trainer) -> dict:
        if trainer.epoch == 1:
            raise _Stopped
        return original(trainer)

    Trainer.run_epoch = run_epoch
    try:
        yield
    except _Stopped:
        pass
    finally:
        Trainer.run_epoch = original


def measure(device_name, cells: int, side: int, sites: int, repeats: int, workers: int) -> dict:
    """All stages on one device."""
    settings = yaml.safe_load(CONFIG.read_text())
    device = choose_device(device_name)
    torch.set_num_threads(1)
    stages: dict[str, float] = {}
    random = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = random_ensemble(settings, folder)
        features = len(Ensemble.load(paths[:1]).predictors)
        x = random.normal(size=(cells, LOOKBACK_DAYS + YEAR_DAYS, features)).astype(np.float32)
        static = random.random((cells, len(STATIC_FEATURES)), np.float32)
        shares, rate, reference = compare_inference(paths, x, static, device, stages, repeats)
        lstm_difference = compare_lstm(paths, x[:256], static[:256], device)
        shares["tiles"] = compare_tiles(paths, settings, folder, side, workers, device, stages)
        training = train(settings, folder, sites, device, stages, killed=False)
        resumed = train(settings, folder, sites, device, stages, killed=True)
    on_gpu = device.type == "cuda"
    return {
        "name": "gpu",
        "value": round(rate),
        "unit": "cell-days per second of the ensemble",
        "reference": round(reference),
        "ratio": round(rate / reference, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "equal": lstm_difference <= TOLERANCE and max(shares.values()) <= MAX_SHARE,
        "details": {
            "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
            "gpu_peak_mb": round(torch.cuda.max_memory_allocated() / 2**20) if on_gpu else None,
            "lstm_difference": lstm_difference,
            "share_beyond": shares,
            "tolerance": TOLERANCE,
            "stages": stages,
            "training": training | {"loss_resumed": resumed["loss"]},
            "cells": cells,
            "torch": torch.__version__,
        },
    }


def main() -> int:
    """Exit status: 0, 1 where the devices differ, 2 without a GPU."""
    parser = argparse.ArgumentParser(description="A GPU against the CPU")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--cells", type=int, default=2048)
    parser.add_argument("--side", type=int, default=90, help="cells along a side of the cubes")
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = vars(parser.parse_args())
    device = arguments.pop("device")
    if device == "cuda" and not torch.cuda.is_available():
        print(
            f"no GPU: torch {torch.__version__} sees no CUDA device, so nothing was measured "
            "(--device cpu runs the same steps on the processor)",
            file=sys.stderr,
        )
        return 2
    result = measure(device, **arguments)
    print(json.dumps(result))
    return 0 if result["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
