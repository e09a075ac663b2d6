"""Daily fluxes, dissimilarity index and quality of the land cells of one tile."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.grid import Tile
from tamflux.inference.state_cache import TileStateCache
from tamflux.predictors.cube import (
    FLAG_NO_DATA,
    WEATHER_FLAG,
    WEATHER_MISSING,
    Cube,
    prepend_lookback,
)
from tamflux.predictors.static import (
    COAST_BELOW,
    STATIC_FEATURES,
    extra_statics,
    open_static,
    static_table,
)
from tamflux.training.cell_inputs import read_cell_inputs
from tamflux.training.ensemble import Ensemble, Prediction
from tamflux.training.gaps import fill_gaps, gap_memory, missing_fluxes, missing_weather
from tamflux.uncertainty.feature_space import FeatureSpace, compute_features
from tamflux.variables import FLUXES

COAST, NO_VEGETATION, NO_REFLECTANCE, MOSTLY_FILLED = 1, 2, 4, 8
FILLED_WEATHER, MISSING_WEATHER = 16, 32
"""Bits of `quality`; see contract 4."""

FLUX_NAMES = tuple(FLUXES)
STD_NAMES = tuple(f"{name}_std" for name in FLUXES)
MEMBER_NAMES = ("gpp_members", "reco_members")
"""Monthly means of each member; those of nee follow."""


@dataclass(frozen=True)
class TileInputs:
    """Input files of a prediction, and the device it runs on.

    `lookback` equals `cube` where there is no year before. `identity` is a hash of the content of
    the files, so that a worker that outlives a run does not reuse files that it opened for another.
    `states` caches recurrent states of a partial year, or of one that was partial until now.
    """

    cube: Path
    lookback: Path
    static: Path
    checkpoints: tuple[Path, ...]
    feature_space: Path
    identity: str
    device: str
    states: TileStateCache | None = None


@dataclass(frozen=True)
class OpenedInputs:
    """The files of `TileInputs`, opened and checked against each other."""

    cube: Cube
    lookback: Cube | None
    static: xr.Dataset
    ensemble: Ensemble
    feature_space: FeatureSpace
    states: TileStateCache | None


_OPENING = threading.Lock()
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def open_inputs(inputs: TileInputs) -> OpenedInputs:
    """Open the inputs once per process and check that they belong together.

    Raises
    ------
    ContractError
        If the grids of the files differ, or predictors or static features of the model are missing.
    """
    with _OPENING:  # the threads of a worker share one copy
        return _open_inputs(inputs)


@lru_cache(maxsize=1)
def _open_inputs(inputs: TileInputs) -> OpenedInputs:
    torch.set_num_threads(1)  # parallel over tiles: a tile is the work of one thread
    _keep_freed_memory()
    ensemble = Ensemble.load(inputs.checkpoints, inputs.device)
    cube = Cube.open(inputs.cube)
    lookback = None if inputs.lookback == inputs.cube else Cube.open(inputs.lookback)
    if lookback is not None and (lookback.grid, lookback.year) != (cube.grid, cube.year - 1):
        raise ContractError(
            "the look-back cube is not the year before on the same grid",
            file=inputs.lookback,
            found=f"{lookback.year}, {lookback.grid}",
            expected=f"{cube.year - 1}, {cube.grid}",
            fix="make both cubes with one configuration",
        )
    before = lookback or cube
    if not before.is_complete:
        raise ContractError(
            "the look-back window of the year is not complete",
            file=before.path,
            found=f"predictors until {before.time[-1]}",
            expected=f"every day of {before.year}",
            fix="a year that is not over needs the year before it: list that under years.lookback",
        )
    static = open_static(inputs.static)
    for name in ("lat", "lon"):
        found, expected = static[name].values, getattr(cube.grid, name)
        if found.shape != expected.shape or not np.allclose(found, expected, atol=1e-6):
            raise ContractError(
                "the static fields lie on another grid than the cube",
                file=inputs.static,
                variable=name,
                found=f"{found.size} cells from {found[0]}",
                expected=f"{expected.size} cells from {expected[0]}",
                fix="make both with one configuration",
            )
    for what, needed, given in [
        ("predictors", ensemble.predictors, (*cube.variables, *ensemble.optional)),
        ("static features", ensemble.static_features, (*STATIC_FEATURES, *extra_statics(static))),
    ]:
        if missing := [name for name in needed if name not in given]:
            raise ContractError(
                f"the inputs lack {what} of the model",
                file=inputs.cube,
                variable=", ".join(missing),
                found=list(given),
                expected=list(needed),
                fix="train and predict with the same predictors.variables",
            )
    units = tuple(cube.units[name] for name in ensemble.predictors)
    if units != tuple(ensemble.specs[0].units):
        raise ContractError(
            "the model was trained with other units",
            file=inputs.checkpoints[0],
            found=list(ensemble.specs[0].units),
            expected=list(units),
            fix="train again with this version",
        )
    return OpenedInputs(
        cube, lookback, static, ensemble, FeatureSpace.load(inputs.feature_space), inputs.states
    )


def _keep_freed_memory() -> None:
    """Have glibc keep freed memory, up to 1 GB, for the next block of days.

    Dask sets ``MALLOC_TRIM_THRESHOLD_`` of its worker processes so low that every freed tensor goes
    back to the kernel, and half of the time is spent on clearing new pages.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library has none
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 2**30)
        mallopt(_M_MMAP_THRESHOLD, 2**25)  # largest value that glibc accepts


def has_land(static: xr.Dataset, tile: Tile) -> bool:
    """Whether any cell of a tile has land."""
    return bool((static["land_fraction"].values[tile.rows, tile.cols] > 0).any())


def predict_tile(
    opened: OpenedInputs, tile: Tile, batch_cells: int | None = None
) -> dict[str, np.ndarray]:
    """Predict the daily fluxes of one tile.

    Returns
    -------
    dict
        `gpp`, `reco`, `nee` and their `*_std`: (time, row, col) float32 in g C m-2 d-1, NaN over
        water, 0 on land without vegetation; `dissimilarity_index`: (row, col) float32
        (`tamflux.uncertainty.feature_space`), NaN without vegetated land; `gap_memory`: (time, row,
        col) float32 (`tamflux.training.gaps`); `quality`: (row, col) int8; `gpp_members`,
        `reco_members`: (member, month, row, col) float32, means of the days with fluxes. Fluxes
        are also NaN where weather or the Köppen class is missing.
    """
    cube, static = opened.cube, opened.static.isel(lat=tile.rows, lon=tile.cols)
    land = static["land_fraction"].values > 0
    vegetated = land & (static["vegetated_fraction"].values > 0)
    fluxes = np.full((2, len(FLUX_NAMES), len(cube.time), *land.shape), np.nan, np.float32)
    fluxes[..., land] = 0
    starts = month_starts(cube.time)
    members = np.full((2, len(opened.ensemble.specs), len(starts), *land.shape), np.nan, np.float32)
    members[..., land] = 0
    dissimilarity = np.full(land.shape, np.nan, np.float32)
    memory = np.zeros(fluxes.shape[2:], np.float32)
    quality = quality_flags(
        static["land_fraction"].values, vegetated, cube.read_flag(tile.rows, tile.cols)
    )
    rows, cols = np.nonzero(vegetated)
    if len(rows):
        at = rows + tile.rows.start, cols + tile.cols.start
        lookback_days, names = opened.ensemble.lookback_days, opened.ensemble.predictors
        x = read_cell_inputs(opened.ensemble, cube, opened.lookback, *at)
        flags = _weather_flags(opened, *at)
        features = _cell_statics(opened, static, rows, cols)
        without = missing_weather(x, names, opened.ensemble.optional) | (flags == WEATHER_MISSING)
        without |= _unknown_climate(opened, static, rows, cols)[:, None]
        filled, missing = without | (flags > 0), missing_fluxes(without, lookback_days)
        inputs = fill_gaps(x, names, lookback_days), features
        prediction = _predict_cells(opened, tile, *inputs, batch_cells)
        dissimilarity[rows, cols] = opened.feature_space.dissimilarity(
            compute_features(prediction.embeddings, x[:, :lookback_days], features),
            filled[:, :lookback_days].mean(axis=1),
        )
        for part, values in enumerate((prediction.mean, prediction.std)):
            _check_finite(values, tile)
            values = np.where(missing[..., None], np.float32(np.nan), values)
            fluxes[part][..., rows, cols] = np.moveaxis(values, 0, -1).swapaxes(0, 1)
        months = means_of_months(prediction.members, missing, starts)
        members[..., rows, cols] = months.transpose(3, 2, 1, 0)
        memory[:, rows, cols] = gap_memory(filled, lookback_days).T
        quality[rows, cols] += weather_bits(filled, missing)
        dissimilarity[rows[missing.all(axis=1)], cols[missing.all(axis=1)]] = np.nan
    arrays = fluxes.reshape(-1, *fluxes.shape[2:])
    tile_values = dict(zip((*FLUX_NAMES, *STD_NAMES), arrays, strict=True))
    return tile_values | {
        **dict(zip(MEMBER_NAMES, members, strict=True)),
        "dissimilarity_index": dissimilarity,
        "gap_memory": memory,
        "quality": quality,
    }


def month_starts(time: np.ndarray) -> np.ndarray:
    """(month,) indices of the first day of each month of (time,) datetime64[D]."""
    return np.unique(time.astype("datetime64[M]"), return_index=True)[1]


def means_of_months(values: np.ndarray, missing: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(cell, month, ...) float32 means of the days with fluxes, NaN in months without any.

    Parameters
    ----------
    values : numpy.ndarray
        (cell, time, ...).
    missing : numpy.ndarray
        (cell, time) bool, days without fluxes.
    starts : numpy.ndarray
        From `month_starts`.
    """
    there = ~missing.reshape(*missing.shape, *[1] * (values.ndim - 2))
    days = np.add.reduceat(there, starts, axis=1, dtype=np.float64)
    total = np.add.reduceat(np.where(there, values, 0), starts, axis=1, dtype=np.float64)
    return np.divide(total, days, out=np.full_like(total, np.nan), where=days > 0).astype(
        np.float32
    )


def weather_bits(filled: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Quality bits (cell,) int8 of the weather.

    Parameters
    ----------
    filled : numpy.ndarray
        (cell, lookback + time) bool, days whose weather is filled or missing.
    missing : numpy.ndarray
        (cell, time) bool, days whose fluxes are missing.
    """
    some_missing = missing.any(axis=1)
    some_filled = filled.sum(axis=1) > missing.sum(axis=1)
    return (FILLED_WEATHER * some_filled + MISSING_WEATHER * some_missing).astype(np.int8)


def quality_flags(land_fraction: np.ndarray, vegetated: np.ndarray, origin: np.ndarray):
    """Quality bits of cells.

    Parameters
    ----------
    land_fraction : numpy.ndarray
        (row, col) fraction of land; cells without land get no bit.
    vegetated : numpy.ndarray
        (row, col) bool, land with vegetation.
    origin : numpy.ndarray
        (time, row, col) `refl_filled` of the cube.

    Returns
    -------
    numpy.ndarray
        (row, col) int8, sum of the bits of contract 4.
    """
    missing = (origin == FLAG_NO_DATA).all(axis=0)
    filled = (origin != 0).mean(axis=0) > 0.5
    bits = (
        COAST * (land_fraction < COAST_BELOW)
        + NO_VEGETATION * ~vegetated
        + NO_REFLECTANCE * missing
        + MOSTLY_FILLED * (filled & ~missing)
    )
    return np.where(land_fraction > 0, bits, 0).astype(np.int8)


def _weather_flags(opened: OpenedInputs, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """(cell, lookback + time) int8 `weather_filled`."""
    year = _read_weather_flag(opened.cube, rows, cols)
    before = None if opened.lookback is None else _read_weather_flag(opened.lookback, rows, cols)
    return prepend_lookback(year, before, opened.ensemble.lookback_days)[..., 0]


def _read_weather_flag(cube: Cube, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """(cell, time, 1) int8 flag of a cube; 0 where it has none."""
    cells = np.zeros((len(rows), len(cube.time), 1), np.int8)
    group = zarr.open_group(cube.path, mode="r")
    if WEATHER_FLAG in group:
        south, west = rows.min(), cols.min()
        block = slice(south, rows.max() + 1), slice(west, cols.max() + 1)
        values = np.asarray(group[WEATHER_FLAG][: len(cube.time), *block])
        cells[..., 0] = values[:, rows - south, cols - west].T
    return cells


def _predict_cells(
    opened: OpenedInputs, tile: Tile, x: np.ndarray, features: np.ndarray, batch_cells: int | None
) -> Prediction:
    """Predict all days, or in a partial year those that the cache does not hold."""
    if opened.states is None:
        return opened.ensemble.predict_from(x, features, batch_cells)[0]
    return opened.states.predict(tile.id, opened.ensemble, x, features, batch_cells)


def _cell_statics(
    opened: OpenedInputs, static: xr.Dataset, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """(cell, S) static features in the order of the model."""
    cells = static.isel(lat=xr.DataArray(rows, dims="cell"), lon=xr.DataArray(cols, dims="cell"))
    return static_table(cells)[list(opened.ensemble.static_features)].to_numpy(np.float32)


def _unknown_climate(
    opened: OpenedInputs, static: xr.Dataset, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """(cell,) bool: cells without a Köppen class, for a model that needs it.

    Their Köppen features are all 0, which no training site has: their fluxes are missing.
    """
    if not any(name.startswith("koppen_") for name in opened.ensemble.static_features):
        return np.zeros(len(rows), bool)
    return static["koppen"].to_numpy()[rows, cols] == 0


def _check_finite(values: np.ndarray, tile: Tile) -> None:
    if not np.isfinite(values).all():
        raise ContractError(
            "the model gives fluxes that are not finite",
            variable=", ".join(FLUX_NAMES),
            found=f"{np.count_nonzero(~np.isfinite(values))} values in tile {tile.id}",
            expected="finite fluxes on every vegetated cell and day",
            fix="look at the predictors of this tile and at the training log",
        )
