"""The map of the demo Earth at any point: land classes and NDVI range."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import netCDF4
import numpy as np


@cache
def read_shipped(file: str, name: str) -> np.ndarray:
    """A variable of a file in `tamflux/data`, as stored."""
    with netCDF4.Dataset(str(files("tamflux") / "data" / file)) as data:
        data.set_auto_maskandscale(False)
        return data[name][:]


def cell_of(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the 0.25 degree cell that holds each point."""
    row = np.clip(((np.asarray(lat) + 90) / 0.25).astype(int), 0, 719)
    return row, (((np.asarray(lon) + 180) % 360) / 0.25).astype(int) % 1440


def igbp_fractions(lat: np.ndarray, lon: np.ndarray, size: float) -> np.ndarray:
    """(17, point) fraction of each IGBP class in the square of `size` degrees around each point.

    The mean over a lattice of sub-points no wider than 0.25 degree, each with its 0.25 degree cell.
    """
    pixels = read_shipped("surface.nc", "igbp_count")
    return _lattice_mean(lambda row, col: pixels[:, row, col] / np.float32(25), lat, lon, size)


def ndvi_range(lat: np.ndarray, lon: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """(point,) minimum and maximum snow-free NDVI of the year; 0.05 and 0.1 where unknown."""
    low, high = (read_shipped("surface.nc", f"ndvi_{name}") for name in ("minimum", "maximum"))

    def fields(row, col):
        minimum, maximum = low[row, col] * 0.01, high[row, col] * 0.01
        present = maximum > -0.5
        return np.stack([
            np.where(present, np.clip(minimum, 0.04, 0.9), 0.05),
            np.where(present, np.clip(maximum, 0.08, 0.95), 0.1),
        ]).astype(np.float32)  # fmt: skip

    minimum, maximum = _lattice_mean(fields, lat, lon, size)
    return np.minimum(minimum, maximum - 0.02), maximum


def koppen_map() -> np.ndarray:
    """(720, 1440) Köppen codes, first row in the south."""
    return read_shipped("surface.nc", "koppen")


def igbp_percent() -> np.ndarray:
    """(17, 720, 1440) per cent of each IGBP class, which sum to 100; first row in the south."""
    return (read_shipped("surface.nc", "igbp_count") * 4).astype(np.uint8)


def _lattice_mean(fields, lat, lon, size: float) -> np.ndarray:
    parts = max(1, int(np.ceil(size / 0.25 - 1e-9)))
    steps = ((np.arange(parts) + 0.5) / parts - 0.5) * size
    total = np.zeros((), np.float32)
    for north in steps:
        for east in steps:
            total = total + fields(*cell_of(np.asarray(lat) + north, np.asarray(lon) + east))
    return total / np.float32(parts * parts)
