"""Means and most frequent classes of static rasters over the cells of the grid."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from tamflux.grid import Grid
from tamflux.readers.raster import Raster


def cell_mean(raster: Raster, grid: Grid) -> np.ndarray:
    """Area-weighted mean over the valid pixels whose centre lies in a cell.

    Where the raster is coarser than the grid, each cell takes the pixel that holds its centre.

    Returns
    -------
    numpy.ndarray
        (lat, lon, class) float32 (one class for a plain field), NaN without a valid pixel.
    """
    members = _members(raster, grid)
    if members is None:
        return _nearest(raster, grid).astype(np.float32)
    rows, cols = members
    area = np.diff(np.sin(np.radians(raster.lat_edges)))
    membership = _membership(cols, grid.shape[1])
    means = np.empty((*grid.shape, _n_classes(raster)), np.float32)
    for row in reversed(range(grid.shape[0])):  # HDF4 files are fast to read from north to south
        here = np.flatnonzero(rows == row)
        pixels = raster.floats(here)
        weight = area[here, None, None] * np.isfinite(pixels)
        total = membership @ (np.nan_to_num(pixels) * weight).sum(axis=0)
        weight = membership @ weight.sum(axis=0)
        empty = np.full(total.shape, np.nan)
        means[row] = np.divide(total, weight, out=empty, where=weight > 0)
    return means


def cell_class(raster: Raster, grid: Grid, n_classes: int) -> np.ndarray:
    """(lat, lon) int8 code 1..n_classes that covers most of a cell; 0 where no pixel has a code."""
    members = _members(raster, grid)
    if members is None:
        return np.nan_to_num(_nearest(raster, grid)[..., 0]).astype(np.int8)
    rows, cols = members
    area = np.diff(np.sin(np.radians(raster.lat_edges)))
    membership = _membership(cols, grid.shape[1])
    result = np.zeros(grid.shape, np.int8)
    for row in reversed(range(grid.shape[0])):
        here = np.flatnonzero(rows == row)
        codes = raster.floats(here)[..., 0]
        covered = np.zeros((grid.shape[1], n_classes + 1))
        for code in range(1, n_classes + 1):  # one class at a time bounds the memory
            pixels = (codes == code) * area[here, None]
            covered[:, code] = membership @ pixels.sum(axis=0)
        result[row] = covered.argmax(axis=1)
    return result


def _members(raster: Raster, grid: Grid) -> tuple[np.ndarray, np.ndarray] | None:
    """Grid row of each raster row and grid column of each raster column, -1 outside, by centres.

    None for a raster coarser than the grid: some cell inside the raster would have no pixel.
    """
    members = []
    for edges, borders in (
        (raster.lat_edges, grid.lat_edges),
        (raster.lon_edges, grid.lon_edges),
    ):
        centres, n = (edges[:-1] + edges[1:]) / 2, len(borders) - 1
        cell = np.searchsorted(borders, centres + 1e-9, side="right") - 1
        cell[(cell < 0) | (cell >= n)] = -1
        inside = (borders[:-1] > edges[0] - 1e-6) & (borders[1:] < edges[-1] + 1e-6)
        if np.setdiff1d(np.flatnonzero(inside), cell).size:
            return None
        members.append(cell)
    return members[0], members[1]


def _nearest(raster: Raster, grid: Grid) -> np.ndarray:
    """(lat, lon, class) of the pixel that holds each cell centre, NaN outside the raster."""
    indices, inside = [], []
    for edges, centres in ((raster.lat_edges, grid.lat), (raster.lon_edges, grid.lon)):
        index = np.searchsorted(edges, centres, side="right") - 1
        inside.append((index >= 0) & (index < len(edges) - 1))
        indices.append(np.clip(index, 0, len(edges) - 2))
    values = raster.floats(*indices)
    values[~np.logical_and.outer(*inside)] = np.nan
    return values


def _n_classes(raster: Raster) -> int:
    """Length of the class axis of a raster; 1 without one."""
    return raster.data.shape[2] if len(raster.data.shape) == 3 else 1


def _membership(cols: np.ndarray, n: int) -> csr_array:
    """(grid column, raster column) matrix that sums over the columns of each cell."""
    pixels = np.flatnonzero(cols >= 0)
    return csr_array((np.ones(len(pixels)), (cols[pixels], pixels)), shape=(n, len(cols)))
