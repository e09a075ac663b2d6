"""Rasters on a latitude-longitude grid, GeoTIFF or NetCDF, read by blocks of rows.

A raster of 1 km has 233 million pixels, so rows are read on demand, in the type of the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
import rasterio
import rioxarray
import xarray as xr
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from tamflux.errors import InputError
from tamflux.readers.hdf5_structure import superblock_error

BLOCK_BYTES = 2**24
"""Size of a block of rows."""

_GDAL_CACHE_MB = 64
_READ_ERRORS = (
    RasterioError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    MemoryError,
)
_LAT_NAMES = ("lat", "latitude", "y")
_LON_NAMES = ("lon", "longitude", "x")


class Rows(Protocol):
    """Rows of a raster, an array in memory or in a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


@dataclass(frozen=True)
class FileRows:
    """Rows of an open file, south first and west first.

    Attributes
    ----------
    read : callable
        (first, last) row as they lie in the file -> (row, col) or (row, col, class).
    shape : tuple of int
    southward : bool
        Whether the first row of the file lies in the north.
    shift : int
        Columns of the file that move to the end, because they lie west of 180 W.
    """

    read: Callable[[int, int], np.ndarray]
    shape: tuple[int, ...]
    southward: bool
    shift: int = 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        if last <= first:
            return np.zeros((0, *self.shape[1:]), np.float32)
        if self.southward:
            first, last = self.shape[0] - last, self.shape[0] - first
        values = self.read(first, last)
        values = values[::-1] if self.southward else values
        return np.roll(values, -self.shift, axis=1) if self.shift else values


@dataclass(frozen=True)
class Raster:
    """A regular raster in degrees, first row in the south and first column in the west.

    Attributes
    ----------
    data : Rows
        (row, col) or (row, col, class).
    lat_edges, lon_edges : numpy.ndarray
        Edges of the pixels.
    fill : float or None
        Number that marks missing values; NaN always does.
    """

    data: Rows
    lat_edges: np.ndarray
    lon_edges: np.ndarray
    fill: float | None = None

    def floats(self, rows: np.ndarray, cols: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(row, col, class) float64 of ascending rows and of columns, NaN where missing."""
        first, last = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        picked = self.data[first:last][rows - first][:, cols]
        values = picked.astype(np.float32).astype(np.float64)
        if self.fill is not None:
            values[picked == self.fill] = np.nan
        return values if values.ndim == 3 else values[..., None]

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks of rows from north to south, in the type of the file."""
        row_bytes = 8 * int(np.prod(self.data.shape[1:]))
        step = max(1, BLOCK_BYTES // row_bytes)
        for last in range(self.data.shape[0], 0, -step):
            yield self.data[max(last - step, 0) : last]

    def present(self, block: np.ndarray) -> np.ndarray:
        """Values of a block that are not missing."""
        missing = np.isnan(block) if block.dtype.kind == "f" else np.zeros(block.shape, bool)
        if self.fill is not None:
            missing |= block == self.fill
        return block[~missing]


@contextmanager
def open_geotiff(path: str | Path) -> Iterator[Raster]:
    """Open the first band of a GeoTIFF.

    Raises
    ------
    InputError
        If the file is damaged, which may show only when its rows are read, or not in degrees.
    """
    path = Path(path)
    with rasterio.Env(GDAL_CACHEMAX=_GDAL_CACHE_MB):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                image = rioxarray.open_rasterio(path, cache=False)
            if not isinstance(image, xr.DataArray):
                raise OSError("the file holds several rasters")
        except _READ_ERRORS as error:
            _fail_unreadable(path, error, "a complete GeoTIFF")
        try:
            lat_edges, lon_edges = _geotiff_edges(image, path)
            band = image.isel(band=0)

            def read(first: int, last: int) -> np.ndarray:
                try:
                    return band.isel(y=slice(first, last)).to_numpy()
                except _READ_ERRORS as error:
                    _fail_unreadable(path, error, "a complete GeoTIFF")

            yield _ascending(read, band.shape, lat_edges, lon_edges, image.rio.nodata)
        finally:
            image.close()


@contextmanager
def open_netcdf_raster(path: str | Path, units: tuple[str, ...]) -> Iterator[Raster]:
    """Open the one 2-D variable of a NetCDF file.

    Parameters
    ----------
    units : tuple of str
        Spellings of the unit that is needed, the first for messages.

    Raises
    ------
    InputError
        If the file is damaged, has several variables or another unit, or is not in degrees.
    """
    path = Path(path)
    try:
        if path.is_file() and (reason := superblock_error(path)):
            raise OSError(reason)
        data = xr.open_dataset(path, decode_times=False, cache=False)
    except _READ_ERRORS as error:
        _fail_unreadable(path, error, "a NetCDF file")
    with data:
        field, lat, lon = _only_field(data, path)
        if (found := field.attrs.get("units")) not in units:
            raise InputError(
                "the raster has another unit" if found else "the raster has no units", file=path,
                variable=field.name, found=found or "no units", expected=units[0],
                fix=f"convert it to {units[0]} and set the attribute: ncatted -a units",
            )  # fmt: skip
        edges = {}
        for name, limit in {lat: 90, lon: 360}.items():
            try:
                centres = data[name].to_numpy()
            except _READ_ERRORS as error:
                _fail_unreadable(path, error, "a NetCDF file")
            _check_axis(centres, limit, path, name)
            edges[name] = _edges(centres)

        def read(first: int, last: int) -> np.ndarray:
            try:
                return field.isel({lat: slice(first, last)}).to_numpy().astype(np.float32)
            except _READ_ERRORS as error:
                _fail_unreadable(path, error, "a NetCDF file")

        yield _ascending(read, field.shape, edges[lat], edges[lon], None)


def _geotiff_edges(image: xr.DataArray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    transform, crs = image.rio.transform(), image.rio.crs
    height, width = image.shape[-2:]
    rotated = transform.b != 0 or transform.d != 0
    lat = transform.f + transform.e * np.arange(height + 1)
    lon = transform.c + transform.a * np.arange(width + 1)
    projected = crs is not None and not crs.is_geographic
    inside = abs(lat).max() <= 90.01 and -180.01 <= lon.min() and lon.max() <= 360.01
    if rotated or projected or not inside or transform.is_identity:
        raise InputError(
            "the raster is not on a latitude-longitude grid", file=path,
            found=f"{crs or 'no projection'}, x {lon.min():g} to {lon.max():g}, "
            f"y {lat.min():g} to {lat.max():g}",
            expected="degrees (EPSG:4326), north up", fix="reproject it: gdalwarp -t_srs EPSG:4326",
        )  # fmt: skip
    return lat, lon


def _only_field(data: xr.Dataset, path: Path) -> tuple[xr.DataArray, str, str]:
    """The only 2-D variable, (lat, lon), and the names of its axes."""
    fields = [field.squeeze(drop=True) for field in data.data_vars.values()]
    fields = [field for field in fields if field.ndim == 2]
    lat = next((name for name in _LAT_NAMES if name in data.coords), None)
    lon = next((name for name in _LON_NAMES if name in data.coords), None)
    if len(fields) != 1 or lat is None or lon is None or set(fields[0].dims) != {lat, lon}:
        raise InputError(
            "the file is not one field on a latitude-longitude grid", file=path,
            found=f"variables {list(data.data_vars)}, coordinates {list(data.coords)}",
            expected="one variable with the dimensions lat, lon",
            fix="write the variable alone to a file: ncks -v",
        )  # fmt: skip
    return fields[0].transpose(lat, lon), lat, lon


def _check_axis(centres: np.ndarray, limit: float, path: Path, name: str) -> None:
    steps = np.diff(centres)
    regular = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-2, atol=0) and steps[0] != 0
    if not regular or abs(centres).max() > limit or (name in _LON_NAMES and steps[0] < 0):
        raise InputError(
            "the raster is not on a latitude-longitude grid", file=path, variable=name,
            found=f"{centres[0]:g} to {centres[-1]:g}, {len(centres)} values",
            expected=f"equal steps within -{limit} to {limit} degrees, longitude eastward",
            fix="regrid it: cdo remapbil, or give a GeoTIFF",
        )  # fmt: skip


def _edges(centres: np.ndarray) -> np.ndarray:
    half = (centres[1] - centres[0]) / 2
    return np.append(centres - half, centres[-1] + half)


def _ascending(
    read: Callable[[int, int], np.ndarray],
    shape: tuple[int, ...],
    lat_edges: np.ndarray,
    lon_edges: np.ndarray,
    fill: float | None,
) -> Raster:
    """Turn a raster south first and west first, with longitudes from -180."""
    southward, shift = bool(lat_edges[0] > lat_edges[-1]), 0
    if southward:
        lat_edges = lat_edges[::-1]
    if lon_edges[-1] > 180.01:  # 0..360
        shift = int(np.searchsorted(lon_edges, 180 - 1e-6))
        lon_edges = lon_edges + lon_edges[shift] - 360 - lon_edges[0]
    fill = None if fill is None or np.isnan(fill) else float(fill)
    return Raster(FileRows(read, tuple(shape), southward, shift), lat_edges, lon_edges, fill)


def _fail_unreadable(path: Path, error: Exception, expected: str) -> NoReturn:
    size = f"{path.stat().st_size} bytes" if path.is_file() else "no such file"
    raise InputError(
        "the file cannot be read", file=path, found=f"{size}: {error}", expected=expected,
        fix="download it again, or correct its path under inputs in config.yaml",
    ) from error  # fmt: skip
