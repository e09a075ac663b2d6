"""Regridding from latitude-longitude nodes (ERA5) to the cells of the product grid.

ERA5 values stand at nodes: 90, 89.75 ... and 0, 0.25 ... degrees, the *corners* of a 0.25 degree
product cell. Weights are separable in latitude and longitude, so a field is regridded as
``W_lat @ field @ W_lon.T``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from tamflux.grid import Grid

MIN_VALID_WEIGHT = 1e-3
"""Share of a cell's weight that must have values (ERA5-Land has none at sea)."""


class Weights(NamedTuple):
    """Sparse weights: lat (target lat, source lat), lon (target lon, source lon); rows sum to 1."""

    lat: sp.csr_array
    lon: sp.csr_array


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
        stands for the cell around its node (half a cell at the poles). Keeps the global mean.
        False: bilinear at the cell centre, unless a cell is at least twice as large as the
        source spacing: then the mean over its area is taken as well.

    Notes
    -----
    The source must cover the grid; `tamflux.sources.era5` checks that.
    """
    spacing_lat, spacing_lon = lat[1] - lat[0], (lon[1] - lon[0]) % 360
    if conservative or grid.resolution >= 1.999 * spacing_lat:
        return Weights(
            _overlap_lat(lat, spacing_lat, grid.lat_edges),
            _overlap_lon(lon, spacing_lon, grid.lon_edges),
        )
    return Weights(
        _linear(lat, spacing_lat, grid.lat, period=None),
        _linear(lon, spacing_lon, grid.lon, period=360.0),
    )


def regrid(fields: np.ndarray, weights: Weights) -> np.ndarray:
    """Regrid (day, source lat, source lon) fields to (day, lat, lon) float32.

    NaN values are left out and the weights of the others scaled up; a cell with less than
    `MIN_VALID_WEIGHT` of its weight on values is NaN.
    """
    out = np.empty((len(fields), weights.lat.shape[0], weights.lon.shape[0]), np.float32)
    for day, field in enumerate(fields):
        missing = np.isnan(field)
        if not missing.any():
            out[day] = _apply(field, weights)
            continue
        share = _apply((~missing).astype(field.dtype), weights)
        total = _apply(np.where(missing, 0, field), weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[day] = np.where(share >= MIN_VALID_WEIGHT, total / share, np.nan)
    return out


def _apply(field: np.ndarray, weights: Weights) -> np.ndarray:
    return (weights.lon @ np.ascontiguousarray((weights.lat @ field).T)).T


def _overlap_lat(nodes: np.ndarray, spacing: float, edges: np.ndarray) -> sp.csr_array:
    """Share of each band between `edges` that lies in the band around each node."""
    south = np.sin(np.radians(np.clip(nodes - spacing / 2, -90, 90)))
    north = np.sin(np.radians(np.clip(nodes + spacing / 2, -90, 90)))
    bands = np.sin(np.radians(edges))
    return _normalised(_overlap(bands[:-1], bands[1:], south, north))


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
