"""The predictor cube: one Zarr store per year, tile-major, written once and read by tiles or cells.

Every store of the predictors stage (ERA5, MODIS, and the cube that merges them) has the layout of
contract 1 in docs/architecture.md and is written through `create_store`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from tamflux.errors import ContractError, TamfluxError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.variables import PREDICTORS, REFL_FILLED, WEATHER_FILLED, Variable

LOOKBACK_DAYS = 365
"""Length of the look-back window, from which the task embedding and the warm-up are computed."""
DIMS = ("time", "lat", "lon")
FLAG = REFL_FILLED.name
FLAG_NO_DATA = 2
WEATHER_FLAG = WEATHER_FILLED.name
WEATHER_MISSING = 3
FLAGS = {FLAG: FLAG_NO_DATA, WEATHER_FLAG: WEATHER_MISSING}
"""Flags of a store, with the value of cells that were never written."""
_FLAG_SUFFIX = "_filled"
_CATALOGUE = {**PREDICTORS, FLAG: REFL_FILLED, WEATHER_FLAG: WEATHER_FILLED}
_CODEC = BloscCodec(cname="lz4", clevel=3, shuffle="bitshuffle")
"""Compresses rounded values as well as zstd on shuffled bytes, three times as fast both ways."""
_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, RuntimeError, AttributeError, MemoryError,
    OverflowError,
)  # fmt: skip
"""Exceptions of zarr and its codecs on damaged metadata and chunks."""
RERUN = "delete the store and run snakemake again: it remakes the predictors of this year"


def filled_flag(name: str) -> Variable:
    """Flag of an extra predictor: 0 value or between values, 1 filled in time, 2 no data."""
    return Variable(f"{name}{_FLAG_SUFFIX}", "1", f"origin of the day's {name}", 0, FLAG_NO_DATA)


def is_flag(name: str) -> bool:
    """Whether an array of a store is a flag."""
    return name.endswith(_FLAG_SUFFIX)


def year_days(year: int) -> np.ndarray:
    """(time,) datetime64[D], every day of a calendar year."""
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


@contextmanager
def create_store(
    path: str | Path,
    grid: Grid,
    year: int,
    tile_size: int,
    variables: Sequence[Variable],
    days: int | None = None,
) -> Iterator[zarr.Group]:
    """Yield an empty store of the cube's layout to fill; it appears at `path` once complete.

    The metadata is written first, so that blocks may come in any order. Write complete tiles, or
    row blocks of complete tiles, of one variable: ``store["t2m"][:, rows, cols] = block`` with
    block (time, row, col). Cells never written read as NaN, flags as given by `FLAGS`.

    Parameters
    ----------
    variables : sequence of Variable
        Catalogue entries, in the order of the features.
    days : int, optional
        Days from 1 January that have predictors; all of the year by default. The arrays always
        span all days, so that chunks of a partial year keep their shape when days are added.
    """
    dates = year_days(year)
    with atomic_path(path) as partial:
        attributes = {
            "resolution": grid.resolution,
            "bbox": list(grid.bbox),
            "tile_size": tile_size,
            "variables": [v.name for v in variables if not is_flag(v.name)],
            "days": days or len(dates),
        }
        store = zarr.create_group(partial, zarr_format=3, attributes=attributes)
        _coordinate(store, "time", np.arange(len(dates)), units=f"days since {year}-01-01",
                    calendar="proleptic_gregorian", standard_name="time", axis="T")  # fmt: skip
        _coordinate(store, "lat", grid.lat, units="degrees_north", standard_name="latitude",
                    axis="Y")  # fmt: skip
        _coordinate(store, "lon", grid.lon, units="degrees_east", standard_name="longitude",
                    axis="X")  # fmt: skip
        for variable in variables:
            flag = is_flag(variable.name)
            store.create_array(
                variable.name,
                shape=(len(dates), *grid.shape),
                chunks=(len(dates), *(min(tile_size, n) for n in grid.shape)),
                dtype="int8" if flag else "float32",
                fill_value=FLAGS.get(variable.name, FLAG_NO_DATA if flag else np.nan),
                compressors=[_CODEC, Crc32cCodec()],
                dimension_names=DIMS,
                attributes=variable.attrs,
            )
        yield store
        for variable in variables:  # tells a lost tile from one that was never written
            store[variable.name].attrs["tiles_written"] = _count_chunks(partial, variable.name)
        consolidate(partial)


class Cube:
    """One year of predictors, read by tiles or by cells.

    Attributes
    ----------
    path : Path
    year : int
    grid : Grid
    tile_size : int
    variables : tuple of str
        Predictors in the order of the features.
    time : numpy.ndarray
        (time,) datetime64[D], every day of the year, or of the months so far.
    is_complete : bool
        Whether all days of the year have predictors.
    units : dict of str to str
        Unit of each predictor.
    flags : tuple of str
        Flags that the store holds.
    preliminary_days : tuple of str
        Days whose weather is preliminary (ERA5T), YYYY-MM-DD.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        group = _open_group(self.path)
        attrs = dict(group.attrs)
        self._check(
            {"resolution", "bbox", "tile_size", "variables"} <= set(attrs),
            "the store has no description of its grid",
            found=sorted(attrs),
            expected="attributes resolution, bbox, tile_size, variables",
        )
        try:
            self.grid = Grid.from_config(attrs)
        except TamfluxError as error:
            raise ContractError(
                "the store's grid is not a grid", file=self.path, found=error.what, fix=RERUN
            ) from error
        self.tile_size = int(attrs["tile_size"])
        self.variables = tuple(attrs["variables"])
        self.preliminary_days = tuple(attrs.get("preliminary_days", ()))
        self.flags = tuple(sorted(name for name in group if is_flag(name)))
        names = [*DIMS, *self.variables, *self.flags]
        if missing := [name for name in names if name not in group]:
            self._check(False, "arrays are missing", found=sorted(group), expected=missing)
        self._arrays = {name: group[name] for name in names if name not in DIMS}
        self.units = {name: str(group[name].attrs.get("units", "")) for name in self.variables}
        self.year, self._days = self._read_time(group["time"])
        days = attrs.get("days", len(self._days))
        self._check(
            isinstance(days, int) and 0 < days <= len(self._days),
            "the number of days with predictors is not one of the year", variable="days",
            found=days, expected=f"1 to {len(self._days)}",
        )  # fmt: skip
        self.time = self._days[:days]
        self.is_complete = len(self.time) == len(self._days)
        for name, expected in {"lat": self.grid.lat, "lon": self.grid.lon}.items():
            found = group[name][:]
            same = found.shape == expected.shape and np.allclose(found, expected, atol=1e-6)
            self._check(
                same,
                f"{name} is not the grid that the attributes describe",
                variable=name,
                found=f"{found[:1]} .. {found[-1:]} ({found.size})",
                expected=f"{expected[:1]} .. {expected[-1:]} ({expected.size}), ascending",
            )
        for name, array in self._arrays.items():
            self._check_array(name, array)

    @classmethod
    def open(cls, path: str | Path) -> Cube:
        """Open a store and check it against contract 1 (metadata and presence of its tiles).

        Raises
        ------
        ContractError
            Naming the problem and the rule to run again.
        """
        try:
            return cls(path)
        except _DAMAGED as error:
            raise ContractError(
                "the metadata of a store are damaged", file=path,
                found=f"{type(error).__name__}: {error}", expected="a store as in contract 1",
                fix=RERUN,
            ) from error  # fmt: skip

    def read(self, rows: slice, cols: slice, variables: Sequence[str] | None = None) -> np.ndarray:
        """(time, row, col, feature) float32 of a block of cells, NaN where missing."""
        names = self._names(variables)
        first = self._values(names[0], rows, cols)
        block = np.empty((*first.shape, len(names)), np.float32)
        block[..., 0] = first
        for feature, name in enumerate(names[1:], 1):
            block[..., feature] = self._values(name, rows, cols)
        return block

    def read_flag(self, rows: slice, cols: slice) -> np.ndarray:
        """(time, row, col) int8 `refl_filled`: 0 observed, 1 filled in time, 2 no data."""
        self._check(
            FLAG in self._arrays, "the store has no reflectance flag", found=list(self._arrays),
            expected=FLAG,
        )  # fmt: skip
        return self._values(FLAG, rows, cols)

    def read_weather_flag(self, rows: slice, cols: slice) -> np.ndarray:
        """(time, row, col) int8 `weather_filled`; see `tamflux.variables.WEATHER_FILLED`."""
        self._check(
            WEATHER_FLAG in self._arrays, "the store has no weather flag",
            found=list(self._arrays), expected=WEATHER_FLAG,
        )  # fmt: skip
        return self._values(WEATHER_FLAG, rows, cols)

    def read_cells(
        self, rows: np.ndarray, cols: np.ndarray, variables: Sequence[str] | None = None
    ) -> np.ndarray:
        """(cell, time, feature) float32 of single cells; each tile is read once.

        Parameters
        ----------
        rows, cols : numpy.ndarray
            (cell,) row and column of each cell; a cell may come twice.
        """
        names = self._names(variables)
        rows, cols = np.asarray(rows), np.asarray(cols)
        cells = np.empty((len(rows), len(self.time), len(names)), np.float32)
        tiles = np.stack([rows // self.tile_size, cols // self.tile_size], axis=1)
        for tile in np.unique(tiles, axis=0):
            here = np.flatnonzero((tiles == tile).all(axis=1))
            south, west = rows[here].min(), cols[here].min()
            block = (
                slice(south, rows[here].max() + 1),
                slice(west, cols[here].max() + 1),
            )
            for feature, name in enumerate(names):
                values = self._values(name, *block)
                cells[here, :, feature] = values[:, rows[here] - south, cols[here] - west].T
        return cells

    def _values(self, name: str, rows: slice, cols: slice) -> np.ndarray:
        """(time, row, col) of one array; the checksum reveals a damaged chunk."""
        try:
            return self._arrays[name][: len(self.time), rows, cols]
        except (*_DAMAGED, AssertionError) as error:
            raise ContractError(
                "a tile of the store is damaged", file=self.path, variable=name,
                found=f"{type(error).__name__}: {error}", expected="chunks as they were written",
                fix=RERUN,
            ) from error  # fmt: skip

    def _names(self, variables: Sequence[str] | None) -> tuple[str, ...]:
        names = self.variables if variables is None else tuple(variables)
        unknown = [name for name in names if name not in self.variables]
        self._check(
            not unknown, "predictors are not in the cube", variable=", ".join(unknown),
            found=list(self.variables), expected=list(names),
        )  # fmt: skip
        return names

    def _read_time(self, array: zarr.Array) -> tuple[int, np.ndarray]:
        unit, _, origin = str(array.attrs.get("units", "")).partition(" since ")
        days = array[:]
        self._check(
            unit == "days" and origin.endswith("-01-01") and len(days) > 0,
            "the time axis is not days of a year", variable="time",
            found=array.attrs.get("units"), expected="days since YYYY-01-01",
        )  # fmt: skip
        year = int(origin[:4])
        expected = year_days(year)
        self._check(
            np.array_equal(days, np.arange(len(expected))), "days are missing or repeated",
            variable="time", found=f"{len(days)} days", expected=f"{len(expected)} days of {year}",
        )  # fmt: skip
        return year, expected

    def _check_array(self, name: str, array: zarr.Array) -> None:
        shape = (len(self._days), *self.grid.shape)
        dims = array.metadata.dimension_names
        self._check(
            dims == DIMS and array.shape == shape, "an array has the wrong dimensions",
            variable=name, found=f"{dims} {array.shape}", expected=f"{DIMS} {shape}",
        )  # fmt: skip
        units, known = array.attrs.get("units"), _CATALOGUE.get(name)
        self._check(
            units == known.units if known else bool(units), "an array has the wrong unit",
            variable=name, found=units, expected=known.units if known else "a unit",
        )  # fmt: skip
        written, present = array.attrs.get("tiles_written"), _count_chunks(self.path, name)
        self._check(
            written == present, "tiles are lost, or the store was not finished", variable=name,
            found=f"{present} tiles", expected=f"{written} tiles",
        )  # fmt: skip
        self._check(
            present > 0 or is_flag(name), "a predictor is missing everywhere", variable=name,
            found="no finite value", expected="values in at least one tile",
        )  # fmt: skip

    def _check(self, true: bool, what: str, **details) -> None:
        if not true:
            raise ContractError(what, file=self.path, **details, fix=RERUN)


def prepend_lookback(
    year: np.ndarray, before: np.ndarray | None, days: int = LOOKBACK_DAYS
) -> np.ndarray:
    """Concatenate the look-back window of a year (`lookback_window`) and the year.

    Parameters
    ----------
    year : numpy.ndarray
        (..., time, feature) all days of a year.
    before : numpy.ndarray or None
        (..., time, feature) all days of the year before; None if there is no such year.

    Returns
    -------
    numpy.ndarray
        (..., days + time, feature).

    Raises
    ------
    ContractError
        If the year that the window is taken from has fewer than `days` days.
    """
    n_days = (year if before is None else before).shape[-2]
    if n_days < days:
        raise ContractError(
            "the look-back window is too short", found=f"{n_days} days",
            expected=f"{days} days", fix="give complete years",
        )  # fmt: skip
    return np.concatenate([lookback_window(year, before, days), year], axis=-2)


def lookback_window(
    year: np.ndarray, before: np.ndarray | None, days: int = LOOKBACK_DAYS
) -> np.ndarray:
    """(..., days, feature) look-back window of a year.

    It is the last `days` days of the year before. If there is no such year (None), it is the first
    `days` days of the year itself, which is repeated if it has fewer. Parameters as in
    `prepend_lookback`.
    """
    if before is not None:
        return before[..., -days:, :]
    n_days = year.shape[-2]
    return year[..., :days, :] if n_days >= days else year[..., np.arange(days) % n_days, :]


def _open_group(path: Path) -> zarr.Group:
    try:
        return zarr.open_group(path, mode="r")
    except _DAMAGED as error:
        raise ContractError(
            "cannot open the predictors of a year", file=path,
            found=str(error) or type(error).__name__, expected="a Zarr v3 store as in contract 1",
            fix=RERUN,
        ) from error  # fmt: skip


def _coordinate(store: zarr.Group, name: str, values: np.ndarray, **attrs: str) -> None:
    array = store.create_array(
        name, shape=values.shape, chunks=values.shape, dtype=values.dtype,
        dimension_names=(name,), attributes=attrs, fill_value=None,
    )  # fmt: skip
    array[:] = values


def consolidate(path: Path) -> None:
    """Write the metadata of all arrays into that of the group: opening then takes one read."""
    with warnings.catch_warnings():  # zarr-python notes that the v3 text does not yet define it
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)


def _count_chunks(path: Path, name: str) -> int:
    return sum(len(files) for _, _, files in os.walk(path / name / "c"))
