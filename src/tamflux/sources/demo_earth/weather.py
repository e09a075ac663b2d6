"""Daily weather of the demo Earth: a pure function of seed, date, latitude and longitude.

Anomalies are sums of random plane waves on the sphere whose amplitudes are AR(1) in time, so they
are coherent in space, persist from day to day, and have the same values on any grid. One of them,
the *wetness*, ties cloud, rain, radiation, humidity and diurnal range together. Monthly means
follow the shipped ERA5 climatology.

Sources: solar geometry and FAO-56 saturation vapour pressure and Hargreaves reference
evapotranspiration (Allen et al. 1998, FAO Irrigation and Drainage Paper 56, eqs. 11, 21-25, 52);
clear-sky share and cloud cover (Kasten and Czeplak 1980, Solar Energy 24); long-wave radiation
(Brutsaert 1975, Water Resour. Res. 11; cloud factor of Sugita and Brutsaert 1993); degree-day
snow melt (Hock 2003, J. Hydrol. 282).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

from tamflux.errors import ConfigError
from tamflux.sources.demo_earth.planet import monthly_climate, random_waves, sphere

EPOCH = np.datetime64("1980-01-01")
"""First day of the planet's weather."""
HISTORY_DAYS = 365
"""Days simulated before a year, so that soil water, snow and plants forget how they began."""
SOIL_CAPACITY = 120.0
"""Water that the root zone holds, mm."""
SEA_LEVEL_PRESSURE = 1013.25

_WAVES = 96
_ANOMALIES = {"warmth": (2.0, 22.0, 15.0), "wetness": (3.0, 40.0, 3.5),
              "east": (2.0, 25.0, 6.0), "north": (2.0, 25.0, 6.0)}  # fmt: skip
"""Shortest and longest wave number per Earth radius, longest life in days."""


@dataclass
class Weather:
    """Arrays (time, point) float32 in the units of `tamflux.variables`; rain and melt in mm d-1.

    `soil` is the filled share of the root zone's capacity, `cloud` and `snow` are covers (0-1).
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
    """Weather of a year and of `HISTORY_DAYS` days before it.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        (point,) degrees.

    Raises
    ------
    ConfigError
        If the history begins before `EPOCH`.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    date = year_dates(year)
    if date[0] < EPOCH:
        raise ConfigError(
            "the demo Earth has no weather for this year",
            variable="years", found=year, expected=f"{EPOCH} or later, and a year before it",
            fix="choose later years",
        )  # fmt: skip
    place = sphere(lat, lon)
    wet = _anomaly(seed, "wetness", date, place)
    warmth = _anomaly(seed, "warmth", date, place)
    climate = np.clip(monthly_climate("tp", lat, lon) / np.float32(30.44), 0, None)
    rain = _daily(climate, date, positive=True)
    t2m_clim = monthly_climate("t2m", lat, lon)
    mean_t, mean_p = t2m_clim.mean(0), climate.mean(0)
    aridity = 1 / (1 + (mean_p + 0.1) / (np.maximum(mean_t, 0) * 0.08 + 0.5))

    cloud, tp = _cloud_and_rain(wet, rain)
    spread = np.clip(0.8 + 0.085 * np.ptp(t2m_clim, axis=0), 0.9, 4.5)
    t2m = _daily(t2m_clim, date) + spread * (np.float32(0.95) * warmth - np.float32(0.3) * wet)
    pot = potential_radiation(lat, date)
    ssrd = pot * (0.76 - 0.57 * cloud**2)
    light = np.minimum(pot / 250, 1)
    half = (2.2 + 6.5 * aridity * (1 - 0.5 * cloud) - 1.6 * cloud) * (0.35 + 0.65 * light)
    half = np.maximum(half, 0.6)
    dryness = 0.3 + 11 * aridity**1.5 * light - 0.8 * wet
    d2m = np.minimum(t2m - half - np.maximum(dryness, -0.5 * half), t2m - np.float32(0.1))
    t2m_min, t2m_max = t2m - half, t2m + half
    vapour = saturation_pressure(d2m)
    saturated = (saturation_pressure(t2m_min) + saturation_pressure(t2m_max)) / 2
    kelvin = t2m + np.float32(273.15)
    emissivity = 1.24 * (vapour / kelvin) ** (1 / 7) * (1 + 0.17 * cloud**2)
    strd = 5.67e-8 * kelvin**4 * np.clip(emissivity, 0.55, 1)
    soil, snow = _soil_and_snow(t2m, half, ssrd, tp)
    u10, v10 = _wind(seed, date, place, lat)
    sp = SEA_LEVEL_PRESSURE - 6 * wet * np.minimum(np.abs(np.sin(np.radians(lat))) * 1.5, 1)
    arrays = (t2m, t2m_min, t2m_max, d2m, np.maximum(saturated - vapour, 0), ssrd, strd, tp, soil,
              snow, cloud, sp, u10, v10, pot)  # fmt: skip
    return Weather(date, *(a.astype(np.float32, copy=False) for a in arrays))


def year_dates(year: int) -> np.ndarray:
    """(HISTORY_DAYS + days of the year,) datetime64[D], ending on 31 December."""
    return np.arange(
        np.datetime64(f"{year}-01-01") - HISTORY_DAYS, np.datetime64(f"{year + 1}-01-01")
    )


def days_in(year: int) -> int:
    """365 or 366."""
    return len(year_dates(year)) - HISTORY_DAYS


def saturation_pressure(t: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure over water, hPa (Magnus form of Alduchov and Eskridge 1996)."""
    return 6.1094 * np.exp(17.625 * t / (t + 243.04))


def potential_radiation(lat: np.ndarray, date: np.ndarray) -> np.ndarray:
    """(time, point) daily mean radiation at the top of the atmosphere, W m-2 (FAO-56, eq. 21)."""
    doy = (date - date.astype("datetime64[Y]")).astype(int) + 1
    angle = 2 * np.pi * doy[:, None] / 365
    tilt = 0.409 * np.sin(angle - 1.39)
    phi = np.radians(lat)[None]
    sunset = np.arccos(np.clip(-np.tan(np.clip(phi, -1.57, 1.57)) * np.tan(tilt), -1, 1))
    height = sunset * np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.sin(sunset)
    return (1361 / np.pi * (1 + 0.033 * np.cos(angle)) * np.maximum(height, 0)).astype(np.float32)


@lru_cache(maxsize=8)
def _amplitudes(seed: int, name: str, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Wave vectors (wave, 3) and their amplitudes (time since EPOCH, 2 wave).

    Innovations are drawn day by day from the epoch, so that the weather of a day does not depend
    on the years asked for. Longer waves live longer: from 1.2 days to the life given.
    """
    rng = np.random.default_rng([seed, 11 + list(_ANOMALIES).index(name)])
    waves = random_waves(rng, _WAVES, *_ANOMALIES[name][:2])
    life = np.clip(40 / np.linalg.norm(waves, axis=1), 1.2, _ANOMALIES[name][2])
    memory = np.tile(np.exp(-1 / life), 2)
    shocks = rng.standard_normal((last, 2 * _WAVES))
    shocks[1:] *= np.sqrt(1 - memory**2)
    for column in range(2 * _WAVES):
        shocks[:, column] = lfilter([1], [1, -memory[column]], shocks[:, column])
    return waves, (shocks / np.sqrt(_WAVES)).astype(np.float32)


def _anomaly(seed: int, name: str, date: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(time, point) standard-normal field."""
    first, last = (int((d - EPOCH).astype(int)) for d in (date[0], date[-1]))
    waves, amplitude = _amplitudes(seed, name, last + 1)
    angle = waves @ place
    return amplitude[first:] @ np.concatenate([np.cos(angle), np.sin(angle)])


def _cloud_and_rain(wet: np.ndarray, rain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cloud cover (0-1) and rain (mm d-1) from wetness and the climatological rain of the day.

    It rains where the wetness exceeds the level that leaves the share of wet days; the amount is
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
    cloud = np.clip(0.62 - 0.36 * threshold + 0.33 * wet, 0.02, 1).astype(np.float32)
    return cloud, tp


def _soil_and_snow(t2m, half, ssrd, tp) -> tuple[np.ndarray, np.ndarray]:
    """Filled share of the root zone and snow cover: a bucket under a degree-day snow pack."""
    demand = np.maximum(0.0023 / 0.16 * (t2m + 17.8), 0) * ssrd * np.float32(0.03527)
    demand *= 0.5 + 0.05 * np.minimum(half, 10)
    cold = np.clip((1.5 - t2m) / 3, 0, 1)
    soil, snow = np.empty_like(t2m), np.empty_like(t2m)
    water = np.full(t2m.shape[1], 0.5 * SOIL_CAPACITY, np.float32)
    pack = np.zeros(t2m.shape[1], np.float32)
    for day in range(len(t2m)):
        fall = tp[day] * cold[day]
        melt = np.minimum(pack, np.maximum(t2m[day], 0) * np.float32(3.5))
        pack += fall - melt
        thirst = demand[day] * np.minimum(water / (0.6 * SOIL_CAPACITY), 1)
        water = np.clip(water + tp[day] - fall + melt - thirst, 0, SOIL_CAPACITY)
        soil[day] = water
        snow[day] = pack
    return soil / SOIL_CAPACITY, snow / (snow + 12)


def _wind(seed: int, date: np.ndarray, place: np.ndarray, lat: np.ndarray):
    """Eastward and northward wind: westerlies of the middle latitudes, trades, and eddies."""
    belt = (4 * np.sin(np.radians(3 * (np.abs(lat) - 30)))).astype(np.float32)
    belt = np.where(np.abs(lat) > 75, 0, belt)
    eddy = (1.2 + 1.8 * np.abs(np.sin(np.radians(lat)))).astype(np.float32)
    return belt + eddy * _anomaly(seed, "east", date, place), eddy * _anomaly(
        seed, "north", date, place
    )


def _daily(monthly: np.ndarray, date: np.ndarray, positive: bool = False) -> np.ndarray:
    """(time, point) daily values, linear between mid-months, whose monthly means are `monthly`.

    Node values are solved for, so that each month's mean of the broken line is the given one
    (Rymes and Myers 2001, Solar Energy 71, treat the same problem); where `positive`, the line is
    cut at zero and each month scaled back.
    """
    years = date.astype("datetime64[Y]")
    out = np.empty((len(date), monthly.shape[1]), np.float32)
    for year in np.unique(years):
        whole = np.arange(year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]"))
        line, mean = _broken_line(whole)
        nodes = np.linalg.solve(mean @ line, monthly).astype(np.float32)
        values = line.astype(np.float32) @ nodes
        if positive:
            np.maximum(values, 0, out=values)
            found = mean.astype(np.float32) @ values
            factor = np.where(found > 1e-6, monthly / np.maximum(found, 1e-6), 0)
            values *= factor.astype(np.float32)[whole.astype("datetime64[M]").astype(int) % 12]
        mine = years == year
        out[mine] = values[-mine.sum() :] if year == years[0] else values[: mine.sum()]
    return out


def _broken_line(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(day, month) weights of the twelve nodes, and (month, day) averaging over months."""
    month = whole.astype("datetime64[M]").astype(int) % 12
    start = np.searchsorted(month, np.arange(13))
    middle = (start[:-1] + start[1:]) / 2
    knots = np.concatenate([[middle[-1] - len(whole)], middle, [middle[0] + len(whole)]])
    at = np.arange(len(whole)) + 0.5
    left = np.searchsorted(knots, at, side="right") - 1
    part = (at - knots[left]) / (knots[left + 1] - knots[left])
    line = np.zeros((len(whole), 12))
    rows = np.arange(len(whole))
    line[rows, (left - 1) % 12] += 1 - part
    line[rows, left % 12] += part
    mean = (month[None] == np.arange(12)[:, None]) / np.diff(start)[:, None]
    return line, mean


def bands_of_rows(rows: int, cols: int, points: int = 6000) -> list[slice]:
    """Slices of grid rows with about `points` points each, which bound the memory of a job."""
    step = max(1, points // cols)
    return [slice(row, min(row + step, rows)) for row in range(0, rows, step)]
