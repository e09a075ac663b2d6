"""Rasters on a latitude-longitude grid, GeoTIFF or NetCDF, read by blocks of rows.

A raster of 1 km has 233 million pixels, so rows are read on demand, in the type of the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
_TOLERANCE = 0.01
"""Degrees by which edges may miss poles and meridians, as steps are rounded in files."""
READ_ERRORS = (
    RasterioError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    MemoryError,
)
LAT_NAMES = ("lat", "latitude", "y")
LON_NAMES = ("lon", "longitude", "x")


class Rows(Protocol):
    """Rows of a raster, an array in memory or in a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


@dataclass(frozen=True)
class FileRows:
    """Rows of an open file, south first.

    Attributes
    ----------
    read : callable
        (first, last) row as they lie in the file -> (row, col) or (row, col, class).
    shape : tuple of int
    southward : bool
        Whether the first row of the file lies in the north.
    """

    read: Callable[[int, int], np.ndarray]
    shape: tuple[int, ...]
    southward: bool

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        if last <= first:
            return np.zeros((0, *self.shape[1:]), np.float32)
        if self.southward:
            first, last = self.shape[0] - last, self.shape[0] - first
        values = self.read(first, last)
        return values[::-1] if self.southward else values


@dataclass(frozen=True)
class Raster:
    """A regular raster in degrees, first row in the south and first column in the west.

    Attributes
    ----------
    data : Rows
        (row, col) or (row, col, class).
    lat_edges, lon_edges : numpy.ndarray
        Edges of the pixels, ascending; longitudes of any turn (-180..180, 0..360).
    fill : float or None
        Number that marks missing values; NaN always does.
    units : str or None
        Unit that the file states.
    """

    data: Rows
    lat_edges: np.ndarray
    lon_edges: np.ndarray
    fill: float | None = None
    units: str | None = None

    def floats(self, rows: slice) -> np.ndarray:
        """(row, col, class) float64 of some rows, NaN where missing."""
        block = self.data[rows]
        values = block.astype(np.float32).astype(np.float64)
        if self.fill is not None:
            values[block == self.fill] = np.nan
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
def open_geotiff(path: str | Path, units: tuple[str, ...] = ()) -> Iterator[Raster]:
    """Open a GeoTIFF of one band; nodata, masks, scale and offset of the file are applied.

    Parameters
    ----------
    units : tuple of str
        Spellings of the unit that the band may state; none to ignore its unit.

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
                image = rioxarray.open_rasterio(path, cache=False, mask_and_scale=True)
            if not isinstance(image, xr.DataArray) or image.sizes["band"] != 1:
                raise OSError("the file holds several rasters; keep one: gdal_translate -b 1")
        except READ_ERRORS as error:
            fail_unreadable(path, error, "a complete GeoTIFF of one band")
        try:
            _check_units(image, units, path)
            lat_edges, lon_edges = _geotiff_edges(image, path)
            band = image.isel(band=0)

            def read(first: int, last: int) -> np.ndarray:
                try:
                    return band.isel(y=slice(first, last)).to_numpy()
                except READ_ERRORS as error:
                    fail_unreadable(path, error, "a complete GeoTIFF")

            raster = to_raster(read, band.shape, lat_edges, lon_edges, path)
            yield replace(raster, units=image.attrs.get("units"))
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
    except READ_ERRORS as error:
        fail_unreadable(path, error, "a NetCDF file")
    with data:
        field, lat, lon = _only_field(data, path)
        if "units" not in field.attrs:
            field.attrs["units"] = ""
        _check_units(field, units, path)
        edges = {
            name: axis_edges(data, name, limit, path) for name, limit in ((lat, 90), (lon, 360))
        }

        def read(first: int, last: int) -> np.ndarray:
            try:
                return field.isel({lat: slice(first, last)}).to_numpy().astype(np.float32)
            except READ_ERRORS as error:
                fail_unreadable(path, error, "a NetCDF file")

        yield to_raster(read, field.shape, edges[lat], edges[lon], path)


def _check_units(field: xr.DataArray, units: tuple[str, ...], path: Path) -> None:
    """Refuse another unit; a GeoTIFF may state none."""
    found = field.attrs.get("units")
    if units and found is not None and found not in units:
        raise InputError(
            "the raster has another unit" if found else "the raster has no units", file=path,
            variable=field.name, found=found or "no units", expected=units[0],
            fix=f"convert it to {units[0]} and set its unit (ncatted -a units)",
        )  # fmt: skip


def _geotiff_edges(image: xr.DataArray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the rows and columns; GDAL moves those of PixelIsPoint files to pixel corners."""
    transform, crs = image.rio.transform(), image.rio.crs
    height, width = image.shape[-2:]
    rotated = transform.b != 0 or transform.d != 0
    lat = transform.f + transform.e * np.arange(height + 1)
    lon = transform.c + transform.a * np.arange(width + 1)
    projected = crs is not None and not crs.is_geographic
    if rotated or projected or transform.is_identity or transform.a <= 0:
        _fail_grid(path, f"{crs or 'no projection'}, {_extent(lat, lon)}")
    return lat, lon


def _only_field(data: xr.Dataset, path: Path) -> tuple[xr.DataArray, str, str]:
    """The only 2-D variable, (lat, lon), and the names of its axes."""
    bounds = {axis.attrs.get("bounds") for axis in data.coords.values()}
    fields = [f.squeeze(drop=True) for name, f in data.data_vars.items() if name not in bounds]
    fields = [field for field in fields if field.ndim == 2]
    lat = next((name for name in LAT_NAMES if name in data.coords), None)
    lon = next((name for name in LON_NAMES if name in data.coords), None)
    if len(fields) != 1 or lat is None or lon is None or set(fields[0].dims) != {lat, lon}:
        raise InputError(
            "the file is not one field on a latitude-longitude grid", file=path,
            found=f"variables {list(data.data_vars)}, coordinates {list(data.coords)}",
            expected="one variable with the dimensions lat, lon",
            fix="write the variable alone to a file: ncks -v",
        )  # fmt: skip
    return fields[0].transpose(lat, lon), lat, lon


def axis_edges(data: xr.Dataset, name: str, limit: float, path: Path) -> np.ndarray:
    """Edges of the pixels of an axis: its bounds, else half a step around its values."""
    bounds_name = data[name].attrs.get("bounds")
    try:
        centres = data[name].to_numpy()
        bounds = data[bounds_name].to_numpy() if bounds_name in data.variables else None
    except READ_ERRORS as error:
        fail_unreadable(path, error, "a NetCDF file")
    steps = np.diff(centres)
    regular = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-2, atol=0) and steps[0] != 0
    if not regular or abs(centres).max() > limit or (name in LON_NAMES and steps[0] < 0):
        _fail_grid(path, f"{name} {centres[0]:g} to {centres[-1]:g}, {len(centres)} values")
    if bounds is None:
        half = steps[0] / 2
        return np.append(centres - half, centres[-1] + half)
    fits = bounds.shape == (len(centres), 2)
    if fits:
        first, last = np.sort(bounds, axis=1).T[:: 1 if steps[0] > 0 else -1]
        edges, tolerance = np.append(first, last[-1]), abs(steps[0]) / 100
        fits = (
            np.allclose(np.diff(edges), steps[0], rtol=0, atol=tolerance)
            and np.allclose(first[1:], last[:-1], rtol=0, atol=tolerance)
            and ((centres - first) * (last - centres) >= -(tolerance**2)).all()
        )
    if not fits:
        _fail_grid(path, f"{name} whose bounds {bounds_name} do not hold its values")
    return edges


def to_raster(
    read: Callable[[int, int], np.ndarray],
    shape: tuple[int, ...],
    lat_edges: np.ndarray,
    lon_edges: np.ndarray,
    path: Path,
) -> Raster:
    """A raster from its edges, pixel-registered or gridline-registered (with nodes at the poles).

    Rows of nodes at the poles lose the half beyond them. The second of two columns of nodes on the
    same meridian is dropped.
    """
    southward = bool(lat_edges[0] > lat_edges[-1])
    if southward:
        lat_edges = lat_edges[::-1]
    step = (lat_edges[1] - lat_edges[0], lon_edges[1] - lon_edges[0])
    found = f"{shape[0]} x {shape[1]} pixels of {step[0]:g} x {step[1]:g} degree, " + _extent(
        lat_edges, lon_edges
    )
    beyond = np.abs(lat_edges[[0, -1]]).max() > 90 + step[0] / 2 + _TOLERANCE
    if beyond or lon_edges[0] < -360 - _TOLERANCE or lon_edges[-1] > 540 + _TOLERANCE:
        _fail_grid(path, found)
    span = lon_edges[-1] - lon_edges[0]
    complete = abs(span - 360) < _TOLERANCE and abs(np.ptp(lat_edges) - 180) < _TOLERANCE
    if complete and shape[0] == (shape[1] + 1) // 2 + (shape[1] % 2 == 0):
        _fail_grid(path, found + ": rows of nodes with the edges of pixels")
    if span > 360 + _TOLERANCE:
        edge_on_meridian = abs(lon_edges[0] / 180 - round(lon_edges[0] / 180)) * 180 < _TOLERANCE
        if abs(span - 360 - step[1]) > _TOLERANCE or edge_on_meridian:
            _fail_grid(path, found + ": longitudes are repeated")
        read_all = read

        def read(first: int, last: int) -> np.ndarray:
            values = read_all(first, last)
            if not np.allclose(values[:, 0], values[:, -1], rtol=1e-4, atol=1e-3, equal_nan=True):
                _fail_grid(path, found + ": first and last column are one meridian and differ")
            return values[:, :-1]

        shape, lon_edges = (shape[0], shape[1] - 1), lon_edges[:-1]
    lat_edges = np.clip(lat_edges, -90, 90)
    return Raster(FileRows(read, tuple(shape), southward), lat_edges, lon_edges)


def _extent(lat: np.ndarray, lon: np.ndarray) -> str:
    return f"x {lon.min():g} to {lon.max():g}, y {lat.min():g} to {lat.max():g}"


def _fail_grid(path: Path, found: str) -> NoReturn:
    raise InputError(
        "the raster is not on a latitude-longitude grid", file=path, found=found,
        expected="degrees (EPSG:4326), equal steps, eastward; every pixel centre within the poles, "
        "every longitude once",
        fix="reproject it (gdalwarp -t_srs EPSG:4326), or correct the registration of its pixels "
        "(nodes are the centres of pixels: gdal_edit -a_ullr)",
    )  # fmt: skip


def fail_unreadable(path: Path, error: Exception, expected: str) -> NoReturn:
    size = f"{path.stat().st_size} bytes" if path.is_file() else "no such file"
    raise InputError(
        "the file cannot be read", file=path, found=f"{size}: {error}", expected=expected,
        fix="download it again, or correct its path under inputs in config.yaml",
    ) from error  # fmt: skip
