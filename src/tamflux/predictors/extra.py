"""Extra predictors (`predictors.extra`) on the grid: a store of a year, or a static field.

A series keeps the rules of the cube's reflectance: cell means of each time step, linear between
them, ends held, all flagged (`tamflux.predictors.filling`). Cells beyond the files are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from tqdm import tqdm

from tamflux.errors import InputError
from tamflux.extra_predictors import PREFIX, ExtraPredictor
from tamflux.files import atomic_path, disk_array, scratch_folder
from tamflux.grid import Grid
from tamflux.predictors.cell_means import cell_mean
from tamflux.predictors.cube import FLAG_NO_DATA, create_store, filled_flag, year_days
from tamflux.predictors.filling import OBSERVED, fill_in_time
from tamflux.predictors.incremental import complete_months
from tamflux.predictors.rounding import round_bits
from tamflux.readers.modis_files import AFTER, LONGEST_GAP
from tamflux.readers.predictor_files import Step, list_steps, open_static, read_steps
from tamflux.readers.raster import Raster

_LONG_STEPS = 2.5
"""A gap is refused from so many usual steps on, and beyond `LONGEST_GAP`."""
_CHECKED_STEPS = 3
"""Time steps that `check` reads: the first, the middle and the last."""
_MIN_WEIGHT = 0.5
"""Least share of the weights of a bilinear value that must fall on values."""


def prepare_extra(
    extra: ExtraPredictor,
    paths: Sequence[str | Path],
    year: int,
    grid: Grid,
    tile_size: int,
    target: str | Path,
    may_end_early: bool = False,
) -> None:
    """Write a year of a dynamic predictor to a store of the cube's layout (contract 1).

    The store holds the predictor and its flag ``{name}_filled``.

    Parameters
    ----------
    extra : ExtraPredictor
    paths : sequence of path
        NetCDF files or Zarr stores of the year and, if present, of the years before and after.
    may_end_early : bool
        Whether the last step may lie before the end of the year; it is held for `LONGEST_GAP`
        days.

    Raises
    ------
    InputError
        If files are damaged or not what the configuration says, steps are missing, or no cell of
        the grid has a value in the year.
    """
    days = year_days(year)
    steps = select_steps(extra, list_steps(extra, paths), year, may_end_early)
    dates = np.array([step.date for step in steps])
    reach = complete_months(days, dates[-1] + LONGEST_GAP) if may_end_early else len(days)
    flag = filled_flag(extra.name)
    with (
        scratch_folder(target) as scratch,
        create_store(target, grid, year, tile_size, [extra.variable, flag], reach) as store,
    ):
        means = disk_array(scratch / "means", np.float32, (len(steps), *grid.shape))
        fields = tqdm(read_steps(extra, steps), total=len(steps), desc=extra.name, unit="step")
        order = {step: number for number, step in enumerate(steps)}
        for step, raster in fields:
            means[order[step]] = to_cells(raster, grid, extra.regrid)
        if not any(np.isfinite(field).any() for field in means):
            raise InputError(
                "an extra predictor has no value inside the grid", file=str(extra.path),
                variable=extra.name, found=f"{len(steps)} time steps of missing values in {year}",
                expected="values on land", fix="check its coordinates and grid.bbox",
            )  # fmt: skip
        for south in range(0, grid.shape[0], tile_size):
            rows = slice(south, min(south + tile_size, grid.shape[0]))
            block = np.array(means[:, rows])
            for west in range(0, grid.shape[1], tile_size):
                cols = slice(west, min(west + tile_size, grid.shape[1]))
                values = block[:, :, cols]
                if np.isfinite(values).any():  # chunks that are not written read as missing
                    daily, origin = daily_values(extra, values, dates, days)
                    store[extra.name][:, rows, cols] = round_bits(daily)
                    store[flag.name][:, rows, cols] = origin


def select_steps(
    extra: ExtraPredictor, steps: Sequence[Step], year: int, may_end_early: bool = False
) -> list[Step]:
    """Steps from which a year is filled: its own and those near it.

    Near are those of `LONGEST_GAP` days before the year and `AFTER` days after it, or of one usual
    step where that is longer.

    Raises
    ------
    InputError
        If there is none, or a gap between steps is longer than `LONGEST_GAP` days and
        `_LONG_STEPS` usual steps.
    """
    first, last = np.datetime64(f"{year}-01-01"), np.datetime64(f"{year}-12-31")
    dates = np.array([step.date for step in steps], "datetime64[D]")
    usual = int(np.median(np.diff(dates).astype(int))) + 1 if len(dates) > 1 else 0
    near = (dates >= first - max(LONGEST_GAP, usual)) & (dates <= last + max(AFTER, usual))
    chosen = [step for step, wanted in zip(steps, near, strict=True) if wanted]
    own = dates[near]
    end = min(last, own[-1]) if len(own) and may_end_early else last
    longest = max(LONGEST_GAP, _LONG_STEPS * usual)
    edges = [*([first] if len(own) and own[0] > first else []), *own]
    edges += [end] if len(own) and own[-1] < end else []
    gaps = [f"{a} to {b}" for a, b in pairwise(edges) if (b - a).astype(int) > longest]
    if not chosen or gaps:
        raise InputError(
            "time steps of an extra predictor are missing", file=str(extra.path),
            variable=extra.name,
            found=f"no step from {'; '.join(gaps)}" if gaps else f"no step in or near {year}"
            + (f"; steps from {dates[0]} to {dates[-1]}" if len(dates) else ""),
            expected=f"steps in {year} at most {longest:g} days apart",
            fix="add the files, or correct the path of predictors.extra",
        )  # fmt: skip
    return chosen


def inspect_extra(
    extra: ExtraPredictor,
    paths: Sequence[str | Path],
    year: int | None,
    may_end_early: bool = False,
) -> list[InputError]:
    """Problems of the files of a year (None: a static predictor).

    All values of a static predictor are read, else the time axis and `_CHECKED_STEPS` steps.
    """
    try:
        if year is None:
            for path in paths:
                with open_static(extra, path):
                    pass
            return []
        steps = select_steps(extra, list_steps(extra, paths), year, may_end_early)
        number = np.linspace(0, len(steps) - 1, min(_CHECKED_STEPS, len(steps))).astype(int)
        for _ in read_steps(extra, [steps[each] for each in number]):
            pass
    except InputError as error:
        return [error]
    return []


def daily_values(
    extra: ExtraPredictor, values: np.ndarray, dates: np.ndarray, days: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Days of a block of cells from time steps: float32 values and int8 flag (day, row, col).

    With ``fill: none`` a day without a step stays missing.
    """
    shape = len(days), *values.shape[1:]
    if extra.fill == "none":
        daily = np.full(shape, np.nan, np.float32)
        number = np.searchsorted(days, dates)
        inside = (dates >= days[0]) & (dates <= days[-1])
        daily[number[inside]] = values[inside]
        flag = np.where(np.isfinite(daily), OBSERVED, FLAG_NO_DATA).astype(np.int8)
        return daily, flag
    filled, origin = fill_in_time(values.reshape(1, len(dates), -1), dates, days)
    return filled[0].reshape(shape), origin.reshape(shape)


def prepare_static_extra(
    extra: ExtraPredictor, path: str | Path, grid: Grid, target: str | Path
) -> None:
    """Write a static predictor on the grid: NetCDF, one float32 field (lat, lon).

    Raises
    ------
    InputError
        If the file is damaged or not what the configuration says, or no cell has a value.
    """
    with open_static(extra, path) as (raster, convert):
        field = convert(to_cells(raster, grid, extra.regrid)).astype(np.float32)
    if not np.isfinite(field).any():
        raise InputError(
            "an extra predictor has no value inside the grid", file=path, variable=extra.name,
            found="missing values alone", expected="values on land",
            fix="check its coordinates and grid.bbox",
        )  # fmt: skip
    data = xr.Dataset(
        {f"{PREFIX}{extra.name}": (("lat", "lon"), field, extra.variable.attrs)},
        {"lat": grid.lat, "lon": grid.lon},
    )
    with atomic_path(target) as partial:
        data.to_netcdf(partial, engine="netcdf4")


def to_cells(raster: Raster, grid: Grid, method: str) -> np.ndarray:
    """(lat, lon) float32 of a raster on the grid, NaN where it has no value.

    Parameters
    ----------
    raster : Raster
        One pixel is taken as the value of every cell.
    method : str
        ``mean``: over the valid pixels of a cell, weighted by shared area; ``bilinear``: at the
        centre of a cell, unless it is at least twice as large as a pixel: then the mean as well.
    """
    if raster.data.shape == (1, 1):
        return np.full(grid.shape, raster.floats(slice(0, 1))[0, 0, 0], np.float32)
    spacing = raster.lat_edges[2] - raster.lat_edges[1] if len(raster.lat_edges) > 2 else np.inf
    if method == "mean" or grid.resolution >= 1.999 * spacing:
        return cell_mean(raster, grid)[..., 0]
    return _bilinear(raster, grid)


def _bilinear(raster: Raster, grid: Grid) -> np.ndarray:
    """Weighted mean of the four pixels around each centre; missing ones are left out."""
    values = raster.floats(slice(0, raster.data.shape[0]))[..., 0]
    lat = (raster.lat_edges[:-1] + raster.lat_edges[1:]) / 2
    lon = (raster.lon_edges[:-1] + raster.lon_edges[1:]) / 2
    turned = (grid.lon - raster.lon_edges[0]) % 360 + raster.lon_edges[0]
    if np.ptp(raster.lon_edges) > 360 - 1e-6 * 360:  # a circle: the seam has neighbours
        lon = np.concatenate([lon[-1:] - 360, lon, lon[:1] + 360])
        values = np.concatenate([values[:, -1:], values, values[:, :1]], axis=1)
    inside_lat = (grid.lat > raster.lat_edges[0]) & (grid.lat < raster.lat_edges[-1])
    inside_lon = turned < raster.lon_edges[-1]
    points = np.meshgrid(
        np.clip(grid.lat, lat[0], lat[-1]), np.clip(turned, lon[0], lon[-1]), indexing="ij"
    )
    known = np.isfinite(values)
    total, share = (
        RegularGridInterpolator((lat, lon), field)(tuple(points))
        for field in (np.where(known, values, 0), known.astype(float))
    )
    field = np.divide(total, share, out=np.full(share.shape, np.nan), where=share >= _MIN_WEIGHT)
    field[~(inside_lat[:, None] & inside_lon)] = np.nan
    return field.astype(np.float32)
