"""ERA5 of a year, derived and regridded, as a tile-major store.

ERA5 files hold one global field after the other, whereas a chunk of the store holds all days of a
tile. Each predictor therefore goes through a file on disk, written by days and read by row blocks
of tiles. Memory holds a few blocks of days or one row block, whatever the grid.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import zarr
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.files import scratch_folder
from tamflux.grid import Grid
from tamflux.predictors.cube import create_store, year_days
from tamflux.predictors.derived import vpd_daily, vpd_instant, wind_speed
from tamflux.predictors.era5_tiles import Era5Run, has_open_gap, write_flag, write_tiles
from tamflux.predictors.incremental import (
    cache_folder,
    cache_store,
    drop_cache,
    month_edges,
    open_cached,
)
from tamflux.predictors.regrid import Weights, regrid, regrid_weights, valid_share
from tamflux.predictors.rounding import round_bits
from tamflux.predictors.weather_gaps import FILLED
from tamflux.provenance import code_hash
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_sample import check_sample
from tamflux.readers.era5_variables import ACCUMULATED, raw_variables_of
from tamflux.solar import day_length, potential_radiation
from tamflux.variables import ASTRONOMY, METEOROLOGY, WEATHER_FILLED

log = logging.getLogger("tamflux")

BLOCK_BYTES = 8_000_000
"""Minimum size of the block of days of one raw variable that is read at once."""
_MAX_BLOCK_BYTES = 140_000_000
"""Maximum size of a block extended to complete chunks of its file: a month at 0.25 degree."""

DEW_POINT_SLACK, MAX_SATURATED = 5.0, 0.02
"""K by which the dew point may lie above the temperature, and the share of a day's values that may
exceed this. Interpolation and packing cause a little supersaturation, exchanged files much."""

_USUAL_DAYS, _LOST_SHARE = (0, 10, 20, 30), 1e-3
"""Days of the year that say which nodes usually have data, and the share of a cell's weight from
which on the loss of such nodes counts: the cell's value is then made from the others."""

_TOGETHER = ("t2m", "t2m_min", "t2m_max", "vpd")
"""Predictors that share raw variables, which are read once for all of them."""


def prepare_era5(
    paths: Iterable[str | Path],
    dataset_type: str,
    year: int,
    grid: Grid,
    tile_size: int,
    variables: Sequence[str],
    target: str | Path,
    may_end_early: bool = False,
    allow_gaps: bool = False,
) -> None:
    """Write the meteorology and astronomy of a year to a store of the cube's layout.

    Of a partial year, the complete months are written. When further months arrive or a file
    changes, the months before the first new one are copied from the cached store.

    Parameters
    ----------
    paths : iterable of path
        Raw ERA5 files of the year (hourly dataset types: and 00 UTC of 1 January of the next year).
    dataset_type : str
        ``daily_statistics``, ``hourly`` or ``land_hourly``.
    year, grid, tile_size
        Year, grid and tile size of the store.
    variables : sequence of str
        Predictors of the cube; those of other sources are ignored.
    target : path
        The store.
    may_end_early : bool
        Whether the year may end with the last month that all files have.
    allow_gaps : bool
        Whether more than `MAX_GAP_DAYS` days in a row may be missing in a cell; they stay missing.

    Raises
    ------
    InputError
        If the files are not a complete, plausible year; raised before any work if the
        coordinates or a sample of days show it. All problems are logged, the first one is raised.
    """
    weather = [name for name in variables if name in METEOROLOGY]
    catalogue = METEOROLOGY | ASTRONOMY
    wanted = [catalogue[name] for name in variables if name in catalogue] + [WEATHER_FILLED]
    settings = (dataset_type, grid, tile_size, tuple(variables), allow_gaps)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(target))
        arguments = (paths, dataset_type, year, grid, weather, scratch)
        source = stack.enter_context(closing(Era5Year(*arguments, may_end_early, allow_gaps)))
        _raise_first(source.problems)
        check_sample(source)
        _log_grids(source, grid)
        is_partial = source.days < len(year_days(year))
        edges = month_edges(year, source.days)
        origins = []
        if is_partial or cache_folder(target).is_dir():
            origins = _origins(source, edges, settings)
        cached, first = open_cached(target, origins, edges)
        if cached is not None and first and has_open_gap(cached, first):
            first = 0
        log.info("%d: %d days, %d of them unchanged", year, source.days, first)
        store = stack.enter_context(
            create_store(target, grid, year, tile_size, wanted, source.days)
        )
        run = Era5Run(source, grid, tile_size, store, scratch, cached if first else None, first)
        groups = _groups(weather)
        total = len(groups) * (source.days - first)
        with tqdm(total=total, desc=f"ERA5 {year}", unit="day") as progress:
            for group in groups:
                files = _regrid_group(run, group, progress)
                source.close()  # frees the chunks held in memory
                for name, file in files.items():
                    write_tiles(run, name, file)
                    file.unlink()
        write_flag(run)
        _write_astronomy(store, grid, year, tile_size)
        before = run.cached.preliminary_days if run.cached else ()
        store.attrs["preliminary_days"] = sorted({*source.preliminary_days, *before})
    if is_partial:
        cache_store(target, origins)
    else:
        drop_cache(target)


def derive(predictor: str, dataset_type: str, raw: dict[str, np.ndarray]) -> np.ndarray:
    """(day, lat, lon) daily predictor from raw variables (day, sample, lat, lon).

    From hourly samples, vapour pressure deficit and wind speed are computed each hour, then
    averaged. From daily values, see `tamflux.predictors.derived`.
    """
    daily = dataset_type == "daily_statistics"
    if predictor == "vpd" and daily:
        if (raw["t2m_min"] > raw["t2m_max"] + 0.1).any():
            raise _contradiction(
                "the daily minimum of a temperature is above its maximum", "t2m_min, t2m_max",
                f"up to {(raw['t2m_min'] - raw['t2m_max']).max():.3g} K above",
                "t2m_min <= t2m_max", "check whether files of minimum and maximum were exchanged",
            )  # fmt: skip
        _check_dew_point(raw["d2m"], raw["t2m_max"])
        return vpd_daily(
            *(raw[variable][:, 0] for variable in raw_variables_of(dataset_type, "vpd"))
        )
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
    """The dew point must not exceed the temperature, apart from `DEW_POINT_SLACK`."""
    above = d2m - t2m
    share = (above > DEW_POINT_SLACK).mean()
    if share > MAX_SATURATED:
        raise _contradiction(
            "the dew point is above the air temperature", "d2m, t2m",
            f"up to {np.nanmax(above):.3g} K above, in {share:.0%} of the values", "d2m <= t2m",
            "check whether files were exchanged, or one has another unit or region",
        )  # fmt: skip


def _contradiction(what: str, variables: str, found: str, expected: str, fix: str) -> InputError:
    """Error for raw variables that contradict each other."""
    return InputError(
        what, file="inputs.era5.path", variable=variables, found=found, expected=expected, fix=fix
    )


def _mean_over_samples(function, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean of function(first, second) over the samples of a day, one sample at a time."""
    total = function(first[:, 0], second[:, 0])
    for sample in range(1, first.shape[1]):
        total += function(first[:, sample], second[:, sample])
    return total / first.shape[1]


def _groups(weather: Sequence[str]) -> list[list[str]]:
    """Predictors grouped by shared raw variables, so that each raw file is decoded once."""
    shared = [name for name in weather if name in _TOGETHER]
    return ([shared] if shared else []) + [[name] for name in weather if name not in _TOGETHER]


def _origins(source: Era5Year, edges: Sequence[int], settings: tuple) -> list[str]:
    """Identity of the inputs of each month: files, settings and code."""
    common = repr(settings) + code_hash("tamflux.predictors.era5_cube")
    return [f"{source.origin(*month)} {common}" for month in pairwise(edges)]


def _regrid_group(run: Era5Run, group: list[str], progress: tqdm) -> dict[str, Path]:
    """Derive and regrid the new days of a group, into one (time, lat, lon) file per predictor."""
    source = run.source
    needed = {name: raw_variables_of(source.dataset_type, name) for name in group}
    raw_names = sorted({variable for names in needed.values() for variable in names})
    weights = {name: _weights(source, name, run.grid) for name in group}
    nearest = {name: run.nearest(needed[name][0], weights[name]) for name in group}
    files = {name: run.scratch / f"{name}.f32" for name in group}
    for file in files.values():
        file.touch()

    @cache
    def usual_share(name: str) -> np.ndarray:
        return valid_share(_valid_nodes(source, name), weights[name])

    for days in source.blocks(raw_names[0], run.first, BLOCK_BYTES, _MAX_BLOCK_BYTES):
        raw = {variable: source.read(variable, days) for variable in raw_names}
        for name, file in files.items():
            with open(file, "ab") as out:
                for day in range(days.start, days.stop):  # one at a time stays in the CPU's cache
                    n = day - days.start
                    one = {variable: values[n : n + 1] for variable, values in raw.items()}
                    derived = derive(name, source.dataset_type, one)
                    field = regrid(derived, weights[name])
                    filled = nearest[name].fill(field[0], derived[0])
                    if filled is not None:
                        lost = nearest[name].own_share < usual_share(name) - _LOST_SHARE
                        run.flag[day] = np.maximum(run.flag[day], FILLED * (filled | lost))
                    round_bits(field).tofile(out)
        progress.update(days.stop - days.start)
    return files


def _valid_nodes(source: Era5Year, predictor: str) -> np.ndarray:
    """(lat, lon) bool, nodes with data on one of `_USUAL_DAYS`.

    These days of January belong to every part of a year, so that a resumed run finds the same.
    """
    needed = raw_variables_of(source.dataset_type, predictor)
    fields = []
    for day in _USUAL_DAYS:
        raw = {variable: source.read(variable, slice(day, day + 1)) for variable in needed}
        fields.append(derive(predictor, source.dataset_type, raw)[0])
    return np.asarray(np.isfinite(fields).any(axis=0))


def _weights(source: Era5Year, predictor: str, grid: Grid) -> Weights:
    """Weights from the nodes of the predictor's raw variables, which must be on one grid."""
    first, *others = raw_variables_of(source.dataset_type, predictor)
    lat, lon = source.nodes(first)
    for variable in others:
        if not all(map(np.array_equal, source.nodes(variable), (lat, lon))):
            raise _contradiction(
                f"{predictor} is made of variables on different grids", f"{first}, {variable}",
                f"{[axis.size for axis in source.nodes(variable)]} nodes of {variable}",
                f"{[lat.size, lon.size]} nodes as of {first}", "download them on the same grid",
            )  # fmt: skip
    return regrid_weights(lat, lon, grid, conservative=predictor in ACCUMULATED)


def _write_astronomy(store: zarr.Group, grid: Grid, year: int, tile_size: int) -> None:
    days, n_rows = year_days(year), grid.shape[0]
    for name, function in {"ssrd_pot": potential_radiation, "day_length": day_length}.items():
        for south in range(0, n_rows if name in store else 0, tile_size):
            rows = slice(south, min(south + tile_size, n_rows))
            values = function(grid.lat[rows], days)[:, :, None]
            shape = (len(days), rows.stop - rows.start, grid.shape[1])
            store[name][:, rows] = np.broadcast_to(round_bits(values), shape)


def _log_grids(source: Era5Year, grid: Grid) -> None:
    for variable in source.raw_variables:
        lat, lon = source.nodes(variable)
        shape, spacing = f"{lat.size} x {lon.size}", lon[1] - lon[0]
        log.info(
            "%s: %s nodes every %g to cells of %g degree", variable, shape, spacing, grid.resolution
        )


def _raise_first(problems: list[InputError]) -> None:
    for problem in problems[1:]:
        log.error("%s", problem)
    if problems:
        raise problems[0]
