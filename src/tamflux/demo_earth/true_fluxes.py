"""True daily fluxes of every cell: the fraction-weighted mean over its land classes."""

from __future__ import annotations

import numpy as np
import zarr
from tqdm import tqdm

from tamflux.demo_earth.carbon import fluxes
from tamflux.demo_earth.planet import igbp_fractions, ndvi_range
from tamflux.demo_earth.random_fields import hidden_traits
from tamflux.demo_earth.vegetation import EVERGREEN, class_vector, fapar, ndvi, season
from tamflux.demo_earth.weather import (
    LOOKBACK_DAYS,
    days_in,
    row_blocks,
    simulate_weather,
)
from tamflux.files import atomic_path
from tamflux.grid import Grid
from tamflux.variables import FLUXES

CHUNK = 30
"""Cells along one side of a chunk of the store."""


def simulate_truth(seed: int, year: int, grid: Grid, target: str) -> None:
    """Write `gpp, reco, nee` (time, lat, lon) of a year, per land area, NaN over water."""
    rows, cols = grid.shape
    with atomic_path(target) as path:
        store = zarr.open_group(path, mode="w", attributes={"year": year})
        arrays = {}
        for name in ("gpp", "reco", "nee"):
            arrays[name] = store.create_array(
                name, shape=(days_in(year), rows, cols), dtype="float32", fill_value=np.nan,
                chunks=(days_in(year), min(CHUNK, rows), min(CHUNK, cols)),
                dimension_names=("time", "lat", "lon"), attributes=FLUXES[name].attrs,
            )  # fmt: skip
        days = np.arange(days_in(year), dtype="i4")
        _axis(store, "time", days, units=f"days since {year}-01-01", calendar="standard")
        _axis(store, "lat", grid.lat, units="degrees_north")
        _axis(store, "lon", grid.lon, units="degrees_east")
        for block in tqdm(row_blocks(rows, cols, CHUNK * cols), desc=f"truth {year}"):
            values = np.full((2, days_in(year), block.stop - block.start, cols), np.nan, np.float32)
            for part in row_blocks(block.stop - block.start, cols, 1500):
                lat = np.repeat(grid.lat[block][part], cols)
                lon = np.tile(grid.lon, part.stop - part.start)
                cells = true_fluxes(seed, year, lat, lon, grid.resolution)
                values[:, :, part] = cells.reshape(*cells.shape[:2], -1, cols)
            for name, field in zip(arrays, (*values, values[1] - values[0]), strict=True):
                arrays[name][:, block] = field


def true_fluxes(seed: int, year: int, lat, lon, size: float) -> np.ndarray:
    """(2, days, cell) GPP and RECO of cells of `size` degrees, NaN where there is no land."""
    share = igbp_fractions(lat, lon, size)
    share[0] = 0
    land = share.sum(0)
    out = np.full((2, days_in(year), len(lat)), np.nan, np.float32)
    cells = np.flatnonzero(land > 0)
    if len(cells) == 0:
        return out
    cell, igbp = np.nonzero(share[:, cells].T)
    lat, lon = np.asarray(lat)[cells], np.asarray(lon)[cells]
    patches = patch_fluxes(seed, year, lat, lon, igbp, size, cell)
    weight = (share[:, cells] / land[cells]).T[cell, igbp].astype(np.float32)
    first = np.searchsorted(cell, np.arange(len(cells)))
    for flux, field in enumerate(patches):
        out[flux][:, cells] = np.add.reduceat(field * weight, first, axis=1)
    return out


def patch_fluxes(seed: int, year: int, lat, lon, igbp, size: float, cell, noise=0.0):
    """GPP and RECO (days, patch) of patches with one class each.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        (cell,) degrees.
    igbp, cell : numpy.ndarray
        (patch,) IGBP code, and index of the cell of the patch.
    size : float
        Width in degrees of the square that sets the range of NDVI; 0 for that of the point.
    noise : numpy.ndarray, optional
        (trait, patch) added to the hidden traits.
    """
    weather = simulate_weather(seed, year, lat, lon)
    index = season(weather, lat)
    low, high = ndvi_range(lat, lon, size)
    green = ndvi(index[:, cell], low[cell], high[cell], class_vector(EVERGREEN)[igbp])
    traits = hidden_traits(seed, lat, lon)[:, cell] + noise
    gpp, reco = fluxes(weather.columns(cell), fapar(green), igbp, traits.astype(np.float32))
    return gpp[LOOKBACK_DAYS:], reco[LOOKBACK_DAYS:]


def _axis(store, name: str, values: np.ndarray, **attributes) -> None:
    store.create_array(name, data=values, dimension_names=(name,), attributes=attributes)
