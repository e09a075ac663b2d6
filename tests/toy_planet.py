"""Cubes, static fields, checkpoints and a model in closed form, small and quick.

Run as a program it predicts slowly, so that a test can kill it: ``toy_planet.py FOLDER SECONDS``.
As ``--preload`` of a Dask worker it gives the worker the same model, as slow.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray as xr
from safetensors.numpy import save_file

from tamflux.grid import Grid
from tamflux.inference import predict, tiles
from tamflux.predictors.cube import create_store
from tamflux.uncertainty.feature_space import FeatureSpace
from tamflux.variables import IGBP_CLASSES, PREDICTORS, REFL_FILLED, VEGETATED

VARIABLES = ("t2m", "ssrd", "ndvi")
RESOLUTION = 15.0
WORKER_PAUSE = 0.3  # seconds that a tile takes in a preloaded worker


class ToyEnsemble:
    """GPP integrates temperature (a recurrence), RECO the mean of the look-back window."""

    predictors = ("ndvi", "t2m")  # not all of the cube, in another order
    static_features = ("igbp_ENF", "igbp_GRA")
    monthly = ()
    optional = ()
    lookback_days = 365
    specs = (
        SimpleNamespace(
            model="toy", units=("1", "degC"), training_sites=("A", "B"), provenance={"seed": 7}
        ),
    )
    device = SimpleNamespace(type="cpu")
    pause = 0.0

    @classmethod
    def load(cls, paths, device="cpu"):
        ensemble = cls()
        ensemble.specs = cls.specs * len(paths)
        return ensemble

    def predict(self, x, static, batch_cells=1024):
        return self.predict_from(x, static, batch_cells)[0]

    def predict_from(self, x, static, batch_cells):
        batch_cells = batch_cells or 1024
        time.sleep(self.pause)
        parts = [
            toy_fluxes(x[i : i + batch_cells], static[i : i + batch_cells])
            for i in range(0, len(x), batch_cells)
        ]
        mean = np.concatenate(parts).astype(np.float32)
        std = np.abs(0.1 * mean)
        spread = np.linspace(0.9, 1.1, len(self.specs))[:, None]
        members = (mean[:, :, None, :2] * spread).astype(np.float32)
        embeddings = self.embeddings(x)
        return SimpleNamespace(mean=mean, std=std, members=members, embeddings=embeddings), {}

    def embeddings(self, x, batch_cells=1024):
        return x[:, : self.lookback_days, 1:].max(axis=1)


def toy_fluxes(x, static):
    """(cell, time, 3) fluxes of (cell, 365 + time, [ndvi, t2m]) and (cell, [ENF, GRA])."""
    ndvi, t2m = np.nan_to_num(x[..., 0], nan=0.1), x[..., 1]
    state, memory = np.zeros(len(x)), []
    for day in range(x.shape[1]):
        state = 0.9 * state + 0.1 * t2m[:, day]
        memory.append(state)
    gpp = np.abs(np.stack(memory, axis=1)) * ndvi + static[:, :1]
    reco = gpp * 0.5 + np.abs(t2m[:, :365].mean(axis=1, keepdims=True)) * 0.1 + static[:, 1:]
    return np.stack([gpp, reco, reco - gpp], axis=-1)[:, 365:]


def write_planet(folder: Path, tile_size: int = 4, resolution: float = RESOLUTION) -> dict:
    """Write cubes of 2003 and 2004, static fields and two checkpoints; arguments of predict_tiles.

    Row 0 is ocean, as is the western half of rows 0-3; one cell has no vegetation, one no
    reflectance at all, and one is mostly filled.
    """
    grid = Grid(resolution)
    static = _static(grid)
    static.to_netcdf(folder / "static.nc")
    for year in (2003, 2004):
        random = np.random.default_rng(year)
        catalogue = [PREDICTORS[name] for name in VARIABLES] + [REFL_FILLED]
        path = folder / f"{year}.zarr"
        with create_store(path, grid, year, tile_size, catalogue) as store:
            shape = store["t2m"].shape
            store["t2m"][:] = random.normal(10, 8, shape).astype(np.float32)
            store["ssrd"][:] = random.uniform(0, 300, shape).astype(np.float32)
            ndvi = random.uniform(0, 1, shape).astype(np.float32)
            filled = (random.random(shape) < 0.3).astype(np.int8)
            ndvi[:, 5, 6], filled[:, 5, 6] = np.nan, 2
            filled[:200, 5, 7] = 1
            store["ndvi"][:], store["refl_filled"][:] = ndvi, filled
    for seed in (1, 2):
        save_file({"w": np.full(3, seed, np.float32)}, folder / f"toy_{seed}.safetensors")
    write_feature_space(folder, embeddings=1, predictors=2, static_features=2)
    return {
        "cube": folder / "2004.zarr",
        "lookback": folder / "2003.zarr",
        "static": folder / "static.nc",
        "checkpoints": [folder / f"toy_{seed}.safetensors" for seed in (1, 2)],
        "feature_space": folder / "feature_space.safetensors",
    }


def write_feature_space(
    folder: Path, embeddings: int, predictors: int, static_features: int
) -> Path:
    """Feature space of six invented towers, with four seasons of each predictor."""
    features = embeddings + 4 * predictors + static_features
    towers = np.random.default_rng(0).normal(1, 5, (6, features)).astype(np.float32)
    path = folder / "feature_space.safetensors"
    FeatureSpace.from_towers("ABCDEF", np.arange(6) % 3, towers).save(path)
    return path


def _static(grid: Grid) -> xr.Dataset:
    """Land everywhere but in row 0 and the west of rows 0-3; three cells are special."""
    fractions = {name: np.zeros(grid.shape, np.float32) for name in IGBP_CLASSES}
    fractions["ENF"][:] = np.linspace(0.1, 0.9, grid.shape[1], dtype=np.float32)
    fractions["GRA"] = 1 - fractions["ENF"]
    water = np.zeros(grid.shape, np.float32)
    water[0], water[:4, : grid.shape[1] // 2], water[6, 6] = 1, 1, 0.75
    desert = np.zeros(grid.shape, bool)
    desert[7, 7] = True
    for name in ("ENF", "GRA"):
        fractions[name] = np.where(desert, 0, fractions[name] * (1 - water)).astype(np.float32)
    fractions["WAT"], fractions["BSV"][desert] = water, 1
    dims = ("lat", "lon")
    data = {f"igbp_{name}": (dims, values) for name, values in fractions.items()}
    data["land_fraction"] = (dims, 1 - water)
    data["vegetated_fraction"] = (dims, sum(fractions[name] for name in VEGETATED))
    data["koppen"] = (dims, np.full(grid.shape, 15, np.int8))
    return xr.Dataset(data, {"lat": grid.lat, "lon": grid.lon})


def dask_setup(worker) -> None:
    """Called by a Dask worker that preloads this file."""
    ToyEnsemble.pause = WORKER_PAUSE
    tiles.Ensemble = ToyEnsemble


if __name__ == "__main__":
    folder, pause = Path(sys.argv[1]), float(sys.argv[2])
    ToyEnsemble.pause = pause
    tiles.Ensemble = ToyEnsemble
    predict.predict_tiles(
        folder / "2004.zarr",
        folder / "2003.zarr",
        folder / "static.nc",
        [folder / f"toy_{seed}.safetensors" for seed in (1, 2)],
        folder / "feature_space.safetensors",
        folder / "tiles" / "toy_2004.zarr",
        workers=1,
        batch_cells=7,
    )
