"""Phenology of the demo Earth and the reflectance in the seven MODIS land bands that follows.

Sources: growing-season index (Jolly et al. 2005, Glob. Change Biol. 11: Tmin -2 to 5 degC, day
length 10 to 11 h, 21-day mean; its VPD limit is replaced by soil water); fAPAR from NDVI (Sims et
al. 2005, J. Geophys. Res. 110); bright dry soils and snow spectra after the ECOSTRESS spectral
library (Meerdink et al. 2019, Remote Sens. Environ. 230), rounded.
"""

from __future__ import annotations

import numpy as np

from tamflux.demo_earth.sun import day_length
from tamflux.demo_earth.weather import Weather
from tamflux.variables import IGBP_CLASSES

EVERGREEN = dict(
    WAT=0.0, ENF=0.75, EBF=0.9, DNF=0.1, DBF=0.1, MF=0.4, CSH=0.5, OSH=0.4, WSA=0.4, SAV=0.3,
    GRA=0.15, WET=0.2, CRO=0.05, URB=0.4, CVM=0.15, SNO=0.0, BSV=0.5,
)  # fmt: skip
"""Part of the range of NDVI that remains all year, per class (chosen, no source)."""

TALL = dict(ENF=1, EBF=1, DNF=1, DBF=1, MF=1, CSH=0.3, OSH=0.2, WSA=0.6, SAV=0.3)
"""Share of the snow on the ground that a canopy hides, divided by 0.7 (chosen, no source)."""

SNOW = np.array([0.88, 0.84, 0.90, 0.89, 0.48, 0.10, 0.08], np.float32)
"""Reflectance of fresh snow in MODIS bands 1 to 7."""


def class_vector(table: dict[str, float]) -> np.ndarray:
    """(17,) float32 values in the order of the IGBP codes, 0 for classes without a value."""
    return np.array([table.get(name, 0.0) for name in IGBP_CLASSES], np.float32)


def season(weather: Weather, lat: np.ndarray) -> np.ndarray:
    """(time, point) growing-season index, 0 dormant to 1 in full leaf."""
    warm = np.clip((weather.t2m_min + 2) / 7, 0, 1)
    light = np.clip(day_length(lat, weather.date) - 10, 0, 1)
    moist = np.clip((weather.soil - 0.03) / 0.3, 0, 1)
    return running_mean(warm * light * moist, 10)


def running_mean(values: np.ndarray, days: float, start: np.ndarray | None = None) -> np.ndarray:
    """(time, point) mean of the past, weights exp(-age / days), from `start` or the first day on.

    m_t = m_(t-1) + (1 - exp(-1 / days)) (x_t - m_(t-1))
    """
    out = np.empty_like(values)
    state = values[0] if start is None else start
    gain = np.float32(1 - np.exp(-1 / days))
    for day, today in enumerate(values):
        state = state + gain * (today - state)
        out[day] = state
    return out


def ndvi(index: np.ndarray, low: np.ndarray, high: np.ndarray, evergreen: np.ndarray) -> np.ndarray:
    """(time, point) snow-free NDVI between the minimum and maximum of the point."""
    return low + (high - low) * (evergreen + (1 - evergreen) * index)


def fapar(greenness: np.ndarray) -> np.ndarray:
    """Absorbed share of photosynthetically active radiation from NDVI (Sims et al. 2005)."""
    return np.clip(1.24 * greenness - 0.168, 0, 0.95)


def reflectance(
    greenness: np.ndarray, soil: np.ndarray, snow: np.ndarray, sheltered: np.ndarray
) -> np.ndarray:
    """(7, ...) surface reflectance in MODIS bands 1 to 7.

    Parameters
    ----------
    greenness : numpy.ndarray
        Snow-free NDVI; without snow, bands 1 and 2 reproduce it exactly.
    soil, snow : numpy.ndarray
        Filled share of the root zone; snow cover of the ground.
    sheltered : numpy.ndarray
        Share of the ground's snow hidden below trees.
    """
    bare = 0.40 - 0.18 * np.clip(soil * 1.5, 0, 1)
    nir = bare * (1 - greenness) + 0.34 * greenness
    red = nir * (1 - greenness) / (1 + greenness)
    water = np.clip(-0.22 + 0.55 * greenness + 0.18 * soil, -0.4, 0.6)  # LSWI
    swir = nir * (1 - water) / (1 + water)
    blue, green = 0.45 * red + 0.008, 0.55 * red + 0.09 * nir
    bands = np.stack([red, nir, blue, green, 0.7 * nir + 0.32 * swir, swir, 0.62 * swir])
    white = snow * (1 - sheltered)
    return bands * (1 - white) + SNOW.reshape(7, *[1] * greenness.ndim) * white
