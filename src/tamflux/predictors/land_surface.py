"""Static fields of the product grid: land cover, Köppen climate, elevation.

They are read in `static.py`, so that a change of the raw readers reruns this rule alone.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import xarray as xr

from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.readers.landcover import open_elevation, open_koppen, open_land_cover
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, VEGETATED, igbp_fraction

log = logging.getLogger("tamflux")


def prepare_static(
    landcover: str | Path,
    koppen: str | Path,
    elevation: str | Path | None,
    grid: Grid,
    target: str | Path,
) -> None:
    """Write `static.nc` (contract 1): class fractions, land fraction, Köppen class, elevation.

    Raises
    ------
    InputError
        If a raw file is damaged, or has no land inside the grid.
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
    height = None
    if elevation:
        with open_elevation(elevation) as raster:
            height = cell_mean(raster, grid)[..., 0]
        _check_land(np.isnan(height), land, elevation, "elevation")
    data = _dataset(grid, shares, codes, height)
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
