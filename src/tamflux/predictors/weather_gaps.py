"""Missing weather: filled from near nodes, interpolated over short gaps, missing otherwise.

Every value that is not made from data of its own cell and day is marked in the variable
`weather_filled` of the cube, and no value is invented beyond the two constants below.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.predictors.regrid import Weights, valid_share

MAX_FILL_KM = 100.0
"""Distance from a cell's centre to the nearest node with data up to which the cell takes its value.
ERA5-Land leaves out coasts and small islands, which are rarely farther from its nodes."""
MIN_OWN_WEIGHT = 0.5
"""Share of a cell's weight on nodes with data below which its value counts as filled."""
MAX_GAP_DAYS = 3
"""Longest run of missing days that is interpolated."""
FILLED, INTERPOLATED, MISSING = 1, 2, 3


class NearestNodes:
    """Fills cells without data from the nearest node within `MAX_FILL_KM`.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        Degrees of the source nodes.
    grid : Grid
    weights : Weights
        From the nodes to the cells.

    Attributes
    ----------
    own_share : numpy.ndarray
        (lat, lon) share of each cell's weight on nodes with data, at the last `fill` that found
        missing ones.
    """

    def __init__(self, lat: np.ndarray, lon: np.ndarray, grid: Grid, weights: Weights):
        self._weights = weights
        self._nodes = _unit_vectors(lat, lon)
        self._cells = _unit_vectors(grid.lat, grid.lon)
        self._key: tuple[bytes, bytes] | None = None

    def fill(self, cells: np.ndarray, nodes: np.ndarray) -> np.ndarray | None:
        """Fill NaN among `cells` (lat, lon) in place from `nodes` (node lat, node lon).

        Returns
        -------
        numpy.ndarray or None
            (lat, lon) bool, where a value is filled, or made from nodes with less than
            `MIN_OWN_WEIGHT`; None if no node is missing.
        """
        if not np.isnan(nodes.min()):
            return None
        empty, valid = np.isnan(cells), ~np.isnan(nodes)
        key = np.packbits(empty).tobytes(), np.packbits(valid).tobytes()
        if key != self._key:  # the mask of ERA5-Land is the same on all days
            self._key = key
            self._near, self._source = self._find(empty.ravel(), valid.ravel())
            self.own_share = valid_share(valid, self._weights)
            self._filled = (self.own_share < MIN_OWN_WEIGHT) & ~empty
            self._filled.ravel()[self._near] = True
        cells.ravel()[self._near] = nodes.ravel()[self._source]
        return self._filled

    def _find(self, empty: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells to fill, and the node of each."""
        cells, nodes = np.flatnonzero(empty), np.flatnonzero(valid)
        if not len(nodes):
            return cells[:0], nodes
        chord = 2 * np.sin(1000 * MAX_FILL_KM / EARTH_RADIUS_M / 2)
        distance, nearest = cKDTree(self._nodes[nodes]).query(
            self._cells[cells], distance_upper_bound=chord
        )
        near = np.isfinite(distance)
        return cells[near], nodes[nearest[near]]


def interpolate_gaps(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Interpolate runs of up to `MAX_GAP_DAYS` missing days of each cell, in place.

    A short run at the start or end of the days takes the nearest value.

    Parameters
    ----------
    values : numpy.ndarray
        (day, ...) of cells, NaN where missing.

    Returns
    -------
    origin : numpy.ndarray
        (day, ...) int8: `INTERPOLATED`, `MISSING`, or 0 for data.
    in_gap : numpy.ndarray
        (day, ...) bool, missing values of cells that have data on other days.
        The result is None if nothing is missing.
    """
    missing = np.isnan(values)
    if not missing.any():
        return None
    origin = np.where(missing, MISSING, 0).astype(np.int8)
    some = missing.any(axis=0) & ~missing.all(axis=0)
    series, absent = values[:, some], missing[:, some]
    n_days = len(values)
    day = np.arange(n_days)[:, None]
    before = np.maximum.accumulate(np.where(absent, -1, day), axis=0)
    after = np.minimum.accumulate(np.where(absent, n_days, day)[::-1], axis=0)[::-1]
    short = absent & (after - before - 1 <= MAX_GAP_DAYS)
    start = np.take_along_axis(series, np.maximum(before, 0), axis=0)
    end = np.take_along_axis(series, np.minimum(after, n_days - 1), axis=0)
    share = ((day - before) / np.maximum(after - before, 1)).astype(values.dtype)
    line = np.where(
        before < 0, end, np.where(after == n_days, start, start + share * (end - start))
    )
    values[:, some] = np.where(short, line, series)
    origin[:, some] = np.where(short, INTERPOLATED, origin[:, some])
    in_gap = np.zeros_like(missing)
    in_gap[:, some] = absent & ~short
    return origin, in_gap


def _unit_vectors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(lat x lon, 3) positions on the unit sphere."""
    phi, lam = np.radians(lat)[:, None], np.radians(lon)[None]
    x, y = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam)
    return np.stack([x, y, np.broadcast_to(np.sin(phi), x.shape)], axis=-1).reshape(-1, 3)
