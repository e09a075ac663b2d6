"""ERA5 of a year, derived and regridded, as a tile-major store.

ERA5 comes day by day for the whole globe, the store holds all days of a tile together. Fields go
through a file on disk per predictor: written by days, read by bands of tiles. Memory holds a few
blocks of days or one band, whatever the grid.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import zarr
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.files import scratch_folder
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube, create_store, year_days
from tamflux.predictors.derived import (
    day_length,
    potential_radiation,
    vpd_daily,
    vpd_instant,
    wind_speed,
)
from tamflux.predictors.incremental import (
    drop_kept,
    keep_store,
    kept_folder,
    month_edges,
    open_kept,
)
from tamflux.predictors.regrid import Weights, regrid, regrid_weights
from tamflux.predictors.rounding import round_bits
from tamflux.provenance import code_hash
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_sample import check_sample
from tamflux.readers.era5_variables import ACCUMULATED, raw_variables
from tamflux.variables import ASTRONOMY, METEOROLOGY

log = logging.getLogger("tamflux")

BLOCK_BYTES = 8_000_000
"""Least size of the block of days of one raw variable that is read at once."""
_LARGEST_BLOCK = 140_000_000
"""The size up to which a block grows to whole chunks of its file: a month of a quarter degree."""

DEW_POINT_SLACK, MAX_SATURATED = 5.0, 0.02
"""K by which the dew point may lie above the temperature, and the share of a day's values that may
do so by more: interpolation and packing make a little of it, an exchanged file makes much."""

_TOGETHER = ("t2m", "t2m_min", "t2m_max", "vpd")
"""Predictors made of the same raw variables: read in one pass."""


def prepare_era5(
    paths: Iterable[str | Path],
    kind: str,
    year: int,
    grid: Grid,
    tile_size: int,
    variables: Sequence[str],
    target: str | Path,
    may_end_early: bool = False,
) -> None:
    """Write the meteorology and astronomy of a year to a store of the cube's layout.

    Of a year that is not over, its whole months are written; when files of more come, or one has
    changed, the months before the first new one are taken over from the last store.

    Parameters
    ----------
    paths : iterable of path
        Raw ERA5 files of the year (hourly kinds: with 00 UTC of 1 January of the next year).
    kind : str
        ``daily_statistics``, ``hourly`` or ``land_hourly``.
    year, grid, tile_size
        What the store holds.
    variables : sequence of str
        Predictors of the cube; those of other sources are passed over.
    target : path
        The store.
    may_end_early : bool
        Whether the year may end with the last month that all files have.

    Raises
    ------
    InputError
        If the files are not a whole, plausible year; raised before any work where the
        coordinates show it. All problems are logged, the first one is raised.
    """
    weather = [name for name in variables if name in METEOROLOGY]
    catalogue = METEOROLOGY | ASTRONOMY
    wanted = [catalogue[name] for name in variables if name in catalogue]
    with (
        scratch_folder(target) as scratch,
        closing(Era5Year(paths, kind, year, grid, weather, scratch, may_end_early)) as source,
    ):
        _raise_first(source.problems)
        check_sample(source)
        _log_grids(source, grid)
        grows = source.days < len(year_days(year))
        edges = month_edges(year, source.days)
        origins = []
        if grows or kept_folder(target).is_dir():
            origins = _origins(source, edges, (kind, grid, tile_size, tuple(variables)))
        kept, first = open_kept(target, origins, edges)
        log.info("%d: %d days, %d of them as before", year, source.days, first)
        groups = _groups(weather)
        total = len(groups) * (source.days - first)
        with (
            create_store(target, grid, year, tile_size, wanted, source.days) as store,
            tqdm(total=total, desc=f"ERA5 {year}", unit="day") as progress,
        ):
            for group in groups:
                files = _regrid_group(source, group, grid, first, scratch, progress)
                source.close()  # frees the chunks held in memory
                for name, file in files.items():
                    before = kept if first else None
                    _write_tiles(file, store[name], source.days, before, first, tile_size)
                    file.unlink()
            _write_astronomy(store, grid, year, tile_size)
    if grows:
        keep_store(target, origins)
    else:
        drop_kept(target)


def derive(predictor: str, kind: str, raw: dict[str, np.ndarray]) -> np.ndarray:
    """(day, lat, lon) daily predictor from raw variables (day, sample, lat, lon).

    Of hourly samples, vapour pressure deficit and wind speed are computed each hour, then
    averaged; of daily means, see `tamflux.predictors.derived`.
    """
    daily = kind == "daily_statistics"
    if predictor == "vpd" and daily:
        if (raw["t2m_min"] > raw["t2m_max"] + 0.1).any():
            raise InputError(
                "the daily minimum of a temperature is above its maximum",
                file="inputs.era5.path",
                variable="t2m_min, t2m_max",
                found=f"up to {(raw['t2m_min'] - raw['t2m_max']).max():.3g} K above",
                expected="t2m_min <= t2m_max",
                fix="look whether the files of minimum and maximum were exchanged",
            )
        _check_dew_point(raw["d2m"], raw["t2m_max"])
        return vpd_daily(*(raw[role][:, 0] for role in raw_variables(kind, "vpd")))
    if predictor == "vpd":
        _check_dew_point(raw["d2m"], raw["t2m"])
        return _mean_over_samples(vpd_instant, raw["t2m"], raw["d2m"])
    if predictor == "wind":
        return _mean_over_samples(wind_speed, raw["u10"], raw["v10"])
    if predictor in ("t2m_min", "t2m_max") and not daily:
        return getattr(raw["t2m"], predictor[-3:])(axis=1)
    samples = raw[predictor]
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)


def _check_dew_point(d2m: np.ndarray, t2m: np.ndarray) -> None:
    """Air cannot be much moister than saturated: the dew point lies below the temperature."""
    above = d2m - t2m
    if (above > DEW_POINT_SLACK).mean() > MAX_SATURATED:
        raise InputError(
            "the dew point is above the air temperature",
            file="inputs.era5.path",
            variable="d2m, t2m",
            found=f"up to {np.nanmax(above):.3g} K above, in "
            f"{(above > DEW_POINT_SLACK).mean():.0%} of the values",
            expected="d2m <= t2m",
            fix="look whether the files were exchanged, or one has another unit or place",
        )


def _mean_over_samples(function, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean of function(first, second) over the samples of a day, one sample at a time."""
    total = function(first[:, 0], second[:, 0])
    for sample in range(1, first.shape[1]):
        total += function(first[:, sample], second[:, sample])
    return total / first.shape[1]


def _groups(weather: Sequence[str]) -> list[list[str]]:
    """Predictors that share raw variables, together, so that each raw file is decoded once."""
    shared = [name for name in weather if name in _TOGETHER]
    return ([shared] if shared else []) + [[name] for name in weather if name not in _TOGETHER]


def _origins(source: Era5Year, edges: Sequence[int], settings: tuple) -> list[str]:
    """What each month is made from: files, settings and code."""
    ours = repr(settings) + code_hash("tamflux.predictors.era5_cube")
    return [f"{source.origin(*month)} {ours}" for month in pairwise(edges)]


def _regrid_group(
    source: Era5Year, group: list[str], grid: Grid, first: int, scratch: Path, progress: tqdm
) -> dict[str, Path]:
    """Derive and regrid the days from `first` on into one (time, lat, lon) file a predictor."""
    roles = sorted({role for name in group for role in raw_variables(source.kind, name)})
    weights = {name: _weights(source, name, grid) for name in group}
    files = {name: scratch / f"{name}.f32" for name in group}
    for file in files.values():
        file.touch()
    for days in source.blocks(roles[0], first, BLOCK_BYTES, _LARGEST_BLOCK):
        raw = {role: source.read(role, days) for role in roles}
        for name, file in files.items():
            with open(file, "ab") as out:
                for day in range(days.stop - days.start):  # one at a time stays in the CPU's cache
                    one = {role: values[day : day + 1] for role, values in raw.items()}
                    field = regrid(derive(name, source.kind, one), weights[name])
                    round_bits(field).tofile(out)
        progress.update(days.stop - days.start)
    return files


def _weights(source: Era5Year, predictor: str, grid: Grid) -> Weights:
    """Weights from the nodes of the predictor's raw variables, which must be on one grid."""
    first, *others = raw_variables(source.kind, predictor)
    lat, lon = source.nodes(first)
    for role in others:
        if not all(map(np.array_equal, source.nodes(role), (lat, lon))):
            raise InputError(
                f"{predictor} is made of variables on different grids",
                file="inputs.era5.path",
                variable=f"{first}, {role}",
                found=f"{[axis.size for axis in source.nodes(role)]} nodes of {role}",
                expected=f"{[lat.size, lon.size]} nodes as of {first}",
                fix="download them on the same grid",
            )
    return regrid_weights(lat, lon, grid, conservative=predictor in ACCUMULATED)


def _write_tiles(
    file: Path, array: zarr.Array, n_days: int, kept: Cube | None, first: int, tile_size: int
) -> None:
    """Write `n_days` of a tile-major array, a band of tiles at a time.

    The days before `first` come from the kept store, the others from a (time, lat, lon) float32
    file.
    """
    _, n_rows, n_cols = array.shape
    buffer = np.empty((n_days, min(tile_size, n_rows), n_cols), np.float32)
    with open(file, "rb") as source:
        for south in range(0, n_rows, tile_size):
            rows = slice(south, min(south + tile_size, n_rows))
            band = buffer[:, : rows.stop - rows.start]
            if kept is not None:
                band[:first] = kept.read(rows, slice(None), [array.basename])[:first, ..., 0]
            for day in range(first, n_days):
                source.seek(4 * n_cols * ((day - first) * n_rows + south))
                source.readinto(band[day])
            array[:n_days, rows] = band


def _write_astronomy(store: zarr.Group, grid: Grid, year: int, tile_size: int) -> None:
    days, n_rows = year_days(year), grid.shape[0]
    for name, function in {"ssrd_pot": potential_radiation, "day_length": day_length}.items():
        for south in range(0, n_rows if name in store else 0, tile_size):
            rows = slice(south, min(south + tile_size, n_rows))
            values = function(grid.lat[rows], days)[:, :, None]
            band = (len(days), rows.stop - rows.start, grid.shape[1])
            store[name][:, rows] = np.broadcast_to(round_bits(values), band)


def _log_grids(source: Era5Year, grid: Grid) -> None:
    for role in source.roles:
        lat, lon = source.nodes(role)
        shape, spacing = f"{lat.size} x {lon.size}", lon[1] - lon[0]
        log.info(
            "%s: %s nodes every %g to cells of %g degree", role, shape, spacing, grid.resolution
        )


def _raise_first(problems: list[InputError]) -> None:
    for problem in problems[1:]:
        log.error("%s", problem)
    if problems:
        raise problems[0]
