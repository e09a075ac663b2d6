"""Smooth random fields on the sphere: hidden traits of ecosystems and anomalies of the weather.

Each field is a sum of random plane waves in the three dimensions of the sphere, so that it is a
pure function of seed, date and position and has the same values on any grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

TRAITS = ("efficiency", "optimum", "drought", "respiration", "warming")
"""Hidden traits, in standard deviations: light-use efficiency, optimum temperature, sensitivity
to dry soil, base respiration, sensitivity of respiration to temperature."""
TRAIT_WAVES = (3.0, 25.0)
"""Minimum and maximum wave number per Earth radius: the correlation of a trait is about 0.95 over
300 km, 0.75 over 700 km and falls to 1/e within about 1500 km."""

ANOMALIES = {
    "warmth": (2.0, 22.0, 15.0), "wetness": (3.0, 40.0, 3.5),
    "east": (2.0, 25.0, 6.0), "north": (2.0, 25.0, 6.0),
}  # fmt: skip
"""Minimum and maximum wave number per Earth radius, and the longest lifetime in days (chosen to
give the coherence and persistence of synoptic weather)."""

_WAVES = 96


def hidden_traits(seed: int, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(trait, point) standard-normal fields, smooth in space, in the order of `TRAITS`.

    They depend on the position alone. No predictor contains them; only the fluxes show them.
    """
    rng = np.random.default_rng([seed, 7])
    position = sphere(lat, lon)
    traits = []
    for _ in TRAITS:
        waves = _random_waves(rng, *TRAIT_WAVES)
        amplitude = rng.standard_normal((2, _WAVES)).astype(np.float32) / np.sqrt(_WAVES)
        angle = waves @ position
        traits.append(amplitude[0] @ np.cos(angle) + amplitude[1] @ np.sin(angle))
    return np.stack(traits).astype(np.float32)


def anomaly(seed: int, name: str, date: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(time, point) standard-normal field that moves from day to day.

    Parameters
    ----------
    name : str
        Key of `ANOMALIES`.
    date : numpy.ndarray
        (time,) datetime64[D], consecutive days.
    position : numpy.ndarray
        (3, point) unit vectors (`sphere`).
    """
    waves = _random_waves(_generator(seed, name), *ANOMALIES[name][:2])
    year = date.astype("datetime64[Y]")
    rows = []
    for one in np.unique(year):
        day = (date[year == one] - one.astype("datetime64[D]")).astype(int)
        rows.append(_amplitudes(seed, name, one.astype(int) + 1970)[day])
    angle = waves @ position
    return np.concatenate(rows) @ np.concatenate([np.cos(angle), np.sin(angle)])


def sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(3, point) unit vectors, float32."""
    phi, lam = np.radians(np.asarray(lat, float)), np.radians(np.asarray(lon, float))
    return np.stack(
        [np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)]
    ).astype(np.float32)  # fmt: skip


@lru_cache(maxsize=16)
def _amplitudes(seed: int, name: str, year: int) -> np.ndarray:
    """(366 or 365, 2 wave) amplitudes of the waves on the days of a calendar year, AR(1) in time.

    Longer waves live longer, from 1.2 days to that in `ANOMALIES`. Each calendar year has its own
    shocks, and the recursion starts on 1 January of the year before. The longest lifetime is 15
    days, so that the start is forgotten: the weather of a day depends on its date alone, and years
    join without a step.
    """
    waves = _random_waves(_generator(seed, name), *ANOMALIES[name][:2])
    life = np.clip(40 / np.linalg.norm(waves, axis=1), 1.2, ANOMALIES[name][2])
    memory = np.tile(np.exp(-1 / life), 2)
    new = np.sqrt(1 - memory**2)
    state = np.zeros(2 * _WAVES)
    for one in (year - 1, year):
        first, last = np.datetime64(f"{one:04d}-01-01"), np.datetime64(f"{one + 1:04d}-01-01")
        rows = _generator(seed, name, one).standard_normal(((last - first).astype(int), 2 * _WAVES))
        for row in rows:
            row *= new
            row += memory * state
            state = row
    return (rows / np.sqrt(_WAVES)).astype(np.float32)


def _generator(seed: int, name: str, *year: int) -> np.random.Generator:
    return np.random.default_rng([seed, 11 + list(ANOMALIES).index(name), *year])


def _random_waves(rng: np.random.Generator, minimum: float, maximum: float) -> np.ndarray:
    """(wave, 3) wave vectors per Earth radius, lengths log-uniform from `minimum` to `maximum`."""
    direction = rng.standard_normal((_WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = minimum * (maximum / minimum) ** rng.random(_WAVES)
    return (direction * length[:, None]).astype(np.float32)
