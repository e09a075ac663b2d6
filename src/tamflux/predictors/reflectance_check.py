"""Plausibility of MODIS reflectance against the land cover and NDVI that the package ships.

The limits are wide: no season, fire or drought moves the median of 30 cells beyond them. They catch
a missed scale factor, exchanged bands, and a turned or shifted map.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import NoReturn

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid

MIN_CELLS = 30
"""Cells that a median needs."""

MIN_NIR, MAX_NIR = 0.06, 0.95
"""Limits of the median near-infrared reflectance of land; char has 0.08, forests 0.2, snow 0.8."""

MAX_RATIO = 6
"""Limit of the median ratio of a composite to the year; snow on dark ground reaches 5."""

MAX_DESERT_NDVI, MIN_EVERGREEN_NDVI, MIN_GREEN_NDVI = 0.35, 0.3, 0.4
"""Limits of the median NDVI: yearly mean of cells that never exceed 0.15 and of cells that never
fall below 0.5, and yearly maximum of cells that reach 0.7 in the climatology."""

MAX_OCEAN_SHARE = 0.4
"""Largest share of valid cells in open water, for which the products have no values."""

_MAX_RESOLUTION = 1.0
_ROWS = 60
"""Rows of cells that are read, evenly spaced."""


def check_reflectance(
    means: np.ndarray, bands: Sequence[int], grid: Grid, days_complete: bool
) -> None:
    """Refuse cell means that contradict the climatology of the cells.

    Parameters
    ----------
    means : numpy.ndarray
        (band, composite, lat, lon) float32 reflectance, NaN where missing.
    bands : sequence of int
        MODIS spectral bands of the first axis.
    days_complete : bool
        Whether the composites cover a year, so that the yearly maximum is known.

    Raises
    ------
    InputError
        If the level of a composite or of the year, NDVI, or the map of valid cells is implausible.
    """
    if 2 not in bands:
        return
    rows = slice(0, None, -(-means.shape[2] // _ROWS))
    nir = np.asarray(means[list(bands).index(2), :, rows])
    nir = nir.reshape(len(nir), -1)
    valid = np.isfinite(nir).any(axis=0)
    if np.count_nonzero(valid) < MIN_CELLS:
        return
    nir = nir[:, valid]
    mean_nir = _mean(nir)
    _check_level(nir, mean_nir)
    if 1 not in bands or grid.resolution > _MAX_RESOLUTION:
        return
    red = np.asarray(means[list(bands).index(1), :, rows]).reshape(len(nir), -1)[:, valid]
    with np.errstate(invalid="ignore", divide="ignore"):
        ndvi = np.where((nir > 0) & (red > 0), (nir - red) / (nir + red), np.nan)
    lat, lon = np.meshgrid(grid.lat[rows], grid.lon, indexing="ij")
    water, low, high = _climatology(lat.ravel()[valid], lon.ravel()[valid], grid.resolution)
    ocean_share = (water == 1).mean()
    if ocean_share > MAX_OCEAN_SHARE:
        found = f"{ocean_share:.0%} of the cells with reflectance"
        _fail("most valid pixels lie in open water: the map is turned or shifted", found,
              f"at most {MAX_OCEAN_SHARE:.0%}")  # fmt: skip
    land = (water < 0.1) & np.isfinite(high)
    mean_ndvi, max_ndvi = _mean(ndvi), np.nanmax(np.where(np.isnan(ndvi), -1, ndvi), axis=0)
    for name, cells, values, sign, limit in (
        ("deserts", land & (high <= 0.15), mean_ndvi, 1, MAX_DESERT_NDVI),
        ("evergreen forests", land & (low >= 0.5), mean_ndvi, -1, MIN_EVERGREEN_NDVI),
        ("vegetated land", land & (high >= 0.7) & days_complete, max_ndvi, -1, MIN_GREEN_NDVI),
    ):
        cells &= np.isfinite(values)
        if np.count_nonzero(cells) < MIN_CELLS:
            continue
        if sign * ((median := float(np.median(values[cells]))) - limit) > 0:
            _fail(f"the NDVI of {name} is implausible", f"median {median:.2f}",
                  f"{'at most' if sign > 0 else 'at least'} {limit}")  # fmt: skip


def _check_level(nir: np.ndarray, mean_nir: np.ndarray) -> None:
    """Refuse a level of near-infrared reflectance (composite, cell) that no land has."""
    level = float(np.median(mean_nir))
    if not MIN_NIR <= level <= MAX_NIR:
        _fail("the near-infrared reflectance of the year is implausible", f"median {level:.3g}",
              f"{MIN_NIR} to {MAX_NIR}")  # fmt: skip
    for step, values in enumerate(nir):
        here = np.isfinite(values) & (mean_nir > 0)
        if len(nir) < 5 or np.count_nonzero(here) < MIN_CELLS:
            continue
        ratio = float(np.median(values[here] / mean_nir[here]))
        if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
            _fail(
                f"composite {step + 1} of the year has another scale than the others",
                f"{ratio:.2g} times the mean of the year", f"{1 / MAX_RATIO:.2g} to {MAX_RATIO}",
            )  # fmt: skip


def _climatology(
    lat: np.ndarray, lon: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cell,) fraction of water, and extremes of NDVI over a cell and a year; NaN where unknown."""
    with netCDF4.Dataset(str(files("tamflux") / "data" / "surface.nc")) as file:
        file.set_auto_maskandscale(False)
        fields = [file["igbp_count"][0], file["ndvi_minimum"][:], file["ndvi_maximum"][:]]
    n = max(1, round(size / 0.25))
    offsets = ((np.arange(n) + 0.5) / n - 0.5) * size
    water, low, high = 0.0, np.full(lat.shape, np.inf), np.full(lat.shape, -np.inf)
    for north in offsets:
        row = np.clip((lat + north + 90) / 0.25, 0, 719).astype(int)
        for east in offsets:
            col = ((lon + east + 180) % 360 / 0.25).astype(int) % 1440
            share, minimum, maximum = (field[row, col] for field in fields)
            known = maximum != -99
            water = water + share / 25 / n**2
            low = np.minimum(low, np.where(known, minimum * 0.01, -np.inf))
            high = np.maximum(high, np.where(known, maximum * 0.01, np.inf))
    return np.where(water > 1 - 1e-6, 1.0, water), low, high


def _mean(values: np.ndarray) -> np.ndarray:
    """(cell,) mean over composites, NaN without any."""
    n = np.isfinite(values).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)


def _fail(what: str, found: str, expected: str) -> NoReturn:
    raise InputError(
        what, file="inputs.modis.path", variable="reflectance", found=found, expected=expected,
        fix="use the files as NASA delivers them, of the product in inputs.modis.product: "
        "unscaled, first row at 90 N, first column at 180 W",
    )  # fmt: skip
