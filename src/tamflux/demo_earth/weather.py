"""Daily weather of the demo Earth: a pure function of seed, date, latitude and longitude.

Anomalies (`random_fields`) around the shipped ERA5 climatology (`climate`). One of them, the
*wetness*, ties cloud, rain, radiation, humidity and diurnal range together. Numbers without a
source below are chosen so that the planet resembles the Earth.

Sources: Allen et al. (1998), FAO Irrigation and Drainage Paper 56, for the mean saturation pressure
(eq. 12), clear-sky radiation (eq. 37) and reference evapotranspiration after Hargreaves (eqs. 50
and 52); saturation pressure over water (Alduchov and Eskridge 1996, J. Appl. Meteorol. 35);
radiation under cloud (Kasten and Czeplak 1980, Solar Energy 24); long-wave radiation (Brutsaert
1975, Water Resour. Res. 11; cloud factor of Sugita and Brutsaert 1993, Water Resour. Res. 29, eq.
10); degree-day snow melt (Hock 2003, J. Hydrol. 282).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtri

from tamflux.demo_earth.climate import DAYS_OF_MONTH, daily_climate, monthly_climate
from tamflux.demo_earth.random_fields import anomaly, sphere
from tamflux.demo_earth.sun import potential_radiation

LOOKBACK_DAYS = 365
"""Days simulated before a year, so that soil water, snow and plants forget their initial state."""
SOIL_CAPACITY = 120.0
"""Water capacity of the root zone, mm."""
SEA_LEVEL_PRESSURE = 1013.25
"""hPa; the planet is flat."""
CLEAR_SKY = 0.75
"""Share of the potential radiation that reaches the ground under a clear sky (FAO-56, eq. 37)."""
STEFAN_BOLTZMANN = 5.67e-8
"""W m-2 K-4."""
MELT = 3.5
"""Degree-day factor of snow, mm K-1 d-1."""


@dataclass
class Weather:
    """Arrays (time, point) float32 in the units of `tamflux.variables`; rain and melt in mm d-1.

    `soil` is the filled share of the root zone, `cloud` and `snow` are covers (0-1).
    """

    date: np.ndarray
    t2m: np.ndarray
    t2m_min: np.ndarray
    t2m_max: np.ndarray
    d2m: np.ndarray
    vpd: np.ndarray
    ssrd: np.ndarray
    strd: np.ndarray
    tp: np.ndarray
    soil: np.ndarray
    snow: np.ndarray
    cloud: np.ndarray
    sp: np.ndarray
    u10: np.ndarray
    v10: np.ndarray
    ssrd_pot: np.ndarray

    @property
    def swvl1(self) -> np.ndarray:
        """Volumetric soil water, m3 m-3, between wilting and saturation of a loam."""
        return 0.06 + 0.38 * self.soil

    def tail(self, days: int) -> Weather:
        """The last days alone."""
        return Weather(*(getattr(self, f.name)[-days:] for f in fields(self)))

    def columns(self, index: np.ndarray) -> Weather:
        """The weather of the given points, with repetition."""
        parts = (getattr(self, f.name) for f in fields(self))
        return Weather(*(p if p.ndim == 1 else p[:, index] for p in parts))


def simulate_weather(seed: int, year: int, lat: np.ndarray, lon: np.ndarray) -> Weather:
    """Weather of a year and of `LOOKBACK_DAYS` days before it, at points (lat, lon) in degrees.

    Variables of the day alone have the same value in every call; soil water and snow start from a
    root zone that is half full and free of snow at the start of the look-back window.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    date, position = year_dates(year), sphere(lat, lon)
    wet, warmth = (anomaly(seed, name, date, position) for name in ("wetness", "warmth"))
    usual_t = monthly_climate("t2m", lat, lon)
    usual_tp = np.maximum(monthly_climate("tp", lat, lon), 0) / DAYS_OF_MONTH[:, None]
    aridity = _aridity(usual_t.mean(0), usual_tp.mean(0))

    cloud, tp = _cloud_and_rain(wet, daily_climate(usual_tp, date, positive=True))
    amplitude = np.clip(0.8 + 0.085 * np.ptp(usual_t, axis=0), 0.9, 4.5)
    t2m = daily_climate(usual_t, date) + amplitude * (
        np.float32(0.95) * warmth - np.float32(0.3) * wet
    )
    pot = potential_radiation(lat, date)
    ssrd = pot * (CLEAR_SKY * (1 - np.float32(0.75) * cloud ** np.float32(3.4)))
    half, d2m = _half_range_and_dew_point(t2m, pot, cloud, wet, aridity)
    t2m_min, t2m_max = t2m - half, t2m + half
    vapour = saturation_pressure(d2m)
    vpd = (saturation_pressure(t2m_min) + saturation_pressure(t2m_max)) / 2 - vapour
    soil, snow = _soil_and_snow(t2m, half, ssrd, tp)
    u10, v10 = _wind(seed, date, position, lat)
    sp = SEA_LEVEL_PRESSURE - 6 * wet * np.minimum(np.abs(np.sin(np.radians(lat))) * 1.5, 1)
    arrays = (t2m, t2m_min, t2m_max, d2m, np.maximum(vpd, 0), ssrd, _long_wave(t2m, vapour, cloud),
              tp, soil, snow, cloud, sp, u10, v10, pot)  # fmt: skip
    return Weather(date, *(a.astype(np.float32, copy=False) for a in arrays))


def year_dates(year: int) -> np.ndarray:
    """(LOOKBACK_DAYS + days of the year,) datetime64[D], ending on 31 December."""
    return np.arange(
        np.datetime64(f"{year}-01-01") - LOOKBACK_DAYS, np.datetime64(f"{year + 1}-01-01")
    )


def days_in(year: int) -> int:
    """365 or 366."""
    return len(year_dates(year)) - LOOKBACK_DAYS


def saturation_pressure(t: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure over water, hPa (Magnus form of Alduchov and Eskridge 1996)."""
    return 6.1094 * np.exp(17.625 * t / (t + 243.04))


def _aridity(mean_t: np.ndarray, mean_tp: np.ndarray) -> np.ndarray:
    """(point,) 0 (humid) to 1 (desert), from mean rain in mm d-1 and mean temperature in degC."""
    return (1 / (1 + (mean_tp + 0.1) / (np.maximum(mean_t, 0) * 0.08 + 0.5))).astype(np.float32)


def _cloud_and_rain(wet: np.ndarray, rain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cloud cover (0-1) and rain (mm d-1) from wetness and the climatological rain of the day.

    It rains where the wetness exceeds a threshold that gives the share of wet days; the amount is
    a power of the excess, scaled so that its expectation is the climatological rain.
    """
    share = np.clip(0.12 + 0.58 * (1 - np.exp(-rain / 4)), 0.12, 0.7).astype(np.float32)
    level = -ndtri(np.linspace(0.12, 0.7, 256))
    z = np.linspace(-8, 8, 4001)
    normal = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    expected = np.array([(np.maximum(z - t, 0) ** 1.5 * normal).sum() for t in level])
    bins = (share - np.float32(0.12)) * np.float32(255 / 0.58)
    low = np.minimum(bins.astype(np.int16), 254)
    part = bins - low
    level, expected = level.astype(np.float32), expected.astype(np.float32)
    threshold = level[low] * (1 - part) + level[low + 1] * part
    scale = expected[low] * (1 - part) + expected[low + 1] * part
    excess = np.maximum(wet - threshold, 0)
    tp = rain * excess * np.sqrt(excess) / scale
    cloud = np.clip(0.68 - 0.30 * threshold + 0.33 * wet, 0.02, 1).astype(np.float32)
    return cloud, tp


def _half_range_and_dew_point(t2m, pot, cloud, wet, aridity) -> tuple[np.ndarray, np.ndarray]:
    """Half of the diurnal range (K) and dew point (degC); dry, clear and bright days vary most."""
    light = np.minimum(pot / 250, 1)
    half = (2.2 + 6.5 * aridity * (1 - 0.5 * cloud) - 1.6 * cloud) * (0.35 + 0.65 * light)
    half = np.maximum(half, np.float32(0.6))
    dryness = 0.3 + 11 * aridity**1.5 * light - 0.8 * wet
    d2m = t2m - half - np.maximum(dryness, -0.5 * half)
    return half, np.minimum(d2m, t2m - np.float32(0.1))


def _long_wave(t2m: np.ndarray, vapour: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Long-wave radiation of the sky, W m-2, from degC, hPa and cloud cover."""
    kelvin = t2m + np.float32(273.15)
    clear = 1.24 * (vapour / kelvin) ** np.float32(1 / 7)
    emissivity = clear * (1 + 0.0496 * cloud ** np.float32(2.45))
    return STEFAN_BOLTZMANN * kelvin**4 * np.clip(emissivity, 0.55, 1)


def _soil_and_snow(t2m, half, ssrd, tp) -> tuple[np.ndarray, np.ndarray]:
    """Filled share of the root zone, a bucket, and snow cover from a degree-day snow pack."""
    demand = np.maximum(0.0023 / 0.16 * (t2m + 17.8), 0) * ssrd * np.float32(0.03527)
    demand *= 0.5 + 0.05 * np.minimum(half, 10)
    cold = np.clip((1.5 - t2m) / 3, 0, 1)
    soil, snow = np.empty_like(t2m), np.empty_like(t2m)
    water = np.full(t2m.shape[1], 0.5 * SOIL_CAPACITY, np.float32)
    pack = np.zeros(t2m.shape[1], np.float32)
    for day in range(len(t2m)):
        fall = tp[day] * cold[day]
        melt = np.minimum(pack, np.maximum(t2m[day], 0) * np.float32(MELT))
        pack += fall - melt
        evaporation = demand[day] * np.minimum(water / (0.6 * SOIL_CAPACITY), 1)
        water = np.clip(water + tp[day] - fall + melt - evaporation, 0, SOIL_CAPACITY)
        soil[day] = water
        snow[day] = pack
    return soil / SOIL_CAPACITY, snow / (snow + 12)


def _wind(seed: int, date: np.ndarray, position: np.ndarray, lat: np.ndarray):
    """Eastward and northward wind: westerlies of the middle latitudes, trades, and eddies."""
    belt = (4 * np.sin(np.radians(3 * (np.abs(lat) - 30)))).astype(np.float32)
    belt = np.where(np.abs(lat) > 75, 0, belt)
    eddy = (1.2 + 1.8 * np.abs(np.sin(np.radians(lat)))).astype(np.float32)
    east, north = (anomaly(seed, name, date, position) for name in ("east", "north"))
    return belt + eddy * east, eddy * north


def row_blocks(rows: int, cols: int, points: int = 6000) -> list[slice]:
    """Blocks of grid rows with about `points` points each, which bound the memory of a job."""
    step = max(1, points // cols)
    return [slice(row, min(row + step, rows)) for row in range(0, rows, step)]
