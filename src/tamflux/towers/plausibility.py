"""Plausibility of a tower file: annual sums, constant series, and radiation against the sun.

Radiation is the one measurement whose possible values follow from position and time alone, so it
reveals wrong coordinates, dates, UTC offsets and clocks.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from tamflux.climatology import climate_gpp
from tamflux.solar import potential_radiation, potential_radiation_at
from tamflux.towers.daily import FLUX_NAMES
from tamflux.towers.quality import Rejections
from tamflux.variables import METEOROLOGY

MAX_ANNUAL_SUM = {"nee": 1500.0, "gpp": 4500.0}
"""Largest |annual sum| in g C m-2 yr-1. Of 163 towers of FLUXNET2015, 156 stay within it (GPP up to
4,403, AU-Tum 2012); IT-Lav exceeds it in all twelve years, six other towers in one or two."""

PRODUCTIVITY_RANGE = (0.1, 3.5)
"""Smallest and largest ratio of a tower's GPP to that which its climate supports. Of 163 towers of
FLUXNET2015 four are below, with hardly any GPP, and three above, such as an irrigated field."""

MIN_YEAR_SHARE = 0.9
"""Share of a year's days from which its sum is extrapolated; else the sum of the days counts."""

MIN_NEE_SD = 0.05
"""Smallest standard deviation of measured half-hourly NEE, umol CO2 m-2 s-1. The random error of
one half-hour alone is about 0.5 (Richardson et al. 2006, Agric. For. Meteorol. 136): a smaller
value reveals a wrong unit."""

MAX_EQUAL_DAYS = 10
"""Longest run of one value other than 0 in a series, d. In FLUXNET2015 nine towers have years of
GPP or NEE with one value on every day, such as IT-Ren."""

MAX_ABOVE_POTENTIAL = 0.02
"""Share of days whose radiation may exceed 1.1 x potential + 10 W m-2. At the 163 towers of
FLUXNET2015 it is at most 0.0006; with latitudes of the wrong sign 148 of them exceed it."""

MAX_SEASONAL_RATIO = 2.0
"""Ratio of radiation to potential radiation in the clearest days of one month over that of another:
a larger one is no fault of the sensor, but of coordinates or dates."""

MIN_DIURNAL_SHARE = 0.2
"""Smallest magnitude of the first daily harmonic over the daily sum: 0.8 at equinox, 0 for a
constant."""

MAX_CLOCK_ERROR = 0.9
"""Largest median displacement of the radiation against the sun in a table, h. The start of a
half-hour taken for its end gives 0.5 h, a wrong time zone at least 1 h."""

MAX_MONTH_SHIFT = 0.75
"""Largest displacement of a month against the table, h: daylight saving time gives 1 h."""

MAX_DAY_SHIFT = 4.0
"""Largest displacement of a day against the table, h. A morning or an afternoon without sun gives
up to 3 h."""


def set_aside_years(
    days: pd.DataFrame, site_id: str, file: str, allow: Collection[str], rejected: Rejections
) -> pd.DataFrame:
    """Remove the years whose annual sums are beyond `MAX_ANNUAL_SUM`, and list them.

    Parameters
    ----------
    days : pandas.DataFrame
        ``date`` and the fluxes, g m-2 d-1.
    allow : collection of str
        Years to use anyway (`towers.allow_years`): ``IT-Lav 2005``, or ``IT-Lav`` for all years.
    """
    year = days["date"].dt.year
    bad = np.zeros(len(days), bool)
    for number, problem in find_implausible_years(days).items():
        allowed = {site_id, f"{site_id} {number}"} & set(allow)
        reason = f"{problem}: the year is set aside (towers.allow_years: '{site_id} {number}')"
        if not allowed:
            rejected.add(site_id, file, "day", reason, (year == number).sum())
            bad |= (year == number).to_numpy()
    return days[~bad].reset_index(drop=True)


def find_implausible_years(days: pd.DataFrame) -> dict[int, str]:
    """Calendar years of one site whose annual sums are beyond `MAX_ANNUAL_SUM`, with the reason."""
    problems: dict[int, str] = {}
    for number, of_year in days.groupby(days["date"].dt.year):
        length = 366 if pd.Timestamp(year=int(number), month=1, day=1).is_leap_year else 365
        for flux, limit in MAX_ANNUAL_SUM.items():
            values = of_year[flux].dropna()
            total = values.sum()
            if len(values) >= MIN_YEAR_SHARE * length:
                total *= length / len(values)
            if abs(total) > limit:
                problems[int(number)] = (
                    f"{flux} of {number} sums to {total:.0f} g C m-2, beyond {limit:g}"
                )
    return problems


def productivity_ratio(days: pd.DataFrame, lat: float, lon: float) -> float:
    """GPP of a tower relative to that which its climate supports (`climate_gpp`).

    NaN without GPP in all twelve calendar months.

    Parameters
    ----------
    days : pandas.DataFrame
        ``date`` and ``gpp`` in g C m-2 d-1.
    """
    months = days["gpp"].groupby(days["date"].dt.month).mean().dropna()
    if len(months) < 12:
        return np.nan
    return float(365.25 * months.mean() / climate_gpp(np.array([lat]), np.array([lon]))[0, 0])


def productivity_problem(ratio: float) -> str:
    """Why a ratio from `productivity_ratio` is implausible ("" if it is not)."""
    if np.isnan(ratio) or PRODUCTIVITY_RANGE[0] <= ratio <= PRODUCTIVITY_RANGE[1]:
        return ""
    return (
        f"GPP is {ratio:.2g} times that which the climate of the place supports: is it carbon "
        "(not CO2) in g m-2 d-1, and is the position right?"
    )


def drop_constant_runs(
    days: pd.DataFrame, site_id: str, file: str, rejected: Rejections
) -> pd.DataFrame:
    """Remove runs of more than `MAX_EQUAL_DAYS` equal values from every series, and list them.

    Zero, and what rounds to it (less than a hundredth of the standard deviation), is a measurement:
    no rain, no light, no growth.
    """
    days = days.copy()
    measured = {name for name in METEOROLOGY if name in days}
    for name in (*FLUX_NAMES, *sorted(measured)):
        values = days[name]
        run = (values != values.shift()).cumsum()
        length = values.groupby(run).transform("size")
        stuck = (length > MAX_EQUAL_DAYS) & (values.abs() > 0.01 * np.nan_to_num(values.std()))
        reason = f"{name} has one value on more than {MAX_EQUAL_DAYS} days in a row"
        rejected.add(site_id, file, "value", reason, stuck.sum())
        days[name] = values.mask(stuck)
    return days


def tiny_flux_problem(nee: pd.Series) -> str:
    """Why half-hourly or hourly NEE, umol CO2 m-2 s-1, has a wrong unit ("" if it has not)."""
    sd = float(nee.std())
    if nee.notna().sum() < 100 or not 0 < sd < MIN_NEE_SD:
        return ""
    return (
        f"NEE varies by {sd:.2g} umol m-2 s-1 between time steps, less than the random error of a "
        f"measurement (at least {MIN_NEE_SD:g}): the unit of the file is wrong"
    )


def radiation_problem(days: pd.DataFrame, lat: float) -> tuple[str, bool]:
    """Why daily radiation contradicts latitude and dates ("" if it does not).

    Parameters
    ----------
    days : pandas.DataFrame
        ``date`` and ``ssrd`` in W m-2.
    lat : float
        Degrees north.

    Returns
    -------
    str
        The reason.
    bool
        True if coordinates or dates are wrong, because the ratio to the potential differs between
        seasons; False if the sensor is.
    """
    days = days[days["ssrd"].notna()]
    if len(days) < 30:
        return "", False
    potential = potential_radiation(np.array([lat]), days["date"].to_numpy("datetime64[D]"))[:, 0]
    ssrd = days["ssrd"].to_numpy(float)
    above = ssrd > 1.1 * potential + 10
    if above.mean() <= MAX_ABOVE_POTENTIAL:
        return "", False
    bright = potential > 30
    ratio = pd.Series(ssrd[bright] / potential[bright])
    month = days["date"].dt.month.to_numpy()[bright]
    clearest = ratio.groupby(month).quantile(0.9)
    seasonal = len(clearest) < 2 or clearest.max() > MAX_SEASONAL_RATIO * clearest.min()
    reason = (
        f"radiation exceeds that at the top of the atmosphere on {above.sum()} of {len(days)} days"
    )
    cause = f"the coordinates (lat {lat:g}) or the dates are wrong" if seasonal else "wrong sensor"
    return f"{reason}: {cause}", bool(seasonal)


def radiation_delays(
    time: pd.Series, ssrd: pd.Series, steps_per_day: int, lat: float, lon: float, utc_offset: float
) -> pd.Series:
    """Displacement of each day's radiation against the sun, h; positive where it is late.

    The phase of the first daily harmonic of the radiation is compared with that of the potential
    radiation at the same time steps: with S the radiation at hour t, it is the angle of
    sum(S exp(2 pi i t / 24)). Phases have no edge at midnight.

    Parameters
    ----------
    time : pandas.Series
        Local standard time, start of the step.
    ssrd : pandas.Series
        W m-2, NaN where missing.

    Returns
    -------
    pandas.Series
        By date; days with missing steps, a mean below 30 W m-2 or hardly a diurnal cycle are left
        out.
    """
    middle = time + pd.Timedelta(days=1) / steps_per_day / 2
    utc = (middle - pd.Timedelta(hours=utc_offset)).to_numpy()
    potential = potential_radiation_at(lat, lon, utc)
    hour = (middle - middle.dt.floor("D")).dt.total_seconds().to_numpy() / 3600
    phase = np.exp(2j * np.pi * hour / 24)
    date = time.dt.floor("D").to_numpy()
    table = pd.DataFrame({
        "n": ssrd.notna().to_numpy(), "mean": ssrd.to_numpy(float),
        "x": ssrd.to_numpy(float) * phase.real, "y": ssrd.to_numpy(float) * phase.imag,
        "px": potential * phase.real, "py": potential * phase.imag,
    })  # fmt: skip
    by_day = table.groupby(date)
    sums = by_day.sum()
    use = (sums["n"] == steps_per_day) & (sums["mean"] > 30 * steps_per_day)
    use &= np.hypot(sums["x"], sums["y"]) > MIN_DIURNAL_SHARE * sums["mean"]
    sums = sums[use & (np.hypot(sums["px"], sums["py"]) > 0)]
    angle = np.arctan2(sums["y"], sums["x"]) - np.arctan2(sums["py"], sums["px"])
    return ((angle * 12 / np.pi + 12) % 24) - 12


def check_clock(
    delays: pd.Series, site_id: str, file: str, rejected: Rejections
) -> tuple[str, pd.DatetimeIndex]:
    """Judge the displacements of a table from `radiation_delays`.

    Returns
    -------
    str
        Reason to refuse the table ("" if there is none): its clock, UTC offset or coordinates.
    DatetimeIndex
        Dates to set aside, which are listed: months and days displaced against the others.
    """
    if len(delays) < 10:
        return "", pd.DatetimeIndex([])
    usual = float(delays.median())
    if abs(usual) > MAX_CLOCK_ERROR:
        return (
            f"radiation is {abs(usual):.1f} h {'late' if usual > 0 else 'early'} against the sun: "
            "the UTC offset, the time zone of the timestamps or the longitude is wrong"
        ), pd.DatetimeIndex([])
    dates = pd.DatetimeIndex(delays.index)
    month = delays.groupby(dates.to_period("M"))
    shifted_month = (month.transform("median") - usual).abs().to_numpy() > MAX_MONTH_SHIFT
    shifted_month &= month.transform("size").to_numpy() >= 10
    months = dates[shifted_month].to_period("M")
    shifted_day = ((delays - usual).abs() > MAX_DAY_SHIFT).to_numpy() & ~shifted_month
    reason = f"radiation of the month is displaced by more than {MAX_MONTH_SHIFT:g} h"
    rejected.add(site_id, file, "day", f"{reason} against the other months", shifted_month.sum())
    reason = f"radiation of the day is displaced by more than {MAX_DAY_SHIFT:g} h"
    rejected.add(site_id, file, "day", f"{reason} against the other days", shifted_day.sum())
    in_month = pd.date_range(dates.min(), dates.max()).to_series()
    in_month = in_month[in_month.dt.to_period("M").isin(months)]
    return "", pd.DatetimeIndex(in_month).union(dates[shifted_day])
