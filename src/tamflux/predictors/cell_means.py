"""Means and most frequent classes of static rasters over the cells of the grid.

Pixels are weighted by the area that they share with a cell. Rasters may be finer or coarser than
the grid, and their pixels may straddle its borders, as those of gridline-registered rasters do.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from tamflux.grid import Grid
from tamflux.readers.raster import Raster

_TOLERANCE = 1e-6
"""Degrees; edges of pixels this close to a border of a cell lie on it."""


def cell_mean(raster: Raster, grid: Grid) -> np.ndarray:
    """Mean over the valid pixels of each cell, weighted by shared area.

    Returns
    -------
    numpy.ndarray
        (lat, lon, class) float32 (one class for a plain field), NaN without a valid pixel.
    """
    membership = _column_shares(raster.lon_edges, grid)
    n_classes = raster.data.shape[2] if len(raster.data.shape) == 3 else 1
    means = np.empty((*grid.shape, n_classes), np.float32)
    for row in reversed(range(grid.shape[0])):  # HDF4 files are fast to read from north to south
        rows, area = _row_areas(raster.lat_edges, *grid.lat_edges[row : row + 2])
        pixels = raster.floats(rows)
        weight = area[:, None, None] * np.isfinite(pixels)
        total = membership @ (np.nan_to_num(pixels) * weight).sum(axis=0)
        weight = membership @ weight.sum(axis=0)
        empty = np.full(total.shape, np.nan)
        means[row] = np.divide(total, weight, out=empty, where=weight > 0)
    return means


def cell_class(raster: Raster, grid: Grid, n_classes: int) -> np.ndarray:
    """(lat, lon) int8 code 1..n_classes that covers most of a cell; 0 where no pixel has a code."""
    membership = _column_shares(raster.lon_edges, grid)
    result = np.zeros(grid.shape, np.int8)
    for row in reversed(range(grid.shape[0])):
        rows, area = _row_areas(raster.lat_edges, *grid.lat_edges[row : row + 2])
        codes = np.nan_to_num(raster.floats(rows)[..., 0]).astype(np.uint8)
        covered = np.zeros((grid.shape[1], n_classes + 1))
        present = np.bincount(codes.ravel(), minlength=n_classes + 1)[1 : n_classes + 1]
        for code in 1 + np.flatnonzero(present):  # one class at a time bounds the memory
            pixels = (codes == code) * area[:, None]
            covered[:, code] = membership @ pixels.sum(axis=0)
        result[row] = covered.argmax(axis=1)
    return result


def _row_areas(edges: np.ndarray, south: float, north: float) -> tuple[slice, np.ndarray]:
    """Rows of the raster that share area with a row of cells, and that area per unit longitude."""
    low = np.where(edges[:-1] > south - _TOLERANCE, edges[:-1], south)
    high = np.where(edges[1:] < north + _TOLERANCE, edges[1:], north)
    shared = np.flatnonzero(high - low > _TOLERANCE)
    rows = slice(shared[0], shared[-1] + 1) if len(shared) else slice(0, 0)
    return rows, np.sin(np.radians(high[rows])) - np.sin(np.radians(low[rows]))


def _column_shares(edges: np.ndarray, grid: Grid) -> csr_array:
    """(grid column, raster column) share of each pixel's width that lies in a cell."""
    west, east, n = edges[:-1], edges[1:], grid.shape[1]
    cells, pixels, shares = [], [], []
    for turn in (-360, 0, 360):
        borders = grid.lon_edges + turn
        first = np.searchsorted(borders, west + _TOLERANCE, side="right") - 1
        last = np.searchsorted(borders, east - _TOLERANCE, side="left") - 1
        for step in range(int((last - first).max()) + 1):
            cell = first + step
            pixel = np.flatnonzero((cell <= last) & (cell >= 0) & (cell < n))
            cell = cell[pixel]
            width = np.minimum(east[pixel], borders[cell + 1]) - np.maximum(
                west[pixel], borders[cell]
            )
            share = width / (east[pixel] - west[pixel])
            cells.append(cell)
            pixels.append(pixel)
            shares.append(np.where(share > 1 - 1e-6, 1.0, share))
    index = (np.concatenate(cells), np.concatenate(pixels))
    return csr_array((np.concatenate(shares), index), shape=(n, len(west)))
