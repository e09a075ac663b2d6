"""NetCDF files as the Climate Data Store delivers them.

Opens them, decodes axes and reads slices, whatever the variables and units. Every failure is an
`InputError` that names the file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.files import find_files
from tamflux.grid import Grid
from tamflux.readers.hdf5_chunks import DeflatedVariable
from tamflux.readers.hdf5_structure import superblock_error

_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon")
log = logging.getLogger("tamflux")

LIBRARY_ERRORS = (OSError, RuntimeError, UnicodeDecodeError, MemoryError)
"""Exceptions of netCDF4 on damaged headers and values."""
REDO = "download the file again"
_REGULAR = "use data on the regular latitude-longitude grid"
_SENTINELS = np.array([-999, -9999, -32767, -32768, -99999, 1e20, 9.969209968386869e36], "f8")


def files_of_last_hour(era5: Mapping[str, str], year: int) -> list[str]:
    """Files that may hold the end of the last hour of a year, 00 UTC of the next one.

    Parameters
    ----------
    era5 : mapping
        The section `inputs.era5` of the configuration; daily statistics need no such file.
    year : int
    """
    if era5["kind"] == "daily_statistics":
        return []
    files = find_files(era5["path"].replace("{year}", str(year + 1)))
    return [file for file in files if may_start_year(file, year + 1)]


def may_start_year(path: str | Path, year: int) -> bool:
    """Whether a file holds the first hour of a year; True if only unpacking would tell."""
    path = Path(path)
    try:
        with open_netcdf(path, str(path)) as file:
            return np.datetime64(f"{year}-01-01", "h") in read_times(file, str(path))[1]
    except InputError:  # a zip, or damaged: reported when it is read
        return True


def open_netcdf(path: Path, label: str) -> netCDF4.Dataset:
    """Open a NetCDF file for raw reading (no masking, no scaling)."""
    try:
        if reason := superblock_error(path):
            raise OSError(reason)
        file = netCDF4.Dataset(path)
    except LIBRARY_ERRORS as error:
        raise file_error("NetCDF file is truncated or damaged", label, str(error),
                     "a complete NetCDF file") from error  # fmt: skip
    file.set_auto_maskandscale(False)
    return file


def read_times(file: netCDF4.Dataset, label: str) -> tuple[str, np.ndarray]:
    """Name of the time axis and its timestamps as datetime64[h]; (1,) where time is a scalar."""
    name, timestamps = read_timestamps(file, label)
    return name, timestamps.astype("datetime64[h]")


def read_timestamps(file: netCDF4.Dataset, label: str) -> tuple[str, np.ndarray]:
    """As `read_times`, with timestamps as datetime64[s]."""
    name = next((n for n in ("valid_time", "time") if n in file.variables), None)
    if name is None:
        raise file_error("file has no time axis", label, list(file.variables), "valid_time or time",
                     "download with the time axis")  # fmt: skip
    if file[name].ndim > 1:
        raise file_error(
            "time axis has two dimensions",
            label,
            file[name].dimensions,
            "one dimension",
            "use the store's own NetCDF, not a GRIB conversion",
            name,
        )
    return name, _decode_times(file[name], file[name], label)


def read_time_bounds(file: netCDF4.Dataset, time: str, label: str) -> np.ndarray | None:
    """(step, 2) datetime64[s] bounds of the time axis; None if it has none."""
    bounds = file.variables.get(str(getattr(file[time], "bounds", "")))
    if bounds is None or bounds.ndim != 2 or bounds.shape[1] != 2:
        return None
    return _decode_times(bounds, file[time], label).reshape(-1, 2)


def _decode_times(values: netCDF4.Variable, axis: netCDF4.Variable, label: str) -> np.ndarray:
    """Moments, one after the other, in the units and calendar of `axis`."""
    try:
        moments = netCDF4.num2date(
            np.atleast_1d(_read(values, slice(None), label)).ravel(),
            axis.units,
            getattr(axis, "calendar", "standard"),
            only_use_cftime_datetimes=False,
            only_use_python_datetimes=True,
        )
        return np.array(moments, "datetime64[s]")
    except (ValueError, AttributeError, TypeError, OverflowError) as error:
        raise file_error(
            "time axis cannot be decoded", label,
            f"{getattr(axis, 'units', 'no units')}, "
            f"calendar {getattr(axis, 'calendar', 'standard')}: {error}",
            "hours, days or seconds since a date of the standard calendar", variable=axis.name,
        ) from error  # fmt: skip


def read_axis(file: netCDF4.Dataset, name: str, label: str) -> np.ndarray:
    """Regular axis `latitude` or `longitude` in degrees, longitude unwrapped over its seam.

    Latitude may run either way; longitude must run eastward.
    """
    found = next((n for n in (name, name[:3]) if n in file.variables), None)
    if found is None or file[found].ndim != 1 or file[found].size < 2:
        raise file_error(
            f"file has no regular {name} axis", label,
            {n: v.dimensions for n, v in file.variables.items() if n[:3] == name[:3]},
            f"one-dimensional {name} with at least two nodes", _REGULAR,
        )  # fmt: skip
    values = np.asarray(_read(file[found], slice(None), label), float)
    if name == "longitude":
        values = np.unwrap(values, period=360)
    steps = np.diff(values)
    regular = np.allclose(steps, steps.mean(), rtol=0, atol=2e-3 * abs(steps.mean()) + 1e-9)
    westward = name == "longitude" and steps.mean() < 0
    beyond = name == "latitude" and abs(values).max() > 90 + 1e-3
    units = str(getattr(file[found], "units", "degrees"))
    beyond |= not units.startswith("degree")
    if not np.isfinite(values).all() or not regular or westward or beyond or steps.mean() == 0:
        raise file_error(
            f"{name} is not a regular axis", label,
            f"{values[0]:g} to {values[-1]:g}, steps {steps.min():g} to {steps.max():g}, {units}",
            "equal steps" + (", eastward" if name == "longitude" else ", -90 to 90") + ", degrees",
            _REGULAR, found,
        )  # fmt: skip
    return np.linspace(values[0], values[-1], len(values))


def check_cover(lat: np.ndarray, lon: np.ndarray, grid: Grid, label: str) -> None:
    """The cells around the nodes must cover the target region."""
    d_lat, d_lon = lat[1] - lat[0], lon[1] - lon[0]
    west, south, east, north = grid.bbox
    offset = (west - (lon[0] - d_lon / 2) + 1e-6) % 360
    span = len(lon) * d_lon
    covered = (
        max(lat[0] - d_lat / 2, -90) <= south + 1e-6
        and min(lat[-1] + d_lat / 2, 90) >= north - 1e-6
        and (abs(span - 360) < 1e-2 or offset + east - west <= span + 1e-2)
    )
    if not covered:
        found = f"{lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E, every {d_lon:g}"
        expected = f"{south:g} to {north:g} N, {west:g} to {east:g} E (grid.bbox)"
        fix = "download a larger area, or make grid.bbox smaller"
        raise file_error("file does not cover the region", label, found, expected, fix)


def check_dimensions(file: netCDF4.Dataset, name: str, time: str, label: str) -> None:
    """A variable must have time, latitude and longitude, apart from axes of length 1 and expver."""
    sizes = dict(zip(file[name].dimensions, file[name].shape, strict=True))
    plane = {"latitude", "longitude", "lat", "lon"}
    spare = {d: n for d, n in sizes.items() if d not in {*plane, *file[time].dimensions, "expver"}}
    timed = set(file[time].dimensions) <= set(sizes)
    if len(plane & set(sizes)) != 2 or not timed or any(n != 1 for n in spare.values()):
        raise file_error("variable has unexpected dimensions", label, sizes,
                     "(time, latitude, longitude)",
                     "download the reanalysis, not the ensemble members, as NetCDF",
                     name)  # fmt: skip


def open_deflated(path: Path, file: netCDF4.Dataset, name: str) -> DeflatedVariable | None:
    """Chunks of a variable of an open file; None if the library must read it."""
    if file[name].ndim != 3 or not file.data_model.startswith("NETCDF4"):
        return None
    try:
        return DeflatedVariable.open(path, name)
    except (*LIBRARY_ERRORS, LookupError, ValueError, TypeError):
        return None  # netCDF4 will report the problem


def read_fields(
    file: netCDF4.Dataset,
    name: str,
    time: str,
    steps: slice,
    label: str,
    chunks: DeflatedVariable | None = None,
    preliminary: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fields of one variable, NaN where missing, latitude ascending, and their bounds.

    Packed integers are unpacked. Of an `expver` axis (final and preliminary data in one array) the
    final value is taken, and the preliminary one where that is missing.

    Parameters
    ----------
    chunks : DeflatedVariable, optional
        From `open_deflated`: reads steps that are complete chunks in place of the library.
    preliminary : numpy.ndarray, optional
        (step,) bool, set where a preliminary value is taken from an `expver` axis.

    Returns
    -------
    fields : numpy.ndarray
        (step, latitude, longitude) float32.
    bounds : numpy.ndarray
        (2, step) smallest and largest value that is not missing.
    """
    variable = file[name]
    time_dims = file[time].dimensions
    if chunks and variable.dimensions[:1] == time_dims and chunks.covers(steps):
        raw = _guard(lambda: chunks.read(steps), variable, label)
    else:
        index = tuple(steps if dim in time_dims else slice(None) for dim in variable.dimensions)
        raw = _read(variable, index, label)
    try:
        values = _unpack_values(variable, raw, label)
    except (TypeError, ValueError, OverflowError) as error:
        raise file_error(
            "packing attributes are not numbers", label, str(error),
            "numbers as _FillValue, missing_value, scale_factor, add_offset", variable=name,
        ) from error  # fmt: skip
    values = _to_fields(file, variable, time_dims, values, preliminary, label)
    bounds = field_bounds(values)
    if (sentinel := np.isclose(bounds.ravel()[:, None], _SENTINELS, rtol=1e-6, atol=0)).any():
        raise file_error(
            "a fill value is not masked", label,
            f"{bounds.ravel()[sentinel.any(axis=1)][0]:g} among the values",
            "missing values marked by _FillValue",
            f"add a _FillValue attribute to {name}, or download the file again", name,
        )  # fmt: skip
    latitude = next(n for n in _LATITUDE if n in file.variables)
    southward = file[latitude][0] > file[latitude][-1]
    return values[:, ::-1] if southward else values, bounds


def _to_fields(
    file: netCDF4.Dataset,
    variable: netCDF4.Variable,
    time_dims: tuple[str, ...],
    values: np.ndarray,
    preliminary: np.ndarray | None,
    label: str,
) -> np.ndarray:
    """(step, lat, lon) fields of values in the order of the variable's dimensions."""
    dims = list(variable.dimensions)
    for dim in [d for d in dims if d not in (*time_dims, *_LATITUDE, *_LONGITUDE, "expver")]:
        values = values.take(0, dims.index(dim))  # of length 1, see check_dimensions
        dims.remove(dim)
    plane = [next(d for d in names if d in dims) for names in (_LATITUDE, _LONGITUDE)]
    wanted = [*(d for d in dims if d == "expver"), *time_dims, *plane]
    values = values.transpose([dims.index(d) for d in wanted])
    if "expver" not in dims:
        return values if time_dims else values[None]
    values = values if time_dims else values[:, None]
    order = np.argsort(experiment_versions(file, label))  # 1, final, before 5, preliminary
    fields = values[order[0]]
    for number in order[1:]:
        missing = np.isnan(fields)
        filled = missing & ~np.isnan(values[number])
        fields = np.where(missing, values[number], fields)
        if preliminary is not None:
            preliminary |= filled.any(axis=(1, 2))
    return fields


def experiment_versions(file: netCDF4.Dataset, label: str) -> np.ndarray:
    """Values of `expver`: 1 for final, 5 for preliminary ERA5 (ERA5T); empty without it.

    Raises
    ------
    InputError
        If the values are others, or an `expver` dimension has none.
    """
    if "expver" not in file.variables:
        if "expver" not in file.dimensions:
            return np.empty(0, int)
        found: list[str] = []
    else:
        found = [str(v) for v in np.atleast_1d(_read(file["expver"], slice(None), label)).ravel()]
    versions = [f"{v}".lstrip("0").removesuffix(".0") for v in found]
    if (
        not versions
        or set(versions) - {"1", "5"}
        or ("expver" in file.dimensions and len(set(versions)) < len(versions))
    ):
        raise file_error(
            "experiment versions are unknown",
            label,
            sorted(set(found)) or "no values",
            "1 (final ERA5) and 5 (preliminary ERA5T)",
            "download ERA5 from the Climate Data Store",
            "expver",
        )
    return np.array(versions, int)


def field_bounds(fields: np.ndarray) -> np.ndarray:
    """(2, step) smallest and largest value of each field, NaN where all are missing."""
    bounds = np.array([[field.min(), field.max()] for field in fields], np.float32).T
    for step in np.flatnonzero(np.isnan(bounds[0])):  # where some are missing: five times slower
        bounds[:, step] = [f.reduce(fields[step], axis=None) for f in (np.fmin, np.fmax)]
    return bounds


def file_error(
    what: str, file: str | Path, found, expected: str, fix: str = REDO, variable: str | None = None
) -> InputError:
    """Error of a file; the remedy is to download it again unless given."""
    return InputError(what, file=file, variable=variable, found=found, expected=expected, fix=fix)


def _read(variable: netCDF4.Variable, index, label: str) -> np.ndarray:
    return _guard(lambda: variable[index], variable, label)


def _guard(read: Callable[[], np.ndarray], variable: netCDF4.Variable, label: str) -> np.ndarray:
    try:
        return read()
    except (*LIBRARY_ERRORS, IndexError) as error:
        raise file_error(
            "values cannot be read: the file is truncated or damaged",
            label,
            str(error),
            "every value",
            variable=variable.name,
        ) from error


def _unpack_values(variable: netCDF4.Variable, raw: np.ndarray, label: str) -> np.ndarray:
    fills = [
        np.asarray(variable.getncattr(key), raw.dtype).ravel()
        for key in ("_FillValue", "missing_value")
        if key in variable.ncattrs()
    ]
    fills = [
        fill for fill in np.unique(np.concatenate(fills or [np.empty(0)])) if not np.isnan(fill)
    ]
    missing = np.zeros(raw.shape, bool) if fills else None
    for fill in fills:
        missing |= raw == fill
    values = raw.astype(np.float32, copy=False)
    if "scale_factor" in variable.ncattrs():
        scale, offset = variable.scale_factor, getattr(variable, "add_offset", 0.0)
        values = (raw * np.float64(scale) + np.float64(offset)).astype(np.float32)
    if missing is not None and missing.any():
        values = np.where(missing, np.float32(np.nan), values)
    return values
