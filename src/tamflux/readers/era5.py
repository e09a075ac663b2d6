"""ERA5 and ERA5-Land as the Climate Data Store delivers them, by day, in catalogue units.

Three kinds of delivery, with different meanings of a stamp (ECMWF, "ERA5: data documentation" and
"ERA5-Land: data documentation", https://confluence.ecmwf.int/display/CKB/):

- ``daily_statistics``: one value a UTC day. Mean, minimum, maximum or sum: told by the name of the
  variable (`t2m_min`), its `cell_methods`, or the name of the file (`..._daily_maximum_2003.nc`).
- ``hourly``: instantaneous values at the stamp; radiation and precipitation over the hour that
  *ends* at the stamp, so that a day is its stamps 01 to 23 and 00 of the next day.
- ``land_hourly``: radiation and precipitation since 00 UTC, so that the stamp 00 of the next day
  holds the total of a day.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from math import prod
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.provenance import file_hash
from tamflux.readers.cds_files import (
    check_cover,
    check_dimensions,
    field_ends,
    open_deflated,
    open_netcdf,
    read_axis,
    read_fields,
    read_times,
    unpack,
    warn_if_preliminary,
)
from tamflux.readers.era5_layers import (
    Layer,
    check_present,
    chunk_steps,
    clip_to_range,
    conversion,
    missing_days,
    repeated_days,
    statistic_of,
)
from tamflux.readers.era5_variables import (
    ACCUMULATED,
    DAY_SECONDS,
    RAW,
    raw_name,
    raw_variables,
    role_of,
)
from tamflux.readers.hdf5_chunks import DeflatedVariable
from tamflux.variables import METEOROLOGY

log = logging.getLogger("tamflux")

DAILY = "daily_statistics"
KINDS = (DAILY, "hourly", "land_hourly")
_CHUNK_CACHE = 400_000_000


class Era5Year:
    """The raw ERA5 of one year, checked from its coordinates alone, then read by days.

    Parameters
    ----------
    paths : iterable of path
        Every file that may hold a part of the year (for hourly kinds 1 January of the next year
        as well); others may be among them.
    kind : str
        One of `KINDS`.
    year : int
    grid : Grid
        The region that must be covered.
    predictors : sequence of str
        Names of `METEOROLOGY` that will be derived.
    scratch : path
        Folder for what zips hold.
    may_end_early : bool
        Whether the year may end with its last whole month: days are missing only before that.

    Attributes
    ----------
    days : int
        Days from 1 January that all variables have: those of the year, or of its months so far.
    problems : list of InputError
        All that is wrong; the year can be read only where it is empty.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        kind: str,
        year: int,
        grid: Grid,
        predictors: Sequence[str],
        scratch: str | Path,
        may_end_early: bool = False,
    ):
        self.kind, self.year = kind, year
        self._hash = cache(file_hash)
        self.roles = sorted({role for name in predictors for role in raw_variables(kind, name)})
        self.problems: list[InputError] = []
        self._files: dict[str, tuple[Path, netCDF4.Dataset, DeflatedVariable | None]] = {}
        layers: list[Layer] = []
        for path in map(Path, paths):
            try:
                for part in unpack(path, Path(scratch)):
                    label = str(path) if part == path else f"{path} ({part.name})"
                    layers += self._scan(part, label, grid)
            except InputError as error:
                self.problems.append(error)
        self._layers = {role: [x for x in layers if x.role == role] for role in self.roles}
        self.days = len(np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]"))
        self._where = {role: self._locate(role) for role in self.roles}
        if may_end_early:
            self._end_early()
        for role in self.roles:
            self._check_missing(role)

    def origin(self, first: int, last: int) -> str:
        """Checksum of the files that some days, `first` to `last` - 1, are read from."""
        origin = set()
        for role in self.roles:
            n = self.samples(role)
            for number in np.unique(self._where[role][0, first * n : last * n]):
                layer = self._layers[role][number]
                origin.add((role, layer.name, self._hash(layer.path)))
        return hashlib.sha256(repr(sorted(origin)).encode()).hexdigest()

    def samples(self, role: str) -> int:
        """Values of a raw variable in a day's stamps."""
        if self.kind == DAILY:
            return 1
        return 1 if self.kind == "land_hourly" and role in ACCUMULATED else 24

    def nodes(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """(lat,), (lon,) degrees of the nodes of a raw variable; lat ascending, lon eastward."""
        layer = self._layers[role][0]
        return layer.lat, layer.lon

    def read(self, role: str, days: slice) -> np.ndarray:
        """(day, sample, lat, lon) float32 of a raw variable in catalogue units.

        `sample` is 24 for instantaneous values of the hourly kinds and 1 otherwise: radiation
        (W m-2) and precipitation (mm d-1) are means over the day.

        Raises
        ------
        InputError
            If values are outside the valid range, a fill value is not masked, or a field is
            missing.
        """
        n = self.samples(role)
        wanted = np.arange(days.start * n, days.stop * n)
        lat, lon = self.nodes(role)
        values: np.ndarray = np.empty((len(wanted), len(lat), len(lon)), np.float32)
        ends: np.ndarray = np.empty((2, len(wanted)), np.float32)
        source, step = self._where[role][:, wanted]
        breaks = np.flatnonzero((np.diff(source) != 0) | (np.diff(step) != 1)) + 1
        for run in np.split(np.arange(len(wanted)), breaks):
            layer = self._layers[role][source[run[0]]]
            steps = slice(int(step[run[0]]), int(step[run[-1]]) + 1)
            file, chunks = self._file(layer)
            place = (layer.name, layer.time, steps, layer.label, chunks)
            fields, (least, most) = read_fields(file, *place)
            check_present(least, layer, steps)
            scale, offset = np.float32(layer.factor), np.float32(layer.offset)
            ends[:, run] = np.stack([least, most]) * scale + offset
            for field, out in zip(fields, values[run[0] :], strict=False):  # in the CPU's cache
                np.multiply(field, scale, out=out)
                out += offset
        values = values.reshape(-1, n, len(lat), len(lon))
        if role in ACCUMULATED and n > 1:
            values = values.mean(axis=1, keepdims=True)
            ends = field_ends(values)
        ends = ends.reshape(2, len(values), -1)
        least, most = np.fmin.reduce(ends[0], axis=1), np.fmax.reduce(ends[1], axis=1)
        return clip_to_range(values, least, most, [self._layers[role][k] for k in source[::n]])

    def blocks(self, role: str, start: int, least: int, most: int) -> list[slice]:
        """Slices of days from `start` on to read at once: whole chunks of the files, if they fit.

        Parameters
        ----------
        least, most : int
            Bytes of a block of `role`: the first chunk that ends above `least` ends the block.
        """
        n = self.samples(role)
        size = 4 * n * prod(axis.size for axis in self.nodes(role))
        fewest, days = (int(max(1, bytes_ // size)) for bytes_ in (least, most))
        source, step = self._where[role][:, ::n][:, : self.days]
        chunk = np.array([layer.chunk for layer in self._layers[role]])[source]
        new = (np.diff(source, prepend=-1) != 0) | (step % chunk == 0)
        ends, found = np.append(np.flatnonzero(new), self.days), []
        while start < self.days:
            good = ends[(ends >= start + fewest) & (ends <= start + days)]
            stop = int(good[0]) if len(good) else min(start + fewest, self.days)
            found.append(slice(start, stop))
            start = stop
        return found

    def layer(self, role: str) -> Layer:
        """First of the layers of a raw variable."""
        return self._layers[role][0]

    def thinned_day(self, role: str, day: int, nodes: int = 60) -> np.ndarray | None:
        """(23, lat, lon) raw values at the stamps 01 to 23 UTC of a day, about `nodes` an axis.

        None where no file holds them all.
        """
        wanted = np.datetime64(f"{self.year}-01-01T01") + 24 * day + np.arange(23)
        every = tuple(slice(None, None, max(1, axis.size // nodes)) for axis in self.nodes(role))
        for layer in self._layers[role]:
            steps = np.flatnonzero(np.isin(layer.stamps, wanted))
            if np.array_equal(layer.stamps[steps], wanted):
                file, place = self._file(layer)[0], (layer.name, layer.time)
                fields = [
                    read_fields(file, *place, slice(i, i + 1), layer.label)[0][:, *every]
                    for i in map(int, steps)
                ]
                return np.concatenate(fields)
        return None

    def close(self) -> None:
        """Close all files."""
        for _, file, _ in self._files.values():
            file.close()
        self._files = {}

    def _scan(self, path: Path, label: str, grid: Grid) -> list[Layer]:
        """Layers of one file that the year needs."""
        file = open_netcdf(path, label)
        with file:
            known = [name for name in file.variables if raw_name(name) in RAW]
            if not known:
                raise InputError(
                    "file holds no ERA5 variable that is used", file=label,
                    found=[n for n in file.variables if file[n].ndim > 1] or list(file.variables),
                    expected=f"one or more of {', '.join(RAW)}",
                    fix="take the file out of inputs.era5.path, or download the right variable",
                )  # fmt: skip
            time, stamps = read_times(file, label)
            lat, lon = (read_axis(file, name, label) for name in ("latitude", "longitude"))
            lat = np.sort(lat)
            check_cover(lat, lon, grid, label)
            warn_if_preliminary(file, label)
            layers = []
            for name in known:
                statistic = statistic_of(file[name], label) if self.kind == DAILY else None
                role = role_of(raw_name(name), statistic)
                if role not in self.roles:
                    continue
                check_dimensions(file, name, time, label)
                hour_sums = self.kind == "hourly" or statistic == "mean"  # a mean of hourly sums
                seconds = 3600.0 if hour_sums else DAY_SECONDS
                units, factor, offset = conversion(file, name, role, seconds, time, label)
                if self.kind == DAILY:
                    stamps = stamps.astype("datetime64[D]").astype("datetime64[h]")
                place, values = (path, label, name, role), (units, seconds, factor, offset)
                chunk = chunk_steps(file[name], file[time])
                layers.append(Layer(*place, *values, time, chunk, stamps, lat, lon))
            return layers

    def _stamps(self, role: str) -> np.ndarray:
        """Stamps that the year needs of a raw variable, datetime64[h]."""
        start, end = (np.datetime64(f"{y}-01-01", "h") for y in (self.year, self.year + 1))
        hours = np.arange(start, end)
        if self.kind == "hourly" and role in ACCUMULATED:
            return hours + 1
        if self.kind == "land_hourly" and role in ACCUMULATED:
            return hours[::24] + 24
        return hours[::24] if self.kind == DAILY else hours

    def _locate(self, role: str) -> np.ndarray:
        """(2, stamp) layer and step of each needed stamp; notes what is missing or doubled."""
        layers, wanted = self._layers[role], self._stamps(role)
        where = np.full((2, len(wanted)), -1)
        if not layers:
            self._note(
                "no file holds a variable that is needed",
                file=f"inputs.era5.path, {self.year}",
                variable=role,
                found=", ".join(r for r in self.roles if self._layers[r]) or "nothing",
                expected=", ".join(self.roles),
                fix=f"download {role}, or take what needs it out of predictors.variables",
            )
            return where
        for number, layer in enumerate(layers):
            position = np.searchsorted(wanted, layer.stamps)
            inside = position < len(wanted)
            inside[inside] = wanted[position[inside]] == layer.stamps[inside]
            steps, position = np.flatnonzero(inside), position[inside]
            again = (where[0, position] >= 0) | (np.bincount(position)[position] > 1)
            if again.any():
                first = where[0, position[again][0]]
                other = layers[first] if first >= 0 else layer
                may_be_hourly = self.kind == DAILY and other is layer
                self.problems.append(repeated_days(layer, other, again.sum(), may_be_hourly))
            where[0, position], where[1, position] = number, steps
            if not all(map(np.array_equal, (layer.lat, layer.lon), self.nodes(role))):
                self._note(
                    "files of one variable are on different grids",
                    file=layer.label,
                    variable=role,
                    found=f"{layer.lat.size} x {layer.lon.size} nodes",
                    expected=f"the grid of {layers[0].label}",
                    fix="download them alike",
                )
        return where

    def _end_early(self) -> None:
        """End the year with the last whole month of the variable that ends first."""
        ends = {role: self._whole_months(role) for role in self.roles}
        first = min(ends, key=ends.__getitem__)
        if ends[first] < self.days:
            self.days = ends[first]
            end = np.datetime64(f"{self.year}-01-01") + self.days - 1
            log.warning("ERA5 ends with %s (the last whole month of %s)", end, first)

    def _whole_months(self, role: str) -> int:
        """Days until the end of the last month whose stamps, and all before it, are there."""
        there = (self._where[role][0] >= 0).reshape(-1, self.samples(role)).all(axis=1)
        first = np.datetime64(f"{self.year}-01-01")
        after = first + int(np.flatnonzero(there)[-1] + 1 if there.any() else 0)
        days = int((after.astype("datetime64[M]").astype("datetime64[D]") - first).astype(int))
        return days or self.days  # without a whole month all of the year is missing

    def _check_missing(self, role: str) -> None:
        """Note what is missing of the days; without any file that has been said."""
        layers, n = self._layers[role], self.days * self.samples(role)
        missing = self._stamps(role)[:n][self._where[role][0, :n] < 0]
        if layers and len(missing):
            at_end = self.kind != DAILY and role in ACCUMULATED  # a stamp ends its hour
            self.problems.append(missing_days(layers, missing, n, self.year, at_end))

    def _note(self, what: str, **details) -> None:
        self.problems.append(InputError(what, **details))

    def _file(self, layer: Layer) -> tuple[netCDF4.Dataset, DeflatedVariable | None]:
        """The open file of a layer; one stays open per raw variable, with its chunks in memory."""
        if layer.role in self._files:
            path, file, chunks = self._files[layer.role]
            if path == layer.path:
                return file, chunks
            file.close()
        file = open_netcdf(layer.path, layer.label)
        if isinstance(file[layer.name].chunking(), list):
            file[layer.name].set_var_chunk_cache(size=_CHUNK_CACHE)
        chunks = open_deflated(layer.path, file, layer.name)
        self._files[layer.role] = (layer.path, file, chunks)
        return file, chunks


def inspect_era5(
    paths: Iterable[str | Path],
    kind: str,
    year: int,
    grid: Grid,
    predictors: Sequence[str] = tuple(METEOROLOGY),
    may_end_early: bool = False,
) -> list[InputError]:
    """All that is wrong with the ERA5 files of a year, from their coordinates and attributes alone.

    Parameters as in `Era5Year`; empty if the year can be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return Era5Year(paths, kind, year, grid, predictors, scratch, may_end_early).problems
