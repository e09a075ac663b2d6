"""Look at one ERA5 file before any work: which raw variables it holds, when, where, in which units.

Only coordinates, attributes and, of a variable in an unknown unit, one field are read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.cds_files import (
    check_cover,
    check_dimensions,
    experiment_versions,
    open_netcdf,
    read_axis,
    read_time_bounds,
    read_timestamps,
)
from tamflux.readers.cds_zip import unpack
from tamflux.readers.era5_file_variables import FileVariable, chunk_steps, conversion
from tamflux.readers.era5_statements import (
    bounded_days,
    check_day,
    check_frequency,
    check_hours,
    daily_statistic,
)
from tamflux.readers.era5_variables import ACCUMULATED, DAY_SECONDS, RAW, raw_name, raw_variable

log = logging.getLogger("tamflux")

_INSTANT, _ACCUMULATED = ("", "instant"), ("", "accum")
"""`GRIB_stepType` of the hourly variables; monthly means have others (`avgua`)."""


class _Unsuitable(InputError):
    """A sound file of another stream: refused alone, left out of a zip that has others."""


def scan(
    path: Path,
    dataset_type: str,
    raw_variables: Sequence[str],
    grid: Grid,
    scratch: Path,
) -> list[FileVariable]:
    """Variables that are needed in a file, or in the members of a zip.

    Members of other streams or step types are left out and logged, unless no member is left.

    Parameters
    ----------
    dataset_type, raw_variables, grid
        As in `tamflux.readers.era5.Era5Year`.
    scratch : Path
        Folder for the unpacked members.

    Raises
    ------
    InputError
        If the file, or a member of the right kind, cannot be used.
    """
    parts = unpack(path, scratch)
    found: list[FileVariable] = []
    left_out: list[InputError] = []
    for part in parts:
        label = str(path) if part == path else f"{path} ({part.name})"
        try:
            found += _scan_part(part, label, dataset_type, raw_variables, grid)
        except _Unsuitable as error:
            left_out.append(error)
    if left_out and len(left_out) == len(parts):
        raise left_out[0]
    for problem in left_out:
        reason = f"{problem.what}: {problem.details['found']}"
        log.warning("left out %s: %s", problem.details["file"], reason)
    return found


def _scan_part(
    path: Path, label: str, dataset_type: str, raw_variables: Sequence[str], grid: Grid
) -> list[FileVariable]:
    with open_netcdf(path, label) as file:
        known = [name for name in file.variables if raw_name(name) in RAW]
        if not known:
            raise _Unsuitable(
                "file holds no ERA5 variable that is used", file=label,
                found=[n for n in file.variables if file[n].ndim > 1] or list(file.variables),
                expected=f"one or more of {', '.join(RAW)}",
                fix="take the file out of inputs.era5.path, or download the right variable",
            )  # fmt: skip
        needed = {variable.split("_")[0] for variable in raw_variables}
        known = [name for name in known if raw_name(name) in needed]
        for name in known:
            _check_stream(file, name, label, dataset_type)
        if not known:
            return []
        lat, lon = (read_axis(file, name, label) for name in ("latitude", "longitude"))
        lat = np.sort(lat)
        if abs(lon[-1] - lon[0] - 360) < 1e-2:  # the first meridian again
            lon = lon[:-1]
        check_cover(lat, lon, grid, label)
        found = []
        for name in known:
            times = _read_time(file, name, label, dataset_type, raw_variables)
            if times is not None:
                found.append(_describe(file, path, name, label, *times, lat, lon))
        return found


def _check_stream(file: netCDF4.Dataset, name: str, label: str, dataset_type: str) -> None:
    """Tell variables of other streams: ensemble members, monthly means."""
    usual = _ACCUMULATED if raw_name(name) in ACCUMULATED else _INSTANT
    step_type = str(getattr(file[name], "GRIB_stepType", ""))
    members = [
        dim for dim, n in zip(file[name].dimensions, file[name].shape, strict=True)
        if dim in ("number", "realization", "member") and n > 1
    ]  # fmt: skip
    if members:
        raise _Unsuitable(
            "variable has unexpected dimensions", file=label, variable=name,
            found=dict(zip(file[name].dimensions, file[name].shape, strict=True)),
            expected="(time, latitude, longitude)",
            fix="download the reanalysis, not the ensemble members, as NetCDF",
        )  # fmt: skip
    if dataset_type != "daily_statistics" and step_type not in usual:
        raise _Unsuitable(
            "variable has another step type", file=label, variable=name,
            found=f"GRIB_stepType {step_type}", expected=usual[-1],
            fix="download the hourly reanalysis",
        )  # fmt: skip


def _read_time(
    file: netCDF4.Dataset, name: str, label: str, dataset_type: str, raw_variables: Sequence[str]
) -> tuple[str, float, str, np.ndarray] | None:
    """Raw variable, seconds of an accumulated value, time axis, and timestamps of a variable.

    None if its daily statistic is not needed. Several values a day, whatever their statistic, are
    refused as repeated days later.
    """
    base = raw_name(name)
    time, timestamps = read_timestamps(file, label)
    bounds = read_time_bounds(file, time, label)
    if dataset_type != "daily_statistics":
        check_hours(time, bounds, timestamps, base in ACCUMULATED, label)
        seconds = 3600.0 if dataset_type == "hourly" else DAY_SECONDS
        return base, seconds, time, timestamps.astype("datetime64[h]")
    if len(np.unique(timestamps.astype("datetime64[D]"))) < len(timestamps):
        return base, 3600.0, time, timestamps.astype("datetime64[D]").astype("datetime64[h]")
    statistic = daily_statistic(file, name, base, label)
    variable = raw_variable(base, statistic)
    if variable not in raw_variables:
        return None
    check_frequency(file, name, base, statistic, label)
    check_day(file, name, time, base, label)
    days = bounded_days(file, time, bounds, timestamps, label)
    seconds = 3600.0 if statistic == "mean" else DAY_SECONDS  # a mean of hourly sums
    return variable, seconds, time, days.astype("datetime64[h]")


def _describe(
    file: netCDF4.Dataset,
    path: Path,
    name: str,
    label: str,
    variable: str,
    seconds: float,
    time: str,
    timestamps: np.ndarray,
    lat: np.ndarray,
    lon: np.ndarray,
) -> FileVariable:
    check_dimensions(file, name, time, label)
    units, factor, offset = conversion(file, name, variable, seconds, time, label)
    versions = experiment_versions(file, label)
    preliminary = np.zeros(len(timestamps), bool)
    if "expver" not in file[name].dimensions and len(versions) in (1, len(timestamps)):
        preliminary |= versions == 5
    if preliminary.any() or ("expver" in file[name].dimensions and 5 in versions):
        log.warning("%s holds preliminary ERA5T: download it again when it is final", label)
    return FileVariable(
        path, label, name, variable, units, seconds, factor, offset, time,
        chunk_steps(file[name], file[time]), timestamps, preliminary, lat, lon,
    )  # fmt: skip
