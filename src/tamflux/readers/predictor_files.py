"""Files of `predictors.extra`: static rasters (GeoTIFF, NetCDF), series in time (NetCDF, Zarr).

The unit that a file states is converted to that of the configuration, or the file is refused; a
file that states none is taken to hold that of the configuration. Values must lie within its range.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from cf_units import Unit

from tamflux.errors import InputError
from tamflux.extra_predictors import ExtraPredictor
from tamflux.readers.hdf5_structure import superblock_error
from tamflux.readers.raster import (
    LAT_NAMES,
    LON_NAMES,
    READ_ERRORS,
    Raster,
    axis_edges,
    fail_unreadable,
    open_geotiff,
    to_raster,
)
from tamflux.readers.step_dates import step_dates
from tamflux.units import likely_units
from tamflux.variables import Variable

log = logging.getLogger("tamflux")

TIME_NAMES = ("time", "valid_time")
_NO_UNITS = ("", "-", "none", "unitless", "unknown", "n/a")
_DIMENSIONLESS = ("dimensionless", "fraction")
_ROUNDING = 1e-6
"""Tolerance at the bounds of the range, as share of it."""


@dataclass(frozen=True)
class Conversion:
    """From the unit of a file to that of the configuration: value * factor + offset."""

    factor: float = 1.0
    offset: float = 0.0

    def __call__(self, values):
        return values * self.factor + self.offset


@dataclass(frozen=True)
class Step:
    """One time step: its day (the middle of its period), its file and its number there."""

    date: np.datetime64
    path: Path
    number: int


def list_steps(extra: ExtraPredictor, paths: Sequence[str | Path]) -> list[Step]:
    """Time steps of all files, in the order of time.

    Raises
    ------
    InputError
        If a file cannot be read or has no time axis, or a day comes twice.
    """
    origin, times, bounds = [], [], []
    for path in map(Path, paths):
        with _open_dataset(path) as data:
            name = _time_name(data, extra, path)
            of_file = _moments(data[name], path)
            known = data[name].attrs.get("bounds")
            edges = _moments(data[known], path) if known in data.variables else None
            if edges is not None and edges.shape != (len(of_file), 2):
                edges = None
            origin += [(path, number) for number in range(len(of_file))]
            times.append(of_file)
            bounds.append(edges)
    dates = step_dates(times, bounds)
    steps = [Step(date, *at) for date, at in zip(dates, origin, strict=True)]
    steps.sort(key=lambda step: step.date)
    for one, two in pairwise(steps):
        if one.date == two.date:
            raise InputError(
                "a day of an extra predictor comes twice", file=two.path, variable=extra.name,
                found=f"{two.date} is also in {one.path}", expected="one value per day",
                fix="remove one, or correct the path of predictors.extra",
            )  # fmt: skip
    return steps


def read_steps(extra: ExtraPredictor, steps: Sequence[Step]) -> Iterator[tuple[Step, Raster]]:
    """Each step as a raster (lat, lon) in the unit of the configuration, NaN where missing.

    A series without latitude and longitude, such as CO2, is a raster of one pixel: the Earth.

    Raises
    ------
    InputError
        If a file is damaged, has other dimensions or another unit, or values are out of range.
    """
    for path in dict.fromkeys(step.path for step in steps):
        with _open_dataset(path) as data:
            time = _time_name(data, extra, path)
            field = _choose_field(data, extra, path)
            if data[time].ndim == 0:
                field = field.expand_dims(time)
            convert = conversion(field.attrs.get("units"), extra.variable, path)
            place, lat_edges, lon_edges = _place(data, field, {time}, path)
            for step in (each for each in steps if each.path == path):
                values = convert(_values(field.isel({time: step.number}), place, path))
                values = values.astype(np.float32)
                found = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
                check_range(*found, extra.variable, path)
                if not place:
                    yield step, Raster(values, lat_edges, lon_edges)
                    continue
                read = partial(_rows, values)
                yield step, to_raster(read, values.shape, lat_edges, lon_edges, path)


@contextmanager
def open_static(extra: ExtraPredictor, path: str | Path) -> Iterator[tuple[Raster, Conversion]]:
    """A static predictor as a raster in the unit of its file, and its conversion.

    Raises
    ------
    InputError
        If the file is damaged, is no raster in degrees, has another unit or no value, or values
        are out of range.
    """
    path = Path(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        with open_geotiff(path) as raster:
            convert = conversion(raster.units, extra.variable, path)
            _check_blocks(raster, convert, extra, path)
            yield raster, convert
        return
    with _open_dataset(path) as data:
        field = _choose_field(data, extra, path).squeeze(drop=True)
        convert = conversion(field.attrs.get("units"), extra.variable, path)
        (lat, lon), lat_edges, lon_edges = _place(data, field, set(), path, need=True)
        field = field.transpose(lat, lon)

        def read(first: int, last: int) -> np.ndarray:
            return _values(field.isel({lat: slice(first, last)}), (lat, lon), path)

        raster = to_raster(read, field.shape, lat_edges, lon_edges, path)
        _check_blocks(raster, convert, extra, path)
        yield raster, convert


def conversion(stated: str | None, variable: Variable, path: str | Path) -> Conversion:
    """Conversion from the unit that a file states; a file without one is taken as it is.

    Raises
    ------
    InputError
        If the unit is not known, or is one of another quantity.
    """
    text = str(stated or "").strip()
    if text == variable.units:
        return Conversion()
    if text.lower() in _NO_UNITS:
        log.info("%s states no unit: %s is taken to be in %s", path, variable.name, variable.units)
        return Conversion()
    try:
        found = Unit("1" if text.lower() in _DIMENSIONLESS else text)
        wanted = Unit(variable.units)
        offset, one, two = (float(found.convert(value, wanted)) for value in (0.0, 1.0, 2.0))
        if np.isclose(two - one, one - offset, rtol=1e-9):
            return Conversion(one - offset, offset)
    except ValueError:
        pass  # a unit that is not known, or of another quantity
    raise InputError(
        "an extra predictor has a unit that cannot be converted", file=path,
        variable=variable.name, found=text, expected=variable.units,
        fix="correct the units attribute of the file, or units in predictors.extra",
    )  # fmt: skip


def check_range(low: float, high: float, variable: Variable, path: str | Path) -> None:
    """Refuse values (in the unit of the variable) outside its range."""
    slack = _ROUNDING * (variable.valid_max - variable.valid_min)
    if low > high or (low >= variable.valid_min - slack and high <= variable.valid_max + slack):
        return
    looks = likely_units(low, high, variable)
    raise InputError(
        "an extra predictor is out of its range", file=path, variable=variable.name,
        found=f"{low:g} to {high:g}" + (f": the values look like {looks}" if looks else ""),
        expected=f"{variable.valid_min:g} to {variable.valid_max:g} {variable.units}",
        fix="correct the unit, declare fill values (nodata, _FillValue), or correct range in "
        "predictors.extra",
    )  # fmt: skip


def _open_dataset(path: Path) -> xr.Dataset:
    """A NetCDF file or a Zarr store, masked and scaled, times decoded."""
    try:
        if path.is_file() and (reason := superblock_error(path)):
            raise OSError(reason)
        coder = xr.coders.CFDatetimeCoder(time_unit="s")
        return xr.open_dataset(
            path, engine="zarr" if path.is_dir() else "netcdf4", decode_times=coder,
            decode_timedelta=False, cache=False, chunks=None,
        )  # fmt: skip
    except READ_ERRORS as error:
        fail_unreadable(path, error, "a NetCDF file or a Zarr store")


def _time_name(data: xr.Dataset, extra: ExtraPredictor, path: Path) -> str:
    name = next((each for each in TIME_NAMES if each in data.variables), None)
    if name is None or data[name].ndim > 1:
        raise InputError(
            "an extra predictor has no time axis", file=path, variable=extra.name,
            found=dict(data.sizes), expected=f"{TIME_NAMES[0]}, with units such as days since ...",
            fix="add it, or make the predictor static",
        )  # fmt: skip
    return name


def _moments(times: xr.DataArray, path: Path) -> np.ndarray:
    """Moments as datetime64[s], one dimension more than none."""
    try:
        values = np.atleast_1d(times.to_numpy())
    except READ_ERRORS as error:
        fail_unreadable(path, error, "a NetCDF file or a Zarr store")
    if values.dtype.kind != "M" or np.isnat(values).any():
        raise InputError(
            "the time axis cannot be decoded", file=path, variable=times.name,
            found=f"{times.encoding.get('units')}, calendar {times.encoding.get('calendar')}",
            expected="days or hours since a date, of the standard calendar",
            fix="correct its units and calendar (cdo setcalendar)",
        )  # fmt: skip
    return values.astype("datetime64[s]")


def _choose_field(data: xr.Dataset, extra: ExtraPredictor, path: Path) -> xr.DataArray:
    """The variable that the configuration names, or the only one of the file."""
    bounds = {each.attrs.get("bounds") for each in data.variables.values()}
    names = [name for name in data.data_vars if name not in bounds and data[name].ndim > 0]
    if extra.file_variable is not None:
        names = [name for name in names if name == extra.file_variable]
    if len(names) != 1:
        raise InputError(
            "an extra predictor is not in the file"
            if extra.file_variable
            else "a file of an extra predictor holds several variables",
            file=path, variable=extra.name, found=list(data.data_vars),
            expected=extra.file_variable or "one variable",
            fix="name it under `variable` in predictors.extra",
        )  # fmt: skip
    return data[names[0]]


def _place(
    data: xr.Dataset, field: xr.DataArray, other: set[str], path: Path, need: bool = False
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of the horizontal axes and the edges of their pixels; one pixel without axes."""
    axes = {str(dim) for dim, size in field.sizes.items() if size > 1} - other
    lat = next((name for name in LAT_NAMES if name in field.dims), None)
    lon = next((name for name in LON_NAMES if name in field.dims), None)
    if not axes and not need:
        return (), np.array([-90.0, 90.0]), np.array([-180.0, 180.0])
    if lat is None or lon is None or axes - {lat, lon} or {lat, lon} - set(data.coords):
        raise InputError(
            "an extra predictor is not on a latitude-longitude grid", file=path,
            variable=field.name, found=dict(field.sizes),
            expected="dimensions lat, lon with coordinates" + (", time" if other else ""),
            fix="bring it to degrees (gdalwarp -t_srs EPSG:4326, cdo remap), one level alone",
        )  # fmt: skip
    return (lat, lon), axis_edges(data, lat, 90, path), axis_edges(data, lon, 360, path)


def _values(field: xr.DataArray, place: tuple[str, ...], path: Path) -> np.ndarray:
    """(lat, lon) float64 of a field; (1, 1) without axes."""
    try:
        spare = {dim: 0 for dim in field.dims if dim not in place}
        values = field.isel(spare).transpose(*place).to_numpy().astype(np.float64)
    except READ_ERRORS as error:
        fail_unreadable(path, error, "a NetCDF file or a Zarr store")
    return values if place else values.reshape(1, 1)


def _rows(values: np.ndarray, first: int, last: int) -> np.ndarray:
    return values[first:last]


def _check_blocks(raster: Raster, convert: Conversion, extra: ExtraPredictor, path: Path) -> None:
    """Refuse a raster without any value, or with values out of range."""
    low, high = np.inf, -np.inf
    for block in raster.blocks():
        values = raster.present(block)
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:
        raise InputError(
            "an extra predictor has no value", file=path, variable=extra.name,
            found="only missing values", expected="values on land",
            fix="check whether fill values are declared correctly",
        )  # fmt: skip
    check_range(float(convert(low)), float(convert(high)), extra.variable, path)
