"""Plausibility of the site-days of a table: the sun, the climate and the balance of the fluxes.

A wrong unit, sign, date or coordinate passes any range of single values.
None of the limits is reached by any of the 163 towers of FLUXNET2015, but that of the productivity
of a site (`PRODUCTIVITY_RANGE`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tamflux.climatology import annual_delay, climatology
from tamflux.solar import potential_radiation
from tamflux.towers.plausibility import (
    productivity_problem,
    productivity_ratio,
    radiation_problem,
)

MIN_DAYS = 30
"""Site-days that a comparison needs."""

MAX_TEMPERATURE_ERROR = 12.0
"""Largest difference in K between the mean temperature of a site and that of ERA5 2000-2025 on the
same days of the year; mountains differ by 6 K."""

MIN_SEASON, MAX_SEASON_SHIFT = 4.0, 45
"""K of the annual harmonic of temperature from which on its phase is compared, and days by which it
may differ from that of the climatology."""

MIN_RADIATION = 0.12
"""Smallest mean ratio of radiation to that at the top of the atmosphere."""

MAX_RAIN_RATIO = 5.0
"""Largest ratio of precipitation to that of ERA5 2000-2025, or its inverse; median of sites."""

MIN_BALANCE = 0.5
"""Smallest correlation of NEE with RECO - GPP, median of the sites."""

MIN_SITES, MEDIAN_PRODUCTIVITY = 5, (0.4, 2.5)
"""Sites from which on the median ratio of GPP to that which the climate supports is compared, and
its limits; it is 1.16 at 161 towers of FLUXNET2015."""

MIN_FLUX = 0.05
"""Smallest mean RECO in g m-2 d-1, median of the sites: a smaller one is of another unit."""


def find_site_problems(
    days: pd.DataFrame, sites: pd.DataFrame, radiation: str = "ssrd"
) -> list[str]:
    """Say which sites contradict position and date, and which columns each other.

    Parameters
    ----------
    days : DataFrame
        `site_id, date, t2m` (degC), `tp` (mm d-1), `gpp, reco, nee` (g m-2 d-1) and the
        radiation (W m-2); columns may be absent.
    sites : DataFrame
        `site_id, lat, lon`.
    radiation : str
        Column of short-wave radiation, incoming or net.
    """
    places = sites.set_index("site_id")[["lat", "lon"]]
    days = days.reindex(columns=["site_id", "date", "t2m", "tp", radiation, "nee", "gpp", "reco"])
    problems: list[str] = []
    balance, levels, rain, productivity = [], [], [], []
    for site, of_site in days.groupby("site_id"):
        lat, lon = (float(x) for x in places.loc[site])
        if text := _climate_problem(of_site, lat, lon) or _sun_problem(of_site, lat, radiation):
            problems.append(f"{site}: {text}")
        rain.append(_rain_ratio(of_site, lat, lon))
        productivity.append(productivity_ratio(of_site, lat, lon))
        if text := productivity_problem(productivity[-1]):
            problems.append(f"{site}: {text}")
        fluxes = of_site[["nee", "gpp", "reco"]].dropna()
        if len(fluxes) >= MIN_DAYS:
            levels.append(fluxes["reco"].mean())
            balance.append(fluxes["nee"].corr(fluxes["reco"] - fluxes["gpp"]))
    ratio = _median(rain)
    if ratio > MAX_RAIN_RATIO or ratio < 1 / MAX_RAIN_RATIO:
        problems.append(f"precipitation is {ratio:.2g} times that of the climatology: not mm d-1?")
    known = [value for value in productivity if np.isfinite(value)]
    ratio = _median(known)
    low, high = MEDIAN_PRODUCTIVITY
    if len(known) >= MIN_SITES and not low <= ratio <= high:
        problems.append(
            f"GPP is {ratio:.2g} times that which the climate of the sites supports: is it carbon "
            "(not CO2) in g m-2 d-1?"
        )
    if _median(balance) < MIN_BALANCE:
        problems.append(
            f"NEE and RECO - GPP have a correlation of {_median(balance):.2f}: is NEE positive "
            "upward, and are GPP and RECO in their columns?"
        )
    if _median(levels) < MIN_FLUX:
        problems.append(f"RECO is {_median(levels):.2g} g m-2 d-1: another unit?")
    return problems


def _median(values: list[float]) -> float:
    """Of those that are finite; NaN if none is."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else np.nan


def _climate_problem(days: pd.DataFrame, lat: float, lon: float) -> str:
    """How temperature contradicts the climatology of the place ("" if it does not)."""
    days = days[days["t2m"].notna()]
    if len(days) < MIN_DAYS:
        return ""
    dates = days["date"].to_numpy("datetime64[D]")
    usual = climatology("t2m", np.array([lat]), np.array([lon]), dates)[:, 0, 0]
    found = days["t2m"].to_numpy(float)
    error = float((found - usual).mean())
    if abs(error) > MAX_TEMPERATURE_ERROR:
        how = "warmer" if error > 0 else "colder"
        return f"{abs(error):.0f} K {how} than the climate at lat {lat:g}, lon {lon:g}"
    if np.ptp(dates).astype(int) < 330:
        return ""
    late, sizes = annual_delay(found, usual, days["date"].dt.day_of_year.to_numpy())
    if min(sizes) > MIN_SEASON and abs(late) > MAX_SEASON_SHIFT:
        return f"seasons {abs(late):.0f} days {'late' if late > 0 else 'early'}"
    return ""


def _rain_ratio(days: pd.DataFrame, lat: float, lon: float) -> float:
    """Precipitation relative to the climatology; NaN where that is below 0.5 mm d-1."""
    days = days[days["tp"].notna()]
    if len(days) < MIN_DAYS:
        return np.nan
    dates = days["date"].to_numpy("datetime64[D]")
    usual = climatology("tp", np.array([lat]), np.array([lon]), dates).mean()
    return float(days["tp"].mean() / usual) if usual > 0.5 else np.nan


def _sun_problem(days: pd.DataFrame, lat: float, radiation: str) -> str:
    """How radiation contradicts latitude and date ("" if it does not)."""
    days = days[["date", radiation]].rename(columns={radiation: "ssrd"}).dropna()
    if len(days) < MIN_DAYS:
        return ""
    problem, _ = radiation_problem(days, lat)
    dates = days["date"].to_numpy("datetime64[D]")
    potential = potential_radiation(np.array([lat]), dates)[:, 0]
    ratio = days["ssrd"].mean() / max(potential.mean(), 1e-9)
    if not problem and ratio < MIN_RADIATION:
        problem = f"radiation of {ratio:.0%} of that at the top of the atmosphere"
    return problem
