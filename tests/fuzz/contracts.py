"""What one stage writes and the next reads: stores, checkpoints, calibration, configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from calibrations import make_calibration
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate
from toy_planet import write_planet

from tamflux.config import check_config
from tamflux.errors import ConfigError
from tamflux.predictors.cube import Cube
from tamflux.predictors.static import STATIC_FEATURES, open_static, static_features
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.ensemble import Ensemble
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS, Calibration
from tamflux.uncertainty.feature_space import FeatureSpace
from tamflux.variables import FLUXES, IGBP_CLASSES

from .land import STATIC
from .stores import CUBE
from .trial import Reader

REPO = Path(__file__).parents[2]
LOOKBACK, DAYS = 20, 15


def write_cube(folder: Path) -> None:
    """The cube of a toy planet."""
    planet = folder / "planet"
    planet.mkdir()
    write_planet(planet)
    (planet / "2003.zarr").rename(folder / "2003.zarr")
    shutil.rmtree(planet)


def read_cube(folder: Path) -> dict[str, np.ndarray]:
    """All predictors, and the flag."""
    cube = Cube.open(folder / "2003.zarr")
    everywhere = slice(None), slice(None)
    block = cube.read(*everywhere)
    values = {name: block[..., i] for i, name in enumerate(cube.variables)}
    return values | {"refl_filled": cube.read_flag(*everywhere).astype(float)}


def write_surface(folder: Path) -> None:
    """`static.nc` of a toy planet."""
    write_planet(folder)
    for path in folder.iterdir():
        if path.name != "static.nc":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def read_surface(folder: Path) -> dict[str, np.ndarray]:
    """The fields that later stages read, and the static features of the models."""
    static: xr.Dataset = open_static(folder / "static.nc")
    values = {name: static[name].to_numpy().astype(float) for name in STATIC if name in static}
    return values | {"features": static_features(static)}


SPEC = ModelSpec(
    model="tamrl", hidden_size=6, embedding_size=2, trees=2, lookback_days=LOOKBACK,
    predictors=("t2m", "vpd", "ndvi"), units=("degC", "hPa", "1"),
    static_features=STATIC_FEATURES, mean=(10.0, 5.0, 0.4), sd=(12.0, 4.0, 0.2),
    flux_scale=(4.0, 3.0, 2.0), training_sites=("AA-Aaa",),
)  # fmt: skip
FLUX_RANGES = {"gpp": (0, 1000), "reco": (0, 1000), "nee": (-1000, 1000), "std": (0, 1000)}


def write_checkpoint(folder: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(folder / "member.safetensors", SPEC.network(), SPEC)


def read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """Fluxes of a few cells."""
    ensemble = Ensemble.load([folder / "member.safetensors"])
    random = np.random.default_rng(0)
    x = random.normal([10, 5, 0.4], [12, 4, 0.2], (3, LOOKBACK + DAYS, 3)).astype(np.float32)
    found = ensemble.predict(x, random.random((3, len(STATIC_FEATURES)), np.float32))
    fluxes = dict(zip(FLUXES, np.moveaxis(found.mean, -1, 0), strict=True))
    return fluxes | {"std": found.std}


FEATURES = np.random.default_rng(0).normal(3, [1, 10, 0.1], (30, 3)).astype(np.float32)


def write_feature_space(folder: Path) -> None:
    space = FeatureSpace.from_towers([f"T{i:02d}" for i in range(30)], np.arange(30) % 5, FEATURES)
    space.save(folder / "feature_space.safetensors")


def read_feature_space(folder: Path) -> dict[str, np.ndarray]:
    space = FeatureSpace.load(folder / "feature_space.safetensors")
    return {
        "dissimilarity": space.dissimilarity(FEATURES + 1),
        "out_of_fold": space.out_of_fold_dissimilarity(),
    }


def write_calibration(folder: Path) -> None:
    difficulty = {flux: [0.1 * (i + 1) for i in range(len(GROSS_FLUX_KNOTS))] for flux in FLUXES}
    make_calibration(difficulty, classes={"GRA": 1.2}).save(folder / "calibration.json")


def read_calibration(folder: Path) -> dict[str, np.ndarray]:
    calibration = Calibration.load(folder / "calibration.json")
    gpp = np.linspace(0, 30, 50)
    igbp = np.full((50, len(IGBP_CLASSES)), 1 / len(IGBP_CLASSES))
    values = {f"width@{flux}": calibration.half_width(flux, gpp, gpp, igbp) for flux in FLUXES}
    values |= {
        f"width_of_mean@{flux}": calibration.half_width_of_mean(flux, gpp, 100, igbp)
        for flux in FLUXES
    }
    return values | {"applicability": calibration.applicability(gpp, gpp / 10)}


def read_config(folder: Path) -> dict[str, np.ndarray]:
    """The configuration as Snakemake loads it, checked as the Snakefile does."""
    try:
        config = load_configfile(folder / "config.yaml")
        validate(config, REPO / "workflow/schemas/config.schema.yaml")
    except (WorkflowError, UnicodeDecodeError) as error:  # Snakemake's message to the user
        raise ConfigError(str(error)) from error
    check_config(config)
    grid, training = config["grid"], config["training"]
    return {"years": np.array(config["years"]["product"], float),
            "resolution": np.array([grid["resolution"]], float),
            "members": np.array([training["members"]], float)}  # fmt: skip


CONTRACT_READERS = (
    Reader("predictor cube", write_cube, read_cube, CUBE | {"refl_filled": (0, 2)},
           files="**/*"),
    Reader("land surface", write_surface, read_surface, STATIC | {"features": (0, 1)}),
    Reader("checkpoint", write_checkpoint, read_checkpoint, FLUX_RANGES),
    Reader("training towers' feature space", write_feature_space, read_feature_space,
           {"dissimilarity": (0, 1e9), "out_of_fold": (0, 1e9)}),
    Reader("calibration", write_calibration, read_calibration,
           {"width": (0, 1e6), "width_of_mean": (0, 1e6), "applicability": (0, 1)}),
    Reader("config.yaml", lambda folder: shutil.copy(REPO / "config.yaml", folder), read_config,
           {"years": (1950, 2100), "resolution": (0, 30), "members": (1, 1000)}),
)  # fmt: skip
