"""Write the regridded predictors of a year tile by tile, with gaps in time filled or refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from tamflux.errors import InputError
from tamflux.files import disk_array
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.regrid import Weights
from tamflux.predictors.rounding import round_bits
from tamflux.predictors.weather_gaps import (
    FILLED,
    INTERPOLATED,
    MAX_FILL_KM,
    MAX_GAP_DAYS,
    MISSING,
    NearestNodes,
    interpolate_gaps,
)
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_variables import ACCUMULATED, raw_variables_of
from tamflux.variables import WEATHER_FILLED

log = logging.getLogger("tamflux")


class Era5Run:
    """State shared by the steps of `prepare_era5`.

    Attributes
    ----------
    cached, first
        Cached store, or None, and the number of days that are taken from it.
    flag : numpy.ndarray
        (day, lat, lon) int8 `weather_filled`, on disk.
    """

    def __init__(
        self,
        source: Era5Year,
        grid: Grid,
        tile_size: int,
        store: zarr.Group,
        scratch: Path,
        cached: Cube | None,
        first: int,
    ):
        self.source, self.grid, self.tile_size, self.store = source, grid, tile_size, store
        self.scratch, self.cached, self.first = scratch, cached, first
        self.flag = disk_array(scratch / "weather.i1", np.int8, (source.days, *grid.shape))
        self._nearest: dict[tuple[bytes, bytes, bool], NearestNodes] = {}
        if cached is not None:
            for rows in self.row_blocks():
                self.flag[:first, rows] = cached.read_weather_flag(rows, slice(None))[:first]

    def row_blocks(self) -> Iterator[slice]:
        """Rows of one tile after the other."""
        n_rows = self.grid.shape[0]
        for south in range(0, n_rows, self.tile_size):
            yield slice(south, min(south + self.tile_size, n_rows))

    def nearest(self, variable: str, weights: Weights) -> NearestNodes:
        """Filler from the nodes of a raw variable; one for all variables with equal weights."""
        lat, lon = self.source.nodes(variable)
        key = lat.tobytes(), lon.tobytes(), variable in ACCUMULATED
        if key not in self._nearest:
            self._nearest[key] = NearestNodes(lat, lon, self.grid, weights)
        return self._nearest[key]


def has_open_gap(cached: Cube, first: int) -> bool:
    """Whether a gap may span the end of the cached days: its other side was not known then."""
    days = slice(max(first - MAX_GAP_DAYS, 0), first)
    flag = cached.read_weather_flag(slice(None), slice(None))[days]
    return bool((flag == INTERPOLATED).any() or (flag[-1:] == MISSING).any())


def write_tiles(run: Era5Run, name: str, file: Path) -> None:
    """Write a predictor tile-major, one row block of tiles at a time, and fill its gaps in time.

    The days before `run.first` come from the cached store, the others from a (time, lat, lon)
    float32 file.
    """
    array, n_days, first = run.store[name], run.source.days, run.first
    _, n_rows, n_cols = array.shape
    buffer = np.empty((n_days, min(run.tile_size, n_rows), n_cols), np.float32)
    finite = False
    long: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with open(file, "rb") as days:
        for rows in run.row_blocks():
            block = buffer[:, : rows.stop - rows.start]
            if run.cached is not None:
                block[:first] = run.cached.read(rows, slice(None), [name])[:first, ..., 0]
            for day in range(first, n_days):
                days.seek(4 * n_cols * ((day - first) * n_rows + rows.start))
                days.readinto(block[day])
            long += _fill_in_time(run, rows, block)
            finite = finite or not np.isnan(block).all()
            array[:n_days, rows] = block
    _check_gaps(run, name, long)
    if not finite:
        raise InputError(
            f"{name} is missing everywhere", file="inputs.era5.path",
            variable=", ".join(_raw(run, name)), found="no value in the region", expected="values",
            fix="download the files again",
        )  # fmt: skip


def _fill_in_time(
    run: Era5Run, rows: slice, block: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Interpolate short gaps of a row block (day, row, col) in place.

    Returns the days of longer gaps, and latitude and longitude of their cells; empty without any.
    """
    gaps = interpolate_gaps(block)
    if gaps is None:
        return []
    origin, in_gap = gaps
    run.flag[:, rows] = np.maximum(run.flag[:, rows], origin)
    interpolated = origin == INTERPOLATED
    block[interpolated] = round_bits(block[interpolated])
    if not in_gap.any():
        return []
    row, col = np.nonzero(in_gap.any(axis=0))
    days = np.flatnonzero(in_gap.any(axis=(1, 2)))
    return [(days, run.grid.lat[rows][row], run.grid.lon[col])]


def _check_gaps(
    run: Era5Run, name: str, gaps: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    """Refuse gaps that are too long to interpolate, or log them where they are allowed."""
    if not gaps:
        return
    days, lat, lon = (np.concatenate(parts) for parts in zip(*gaps, strict=True))
    days = np.unique(days)
    first, last = np.datetime64(f"{run.source.year}-01-01") + days[[0, -1]]
    problem = InputError(
        "weather is missing for too many days",
        file=run.source.files_of(_raw(run, name)[0], days), variable=", ".join(_raw(run, name)),
        found=f"{len(days)} days from {first} to {last} without {name} in {len(lat)} cells, "
        f"{lat.min():g} to {lat.max():g} N, {lon.min():g} to {lon.max():g} E",
        expected=f"gaps of at most {MAX_GAP_DAYS} days, which are interpolated and flagged",
        fix="download these days again, or set predictors.allow_gaps: true, which leaves the "
        "fluxes of these days missing",
    )  # fmt: skip
    if not run.source.allow_gaps:
        raise problem
    log.warning("%s", problem)


def _raw(run: Era5Run, name: str) -> tuple[str, ...]:
    return raw_variables_of(run.source.dataset_type, name)


def write_flag(run: Era5Run) -> None:
    """Write `weather_filled`, and log how many values are no data."""
    counts = np.zeros(4, int)
    absent = 0
    for rows in run.row_blocks():
        block = np.asarray(run.flag[:, rows])
        run.store[WEATHER_FILLED.name][: len(block), rows] = block
        counts += np.bincount(block.ravel(), minlength=4)
        absent += int((block == MISSING).all(axis=0).sum())
    if counts[1:].any():
        log.warning(
            "weather of %d of %d cell-days is filled from nodes within %g km, of %d interpolated "
            "over up to %d days, of %d missing (%d cells on all days: sea or beyond that distance)",
            counts[FILLED], counts.sum(), MAX_FILL_KM, counts[INTERPOLATED], MAX_GAP_DAYS,
            counts[MISSING], absent,
        )  # fmt: skip
