"""Predictors that follow from others: vapour pressure deficit, wind speed, sun geometry.

Formulas of FAO-56: Allen et al. (1998), Crop evapotranspiration, FAO Irrigation and Drainage
Paper 56, https://www.fao.org/4/x0490e/x0490e07.htm
"""

from __future__ import annotations

import numpy as np

from tamflux.units import saturation_vapour_pressure

SOLAR_CONSTANT = 0.0820e6 / 60
"""W m-2; FAO-56 gives 0.0820 MJ m-2 min-1."""


def vpd_instant(t2m: np.ndarray, d2m: np.ndarray) -> np.ndarray:
    """Vapour pressure deficit in hPa of air at one moment, from air and dew point in degC."""
    deficit = saturation_vapour_pressure(t2m) - saturation_vapour_pressure(d2m)
    return np.maximum(deficit, 0)


def vpd_daily(
    t2m_min: np.ndarray, t2m: np.ndarray, t2m_max: np.ndarray, d2m: np.ndarray
) -> np.ndarray:
    """Daily mean vapour pressure deficit in hPa from daily values in degC.

    Saturation pressure is convex in temperature: that at the mean temperature is too low for the
    day, and the mean of those at the extremes (FAO-56 eq. 12) is too high by about as much. The
    weights 1, 2, 1 of minimum, mean and maximum are the Gauss-Lobatto-Chebyshev rule of three
    nodes (the trapezoidal rule in phase: Trefethen and Weideman 2014, doi 10.1137/130932132),
    exact to third order in the amplitude of a sinusoidal day. The actual pressure follows from
    the dew point (eq. 14).
    """
    extremes = saturation_vapour_pressure(t2m_min) + saturation_vapour_pressure(t2m_max)
    saturation = (extremes + 2 * saturation_vapour_pressure(t2m)) / 4
    return np.maximum(saturation - saturation_vapour_pressure(d2m), 0)


def wind_speed(u10: np.ndarray, v10: np.ndarray) -> np.ndarray:
    """Wind speed in m s-1 from its eastward and northward parts."""
    return np.hypot(u10, v10)


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
