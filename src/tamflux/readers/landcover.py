"""Static fields: land cover (MCD12C1), Köppen climate, elevation.

Source of the land-cover layout and codes: MCD12 User Guide, Collection 6.1 (Sulla-Menashe and
Friedl 2022).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pyhdf.SD import SD

from tamflux.errors import InputError
from tamflux.readers.hdf4 import field_names, field_shape, open_field, open_hdf4
from tamflux.readers.raster import FileRows, Raster, open_geotiff, open_netcdf_raster
from tamflux.units import likely_units
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, Variable

log = logging.getLogger("tamflux")

PERCENT = "Land_Cover_Type_1_Percent"
MAJORITY = "Majority_Land_Cover_Type_1"
FILL = 255
MCD12Q1_WATER = 17
ELEVATION = Variable("elevation", "m", "height above sea level", -12000, 9000)
METRES = ("m", "meter", "meters", "metre", "metres")
WIDE_DEGREES, MIN_PEAK_M = 90, 100
"""A raster wider than this, in degrees, has land higher than this, in m."""


@contextmanager
def open_land_cover(path: str | Path) -> Iterator[Raster]:
    """Open an MCD12C1 file as the cover of each IGBP class in every pixel.

    Yields
    ------
    Raster
        data (row, col, 17) uint8, per cent in the order of `IGBP_CLASSES`, `FILL` where the file
        has no class. From `Land_Cover_Type_1_Percent`; where a file lacks it, 100 for the class
        of `Majority_Land_Cover_Type_1`.

    Raises
    ------
    InputError
        If the file is damaged, of another product or grid, or has other codes than IGBP's.
    """
    with open_hdf4(path) as file:
        name, shape = _check_land_cover(file, path)
        with open_field(file, path, name) as read:
            raw = Raster(
                FileRows(lambda first, last: read(slice(first, last)), shape, southward=True),
                np.linspace(-90, 90, shape[0] + 1), np.linspace(-180, 180, shape[1] + 1), FILL,
            )  # fmt: skip
            if name == PERCENT:
                _check_percentages(raw, path)
                yield raw
            else:
                log.info("%s has no %s; its majority classes are used instead", path, PERCENT)
                _check_codes(raw, path)

                def read_percent(first: int, last: int) -> np.ndarray:
                    return _majority_to_percent(read(slice(first, last)))

                rows = FileRows(read_percent, (*shape, len(IGBP_CLASSES)), southward=True)
                yield Raster(rows, raw.lat_edges, raw.lon_edges, FILL)


@contextmanager
def open_koppen(path: str | Path) -> Iterator[Raster]:
    """Open a GeoTIFF of Köppen-Geiger codes: 1-30, 0 or missing over the ocean.

    Raises
    ------
    InputError
        If the file is damaged, not in degrees, or holds other codes.
    """
    with open_geotiff(path) as raster:
        low, high, integers = np.inf, -np.inf, True
        for block in raster.blocks():
            codes = raster.present(block)
            if not codes.size:
                continue
            integers &= codes.dtype.kind != "f" or bool((codes == np.round(codes)).all())
            low, high = min(low, float(codes.min())), max(high, float(codes.max()))
        empty = low in (0, np.inf) and high in (0, -np.inf)
        if empty or not integers or low < 0 or high > len(KOPPEN_CLASSES):
            raise InputError(
                "the Köppen file is empty" if empty else "the Köppen file holds other codes",
                file=path, found=f"codes {low:g} to {high:g}",
                expected="integers, 1 (Af) to 30 (EF), 0 for ocean",
                fix="use the present-day map of Beck et al. (2018), doi 10.1038/sdata.2018.214",
            )  # fmt: skip
        yield raster


@contextmanager
def open_elevation(path: str | Path) -> Iterator[Raster]:
    """Open elevation in m, a GeoTIFF or the only 2-D variable of a NetCDF file.

    Raises
    ------
    InputError
        If the file is damaged, not in degrees or m, or out of range.
    """
    path = Path(path)
    geotiff = path.suffix.lower() in (".tif", ".tiff")
    with open_geotiff(path, METRES) if geotiff else open_netcdf_raster(path, METRES) as raster:
        _check_elevation(raster, path)
        yield raster


def inspect_landcover(
    landcover: str | Path, koppen: str | Path, elevation: str | Path | None = None
) -> list[InputError]:
    """Problems of the files of the land surface: their headers, and all values of elevation."""
    problems: list[InputError] = []
    try:
        with open_hdf4(landcover) as file:
            _check_land_cover(file, landcover)
    except InputError as error:
        problems.append(error)
    try:
        with open_geotiff(koppen):
            pass
    except InputError as error:
        problems.append(error)
    try:
        if elevation:
            with open_elevation(elevation):
                pass
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


def _check_percentages(raw: Raster, path: str | Path) -> None:
    """Refuse sums far from 100; classes are rounded to integers, so sums miss it by a few."""
    n_bad, example, n_present = 0, 0, 0
    for block in raw.blocks():
        largest, total = block.max(axis=2), block.sum(axis=2, dtype=np.int32)
        bad = (largest != FILL) & ((largest > 100) | (abs(total - 100) > 10))
        n_present += int(np.count_nonzero(block != FILL))
        example = int(total[bad][0]) if bad.any() else example
        n_bad += int(bad.sum())
    _check_not_empty(n_present, PERCENT, path)
    if n_bad:
        raise InputError(
            "land-cover percentages do not add up", file=path, variable=PERCENT,
            found=f"{n_bad} pixels, such as a sum of {example} %",
            expected="17 percentages of 0-100 that sum to 100, or 255 for no data",
            fix="download the file again",
        )  # fmt: skip


def _check_codes(raw: Raster, path: str | Path) -> None:
    """Refuse codes that are not IGBP's. MCD12Q1 codes water as 17, MCD12C1 as 0."""
    codes = sorted({int(code) for block in raw.blocks() for code in np.unique(block)} - {FILL})
    _check_not_empty(len(codes), MAJORITY, path)
    if codes[-1] > MCD12Q1_WATER or {0, MCD12Q1_WATER} <= {*codes}:
        raise InputError(
            "the land-cover codes are not IGBP codes", file=path, variable=MAJORITY,
            found=f"codes {codes}",
            expected="0 (water) to 16 of MCD12C1, or 1 to 17 (water) of MCD12Q1; 255 no data",
            fix="give the IGBP layer (Type 1) of MCD12C1",
        )  # fmt: skip
    if MCD12Q1_WATER in codes:
        log.warning("%s uses code 17 for water, as MCD12Q1 does: it is read as water", path)


def _check_not_empty(n_present: int, variable: str, path: str | Path) -> None:
    if not n_present:
        raise InputError(
            "land cover is missing everywhere", file=path, variable=variable,
            found="only fill values", expected="IGBP classes", fix="download the file again",
        )  # fmt: skip


def _majority_to_percent(codes: np.ndarray) -> np.ndarray:
    """(row, col) codes to (row, col, 17) per cent."""
    codes = np.where(codes == MCD12Q1_WATER, 0, codes)
    percent = np.uint8(100) * (codes[..., None] == np.arange(len(IGBP_CLASSES), dtype=np.uint8))
    percent[codes == FILL] = FILL
    return percent


def _check_elevation(raster: Raster, path: Path) -> None:
    low, high, n_fill = np.inf, -np.inf, 0
    for block in raster.blocks():
        values = raster.present(block).astype(np.float32)
        values = values[np.isfinite(values)]
        n_fill += int(np.count_nonzero(values == -9999))
        low = min(low, float(values.min(initial=np.inf)))
        high = max(high, float(values.max(initial=-np.inf)))
    if n_fill:
        raise InputError(
            "a fill value is not masked", file=path, found=f"-9999 in {n_fill} pixels",
            expected="m above sea level, missing values marked",
            fix="declare -9999 as nodata (GeoTIFF) or _FillValue (NetCDF)",
        )  # fmt: skip
    if low > high:
        raise InputError(
            "elevation is missing everywhere", file=path, found="no value",
            expected="m above sea level", fix="check whether fill values are declared correctly",
        )  # fmt: skip
    outside = low < ELEVATION.valid_min or high > ELEVATION.valid_max
    if outside or (np.ptp(raster.lon_edges) > WIDE_DEGREES and high < MIN_PEAK_M):
        looks = likely_units(low, high, ELEVATION, floor=MIN_PEAK_M)
        raise InputError(
            "elevation is out of range" if outside else "the raster is lower than any land",
            file=path,
            found=f"{low:g} to {high:g}" + (f": the values look like {looks}" if looks else ""),
            expected="m above sea level, -12000 to 9000",
            fix="give elevation in m, with fill values declared as nodata or _FillValue",
        )  # fmt: skip
