"""Inference speed: cell-days per second of the bare ensemble, and from cubes to tiles on disk.

    python benchmarks/inference.py

prints one line of JSON. Weights and predictors are random, of the shapes of config.yaml; a cell-day
counts once, although the warm-up is computed too.

- `value`: one member in float32, through `Ensemble.predict`, one thread per core.
- `matmul_share`: its arithmetic (input layer and recurrence, warm-up and year) over the rate at
  which the same threads multiply large matrices.
- `reference`: the network shapes of the public code of TAM-RL in its own protocol: a window of 30
  days for each day, whose last day alone counts.
- `details`: the ensemble of three; the same in bfloat16 with its deviation; `tiles`, the three
  members through `predict_tiles`, with reading, writing and distances; and the deviation of
  `predict_members` from the plain forward pass.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import yaml
from training import BATCH, DYNAMIC, STATIC, WINDOW, ReferenceEncoder, ReferenceModel

from tamflux.grid import Grid
from tamflux.inference.predict import predict_tiles
from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS
from tamflux.model.rollout import predict_members
from tamflux.model.tamrl import WARM_UP_DAYS
from tamflux.predictors.cube import create_store
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import LOOKBACK_DAYS
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.device import has_bfloat16
from tamflux.training.ensemble import Ensemble
from tamflux.uncertainty.feature_space import SEASONS, FeatureSpace
from tamflux.variables import IGBP_CLASSES, PREDICTORS, REFL_FILLED

CONFIG = Path(__file__).parents[1] / "config.yaml"
YEAR_DAYS = 365
MEMBERS = 3


def random_ensemble(settings: dict, folder: Path) -> list[Path]:
    """Checkpoints of members with random weights."""
    names = tuple(name for name in PREDICTORS if name in settings["predictors"]["variables"])
    paths = []
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        spec = ModelSpec(
            model="tamrl",
            hidden_size=settings["model"]["hidden_size"],
            embedding_size=settings["model"]["embedding_size"],
            trees=settings["model"]["trees"],
            lookback_days=LOOKBACK_DAYS,
            predictors=names,
            units=tuple(PREDICTORS[name].units for name in names),
            static_features=STATIC_FEATURES,
            mean=(0.0,) * len(names),
            sd=(1.0,) * len(names),
            flux_scale=(4.0, 3.0, 2.0),
            training_sites=("AA-Aaa",),
            provenance={"seed": seed},
        )
        network = spec.network()
        for film in (network.film_input, network.film_output):
            torch.nn.init.normal_(film.weight, std=0.1)
        trees = network.trees
        inputs = len(names) * (1 + len(EMA_TIMESCALES_DAYS)) + len(STATIC_FEATURES)
        trees.feature.random_(inputs)
        trees.border.normal_()
        trees.leaf.normal_(std=0.1)
        paths.append(folder / f"tamrl_{seed}.safetensors")
        save_checkpoint(paths[-1], network, spec)
    return paths


def rate(work: Callable[[], object], units: float, threads: int) -> float:
    """Units per second of the same work done by every thread at once."""
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()
        return threads * units / (time.perf_counter() - start)


def matmul(size: int = 1024, times: int = 20) -> Callable[[], None]:
    """Product of large matrices; 2 size^3 operations each."""
    a, b = torch.randn(2, size, size)

    def work() -> None:
        for _ in range(times):
            a @ b

    return work


def reference(batches: int) -> Callable[[], None]:
    """Windows of the public networks, as their evaluation calls them."""
    encoder, model = ReferenceEncoder().eval(), ReferenceModel().eval()
    both = torch.randn(2 * BATCH, WINDOW, DYNAMIC + STATIC)  # queries and their support windows

    @torch.inference_mode()
    def work() -> None:
        for _ in range(batches):
            embedding, _ = encoder(both)
            model(both[:BATCH, :, :DYNAMIC], embedding[:BATCH])[:, -1]

    return work


def operations(ensemble: Ensemble) -> int:
    """Multiplications and additions of one member for one cell-day and its share of warm-up."""
    network = ensemble.networks[0]
    recurrence = sum(
        weight.numel() for weight in network.recurrence.parameters() if weight.ndim > 1
    )
    days = (WARM_UP_DAYS + YEAR_DAYS) / YEAR_DAYS
    return round(2 * days * (network.input_layer.weight.numel() + recurrence))


def deviation(ensemble: Ensemble, x: np.ndarray, static: np.ndarray) -> dict[str, float]:
    """Of `predict` from the plain forward pass: largest; and of bfloat16: 99.9th percentile."""
    inputs = torch.from_numpy(x), torch.from_numpy(static)
    network = ensemble.networks[0]
    with torch.inference_mode():
        plain = network(*inputs, LOOKBACK_DAYS).flux
        blocks = predict_members([network], *inputs, LOOKBACK_DAYS)[0].flux
        with bfloat16():
            short = predict_members([network], *inputs, LOOKBACK_DAYS)[0].flux
    return {
        "predict_max": float((blocks - plain).abs().max()),
        "bfloat16_p999": float(np.quantile((short - plain).abs().numpy(), 0.999)),
    }


def write_cubes(folder: Path, names: tuple[str, ...], side: int, tile_size: int) -> dict:
    """Two years of random predictors on a square of vegetated cells; arguments of predict_tiles."""
    grid = Grid(0.25, (0.0, 0.0, side * 0.25, side * 0.25))
    random = np.random.default_rng(0)
    catalogue = [*(PREDICTORS[name] for name in names), REFL_FILLED]
    for year in (2002, 2003):
        with create_store(folder / f"{year}.zarr", grid, year, tile_size, catalogue) as store:
            for variable in catalogue:
                shape = store[variable.name].shape
                values = np.round(random.normal(size=shape).astype(np.float32), 3)
                store[variable.name][:] = 0 if variable is REFL_FILLED else values
    fields = {f"igbp_{name}": np.float32(name == "ENF") for name in IGBP_CLASSES}
    fields |= {"land_fraction": 1.0, "vegetated_fraction": 1.0, "koppen": np.int8(15)}
    xr.Dataset(
        {name: (("lat", "lon"), np.full(grid.shape, value)) for name, value in fields.items()},
        {"lat": grid.lat, "lon": grid.lon},
    ).to_netcdf(folder / "static.nc")
    return {"cube": folder / "2003.zarr", "lookback": folder / "2002.zarr",
            "static": folder / "static.nc"}  # fmt: skip


def write_feature_space(path: Path, ensemble: Ensemble, embedding_size: int) -> Path:
    """Sixty invented training towers."""
    features = MEMBERS * embedding_size + SEASONS * len(ensemble.predictors) + len(STATIC_FEATURES)
    towers = np.random.default_rng(1).normal(size=(60, features)).astype(np.float32)
    FeatureSpace.from_towers([str(n) for n in range(60)], np.arange(60) % 5, towers).save(path)
    return path


def tiles_rate(arguments: dict, folder: Path, cells: int, workers: int) -> float:
    """Cell-days per second of `predict_tiles`, from the cubes to the store on disk."""
    start = time.perf_counter()
    predict_tiles(**arguments, output=folder / "tiles.zarr", workers=workers)
    return cells * YEAR_DAYS / (time.perf_counter() - start)


def measure(cells: int, side: int, repeats: int, threads: int) -> dict:
    """All rates, in turns; the median of the repeats counts."""
    settings = yaml.safe_load(CONFIG.read_text())
    torch.set_num_threads(1)  # one worker per core, as in the pipeline
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = random_ensemble(settings, folder)
        one, three = Ensemble.load(paths[:1]), Ensemble.load(paths)
        random = np.random.default_rng(2)
        x = random.normal(size=(cells, LOOKBACK_DAYS + YEAR_DAYS, len(one.predictors)))
        x, static = x.astype(np.float32), random.random((cells, len(STATIC_FEATURES)), np.float32)
        arguments = write_cubes(folder, one.predictors, side, settings["grid"]["tile_size"])
        size = settings["model"]["embedding_size"]
        space = write_feature_space(folder / "feature_space", one, size)
        arguments |= {"checkpoints": paths, "feature_space": space}
        days = cells * YEAR_DAYS
        _in_bfloat16(one, x[:2], static[:2])  # warm up
        for _ in range(repeats):
            for key, work, units, workers in [
                ("matmul", matmul(), 20 * 2 * 1024**3, threads),
                ("value", lambda: one.predict(x, static), days, threads),
                ("three_members", lambda: three.predict(x, static), days, threads),
                ("bfloat16", lambda: _in_bfloat16(one, x, static), days, threads),
                ("reference", reference(30), 30 * BATCH, threads),
            ]:
                rates.setdefault(key, []).append(rate(work, units, workers))
            rates.setdefault("tiles", []).append(tiles_rate(arguments, folder, side**2, threads))
        deviations = deviation(one, x[:64], static[:64])
    median = {key: statistics.median(values) for key, values in rates.items()}
    return {
        "name": "inference",
        "value": round(median["value"]),
        "unit": "cell-days per second and member",
        "reference": round(median["reference"]),
        "ratio": round(median["value"] / median["reference"], 1),
        "matmul_share": round(median["value"] * operations(one) / median["matmul"], 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "details": {
            "three_members": round(median["three_members"]),
            "tiles": round(median["tiles"]),
            "tiles_share": round(median["tiles"] / median["three_members"], 3),
            "bfloat16": round(median["bfloat16"]),
            "matmul_gflops": round(median["matmul"] / 1e9, 1),
            "deviation": deviations,
            "repeats": {key: [round(value) for value in values] for key, values in rates.items()},
            "threads": threads,
            "torch": torch.__version__,
        },
    }


@contextmanager
def bfloat16() -> Iterator[None]:
    """Matrices in bfloat16; oneDNN has an LSTM in it only for processors that multiply it."""
    in_hardware = has_bfloat16(torch.device("cpu"))
    with torch.backends.mkldnn.flags(enabled=in_hardware), torch.autocast("cpu", torch.bfloat16):
        yield


def _in_bfloat16(ensemble: Ensemble, x: np.ndarray, static: np.ndarray) -> None:
    with bfloat16():
        ensemble.predict(x, static)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Inference speed compared with the public TAM-RL")
    parser.add_argument("--cells", type=int, default=1024, help="of the bare network, each thread")
    parser.add_argument("--side", type=int, default=90, help="cells along a side of the cubes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    print(json.dumps(measure(**vars(parser.parse_args()))))
