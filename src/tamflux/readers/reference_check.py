"""Plausibility of a reference product: its level, map and season against the climate.

Products differ by a third; a wrong unit, a map that is turned around and another season differ by
more. What is found is said beside the comparison: the values are used as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tamflux.climatology import MONTHS, annual_delay, climate_gpp, climatology

LEVEL_RANGE = (0.4, 2.5)
"""Smallest and largest ratio of mean GPP, and of mean RECO, to GPP that the climate supports.
Products of the globe have 110 to 150 Pg C yr-1, its climate supports 118; CO2 in place of carbon is
3.7 times as much."""

MIN_CLIMATE_GPP = 100.0
"""g C m-2 yr-1 of the cells whose level is compared: deserts have no ratio."""

MIN_CORRELATION = 0.65
"""Smallest correlation of the annual map with that of the climate, weighted by area; a globe turned
by 180 degrees has 0.58."""

MIN_CELLS, MIN_VARIATION = 100, 0.4
"""Cells of a map, and its coefficient of variation in the climate, from which on it is compared."""

NORTH, MAX_DELAY = 45.0, 45.0
"""Degrees north of which productivity follows temperature, and days that its annual harmonic may
differ."""


def find_reference_problems(
    fields: Mapping[str, np.ndarray], lat: np.ndarray, lon: np.ndarray
) -> list[str]:
    """Say what of a reference product contradicts the climate.

    Parameters
    ----------
    fields : mapping
        (12, lat, lon) months of `gpp`, `reco` and `nee`, g C m-2 d-1; NEE is not compared.
    lat, lon : numpy.ndarray
        Centres, degrees.
    """
    climate = climate_gpp(lat, lon)
    area = np.broadcast_to(np.cos(np.radians(lat))[:, None], climate.shape)
    problems = []
    for flux in (name for name in ("gpp", "reco") if name in fields):
        year = 365.25 * fields[flux].mean(axis=0)
        found = [
            _level_problem(year, climate, area),
            _map_problem(year, climate, area),
            _season_problem(fields[flux], lat, lon),
        ]
        problems += [f"{flux.upper()}: {text}" for text in found if text]
    return problems


def _level_problem(year: np.ndarray, climate: np.ndarray, area: np.ndarray) -> str:
    """From the annual flux, that which the climate supports, and relative areas, (lat, lon)."""
    known = np.isfinite(year) & (climate > MIN_CLIMATE_GPP)
    if not known.any():
        return ""
    ratio = np.average(year[known], weights=area[known])
    ratio /= np.average(climate[known], weights=area[known])
    if LEVEL_RANGE[0] <= ratio <= LEVEL_RANGE[1]:
        return ""
    return f"{ratio:.2g} times that which the climate supports: another unit, or CO2 for carbon?"


def _map_problem(year: np.ndarray, climate: np.ndarray, area: np.ndarray) -> str:
    known = np.isfinite(year)
    if known.sum() < MIN_CELLS:
        return ""
    weight = area[known] / area[known].sum()
    a, b = (x[known] - (weight * x[known]).sum() for x in (year, climate))
    spread = [np.sqrt((weight * x * x).sum()) for x in (a, b)]
    if spread[1] < MIN_VARIATION * (weight * climate[known]).sum() or not spread[0] > 0:
        return ""
    correlation = (weight * a * b).sum() / (spread[0] * spread[1])
    if correlation >= MIN_CORRELATION:
        return ""
    return (
        f"the annual map has a correlation of {correlation:.2f} with that which the climate "
        "supports: are latitudes or longitudes turned around or shifted?"
    )


def _season_problem(months: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> str:
    north = np.flatnonzero(lat > NORTH)
    known = np.isfinite(months[:, north]).all(axis=0)
    if known.sum() < MIN_CELLS:
        return ""
    weight = (np.cos(np.radians(lat[north]))[:, None] * known).ravel()
    flux, warmth = (
        np.average(np.nan_to_num(field).reshape(12, -1), axis=1, weights=weight)
        for field in (months[:, north], climatology("t2m", lat[north], lon, MONTHS))
    )
    late, _ = annual_delay(flux, warmth, 15 + 365.25 * np.arange(12) / 12)
    if abs(late) <= MAX_DELAY:
        return ""
    how = "late" if late > 0 else "early"
    return f"the season north of {NORTH:g} degrees is {abs(late):.0f} days {how} against the warmth"
