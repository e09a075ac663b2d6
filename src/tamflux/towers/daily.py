"""Aggregate half-hourly and hourly tower tables to days, and convert quality flags to shares.

Days of a daily file are local standard days. Half-hourly and hourly tables give UTC days if the UTC
offset of the site is known. The quality `qc` of a day is the share of its time steps with NEE
measured or gap-filled with good quality: 0 (none) to 1 (all).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

UMOL_TO_GRAMS = 12.011e-6 * 86400
"""g C m-2 d-1 for 1 umol CO2 m-2 s-1: molar mass of carbon (12.011 g mol-1, IUPAC) x s d-1."""

GOOD_FLAGS = (0, 1)
"""ONEFlux flags of good half-hours: 0 measured, 1 gap-filled with good quality."""

FLUX_NAMES = ("gpp", "reco", "nee")


def daily_quality(flag: pd.Series, network: str) -> pd.Series:
    """Share 0-1 of a day that is measured or well filled, from the flag of a daily table.

    The flag of ONEFlux is this share. That of JapanFlux is the mean of the half-hourly flags, 0
    (all measured) to 3 (all poorly filled), or the share, depending on the processing. Their range
    distinguishes the two: a share never exceeds 1, mean flags do on the worst day of a table. Mean
    flags become 1 - flag / 3.
    """
    return 1 - flag / 3 if network == "JapanFlux" and (flag > 1).any() else flag


def aggregate_days(
    frame: pd.DataFrame, steps_per_day: int, min_coverage: float, utc_offset: float = 0.0
) -> pd.DataFrame:
    """Daily means of half-hourly or hourly fluxes, converted from umol m-2 s-1 to g m-2 d-1.

    A variable's day is missing where fewer than `min_coverage` of the day's steps have a value;
    precipitation is the mean of the steps times their number in a full day. Where the table has no
    flags (AmeriFlux BASE), every value counts as measured.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``time`` (local standard time, start of the step, each once), ``gpp, reco, nee, flag`` and
        meteorology.
    steps_per_day : int
        48 or 24.
    min_coverage : float
        Share of a day's steps, 0-1.
    utc_offset : float
        Hours that ``time`` is ahead of UTC; the days are then UTC days. With 0 they are days of
        ``time``. A step belongs to the day in which it starts.

    Returns
    -------
    pandas.DataFrame
        One row a day: ``date, gpp, reco, nee, qc`` and meteorology.
    """
    date = (frame["time"] - pd.Timedelta(hours=utc_offset)).dt.floor("D").rename("date")
    values = frame.drop(columns=["time", "flag"])
    grouped = values.groupby(date)
    days = grouped.mean().where(grouped.count() >= min_coverage * steps_per_day - 1e-9)
    for flux in FLUX_NAMES:
        days[flux] *= UMOL_TO_GRAMS
    if "tp" in days:
        days["tp"] *= steps_per_day
    flagged = frame["flag"].notna().any()
    good = frame["nee"].notna() & (frame["flag"].isin(GOOD_FLAGS) if flagged else True)
    days["qc"] = good.groupby(date).sum() / steps_per_day
    return days.astype(np.float64).reset_index()
