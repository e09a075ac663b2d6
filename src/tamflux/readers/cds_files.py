"""Files as the Climate Data Store delivers them: NetCDF, or a zip of NetCDF members.

Unpacks, opens, decodes axes and reads slices, whatever the variables and units. Every failure is an
`InputError` that names the file.
"""

from __future__ import annotations

import errno
import logging
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.files import DAMAGED_ZIP
from tamflux.grid import Grid
from tamflux.readers.hdf5_chunks import DeflatedVariable
from tamflux.readers.hdf5_structure import superblock_error

log = logging.getLogger("tamflux")

_MAGIC = {b"\x89HDF": "netcdf", b"CDF\x01": "netcdf", b"CDF\x02": "netcdf", b"CDF\x05": "netcdf"}
LIBRARY_ERRORS = (OSError, RuntimeError, UnicodeDecodeError, MemoryError)
"""Exceptions of netCDF4 on damaged headers and values."""
_REDO = "download the file again"
_AS_NETCDF = 'download with "data_format": "netcdf"'
_REGULAR = "use data on the regular latitude-longitude grid"
_MAX_MEMBERS = 1000
_MAX_RATIO = 500
"""A member that unpacks to more than this multiple of its size is not a weather field."""
_SENTINELS = np.array([-999, -9999, -32767, -32768, -99999, 1e20, 9.969209968386869e36], "f8")


def unpack(path: Path, folder: Path) -> list[Path]:
    """NetCDF files of `path`: the file itself, or the members of a zip, unpacked to `folder`.

    The store delivers a zip, even under a name ending in .nc, where a request mixes instantaneous
    and accumulated variables. Members keep their names, which give the daily statistic.

    Raises
    ------
    InputError
        If the file is missing, empty, of another format, damaged, or an unsafe zip.
    """
    if not path.is_file():
        raise InputError("file is missing", file=path, fix="check inputs.era5.path")
    with open(path, "rb") as file:
        magic = file.read(4)
    if not magic:
        raise _error("file is empty", path, "0 bytes", "NetCDF or zip")
    if magic in _MAGIC:
        return [path]
    if magic == b"GRIB":
        raise _error("file is GRIB", path, "GRIB", "NetCDF or zip of NetCDF", _AS_NETCDF)
    if magic[:2] != b"PK":
        expected = "NetCDF (HDF5 or classic) or a zip of NetCDF files"
        raise _error("file is neither NetCDF nor a zip", path, f"first bytes {magic!r}", expected)
    try:
        with zipfile.ZipFile(path) as archive:
            return _extract(archive, path, folder)
    except (*DAMAGED_ZIP, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # not the zip's fault
            raise
        raise _error("zip is truncated or damaged", path, str(error), "a complete zip") from error


def _extract(archive: zipfile.ZipFile, path: Path, folder: Path) -> list[Path]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    for info in members:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in info.filename:
            raise _error("zip has an entry that escapes its folder", path, info.filename,
                         "plain file names", "do not use this file; download it anew")  # fmt: skip
    members = [
        info for info in members
        if info.filename.endswith(".nc") and not Path(info.filename).name.startswith("._")
    ]  # fmt: skip
    if len(members) > _MAX_MEMBERS:
        raise _error("zip holds more files than the store delivers", path, len(members),
                     f"at most {_MAX_MEMBERS} NetCDF files")  # fmt: skip
    if not members:
        found = archive.namelist()[:5]
        raise _error("zip holds no NetCDF file", path, found, "*.nc", _AS_NETCDF)
    size = sum(info.file_size for info in members)
    free = shutil.disk_usage(folder).free
    if any(i.file_size > _MAX_RATIO * max(i.compress_size, 1000) for i in members) or size > free:
        expected = f"at most {_MAX_RATIO} times its size, and the {free} bytes free on disk"
        raise _error("zip unpacks to an implausible size", path, f"{size} bytes", expected,
                     "free disk space, or download the file again")  # fmt: skip
    unpacked = []
    for number, info in enumerate(members):
        target = folder / f"{path.stem}_{number}" / PurePosixPath(info.filename).name
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        unpacked.append(target)
    return unpacked


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
        raise _error("NetCDF file is truncated or damaged", label, str(error),
                     "a complete NetCDF file") from error  # fmt: skip
    file.set_auto_maskandscale(False)
    return file


def read_times(file: netCDF4.Dataset, label: str) -> tuple[str, np.ndarray]:
    """Name of the time axis and its timestamps as datetime64[h]; (1,) where time is a scalar."""
    name = next((n for n in ("valid_time", "time") if n in file.variables), None)
    if name is None:
        raise _error("file has no time axis", label, list(file.variables), "valid_time or time",
                     "download with the time axis")  # fmt: skip
    variable = file[name]
    try:
        moments = netCDF4.num2date(
            np.atleast_1d(_read(variable, slice(None), label)).ravel(),
            variable.units,
            getattr(variable, "calendar", "standard"),
            only_use_cftime_datetimes=False,
            only_use_python_datetimes=True,
        )
        seconds = np.array(moments, "datetime64[s]")
    except (ValueError, AttributeError, TypeError, OverflowError) as error:
        raise _error(
            "time axis cannot be decoded", label,
            f"{getattr(variable, 'units', 'no units')}: {error}",
            "hours, days or seconds since a date of the standard calendar", variable=name,
        ) from error  # fmt: skip
    if variable.ndim > 1:
        raise _error("time axis has two dimensions", label, variable.dimensions, "one dimension",
                     "use the store's own NetCDF, not a GRIB conversion", name)  # fmt: skip
    return name, seconds.astype("datetime64[h]")


def read_axis(file: netCDF4.Dataset, name: str, label: str) -> np.ndarray:
    """Regular axis `latitude` or `longitude` in degrees, longitude unwrapped over its seam.

    Latitude may run either way; longitude must run eastward.
    """
    found = next((n for n in (name, name[:3]) if n in file.variables), None)
    if found is None or file[found].ndim != 1 or file[found].size < 2:
        raise _error(
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
    if not np.isfinite(values).all() or not regular or westward or beyond or steps.mean() == 0:
        raise _error(
            f"{name} is not a regular axis", label,
            f"{values[0]:g} to {values[-1]:g}, steps {steps.min():g} to {steps.max():g}",
            "equal steps" + (", eastward" if name == "longitude" else ", -90 to 90"),
            _REGULAR, found,
        )  # fmt: skip
    return np.linspace(values[0], values[-1], len(values))


def check_cover(lat: np.ndarray, lon: np.ndarray, grid: Grid, label: str) -> None:
    """The cells around the nodes must cover the target region, each longitude once."""
    d_lat, d_lon = lat[1] - lat[0], lon[1] - lon[0]
    west, south, east, north = grid.bbox
    offset = (west - (lon[0] - d_lon / 2) + 1e-6) % 360
    span = len(lon) * d_lon
    repeated = span > 360 + 1e-2
    covered = (
        max(lat[0] - d_lat / 2, -90) <= south + 1e-6
        and min(lat[-1] + d_lat / 2, 90) >= north - 1e-6
        and (abs(span - 360) < 1e-2 or offset + east - west <= span + 1e-2)
    )
    if repeated or not covered:
        found = f"{lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E, every {d_lon:g}"
        expected = f"{south:g} to {north:g} N, {west:g} to {east:g} E (grid.bbox)"
        if repeated:
            fix = "take the last column out of the file"
            raise _error("file repeats longitudes", label, found, expected, fix)
        fix = "download a larger area, or make grid.bbox smaller"
        raise _error("file does not cover the region", label, found, expected, fix)


def check_dimensions(file: netCDF4.Dataset, name: str, time: str, label: str) -> None:
    """A variable must be (time, latitude, longitude), apart from axes of length 1 and expver."""
    sizes = dict(zip(file[name].dimensions, file[name].shape, strict=True))
    plane = {"latitude", "longitude", "lat", "lon"}
    spare = {d: n for d, n in sizes.items() if d not in {*plane, *file[time].dimensions, "expver"}}
    timed = set(file[time].dimensions) <= set(sizes)
    if len(plane & set(sizes)) != 2 or not timed or any(n != 1 for n in spare.values()):
        raise _error("variable has unexpected dimensions", label, sizes,
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
) -> tuple[np.ndarray, np.ndarray]:
    """Fields of one variable, NaN where missing, latitude ascending, and their bounds.

    Packed integers are unpacked. Of an `expver` axis (preliminary and final data side by side)
    the first value that is not missing is taken.

    Parameters
    ----------
    chunks : DeflatedVariable, optional
        From `open_deflated`: reads steps that are complete chunks in place of the library.

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
        raise _error(
            "packing attributes are not numbers", label, str(error),
            "numbers as _FillValue, missing_value, scale_factor, add_offset", variable=name,
        ) from error  # fmt: skip
    for axis, dim in reversed(list(enumerate(variable.dimensions))):
        if dim == "expver":
            versions = np.moveaxis(values, axis, 0)
            values = versions[0]
            for other in versions[1:]:
                values = np.where(np.isnan(values), other, values)
        elif dim not in (*time_dims, "latitude", "lat", "longitude", "lon"):
            values = values.take(0, axis)  # of length 1, see check_dimensions
    if values.ndim == 2:
        values = values[None]
    bounds = field_bounds(values)
    if (sentinel := np.isclose(bounds.ravel()[:, None], _SENTINELS, rtol=1e-6, atol=0)).any():
        raise _error(
            "a fill value is not masked", label,
            f"{bounds.ravel()[sentinel.any(axis=1)][0]:g} among the values",
            "missing values marked by _FillValue",
            f"add a _FillValue attribute to {name}, or download the file again", name,
        )  # fmt: skip
    latitude = "latitude" if "latitude" in file.variables else "lat"
    southward = file[latitude][0] > file[latitude][-1]
    return values[:, ::-1] if southward else values, bounds


def field_bounds(fields: np.ndarray) -> np.ndarray:
    """(2, step) smallest and largest value of each field, NaN where all are missing."""
    bounds = np.array([[field.min(), field.max()] for field in fields], np.float32).T
    for step in np.flatnonzero(np.isnan(bounds[0])):  # where some are missing: five times slower
        bounds[:, step] = [f.reduce(fields[step], axis=None) for f in (np.fmin, np.fmax)]
    return bounds


def _error(
    what: str, file: str | Path, found, expected: str, fix: str = _REDO, variable: str | None = None
) -> InputError:
    return InputError(what, file=file, variable=variable, found=found, expected=expected, fix=fix)


def _read(variable: netCDF4.Variable, index, label: str) -> np.ndarray:
    return _guard(lambda: variable[index], variable, label)


def _guard(read: Callable[[], np.ndarray], variable: netCDF4.Variable, label: str) -> np.ndarray:
    try:
        return read()
    except (*LIBRARY_ERRORS, IndexError) as error:
        raise _error("values cannot be read: the file is truncated or damaged", label, str(error),
                     "every value", variable=variable.name) from error  # fmt: skip


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


def warn_if_preliminary(file: netCDF4.Dataset, label: str) -> None:
    """Warn if a file holds preliminary ERA5T (expver 5) instead of final ERA5 (expver 1)."""
    versions = np.unique(file["expver"][:]).astype(str) if "expver" in file.variables else ()
    if any(version.lstrip("0") == "5" for version in versions):
        log.warning("%s holds preliminary ERA5T: download it again when it is final", label)
