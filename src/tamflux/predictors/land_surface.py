"""Static fields of the product grid: land cover, Köppen climate, elevation.

They are read in `static.py`, so that a change of the raw readers reruns this rule alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.predictors.land_check import check_land_surface
from tamflux.readers.landcover import open_elevation, open_koppen, open_land_cover
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, VEGETATED, igbp_fraction

log = logging.getLogger("tamflux")

MAX_FILL_KM = 200
"""Largest distance from which a land cell without a Köppen class takes that of another cell."""
FILLED_CLASS, UNKNOWN_CLASS = 1, 2
"""Values of `koppen_filled`; 0 where the raster has a class."""


def prepare_static(
    landcover: str | Path,
    koppen: str | Path,
    elevation: str | Path | None,
    grid: Grid,
    target: str | Path,
    extra: Sequence[str | Path] = (),
) -> None:
    """Write `static.nc` (contract 1): class fractions, land fraction, Köppen class, elevation.

    `extra` are files of `tamflux.predictors.extra.prepare_static_extra`, whose fields are added.

    Land without a Köppen class takes that of the nearest cell within `MAX_FILL_KM`, as
    `koppen_filled` says; beyond, its class stays unknown.

    Raises
    ------
    InputError
        If a raw file is damaged, has no land inside the grid, or contradicts the map that the
        package ships.
    """
    with open_land_cover(landcover) as raster:
        percent = cell_mean(raster, grid)
    empty = np.isnan(percent).any(axis=-1)
    percent[empty] = np.eye(len(IGBP_CLASSES))[0]  # pixels without a class lie in the ocean
    shares = percent / percent.sum(axis=-1, keepdims=True)
    if (shares[..., 0] > 1 - 1e-6).all():
        raise InputError(
            "there is no land inside the grid",
            file=landcover,
            found="only water",
            expected="some land",
            fix="correct grid.bbox, or check the land-cover file",
        )
    with open_koppen(koppen) as raster:
        codes = cell_class(raster, grid, len(KOPPEN_CLASSES))
    land = shares[..., 0] < 0.5
    _check_land(codes == 0, land, koppen, "Köppen class")
    _check_land(empty, codes > 0, landcover, "land cover")
    codes, filled = fill_classes(codes, shares[..., 0] < 1 - 1e-6, grid)
    height = None
    if elevation:
        with open_elevation(elevation) as raster:
            height = cell_mean(raster, grid)[..., 0]
        _check_land(np.isnan(height), land, elevation, "elevation")
    check_land_surface(shares, codes, height, grid, (landcover, koppen, elevation))
    data = _dataset(grid, shares, codes, height)
    data["koppen_filled"] = (
        ("lat", "lon"), filled,
        {
            "long_name": f"origin of the Köppen class: own, nearest cell within {MAX_FILL_KM} km",
            "flag_values": np.array([0, FILLED_CLASS, UNKNOWN_CLASS], np.int8),
            "flag_meanings": "own nearest_cell unknown",
        },
    )  # fmt: skip
    for path in extra:
        with xr.open_dataset(path, engine="netcdf4") as field:
            data = data.merge(field.load(), join="exact")
    data.attrs |= {"landcover": str(landcover), "koppen": str(koppen)}
    with atomic_path(target) as partial:
        data.to_netcdf(partial, engine="netcdf4")


def _check_land(missing: np.ndarray, land: np.ndarray, path: str | Path, name: str) -> None:
    """Refuse a raster without values on most land; islands may lie outside it."""
    n, n_land = int((land & missing).sum()), int(land.sum())
    if 2 * n > n_land:
        raise InputError(
            f"most land cells have no {name}",
            file=path,
            found=f"{n} of {n_land} land cells without",
            expected="a raster that covers grid.bbox, in degrees",
            fix="give the raster of the whole region, or make grid.bbox smaller",
        )
    if n:
        log.warning("%d of %d land cells have no %s", n, n_land, name)


def fill_classes(codes: np.ndarray, land: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Give land without a class that of the nearest cell within `MAX_FILL_KM`.

    Parameters
    ----------
    codes : numpy.ndarray
        (lat, lon) int8, 0 without a class.
    land : numpy.ndarray
        (lat, lon) bool, cells with any land.

    Returns
    -------
    codes : numpy.ndarray
        (lat, lon) int8; 0 stays where no class is near.
    filled : numpy.ndarray
        (lat, lon) int8: 0 own class (or no land), `FILLED_CLASS`, `UNKNOWN_CLASS`.
    """
    codes, filled = codes.copy(), np.zeros(codes.shape, np.int8)
    lat, lon = np.radians(np.meshgrid(grid.lat, grid.lon, indexing="ij"))
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    without, known = land & (codes == 0), codes > 0
    if not without.any() or not known.any():
        filled[without] = UNKNOWN_CLASS
        return codes, filled
    chord = 2 * np.sin(MAX_FILL_KM * 1000 / EARTH_RADIUS_M / 2)
    distance, nearest = cKDTree(points[known]).query(points[without])
    near = distance <= chord
    codes[without] = np.where(near, codes[known][np.minimum(nearest, known.sum() - 1)], 0)
    filled[without] = np.where(near, FILLED_CLASS, UNKNOWN_CLASS)
    log.warning(
        "%d cells with land and without a Köppen class take that of the nearest cell within %d km, "
        "%d are too far from any", near.sum(), MAX_FILL_KM, (~near).sum(),
    )  # fmt: skip
    return codes, filled


def _dataset(
    grid: Grid, shares: np.ndarray, codes: np.ndarray, height: np.ndarray | None
) -> xr.Dataset:
    dims = ("lat", "lon")
    data = xr.Dataset(
        coords={
            "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        }
    )
    for index, name in enumerate(IGBP_CLASSES):
        long_name = f"fraction of the cell covered by IGBP class {name}"
        attrs = {"units": "1", "long_name": long_name}
        data[igbp_fraction(name)] = (dims, shares[..., index].astype(np.float32), attrs)
    vegetated = shares[..., [IGBP_CLASSES.index(name) for name in VEGETATED]].sum(axis=-1)
    land = np.clip(1 - shares[..., 0], 0, 1).astype(np.float32)
    data["land_fraction"] = (dims, land, {"units": "1", "standard_name": "land_area_fraction"})
    data["vegetated_fraction"] = (
        dims, np.clip(vegetated, 0, 1).astype(np.float32),
        {"units": "1", "long_name": "fraction of the cell covered by vegetated classes"},
    )  # fmt: skip
    data["koppen"] = (
        dims, codes,
        {
            "long_name": "most frequent Köppen-Geiger class (Beck et al. 2018)",
            "flag_values": np.arange(len(KOPPEN_CLASSES) + 1, dtype=np.int8),
            "flag_meanings": " ".join(["none", *KOPPEN_CLASSES]),
        },
    )  # fmt: skip
    if height is not None:
        data["elevation"] = (
            dims, height.astype(np.float32), {"units": "m", "standard_name": "surface_altitude"},
        )  # fmt: skip
    return data
