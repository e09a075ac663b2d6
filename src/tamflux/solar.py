"""Solar geometry: radiation at the top of the atmosphere and day length.

Formulas of FAO-56: Allen et al. (1998), Crop evapotranspiration, FAO Irrigation and Drainage
Paper 56, https://www.fao.org/4/x0490e/x0490e07.htm
"""

from __future__ import annotations

import numpy as np

SOLAR_CONSTANT = 0.0820e6 / 60
"""W m-2; FAO-56 gives 0.0820 MJ m-2 min-1."""


def potential_radiation(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Daily mean short-wave radiation at the top of the atmosphere in W m-2 (FAO-56 eq. 21).

    Parameters
    ----------
    lat : numpy.ndarray
        (lat,) degrees north.
    days : numpy.ndarray
        (time,) datetime64[D].

    Returns
    -------
    numpy.ndarray
        (time, lat) float32.
    """
    phi, declination, sunset, angle = _sun(lat, days)
    distance = 1 + 0.033 * np.cos(angle)  # eq. 23: inverse squared distance to the sun
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(
        declination
    ) * np.sin(sunset)
    return np.maximum(SOLAR_CONSTANT / np.pi * distance * height, 0).astype(np.float32)


def day_length(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(time, lat) float32 hours from sunrise to sunset (FAO-56 eq. 34); 0 or 24 beyond the circles.

    Parameters as in `potential_radiation`. The sun is a point and there is no refraction.
    """
    return (24 / np.pi * _sun(lat, days)[2]).astype(np.float32)


def _sun(lat: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, ...]:
    """Latitude, declination (eq. 24), sunset hour angle (eq. 25) and day angle, in radians."""
    days = np.asarray(days, "datetime64[D]")
    day_of_year = (days - days.astype("datetime64[Y]")).astype(int) + 1
    angle = 2 * np.pi * day_of_year[:, None] / 365
    phi = np.radians(lat)[None, :]
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    return phi, declination, sunset, angle
