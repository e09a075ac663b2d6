"""Regridding from latitude-longitude nodes (ERA5) to the cells of the product grid.

ERA5 values are given at nodes: 90, 89.75 ... and 0, 0.25 ... degrees, the *corners* of a 0.25
degree product cell. Weights are separable in latitude and longitude, so a field is regridded as
``W_lat @ field @ W_lon.T``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from tamflux.grid import Grid

MIN_VALID_WEIGHT = 1e-3
"""Minimum share of a cell's weight on nodes with values (ERA5-Land has none at sea)."""

_MAX_SLICES = 16
"""Up to this number, sums of slices are faster than the product of a sparse matrix."""


class Axis:
    """Weights along one axis: a sparse (target, source) matrix whose rows sum to 1.

    If one grid spacing is a multiple of the other, the sources of all targets lie at equal steps.
    The product is then a sum of few slices, several times as fast as that of the matrix.
    """

    def __init__(self, matrix: sp.csr_array):
        self.n = matrix.shape[0]
        self._matrix = matrix
        self._terms = _slices(matrix)

    def sources(self, target: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) source indices of one target, and their weights."""
        part = slice(self._matrix.indptr[target], self._matrix.indptr[target + 1])
        return self._matrix.indices[part], self._matrix.data[part]

    def apply(self, field: np.ndarray, axis: int) -> np.ndarray:
        """Weighted means of a field (source, n), or (n, source), along `axis`."""
        across = field.swapaxes(0, axis)
        if self._terms is None:
            return (self._matrix @ np.ascontiguousarray(across)).swapaxes(0, axis)
        shape = list(field.shape)
        shape[axis] = self.n
        means = np.empty(shape, np.result_type(field, np.float32))
        out = means.swapaxes(0, axis)
        for target, source, weight, first in self._terms:
            if first:
                np.multiply(across[source], weight, out=out[target])
            else:
                out[target] += across[source] * weight
        return means


class Weights(NamedTuple):
    """Weights along both axes."""

    lat: Axis
    lon: Axis


def regrid_weights(lat: np.ndarray, lon: np.ndarray, grid: Grid, conservative: bool) -> Weights:
    """Weights from source nodes to the cells of `grid`.

    Parameters
    ----------
    lat : numpy.ndarray
        (source lat,) degrees north, ascending, regular.
    lon : numpy.ndarray
        (source lon,) degrees east of any convention, increasing eastward, regular.
    conservative : bool
        True: each cell is the mean of the source over its area on the sphere; a source value
        represents the cell around its node (half a cell at the poles). Keeps the global mean.
        False: bilinear at the cell centre, unless a cell is at least twice as large as the
        source spacing: then the mean over its area is taken as well.

    Notes
    -----
    The source must cover the grid; `tamflux.readers.era5` checks that.
    """
    spacing_lat, spacing_lon = lat[1] - lat[0], (lon[1] - lon[0]) % 360
    if conservative or grid.resolution >= 1.999 * spacing_lat:
        return Weights(
            Axis(_overlap_lat(lat, spacing_lat, grid.lat_edges)),
            Axis(_overlap_lon(lon, spacing_lon, grid.lon_edges)),
        )
    return Weights(
        Axis(_linear(lat, spacing_lat, grid.lat, period=None)),
        Axis(_linear(lon, spacing_lon, grid.lon, period=360.0)),
    )


def regrid(fields: np.ndarray, weights: Weights) -> np.ndarray:
    """Regrid (day, source lat, source lon) fields to (day, lat, lon) float32.

    NaN values are left out and the weights of the others scaled up; a cell with less than
    `MIN_VALID_WEIGHT` of its weight on values is NaN.
    """
    out = np.empty((len(fields), weights.lat.n, weights.lon.n), np.float32)
    for day, field in enumerate(fields):
        if not np.isnan(field.min()):
            out[day] = _apply(field, weights)
            continue
        missing = np.isnan(field)
        share = _apply((~missing).astype(field.dtype), weights)
        total = _apply(np.where(missing, 0, field), weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[day] = np.where(share >= MIN_VALID_WEIGHT, total / share, np.nan)
    return out


def valid_share(valid: np.ndarray, weights: Weights) -> np.ndarray:
    """(lat, lon) share of each cell's weight on valid nodes, (source lat, source lon) bool."""
    return _apply(valid.astype(np.float32), weights)


def _apply(field: np.ndarray, weights: Weights) -> np.ndarray:
    return weights.lon.apply(weights.lat.apply(field, 0), 1)


def _slices(matrix: sp.csr_array) -> list[tuple[slice, slice, np.ndarray, bool]] | None:
    """Terms (targets, sources, weights, is_first) whose sum is the product with the matrix.

    Row t of the matrix has the non-zero weights w[t, k] at the columns c[t, k], so that

        mean[t] = sum over k of w[t, k] * field[c[t, k]],   k = 0 .. width - 1.

    For each k, the targets are cut into runs start..stop along which c[t, k] rises by one constant
    step s. Each run is one term of strided slices, without an index array:

        mean[start:stop] (+)= w[start:stop, k] * field[c[start, k] : c[stop - 1, k] + 1 : s].

    Rows with fewer weights repeat their last column with weight 0. `weights` is (target, 1);
    `is_first` marks the terms of k = 0, which assign instead of adding. None if more than
    `_MAX_SLICES` terms are needed.
    """
    width = np.diff(matrix.indptr)
    at = np.minimum(matrix.indptr[:-1, None] + np.arange(width.max()), len(matrix.data) - 1)
    absent = np.arange(width.max()) >= width[:, None]
    at[absent] = (matrix.indptr[1:, None] - 1 + 0 * at)[absent]  # the last column, weight 0
    columns, values = matrix.indices[at], np.where(absent, 0, matrix.data[at])
    terms = []
    for number, (column, weight) in enumerate(zip(columns.T, values.T, strict=True)):
        start = 0
        while start < len(column):
            step = int(column[start + 1] - column[start]) if start + 1 < len(column) else 1
            along = np.diff(column[start:]) == step
            stop = start + 1 + (len(along) if along.all() else int(along.argmin()))
            if step < 1:
                stop, step = start + 1, 1
            source = slice(int(column[start]), int(column[stop - 1]) + 1, step)
            terms.append((slice(start, stop), source, weight[start:stop, None], number == 0))
            if len(terms) > _MAX_SLICES:
                return None
            start = stop
    return terms


def _overlap_lat(nodes: np.ndarray, spacing: float, edges: np.ndarray) -> sp.csr_array:
    """Share of each latitude zone between `edges` that lies in the zone around each node."""
    south = np.sin(np.radians(np.clip(nodes - spacing / 2, -90, 90)))
    north = np.sin(np.radians(np.clip(nodes + spacing / 2, -90, 90)))
    zones = np.sin(np.radians(edges))
    return _normalised(_overlap(zones[:-1], zones[1:], south, north))


def _overlap_lon(nodes: np.ndarray, spacing: float, edges: np.ndarray) -> sp.csr_array:
    """Share of each interval between `edges` that lies around each node, the circle closed."""
    west = nodes - spacing / 2
    overlap = np.zeros((len(edges) - 1, len(nodes)))
    for turn in (-720.0, -360.0, 0.0, 360.0, 720.0):
        overlap += _overlap(edges[:-1], edges[1:], west + turn, west + spacing + turn)
    return _normalised(overlap)


def _overlap(start, stop, low, high) -> np.ndarray:
    """(target, source) length that intervals start..stop and low..high share."""
    shared = np.minimum(stop[:, None], high) - np.maximum(start[:, None], low)
    return np.maximum(shared, 0.0)


def _normalised(overlap: np.ndarray) -> sp.csr_array:
    overlap[overlap < 1e-12 * overlap.max()] = 0.0  # touching intervals, up to rounding
    return sp.csr_array((overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32))


def _linear(
    nodes: np.ndarray, spacing: float, points: np.ndarray, period: float | None
) -> sp.csr_array:
    """Linear interpolation at `points`; `period` closes a circle where the nodes fill it."""
    n = len(nodes)
    position = points - nodes[0]
    if period:  # counted from one step before the first node, so that its half cell is near it
        position = np.mod(position + spacing, period) - spacing
    position = position / spacing
    left = np.floor(position + 1e-9).astype(int)
    if not (period and abs(n * spacing - period) < 1e-3):
        left = np.clip(left, 0, n - 2)
    share = np.clip(position - left, 0.0, 1.0)  # beyond the last node: its value
    weights = sp.coo_array(
        (
            np.concatenate([1 - share, share]).astype(np.float32),
            (np.tile(np.arange(len(points)), 2), np.concatenate([left % n, (left + 1) % n])),
        ),
        shape=(len(points), n),
    )
    return weights.tocsr()
