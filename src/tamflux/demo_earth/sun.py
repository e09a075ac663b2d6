"""Sun over the demo Earth (Allen et al. 1998, FAO Irrigation and Drainage Paper 56, eqs. 21-34)."""

from __future__ import annotations

import numpy as np

SOLAR_CONSTANT = 1361.0
"""W m-2 (Kopp and Lean 2011, Geophys. Res. Lett. 38)."""


def declination(day_of_year: np.ndarray) -> np.ndarray:
    """Solar declination, radians (eq. 24)."""
    return 0.409 * np.sin(2 * np.pi * day_of_year / 365 - 1.39)


def potential_radiation(lat: np.ndarray, date: np.ndarray) -> np.ndarray:
    """(time, point) daily mean radiation at the top of the atmosphere, W m-2 (eqs. 21 to 25)."""
    lat, row = np.unique(lat, return_inverse=True)  # points of a grid row share their sun
    tilt, sunset = _sun(lat, date)
    phi = np.radians(lat)
    height = sunset * np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.sin(sunset)
    distance = 1 + 0.033 * np.cos(2 * np.pi * _day_of_year(date) / 365)
    radiation = SOLAR_CONSTANT / np.pi * distance * np.maximum(height, 0)
    return radiation.astype(np.float32)[:, row]


def day_length(lat: np.ndarray, date: np.ndarray) -> np.ndarray:
    """(time, point) hours of sun (eq. 34)."""
    lat, row = np.unique(lat, return_inverse=True)
    return (24 / np.pi * _sun(lat, date)[1]).astype(np.float32)[:, row]


def _sun(lat: np.ndarray, date: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(time, 1) declination and (time, point) hour angle of sunset, radians (eqs. 24 and 25)."""
    tilt = declination(_day_of_year(date))
    phi = np.clip(np.radians(lat), -1.57, 1.57)
    return tilt, np.arccos(np.clip(-np.tan(phi) * np.tan(tilt), -1, 1))


def _day_of_year(date: np.ndarray) -> np.ndarray:
    """(time, 1) from 1."""
    return (date - date.astype("datetime64[Y]")).astype(int)[:, None] + 1
