"""Means and most frequent classes of static rasters over the cells of the grid."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from tamflux.grid import Grid
from tamflux.readers.landcover import Raster


def cell_mean(raster: Raster, grid: Grid) -> np.ndarray:
    """Area-weighted mean over the pixels whose centre lies in a cell, missing ones left out.

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
    means = []
    for row in range(grid.shape[0]):
        here = np.flatnonzero(rows == row)
        pixels = raster.floats(here)
        weight = area[here, None, None] * np.isfinite(pixels)
        total = _sum_by_cell(np.nan_to_num(pixels) * weight, cols, grid.shape[1])
        weight = _sum_by_cell(weight, cols, grid.shape[1])
        empty = np.full(total.shape, np.nan)
        means.append(np.divide(total, weight, out=empty, where=weight > 0))
    return np.stack(means).astype(np.float32)


def cell_class(raster: Raster, grid: Grid, n_classes: int) -> np.ndarray:
    """(lat, lon) int8 code 1..n_classes that covers most of a cell; 0 only where there is none."""
    members = _members(raster, grid)
    if members is None:
        return np.nan_to_num(_nearest(raster, grid)[..., 0]).astype(np.int8)
    rows, cols = members
    area = np.diff(np.sin(np.radians(raster.lat_edges)))
    classes = np.arange(1, n_classes + 1)
    result = np.zeros(grid.shape, np.int8)
    for row in range(grid.shape[0]):
        here = np.flatnonzero(rows == row)
        covered = (raster.floats(here) == classes) * area[here, None, None]
        covered = _sum_by_cell(covered, cols, grid.shape[1])
        found = covered.max(axis=1) > 0
        result[row] = np.where(found, classes[covered.argmax(axis=1)], 0)
    return result


def _members(raster: Raster, grid: Grid) -> tuple[np.ndarray, np.ndarray] | None:
    """Grid row of each raster row, grid column of each raster column (-1 outside), by centres.

    None where a cell inside the raster would have no pixel: the raster is coarser than the grid.
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
    places, inside = [], []
    for edges, centres in ((raster.lat_edges, grid.lat), (raster.lon_edges, grid.lon)):
        place = np.searchsorted(edges, centres, side="right") - 1
        inside.append((place >= 0) & (place < len(edges) - 1))
        places.append(np.clip(place, 0, len(edges) - 2))
    values = raster.floats(*places)
    values[~np.logical_and.outer(*inside)] = np.nan
    return values


def _sum_by_cell(values: np.ndarray, cols: np.ndarray, n: int) -> np.ndarray:
    """(pixel row, pixel col, class) summed over rows and over each cell's columns: (n, class)."""
    pixels = np.flatnonzero(cols >= 0)
    shape = (n, values.shape[1])
    membership = csr_array((np.ones(len(pixels)), (cols[pixels], pixels)), shape=shape)
    return membership @ values.sum(axis=0)
