"""The map of the demo Earth at any place: land classes, climate, NDVI range and hidden traits."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import netCDF4
import numpy as np

TRAITS = ("efficiency", "optimum", "drought", "respiration", "warming")
"""Hidden traits, in units of their spread: light-use efficiency, optimum temperature, sensitivity
to dry soil, base respiration, sensitivity of respiration to temperature."""


@cache
def _read(file: str, name: str) -> np.ndarray:
    with netCDF4.Dataset(str(files("tamflux") / "data" / file)) as data:
        data.set_auto_maskandscale(False)
        return data[name][:]


@cache
def _climate(name: str) -> np.ndarray:
    """(month, lat, lon) monthly means on nodes of 0.5 degree, the first column repeated."""
    step = {"t2m": 0.1, "tp": 1.0}[name]
    nodes = np.cumsum(_read("climate.nc", f"{name}_step"), axis=0, dtype=np.int32) * step
    return np.concatenate([nodes, nodes[:, :, :1]], axis=2).astype(np.float32)


def monthly_climate(name: str, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(12, point) monthly means: `t2m` in degC, `tp` in mm per month; bilinear between nodes."""
    nodes = _climate(name)
    y = np.clip((np.asarray(lat) + 90) / 0.5, 0, nodes.shape[1] - 1)
    x = ((np.asarray(lon) + 180) % 360) / 0.5
    row, col = np.minimum(y.astype(int), nodes.shape[1] - 2), x.astype(int)
    north, east = (y - row).astype(np.float32), (x - col).astype(np.float32)
    south = nodes[:, row, col] * (1 - east) + nodes[:, row, col + 1] * east
    upper = nodes[:, row + 1, col] * (1 - east) + nodes[:, row + 1, col + 1] * east
    return south * (1 - north) + upper * north


def cell_of(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the 0.25 degree cell that holds each point."""
    row = np.clip(((np.asarray(lat) + 90) / 0.25).astype(int), 0, 719)
    return row, (((np.asarray(lon) + 180) % 360) / 0.25).astype(int) % 1440


def igbp_fractions(lat: np.ndarray, lon: np.ndarray, size: float) -> np.ndarray:
    """(17, point) share of each IGBP class in the square of `size` degrees around each point.

    The mean over a lattice of sub-points no wider than 0.25 degree, each with its 0.25 degree cell.
    """
    counts = _read("surface.nc", "igbp_count")
    return _lattice_mean(lambda row, col: counts[:, row, col] / np.float32(25), lat, lon, size)


def ndvi_range(lat: np.ndarray, lon: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """(point,) least and greatest snow-free NDVI of the year; 0.05 and 0.1 where none is known."""
    low, high = (_read("surface.nc", f"ndvi_{name}") for name in ("minimum", "maximum"))

    def fields(row, col):
        least, most = low[row, col] * 0.01, high[row, col] * 0.01
        present = most > -0.5
        return np.stack([
            np.where(present, np.clip(least, 0.04, 0.9), 0.05),
            np.where(present, np.clip(most, 0.08, 0.95), 0.1),
        ]).astype(np.float32)  # fmt: skip

    least, most = _lattice_mean(fields, lat, lon, size)
    return np.minimum(least, most - 0.02), most


def koppen_map() -> np.ndarray:
    """(720, 1440) Köppen codes, first row in the south."""
    return _read("surface.nc", "koppen")


def igbp_percent() -> np.ndarray:
    """(17, 720, 1440) per cent of each IGBP class, adding to 100, first row in the south."""
    return (_read("surface.nc", "igbp_count") * 4).astype(np.uint8)


def _lattice_mean(fields, lat, lon, size: float) -> np.ndarray:
    parts = max(1, int(np.ceil(size / 0.25 - 1e-9)))
    steps = ((np.arange(parts) + 0.5) / parts - 0.5) * size
    total = None
    for north in steps:
        for east in steps:
            values = fields(*cell_of(np.asarray(lat) + north, np.asarray(lon) + east))
            total = values if total is None else total + values
    return total / np.float32(parts * parts)


def sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(3, point) unit vectors, float32."""
    phi, lam = np.radians(np.asarray(lat, float)), np.radians(np.asarray(lon, float))
    return np.stack(
        [np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)]
    ).astype(np.float32)  # fmt: skip


def hidden_traits(seed: int, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(len(TRAITS), point) standard-normal fields, smooth over about 1000 km.

    Sums of random plane waves on the sphere (a Gaussian random field by its spectral
    representation, as in Shinozuka and Deodatis 1991, Appl. Mech. Rev. 44).
    """
    rng = np.random.default_rng([seed, 7])
    place = sphere(lat, lon)
    traits = []
    for _ in TRAITS:
        waves = random_waves(rng, 96, 3.0, 25.0)
        amplitude = rng.standard_normal((2, 96)).astype(np.float32) / np.sqrt(96)
        angle = waves @ place
        traits.append(amplitude[0] @ np.cos(angle) + amplitude[1] @ np.sin(angle))
    return np.stack(traits).astype(np.float32)


def random_waves(rng: np.random.Generator, count: int, least: float, most: float) -> np.ndarray:
    """(count, 3) wave vectors per Earth radius, lengths log-uniform from `least` to `most`."""
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = least * (most / least) ** rng.random(count)
    return (direction * length[:, None]).astype(np.float32)
