"""ERA5 and ERA5-Land as the Climate Data Store delivers them, by day, in catalogue units.

The time axis means something else in each of the three dataset types (ECMWF, "ERA5: data
documentation" and "ERA5-Land: data documentation", https://confluence.ecmwf.int/display/CKB/):

- ``daily_statistics``: one value a UTC day. The `cell_methods` of the variable or the `history` of
  the file states whether it is a mean, minimum, maximum or sum (`era5_statements`).
- ``hourly``: instantaneous values at the timestamp; radiation and precipitation over the hour that
  *ends* at the timestamp, so that a day is its timestamps 01 to 23 and 00 of the next day.
- ``land_hourly``: radiation and precipitation since 00 UTC, so that the timestamp 00 of the next
  day holds the total of a day.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from functools import cache
from math import prod
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.provenance import file_hash
from tamflux.readers.cds_files import field_bounds, open_deflated, open_netcdf, read_fields
from tamflux.readers.era5_file_variables import (
    FileVariable,
    clip_to_range,
    mask_zeros,
    missing_days,
    repeated_days,
)
from tamflux.readers.era5_scan import scan
from tamflux.readers.era5_variables import ACCUMULATED, raw_variables_of
from tamflux.readers.hdf5_chunks import DeflatedVariable

log = logging.getLogger("tamflux")

DAILY = "daily_statistics"
DATASET_TYPES = (DAILY, "hourly", "land_hourly")
_CHUNK_CACHE = 400_000_000


class Era5Year:
    """The raw ERA5 of one year: checked from its coordinates alone, then read by days.

    Opening reads the coordinates of every file. It makes an index that gives, for each raw variable
    and each timestamp that the year needs, the file and the time step that hold it. `read` looks
    its days up in this index and reads each run of consecutive steps of one file at once.

    Parameters
    ----------
    paths : iterable of path
        Every file that may hold a part of the year (for hourly dataset types 1 January of the next
        year as well). Files of other times may be among them.
    dataset_type : str
        One of `DATASET_TYPES`.
    year : int
    grid : Grid
        The region that must be covered.
    predictors : sequence of str
        Names of `METEOROLOGY` that will be derived.
    scratch : path
        Folder for the unpacked members of zips.
    may_end_early : bool
        Whether the year may end with its last complete month: days are missing only before that.
    allow_gaps : bool
        Whether days that no file has are read as missing, instead of being a problem.

    Attributes
    ----------
    raw_variables : list of str
        Raw variables that the predictors are made of, `t2m_min` for a daily minimum.
    days : int
        Days from 1 January that all raw variables have: those of the year, or of its months so far.
    problems : list of InputError
        Everything that is wrong; the year can be read only if it is empty.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        dataset_type: str,
        year: int,
        grid: Grid,
        predictors: Sequence[str],
        scratch: str | Path,
        may_end_early: bool = False,
        allow_gaps: bool = False,
    ):
        self.dataset_type, self.year, self.allow_gaps = dataset_type, year, allow_gaps
        self._preliminary: set[int] = set()
        self._hash = cache(file_hash)
        names = (raw_variables_of(dataset_type, name) for name in predictors)
        self.raw_variables = sorted({variable for group in names for variable in group})
        self.problems: list[InputError] = []
        self._open: dict[str, tuple[Path, netCDF4.Dataset, DeflatedVariable | None]] = {}
        found: list[FileVariable] = []
        for path in map(Path, paths):
            try:
                found += scan(path, dataset_type, self.raw_variables, grid, Path(scratch))
            except InputError as error:
                self.problems.append(error)
        self._file_variables = {
            variable: [x for x in found if x.variable == variable]
            for variable in self.raw_variables
        }
        self.days = len(np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]"))
        self._index = {variable: self._locate(variable) for variable in self.raw_variables}
        if may_end_early:
            self._end_early()
        for variable in self.raw_variables:
            self._check_missing(variable)

    def origin(self, first: int, last: int) -> str:
        """Checksum of the files that the days `first` to `last` - 1 are read from."""
        origin = set()
        for variable in self.raw_variables:
            n = self.samples_per_day(variable)
            numbers = np.unique(self._index[variable][0, first * n : last * n])
            for number in numbers[numbers >= 0]:
                file_variable = self._file_variables[variable][number]
                origin.add((variable, file_variable.name, self._hash(file_variable.path)))
        return hashlib.sha256(repr(sorted(origin)).encode()).hexdigest()

    def samples_per_day(self, variable: str) -> int:
        """Number of timestamps of a raw variable that make up a day."""
        if self.dataset_type == DAILY:
            return 1
        return 1 if self.dataset_type == "land_hourly" and variable in ACCUMULATED else 24

    def nodes(self, variable: str) -> tuple[np.ndarray, np.ndarray]:
        """(lat,), (lon,) degrees of the nodes of a raw variable; lat ascending, lon eastward."""
        file_variable = self._file_variables[variable][0]
        return file_variable.lat, file_variable.lon

    def read(self, variable: str, days: slice, daily_mean: bool = True) -> np.ndarray:
        """(day, sample, lat, lon) float32 of a raw variable in catalogue units, NaN where missing.

        `sample` is 24 for instantaneous values of the hourly dataset types and 1 otherwise:
        radiation (W m-2) and precipitation (mm d-1) are means over the day, or over each hour
        that the files have without `daily_mean`. A zero that stands for no data is missing as well
        (`mask_zeros`).

        Raises
        ------
        InputError
            If values are outside the valid range, or a fill value is not masked.
        """
        n = self.samples_per_day(variable)
        wanted = np.arange(days.start * n, days.stop * n)
        lat, lon = self.nodes(variable)
        values: np.ndarray = np.empty((len(wanted), len(lat), len(lon)), np.float32)
        bounds: np.ndarray = np.empty((2, len(wanted)), np.float32)
        number, step = self._index[variable][:, wanted]
        breaks = np.flatnonzero((np.diff(number) != 0) | (np.diff(step) != 1)) + 1
        for run in np.split(np.arange(len(wanted)), breaks):
            if number[run[0]] < 0:
                values[run], bounds[:, run] = np.nan, np.nan
                continue
            part = self._file_variables[variable][number[run[0]]]
            steps = slice(int(step[run[0]]), int(step[run[-1]]) + 1)
            file, chunks = self._file(part)
            preliminary = part.preliminary[steps].copy()
            fields, raw_bounds = read_fields(
                file, part.name, part.time, steps, part.label, chunks, preliminary
            )
            self._preliminary.update((wanted[run[preliminary]] // n).tolist())
            fields, raw_bounds = mask_zeros(fields[..., : len(lon)], raw_bounds, part)
            scale, offset = np.float32(part.factor), np.float32(part.offset)
            bounds[:, run] = np.stack([*raw_bounds]) * scale + offset
            for field, out in zip(fields, values[run[0] :], strict=False):  # in the CPU's cache
                np.multiply(field, scale, out=out)
                out += offset
        values = values.reshape(-1, n, len(lat), len(lon))
        if variable in ACCUMULATED and not daily_mean:
            return np.maximum(values, 0)  # the valid range is that of daily means
        if variable in ACCUMULATED and n > 1:
            values = values.mean(axis=1, keepdims=True)
            bounds = field_bounds(values)
        bounds = bounds.reshape(2, len(values), -1)
        low, high = np.fmin.reduce(bounds[0], axis=1), np.fmax.reduce(bounds[1], axis=1)
        parts = [self._file_variables[variable][k] for k in number[::n]]
        return clip_to_range(values, low, high, parts)

    def blocks(self, variable: str, start: int, min_bytes: int, max_bytes: int) -> list[slice]:
        """Slices of days from `start` on to read at once, complete chunks of the files if they fit.

        Parameters
        ----------
        min_bytes, max_bytes : int
            Size of a block of `variable`: the first chunk that ends above `min_bytes` ends the
            block, unless the block would be larger than `max_bytes`.
        """
        n = self.samples_per_day(variable)
        size = 4 * n * prod(axis.size for axis in self.nodes(variable))
        min_days, max_days = (int(max(1, bytes_ // size)) for bytes_ in (min_bytes, max_bytes))
        number, step = self._index[variable][:, ::n][:, : self.days]
        chunk = np.array([part.chunk for part in self._file_variables[variable]])[number]
        new = (np.diff(number, prepend=-1) != 0) | (step % chunk == 0)
        ends, found = np.append(np.flatnonzero(new), self.days), []
        while start < self.days:
            good = ends[(ends >= start + min_days) & (ends <= start + max_days)]
            stop = int(good[0]) if len(good) else min(start + min_days, self.days)
            found.append(slice(start, stop))
            start = stop
        return found

    def file_variable(self, variable: str) -> FileVariable:
        """First file's part of a raw variable."""
        return self._file_variables[variable][0]

    @property
    def preliminary_days(self) -> list[str]:
        """Days read so far that hold preliminary data (ERA5T), YYYY-MM-DD."""
        first = np.datetime64(f"{self.year}-01-01")
        return [str(first + day) for day in sorted(self._preliminary)]

    def files_of(self, variable: str, days: np.ndarray) -> str:
        """Files that some days of a raw variable are read from, for messages."""
        numbers = self._index[variable][0, days * self.samples_per_day(variable)]
        labels = [self._file_variables[variable][n].label for n in np.unique(numbers) if n >= 0]
        return ", ".join(labels[:3]) + (" ..." if len(labels) > 3 else "") or "no file"

    def thinned_day(
        self, variable: str, day: int, nodes: int = 60
    ) -> tuple[np.ndarray, FileVariable] | tuple[None, None]:
        """(23, lat, lon) values as in the file at 01 to 23 UTC of a day, about `nodes` an axis.

        With the file that holds them; None if no file holds them all.
        """
        wanted = np.datetime64(f"{self.year}-01-01T01") + 24 * day + np.arange(23)
        thinned = tuple(slice(None, None, max(1, a.size // nodes)) for a in self.nodes(variable))
        for part in self._file_variables[variable]:
            steps = np.flatnonzero(np.isin(part.timestamps, wanted))
            if np.array_equal(part.timestamps[steps], wanted):
                file = self._file(part)[0]
                breaks = np.flatnonzero(np.diff(steps) != 1) + 1
                slices = [slice(int(s[0]), int(s[-1]) + 1) for s in np.split(steps, breaks)]
                fields = [read_fields(file, part.name, part.time, s, part.label)[0] for s in slices]
                return np.concatenate([field[:, *thinned] for field in fields]), part
        return None, None

    def close(self) -> None:
        """Close all files."""
        for _, file, _ in self._open.values():
            file.close()
        self._open = {}

    def _timestamps(self, variable: str) -> np.ndarray:
        """Timestamps that the year needs of a raw variable, datetime64[h]."""
        start, end = (np.datetime64(f"{y}-01-01", "h") for y in (self.year, self.year + 1))
        hours = np.arange(start, end)
        if self.dataset_type == "hourly" and variable in ACCUMULATED:
            return hours + 1
        if self.dataset_type == "land_hourly" and variable in ACCUMULATED:
            return hours[::24] + 24
        return hours[::24] if self.dataset_type == DAILY else hours

    def _locate(self, variable: str) -> np.ndarray:
        """(2, timestamp) file and time step of each needed timestamp, -1 where there is none.

        Notes variables without a file, timestamps that come twice, and differing grids.
        """
        parts, wanted = self._file_variables[variable], self._timestamps(variable)
        index = np.full((2, len(wanted)), -1)
        if not parts:
            self._note(
                "no file holds a variable that is needed", f"inputs.era5.path, {self.year}",
                variable, ", ".join(r for r in self.raw_variables if self._file_variables[r])
                or "nothing", ", ".join(self.raw_variables),
                f"download {variable}, or remove the predictors that need it from "
                "predictors.variables",
            )  # fmt: skip
            return index
        for number, part in enumerate(parts):
            position = np.searchsorted(wanted, part.timestamps)
            inside = position < len(wanted)
            inside[inside] = wanted[position[inside]] == part.timestamps[inside]
            steps, position = np.flatnonzero(inside), position[inside]
            again = (index[0, position] >= 0) | (np.bincount(position)[position] > 1)
            if again.any():
                first = index[0, position[again][0]]
                other = parts[first] if first >= 0 else part
                may_be_hourly = self.dataset_type == DAILY and other is part
                self.problems.append(repeated_days(part, other, again.sum(), may_be_hourly))
            index[0, position], index[1, position] = number, steps
            if not all(map(np.array_equal, (part.lat, part.lon), self.nodes(variable))):
                self._note(
                    "files of one variable are on different grids", part.label, variable,
                    f"{part.lat.size} x {part.lon.size} nodes", f"the grid of {parts[0].label}",
                    "download all of them on one grid",
                )  # fmt: skip
        return index

    def _end_early(self) -> None:
        """End the year with the last complete month of the variable that ends first."""
        ends = {variable: self._complete_months(variable) for variable in self.raw_variables}
        first = min(ends, key=ends.__getitem__)
        if ends[first] < self.days:
            self.days = ends[first]
            end = np.datetime64(f"{self.year}-01-01") + self.days - 1
            log.warning("ERA5 ends with %s (the last complete month of %s)", end, first)

    def _complete_months(self, variable: str) -> int:
        """Days until the end of the last month that, like all months before it, is complete."""
        present = (self._index[variable][0] >= 0).reshape(-1, self.samples_per_day(variable))
        present = present.all(axis=1)
        first = np.datetime64(f"{self.year}-01-01")
        after = first + int(np.flatnonzero(present)[-1] + 1 if present.any() else 0)
        days = int((after.astype("datetime64[M]").astype("datetime64[D]") - first).astype(int))
        return days or self.days  # without a complete month all of the year is missing

    def _check_missing(self, variable: str) -> None:
        """Note the missing days; `_locate` has noted a variable without any file."""
        parts, n = self._file_variables[variable], self.days * self.samples_per_day(variable)
        missing = self._timestamps(variable)[:n][self._index[variable][0, :n] < 0]
        if parts and len(missing):
            at_end = self.dataset_type != DAILY and variable in ACCUMULATED  # ends its hour
            problem = missing_days(parts, missing, n, self.year, at_end)
            if self.allow_gaps:
                log.warning("%s", problem)
            else:
                self.problems.append(problem)

    def _note(self, what: str, file: str, variable: str, found: str, expected: str, fix: str):
        self.problems.append(
            InputError(what, file=file, variable=variable, found=found, expected=expected, fix=fix)
        )

    def _file(self, part: FileVariable) -> tuple[netCDF4.Dataset, DeflatedVariable | None]:
        """The open file; one file stays open per raw variable, with its chunks in memory."""
        if part.variable in self._open:
            path, file, chunks = self._open[part.variable]
            if path == part.path:
                return file, chunks
            file.close()
        file = open_netcdf(part.path, part.label)
        if isinstance(file[part.name].chunking(), list):
            file[part.name].set_var_chunk_cache(size=_CHUNK_CACHE)
        chunks = open_deflated(part.path, file, part.name)
        self._open[part.variable] = (part.path, file, chunks)
        return file, chunks
