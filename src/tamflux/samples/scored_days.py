"""The site-days of a site table that count, with observed and predicted fluxes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.variables import FLUXES, METEOROLOGY

DAYTIME = "gpp_dt"
"""GPP by daytime partitioning (Lasslop et al. 2010, doi:10.1111/j.1365-2486.2009.02041.x); `gpp` is
by nighttime partitioning. Both are estimates from the same measurements."""


def scored_days(
    predictions: pd.DataFrame, samples: pd.DataFrame, min_qc: float, first_day: str
) -> pd.DataFrame:
    """Observed and predicted fluxes of the days that count.

    A day counts from `first_day` on if its `qc` is at least `min_qc` and its weather is known, and
    for a flux if that flux was observed. A variable that a site lacks altogether is absent, not
    unknown.

    Returns
    -------
    DataFrame
        `site_id, date, gpp, reco, nee`, `gpp_dt` where the samples have it, and `gpp_pred,
        reco_pred, nee_pred`.
    """
    known = (samples["qc"] >= min_qc) & (samples["date"] >= pd.Timestamp(first_day))
    for name in [name for name in METEOROLOGY if name in samples]:
        absent_at_site = samples.groupby("site_id")[name].transform("count") == 0
        known &= samples[name].notna() | absent_at_site
    observed = samples[known]
    fluxes = [*FLUXES, *[DAYTIME][: DAYTIME in observed]]
    observed = observed[["site_id", "date", *fluxes]].dropna(subset=list(FLUXES), how="all")
    predicted = predictions[["site_id", "date", *FLUXES]]
    days = observed.merge(predicted, "left", ["site_id", "date"], suffixes=("", "_pred"))
    absent = days[[f"{flux}_pred" for flux in FLUXES]].isna().any(axis=1)
    if absent.any():
        first = days[absent].iloc[0]
        raise ContractError(
            "a day to score has no prediction",
            found=f"{first['site_id']} {first['date']:%Y-%m-%d} and {np.sum(absent) - 1} more",
            expected="a prediction of every flux for every site-day of the table",
        )
    return days
