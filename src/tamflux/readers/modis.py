"""MODIS surface reflectance on the climate modelling grid (CMG), HDF4: MCD43C4, MOD09CMG, MYD09CMG.

The grid has n x 2n pixels, the first row at 90 N, the first column at 180 W; as NASA ships it,
3600 x 7200 of 0.05 degree. Reflectances are int16 digital numbers with a scale of 0.0001. Files
give ``scale_factor`` as 0.0001 or as its inverse 10000, so the scale is fixed here and the
attribute is only compared with it.

Sources: MCD43 User Guide V006/V061 (Schaaf, UMass Boston); MODIS Surface Reflectance User's Guide,
Collection 6 (Vermote et al. 2015), tables 13 and 19.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyhdf.SD import SD

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.hdf4 import (
    agrees,
    field_attributes,
    field_names,
    field_shape,
    open_hdf4,
    read_field,
)
from tamflux.readers.modis_files import composite_date, select_composites
from tamflux.readers.modis_metadata import Granule, check_collections, read_granule

SCALE = 0.0001
VALID_DIGITAL_NUMBERS = (-100, 16000)
"""Physically possible digital numbers (MOD09 User's Guide)."""
MAX_OUT_OF_RANGE = 0.01
"""Largest share of a spectral band's values outside `VALID_DIGITAL_NUMBERS`; more is a fault."""
MAX_QUALITY = 3
"""Worst usable MCD43C4 quality: 0-3 have at least 25 % of full inversions; 4 is mostly fill."""
BANDS = tuple(range(1, 8))
_QUALITY = ("BRDF_Quality", "Albedo_Quality")  # the name differs between collections
_STATE = "Coarse Resolution State QA"
_CLOUD_MASK = "Coarse Resolution Internal CM"
_FILL = {"MCD43C4": 32767, "MOD09CMG": -28672}


@dataclass(frozen=True)
class Composite:
    """Reflectance of one file over a box of the grid, first row in the *south*.

    Attributes
    ----------
    digital_numbers : dict of int to numpy.ndarray
        (row, col) int16 of each spectral band; reflectance is the digital number times `SCALE`.
    valid : numpy.ndarray
        (row, col) bool: every band has a value and the quality is good.
    """

    digital_numbers: dict[int, np.ndarray]
    valid: np.ndarray


def read_composite(
    path: str | Path, product: str, bands: Sequence[int], grid: Grid
) -> tuple[Composite, int]:
    """Read spectral bands of one file over the box of a grid and apply its quality layers.

    MCD43C4 pixels are valid with quality 0 to `MAX_QUALITY`; MOD09CMG and MYD09CMG pixels are valid
    over land without cloud, cloud shadow, high aerosol or high cirrus. Snow stays valid, because
    it is information for the fluxes.

    Parameters
    ----------
    product : str
        ``MCD43C4`` or ``MOD09CMG`` (MYD09CMG files are read as the latter).
    bands : sequence of int
        MODIS spectral bands, 1 to 7.
    grid : Grid
        A side of its cells must be an integer number of pixels.

    Returns
    -------
    composite : Composite
    factor : int
        Pixels along one side of a cell.

    Raises
    ------
    InputError
        If the file is damaged, has another product, grid or scale, holds unmasked fill values, or
        holds no value at all.
    """
    with open_hdf4(path) as file:
        factor = check_header(file, path, product, bands, grid)
        window = _window(grid, factor)
        valid = _good_quality(file, path, product, window)
        digital_numbers = {}
        for band in bands:
            name = band_field(product, band)
            raw = read_field(file, path, name, *window)
            low, high = VALID_DIGITAL_NUMBERS  # neither fill value lies within
            in_range = (raw >= low) & (raw <= high)
            present = raw != _FILL[product]
            if not present.any():
                _check_not_empty(file, path, name, product)
            _check_range(raw, in_range, present, path, name)
            valid &= in_range
            digital_numbers[band] = raw[::-1]
    return Composite(digital_numbers, valid[::-1]), factor


def band_field(product: str, band: int) -> str:
    """Name of the data set of a spectral band."""
    if product == "MCD43C4":
        return f"Nadir_Reflectance_Band{band}"
    return f"Coarse Resolution Surface Reflectance Band {band}"


def check_header(file: SD, path: str | Path, product: str, bands: Sequence[int], grid: Grid) -> int:
    """Check a file by its header, without reading a field.

    Returns
    -------
    int
        Pixels along one side of a cell of `grid`.
    """
    names = [band_field(product, band) for band in bands]
    shape = field_shape(file, path, names[0])
    if len(shape) != 2 or shape[1] != 2 * shape[0]:
        raise _wrong_grid(path, names[0], shape, "n x 2n pixels, such as 3600 x 7200", "")
    for name in [*names, *_quality_fields(file, path, product)]:
        if field_shape(file, path, name) != shape:
            found = field_shape(file, path, name)
            raise _wrong_grid(path, name, found, f"{shape[0]} x {shape[1]} pixels", "")
    for name in names:
        _check_attributes(field_attributes(file, path, name), path, name, product)
    _check_date(read_granule(file, path, product), path)
    factor = round(grid.resolution * shape[0] / 180)
    if factor < 1 or abs(grid.resolution * shape[0] / 180 - factor) > 1e-6:
        raise _wrong_grid(
            path, names[0], shape,
            f"pixels that divide the cells of {grid.resolution} degree",
            "; choose a grid.resolution that is a multiple of the pixel size",
        )  # fmt: skip
    return factor


def inspect_modis(
    paths: Iterable[str | Path],
    product: str,
    year: int,
    grid: Grid,
    may_end_early: bool = False,
) -> list[InputError]:
    """Problems of the MODIS files of a year, found from their names and headers alone."""
    problems: list[InputError] = []
    try:
        paths = list(select_composites(paths, year, may_end_early).values())
    except InputError as error:
        problems.append(error)
    granules = []
    for path in paths:
        try:
            with open_hdf4(path) as file:
                check_header(file, path, product, BANDS, grid)
                granules.append((path, read_granule(file, path, product)))
        except InputError as error:
            problems.append(error)
    try:
        check_collections(granules)
    except InputError as error:
        problems.append(error)
    return problems


def state_is_clear(state: np.ndarray) -> np.ndarray:
    """Whether a pixel is usable by its state bits (state_1km, Coarse Resolution State QA).

    Cloud state (bits 0-1) clear or not set, no cloud shadow (2), aerosol not high (6-7), cirrus
    not high (8-9), no internal cloud flag (10). MOD09 User's Guide, table 13.
    """
    state = state.astype(np.uint32)
    cloud, aerosol, cirrus = state & 3, state >> 6 & 3, state >> 8 & 3
    flagged = (state >> 2 & 1) | (state >> 10 & 1)
    return ((cloud == 0) | (cloud == 3)) & (flagged == 0) & (aerosol != 3) & (cirrus != 3)


def _good_quality(
    file: SD, path: str | Path, product: str, window: tuple[slice, slice]
) -> np.ndarray:
    """(row, col) bool, north first."""
    quality = [
        read_field(file, path, name, *window) for name in _quality_fields(file, path, product)
    ]
    if product == "MCD43C4":
        return quality[0] <= MAX_QUALITY
    state, cloud_mask = (field.astype(np.uint32) for field in quality)
    surface = state >> 3 & 7  # 1 land, 2 coast, 4 ephemeral water; others are water or fill (0)
    land = (surface == 1) | (surface == 2) | (surface == 4)
    cloudy, shadow = cloud_mask & 1, cloud_mask >> 8 & 1
    return land & state_is_clear(state) & (cloudy == 0) & (shadow == 0)


def _quality_fields(file: SD, path: str | Path, product: str) -> tuple[str, ...]:
    if product != "MCD43C4":
        return _STATE, _CLOUD_MASK
    there = field_names(file, path)
    return (next((name for name in _QUALITY if name in there), _QUALITY[0]),)


def _window(grid: Grid, factor: int) -> tuple[slice, slice]:
    """Pixel rows (from 90 N) and columns (from 180 W) of a grid's box."""
    west, _, _, north = grid.bbox
    row = round((90 - north) / grid.resolution) * factor
    col = round((west + 180) / grid.resolution) * factor
    rows, cols = grid.shape
    return slice(row, row + rows * factor), slice(col, col + cols * factor)


def _check_attributes(attributes: dict, path: str | Path, name: str, product: str) -> None:
    scale, offset = attributes.get("scale_factor"), attributes.get("add_offset", 0.0)
    if not (agrees(scale, SCALE) or agrees(scale, 1 / SCALE)) or offset != 0:
        raise InputError(
            "a reflectance has another scale than the product's",
            file=path,
            variable=name,
            found=f"scale_factor {scale}, add_offset {offset}",
            expected=f"scale_factor {SCALE} (or its inverse), add_offset 0",
            fix="use the file as NASA delivers it, not rescaled",
        )
    if (fill := attributes.get("_FillValue", _FILL[product])) != _FILL[product]:
        raise InputError(
            "a reflectance has another fill value than the product's",
            file=path,
            variable=name,
            found=f"_FillValue {fill}",
            expected=f"_FillValue {_FILL[product]}",
            fix="use the file as NASA delivers it, and check inputs.modis.product",
        )


def _check_date(granule: Granule, path: str | Path) -> None:
    """Compare the date in the name with the date range in the metadata, if the file has any."""
    first, last = granule.first, granule.last
    if first is None or last is None or first <= composite_date(path) <= last:
        return
    raise InputError(
        "the date in the file name is not the date of the data", file=path,
        variable="CoreMetadata.0", found=f"{first} to {last} in the metadata",
        expected=f"a range that holds {composite_date(path)}",
        fix="give the file its original name",
    )  # fmt: skip


def _check_range(
    raw: np.ndarray, in_range: np.ndarray, present: np.ndarray, path: str | Path, name: str
) -> None:
    low, high = VALID_DIGITAL_NUMBERS
    n_present = np.count_nonzero(present)
    n_bad = n_present - np.count_nonzero(in_range)  # values in range are never fill
    n_low = np.count_nonzero(in_range & (raw <= 0))
    if n_present > 100 and n_low > n_present / 2:
        raise InputError(
            "most reflectances are zero or below: a fill value that was not masked",
            file=path,
            variable=name,
            found=f"{n_low} values of zero or below among {n_present}",
            expected="reflectances, and the fill value where there is none",
            fix="download the file again",
        )
    if n_bad > MAX_OUT_OF_RANGE * n_present:
        values, times = np.unique(raw[present & ~in_range], return_counts=True)
        raise InputError(
            "a reflectance is out of range: a fill value that was not masked, or another scale",
            file=path,
            variable=name,
            found=f"{n_bad} of {n_present} values, most often {values[times.argmax()]}",
            expected=f"digital numbers from {low} to {high}, or the fill value",
            fix="download the file again, and check inputs.modis.product",
        )


def _check_not_empty(file: SD, path: str | Path, name: str, product: str) -> None:
    """Refuse a globe without values; a box may have none, in the polar night."""
    if (read_field(file, path, name) == _FILL[product]).all():
        raise InputError(
            "a reflectance is missing everywhere",
            file=path,
            variable=name,
            found="only fill values on the globe",
            expected="reflectances over land",
            fix="download the file again, or remove it: its day is then interpolated in time",
        )


def _wrong_grid(path, variable, shape, expected: str, hint: str) -> InputError:
    return InputError(
        "the grid is not the global one that is needed",
        file=path,
        variable=variable,
        found=" x ".join(map(str, shape)) + " pixels",
        expected=expected,
        fix="use the global CMG file as NASA delivers it" + hint,
    )
