"""What does not change from day to day: land cover (MCD12C1), Köppen climate, elevation.

Rows of every array run from *south* to north, as those of the product grid.

Source of the land-cover layout and codes: MCD12 User Guide, Collection 6.1 (Sulla-Menashe and
Friedl 2022).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from pyhdf.SD import SD

from tamflux.errors import InputError
from tamflux.readers.hdf4 import field_names, field_shape, open_hdf4, read_field
from tamflux.readers.hdf5_structure import superblock_error
from tamflux.units import likely_units
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, Variable

log = logging.getLogger("tamflux")

PERCENT = "Land_Cover_Type_1_Percent"
MAJORITY = "Majority_Land_Cover_Type_1"
FILL = 255
MCD12Q1_WATER = 17
ELEVATION = Variable("elevation", "m", "height above sea level", -12000, 9000)
WIDE_DEGREES, MIN_PEAK_M = 90, 100
"""A raster wider than this, in degrees, has land higher than this, in m."""
_LAT_NAMES = ("lat", "latitude", "y")
_LON_NAMES = ("lon", "longitude", "x")


@dataclass(frozen=True)
class Raster:
    """A regular raster in degrees: data (row, col) or (row, col, class), and its pixel edges.

    Missing is NaN; in uint8 data, `FILL`.
    """

    data: np.ndarray
    lat_edges: np.ndarray
    lon_edges: np.ndarray

    def floats(self, rows: np.ndarray, cols: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(row, col, class) float64 of some rows and columns, NaN where missing."""
        picked = self.data[rows][:, cols]
        values = picked.astype(np.float64)
        if picked.dtype == np.uint8:
            values[picked == FILL] = np.nan
        return values if values.ndim == 3 else values[..., None]


def read_land_cover(path: str | Path) -> Raster:
    """Cover of each IGBP class in every pixel of an MCD12C1 file.

    Returns
    -------
    Raster
        data (row, col, 17) uint8, per cent in the order of `IGBP_CLASSES`, `FILL` where the file
        has no class. From `Land_Cover_Type_1_Percent`; where a file lacks it, 100 for the class
        of `Majority_Land_Cover_Type_1`.

    Raises
    ------
    InputError
        If the file is damaged, of another product or grid, or not of IGBP codes.
    """
    with open_hdf4(path) as file:
        name, shape = _check_land_cover(file, path)
        raw = read_field(file, path, name)
    if (raw == FILL).all():
        raise InputError(
            "land cover is missing everywhere",
            file=path,
            variable=name,
            found="fill values only",
            expected="IGBP classes",
            fix="download the file again",
        )
    if name == PERCENT:
        _check_percentages(raw, path)
    else:
        log.info("%s has no %s; its majority classes are taken instead", path, PERCENT)
        raw = _majority_to_percent(raw, path)
    lat_edges, lon_edges = np.linspace(-90, 90, shape[0] + 1), np.linspace(-180, 180, shape[1] + 1)
    return Raster(raw[::-1], lat_edges, lon_edges)


def read_koppen(path: str | Path) -> Raster:
    """Köppen-Geiger codes of a GeoTIFF: data (row, col) int16, 1-30, 0 ocean or no data.

    Raises
    ------
    InputError
        If the file is damaged, not in degrees, or holds other codes.
    """
    raster = _read_geotiff(path)
    values = np.nan_to_num(raster.data, nan=0)
    codes = np.clip(values, -1, 32767).astype(np.int16)
    if (
        (codes != values).any()
        or codes.min() < 0
        or codes.max() > len(KOPPEN_CLASSES)
        or codes.max() == 0
    ):
        raise InputError(
            "the Köppen file holds other codes" if codes.any() else "the Köppen file is empty",
            file=path,
            found=f"codes {values.min():g} to {values.max():g}",
            expected="whole numbers, 1 (Af) to 30 (EF), 0 for ocean",
            fix="use the present-day map of Beck et al. (2018), doi 10.1038/sdata.2018.214",
        )
    return Raster(codes, raster.lat_edges, raster.lon_edges)


def read_elevation(path: str | Path) -> Raster:
    """Elevation in m from a GeoTIFF, or from the one 2-D variable of a NetCDF file."""
    path = Path(path)
    raster = _read_geotiff(path) if path.suffix.lower() in (".tif", ".tiff") else _read_netcdf(path)
    finite = raster.data[np.isfinite(raster.data)]
    if (finite == -9999).any():
        raise InputError(
            "a fill value is not masked",
            file=path,
            found=f"-9999 in {(finite == -9999).sum()} pixels",
            expected="m above sea level, missing ones marked",
            fix="declare -9999 as nodata (GeoTIFF) or _FillValue (NetCDF)",
        )
    if not finite.size:
        raise InputError(
            "elevation is missing everywhere", file=path, found="no value",
            expected="m above sea level", fix="look whether fill values are declared rightly",
        )  # fmt: skip
    least, most = float(finite.min()), float(finite.max())
    outside = least < ELEVATION.valid_min or most > ELEVATION.valid_max
    flat = np.ptp(raster.lon_edges) > WIDE_DEGREES and most < MIN_PEAK_M
    if outside or flat:
        looks = likely_units(least, most, ELEVATION, floor=MIN_PEAK_M)
        raise InputError(
            "elevation is out of range" if outside else "the whole raster is lower than any land",
            file=path,
            found=f"{least:g} to {most:g}" + (f": the values look like {looks}" if looks else ""),
            expected="m above sea level, -12000 to 9000",
            fix="give elevation in m, with fill values declared as nodata or _FillValue",
        )
    return raster


def inspect_landcover(
    landcover: str | Path, koppen: str | Path, elevation: str | Path | None = None
) -> list[InputError]:
    """All that is wrong with the files of the land surface: headers, and elevation as a whole."""
    problems: list[InputError] = []
    try:
        with open_hdf4(landcover) as file:
            _check_land_cover(file, landcover)
    except InputError as error:
        problems.append(error)
    try:
        with _open_geotiff(koppen) as file:
            _geotiff_edges(file, koppen)
    except InputError as error:
        problems.append(error)
    try:
        if elevation:
            read_elevation(elevation)
    except InputError as error:
        problems.append(error)
    return problems


def _check_land_cover(file: SD, path: str | Path) -> tuple[str, tuple[int, ...]]:
    names = field_names(file, path)
    name = PERCENT if PERCENT in names else MAJORITY
    shape = field_shape(file, path, name)
    classes = shape[2:] or (len(IGBP_CLASSES),)
    if (
        len(shape) != (3 if name == PERCENT else 2)
        or shape[1] != 2 * shape[0]
        or classes != (len(IGBP_CLASSES),)
    ):
        raise InputError(
            "the land cover is not on a global grid",
            file=path,
            variable=name,
            found=" x ".join(map(str, shape)),
            expected="n x 2n pixels such as 3600 x 7200, and 17 classes in the percentages",
            fix="use the global file MCD12C1, not tiles of MCD12Q1",
        )
    return name, shape


def _check_percentages(raw: np.ndarray, path: str | Path) -> None:
    """The file rounds each class to a whole per cent, so that sums may miss 100 by a few."""
    largest, total = raw.max(axis=2), raw.sum(axis=2, dtype=np.int32)
    bad = (largest != FILL) & ((largest > 100) | (abs(total - 100) > 10))
    if bad.any():
        raise InputError(
            "land-cover percentages do not add up",
            file=path,
            variable=PERCENT,
            found=f"{int(bad.sum())} pixels, such as a sum of {int(total[bad][0])} %",
            expected="17 percentages of 0-100 that sum to 100, or 255 for no data",
            fix="download the file again",
        )


def _majority_to_percent(raw: np.ndarray, path: str | Path) -> np.ndarray:
    """(row, col) codes to (row, col, 17) per cent. MCD12Q1 codes water as 17, MCD12C1 as 0."""
    codes = np.unique(raw)
    unknown = [int(code) for code in codes if code > MCD12Q1_WATER and code != FILL]
    if unknown or (MCD12Q1_WATER in codes and 0 in codes):
        raise InputError(
            "the land-cover codes are not IGBP codes",
            file=path,
            variable=MAJORITY,
            found=f"codes {[int(code) for code in codes]}",
            expected="0 (water) to 16 of MCD12C1, or 1 to 17 (water) of MCD12Q1; 255 no data",
            fix="give the IGBP layer (Type 1) of MCD12C1",
        )
    if MCD12Q1_WATER in codes:
        log.warning("%s uses code 17 for water, as MCD12Q1 does: it is read as water", path)
        raw = np.where(raw == MCD12Q1_WATER, 0, raw)
    percent = np.uint8(100) * (raw[..., None] == np.arange(len(IGBP_CLASSES), dtype=np.uint8))
    percent[raw == FILL] = FILL
    return percent


@contextmanager
def _open_geotiff(path: str | Path) -> Iterator[rasterio.DatasetReader]:
    """Open a GeoTIFF; what fails while it is open is damage."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            file = rasterio.open(path)
        with file:
            yield file
    except (rasterio.errors.RasterioError, OSError, ValueError, MemoryError) as error:
        raise _unreadable(path, error, "a whole GeoTIFF") from error


def _read_geotiff(path: str | Path) -> Raster:
    with _open_geotiff(path) as file:
        lat_edges, lon_edges = _geotiff_edges(file, path)
        values = file.read(1, masked=True)
    return _ascending(values.astype(np.float32).filled(np.nan), lat_edges, lon_edges)


def _geotiff_edges(file: rasterio.DatasetReader, path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    transform = file.transform
    rotated = transform.b != 0 or transform.d != 0
    lat = transform.f + transform.e * np.arange(file.height + 1)
    lon = transform.c + transform.a * np.arange(file.width + 1)
    projected = file.crs is not None and not file.crs.is_geographic
    inside = abs(lat).max() <= 90.01 and -180.01 <= lon.min() and lon.max() <= 360.01
    if rotated or projected or not inside or transform.is_identity:
        raise InputError(
            "the raster is not on a latitude-longitude grid",
            file=path,
            found=f"{file.crs or 'no projection'}, x {lon.min():g} to {lon.max():g}, "
            f"y {lat.min():g} to {lat.max():g}",
            expected="degrees (EPSG:4326), north up",
            fix="reproject it: gdalwarp -t_srs EPSG:4326",
        )
    return lat, lon


def _read_netcdf(path: Path) -> Raster:
    try:
        if path.is_file() and (reason := superblock_error(path)):
            raise OSError(reason)
        with xr.open_dataset(path, decode_times=False) as data:
            data = data.load()
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError) as error:
        raise _unreadable(path, error, "a NetCDF file") from error
    fields = [field.squeeze(drop=True) for field in data.data_vars.values()]
    fields = [field for field in fields if field.ndim == 2]
    lat = next((n for n in _LAT_NAMES if n in data.coords), None)
    lon = next((n for n in _LON_NAMES if n in data.coords), None)
    if len(fields) != 1 or lat is None or lon is None or set(fields[0].dims) != {lat, lon}:
        raise InputError(
            "the elevation file is not one field on a latitude-longitude grid",
            file=path,
            found=f"variables {list(data.data_vars)}, coordinates {list(data.coords)}",
            expected="one variable with the dimensions lat, lon",
            fix="write elevation alone to a file: ncks -v",
        )
    field = fields[0].transpose(lat, lon)
    if (units := field.attrs.get("units")) not in ("m", "meter", "meters", "metre", "metres"):
        raise InputError(
            "elevation has another unit" if units else "elevation has no units",
            file=path,
            variable=field.name,
            found=units or "no units",
            expected="m",
            fix="convert it to m and set the attribute: ncatted -a units",
        )
    for name, limit in {lat: 90, lon: 360}.items():
        _check_axis(data[name].to_numpy(), limit, path, name)
    return _ascending(
        field.to_numpy().astype(np.float32),
        _edges(data[lat].to_numpy()),
        _edges(data[lon].to_numpy()),
    )


def _check_axis(centres: np.ndarray, limit: float, path: Path, name: str) -> None:
    steps = np.diff(centres)
    regular = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-2, atol=0) and steps[0] != 0
    if not regular or abs(centres).max() > limit or (name in _LON_NAMES and steps[0] < 0):
        raise InputError(
            "the raster is not on a latitude-longitude grid",
            file=path,
            variable=name,
            found=f"{centres[0]:g} to {centres[-1]:g}, {len(centres)} values",
            expected=f"equal steps within -{limit} to {limit} degrees, longitude eastward",
            fix="regrid it: cdo remapbil, or give a GeoTIFF",
        )


def _edges(centres: np.ndarray) -> np.ndarray:
    half = (centres[1] - centres[0]) / 2
    return np.append(centres - half, centres[-1] + half)


def _ascending(values: np.ndarray, lat_edges: np.ndarray, lon_edges: np.ndarray) -> Raster:
    """South first and west first, longitudes from -180."""
    if lat_edges[0] > lat_edges[-1]:
        values, lat_edges = values[::-1], lat_edges[::-1]
    if lon_edges[-1] > 180.01:  # 0..360
        shift = int(np.searchsorted(lon_edges, 180 - 1e-6))
        values = np.roll(values, -shift, axis=1)
        lon_edges = lon_edges + lon_edges[shift] - 360 - lon_edges[0]
    return Raster(values, lat_edges, lon_edges)


def _unreadable(path: str | Path, error: Exception, expected: str) -> InputError:
    size = f"{Path(path).stat().st_size} bytes" if Path(path).is_file() else "no such file"
    return InputError(
        "the file cannot be read",
        file=path,
        found=f"{size}: {error}",
        expected=expected,
        fix="download it again, or correct its path under inputs in config.yaml",
    )
