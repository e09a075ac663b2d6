"""Solar geometry: radiation at the top of the atmosphere, by day and by hour, and day length.

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


def potential_radiation_at(lat: float, lon: float, times: np.ndarray) -> np.ndarray:
    """Short-wave radiation at the top of the atmosphere at moments, W m-2.

    Parameters
    ----------
    lat, lon : float
        Degrees north and east.
    times : numpy.ndarray
        (n,) datetime64, UTC.

    Returns
    -------
    numpy.ndarray
        (n,) solar constant x inverse squared distance to the sun (FAO-56 eq. 23) x cosine of the
        zenith angle, 0 at night.
    """
    times = np.asarray(times, "datetime64[s]")
    days = times.astype("datetime64[D]")
    hours = (times - days).astype(float) / 3600
    phi, declination, _, angle = (part[..., 0] for part in _sun(np.array([lat]), days))
    hour_angle = _hour_angle(lon, days, hours)
    height = np.sin(phi) * np.sin(declination)
    height = height + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return SOLAR_CONSTANT * (1 + 0.033 * np.cos(angle)) * np.maximum(height, 0)


def radiation_share(lat: float, lon: float, days: np.ndarray, start: float, stop: float):
    """(day,) share of a UTC day's potential radiation that falls between two UTC hours.

    The cosine of the zenith angle, a + b cos(w) in the hour angle w, is integrated exactly from
    sunrise to sunset. On days without sun the share is that of the hours.

    Parameters
    ----------
    lat, lon : float
        Degrees north and east.
    days : numpy.ndarray
        (day,) datetime64[D], UTC.
    start, stop : float
        Hours of the day, 0 to 24.
    """
    days = np.asarray(days, "datetime64[D]")
    phi, declination, sunset, _ = (part[..., 0] for part in _sun(np.array([lat]), days))
    a, b = np.sin(phi) * np.sin(declination), np.cos(phi) * np.cos(declination)

    def energy(hours: float) -> np.ndarray:
        hour_angle = _hour_angle(lon, days, np.full(len(days), hours))
        turns = np.floor((hour_angle + np.pi) / (2 * np.pi))
        within = np.clip(hour_angle - 2 * np.pi * turns, -sunset, sunset)
        return a * within + b * np.sin(within) + turns * 2 * (a * sunset + b * np.sin(sunset))

    of_day = energy(24.0) - energy(0.0)
    dark = of_day < 1e-6
    return np.where(
        dark, (stop - start) / 24, (energy(stop) - energy(start)) / np.where(dark, 1, of_day)
    )


def _hour_angle(lon: float, days: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Solar hour angle in radians, 0 at solar noon (FAO-56 eq. 31 to 33)."""
    day_of_year = (days - days.astype("datetime64[Y]")).astype(int) + 1
    b = 2 * np.pi * (day_of_year - 81) / 364
    equation_of_time = 0.1645 * np.sin(2 * b) - 0.1255 * np.cos(b) - 0.025 * np.sin(b)
    return np.pi / 12 * (hours + lon / 15 + equation_of_time - 12)


def _sun(lat: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, ...]:
    """Latitude, declination (eq. 24), sunset hour angle (eq. 25) and day angle, in radians."""
    days = np.asarray(days, "datetime64[D]")
    day_of_year = (days - days.astype("datetime64[Y]")).astype(int) + 1
    angle = 2 * np.pi * day_of_year[:, None] / 365
    phi = np.radians(lat)[None, :]
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    return phi, declination, sunset, angle
