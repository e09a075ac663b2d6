"""Making the land surface of the product grid: land cover, Köppen climate, elevation.

Kept apart from reading (`static.py`), so that a change of the raw readers reruns this rule and
nothing that merely reads its result.
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
from tamflux.readers.landcover import read_elevation, read_koppen, read_land_cover
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
    percent = cell_mean(read_land_cover(landcover), grid)
    empty = np.isnan(percent).any(axis=-1)
    percent[empty] = np.eye(len(IGBP_CLASSES))[0]  # what MCD12C1 does not classify is ocean
    shares = percent / percent.sum(axis=-1, keepdims=True)
    if (shares[..., 0] > 1 - 1e-6).all():
        raise InputError(
            "there is no land inside the grid",
            file=landcover,
            found="water only",
            expected="some land",
            fix="correct grid.bbox, or check the land-cover file",
        )
    codes = cell_class(read_koppen(koppen), grid, len(KOPPEN_CLASSES))
    land = shares[..., 0] < 0.5
    _check_land(codes == 0, land, koppen, "a Köppen class")
    height = None
    if elevation:
        height = cell_mean(read_elevation(elevation), grid)[..., 0]
        _check_land(np.isnan(height), land, elevation, "an elevation")
    data = _dataset(grid, shares, codes, height)
    data.attrs |= {"landcover": str(landcover), "koppen": str(koppen)}
    with atomic_path(target) as partial:
        data.to_netcdf(partial, engine="netcdf4")


def _check_land(missing: np.ndarray, land: np.ndarray, path: str | Path, what: str) -> None:
    """Islands may lie outside a raster; if most land does, it is another region's."""
    n, n_land = int((land & missing).sum()), int(land.sum())
    if 2 * n > n_land:
        raise InputError(
            f"most land cells have not {what}",
            file=path,
            found=f"{n} of {n_land} land cells without",
            expected="a raster that covers grid.bbox, in degrees",
            fix="give the raster of the whole region, or make grid.bbox smaller",
        )
    if n:
        log.warning("%d of %d land cells have not %s", n, n_land, what)


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
