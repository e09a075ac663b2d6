"""Scores of daily predictions at the time scales on which fluxes vary, per site and over sites.

The scales and the coverage of weeks, months and years are those of FLUXtrapolation (Fries et al.
2026, arXiv:2605.19812). They separate skills that daily scores mix: the seasonal cycle, which most
models predict, from the anomalies, the differences between years and those between sites.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES, score_sites
from tamflux.samples.scored_days import DAYTIME

SCALES = ("daily", "weekly", "monthly", "seasonal", "anomaly", "interannual", "site_mean")
"""In the order of tables and figures; `values_at_scale` defines them."""

WEEK_DAYS, MONTH_DAYS, YEAR_DAYS = 4, 15, 183
"""Days that a mean over a week, a month or a year needs."""

CYCLE_YEARS = 2
"""Years that a day of the mean seasonal cycle needs."""

SITE_VALUES = {"weekly": 10, "monthly": 6, "seasonal": 183, "interannual": 3, "site_mean": 1}
"""Weeks, months, days of the cycle, years and means that a site needs to be scored at a scale; of
days and of anomalies it needs as many as the protocol says."""

SUMMARISED = ("rmse", "r2", "rae", "bias")
STATISTICS = {"median": 0.5, "mean": None, "p10": 0.1, "p90": 0.9}
"""Statistics over sites. The poor end is the 90th percentile of errors and the 10th of R²."""


def score_scales(frame: pd.DataFrame, min_days: int) -> pd.DataFrame:
    """Score each site and flux at every scale.

    Parameters
    ----------
    frame : DataFrame
        `site_id, date`, and for each flux `{flux}` (observed) and `{flux}_pred`, g m-2 d-1, one
        row a day. Where there is a column `gpp_dt`, `gpp_pred` is scored against it too.
    min_days : int
        Sites with fewer days of a flux are left out for that flux.

    Returns
    -------
    DataFrame
        One row per site, flux and scale: `site_id, flux, scale` and the columns of `score_sites`,
        where `n` is the number of values at the scale. Sites with fewer values than `SITE_VALUES`
        are left out at that scale. At scale ``site_mean`` a site has one value, hence no R².
    """
    predicted = {flux: f"{flux}_pred" for flux in FLUX_NAMES}
    if DAYTIME in frame:
        predicted[DAYTIME] = "gpp_pred"
    tables = []
    for flux, column in predicted.items():
        days = frame[["site_id", "date", flux, column]].dropna()
        days = days.rename(columns={column: f"{flux}_pred"})
        days = days[days.groupby("site_id")["site_id"].transform("size") >= min_days]
        for scale in SCALES:
            values = values_at_scale(days, scale)
            scores = score_sites(values, [flux], SITE_VALUES.get(scale, min_days))
            scores.insert(2, "scale", scale)
            tables.append(scores)
    return pd.concat(tables, ignore_index=True)


def values_at_scale(days: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Values of a scale, each from the same days for all columns.

    Parameters
    ----------
    days : DataFrame
        `site_id, date`, and columns of daily values without gaps.
    scale : str
        ``daily``; ``weekly`` (Monday to Sunday), ``monthly``: means with `WEEK_DAYS`, `MONTH_DAYS`
        days; ``seasonal``: means of each day of the year over at least `CYCLE_YEARS` years;
        ``anomaly``: days minus their seasonal value; ``interannual``: means of years with
        `YEAR_DAYS` days, minus their mean; ``site_mean``: means of all days.

    Returns
    -------
    DataFrame
        `site_id` and the columns.
    """
    columns = list(days.columns.drop(["site_id", "date"]))
    date = days["date"].to_numpy("datetime64[D]")
    day_of_year = (date - date.astype("datetime64[Y]")).astype(int) + 1
    if scale == "daily":
        return days[["site_id", *columns]]
    if scale == "site_mean":
        return _means(days, columns, np.zeros(len(days)), 1)
    if scale == "weekly":  # day 0, in 1970, was a Thursday
        return _means(days, columns, (date.astype(int) + 3) // 7, WEEK_DAYS)
    if scale == "monthly":
        return _means(days, columns, date.astype("datetime64[M]").astype(int), MONTH_DAYS)
    if scale == "seasonal":
        return _means(days, columns, day_of_year, CYCLE_YEARS)
    if scale == "anomaly":
        groups = days.groupby([days["site_id"], day_of_year])[columns]
        anomalies = days[columns] - groups.transform("mean")
        of_cycle = groups.transform("size") >= CYCLE_YEARS
        return days[["site_id"]].join(anomalies)[of_cycle.to_numpy()]
    if scale == "interannual":
        means = _means(days, columns, date.astype("datetime64[Y]").astype(int), YEAR_DAYS)
        means[columns] -= means.groupby("site_id")[columns].transform("mean")
        return means
    raise ValueError(f"unknown scale {scale}")


def _means(
    days: pd.DataFrame, columns: list[str], period: np.ndarray, min_days: int
) -> pd.DataFrame:
    """Mean of each site and period with at least `min_days` days."""
    groups = days.groupby([days["site_id"], period], sort=False)[columns]
    means = groups.mean()[groups.size() >= min_days]
    return means.reset_index("site_id").reset_index(drop=True)


def summarise(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Scores over sites: of all sites at every scale, and of groups of sites on days.

    Parameters
    ----------
    scores : DataFrame
        From `score_scales`, with the columns of `by` and of `comparison.site_groups`.
    by : sequence of str
        Columns that identify a model, such as ``["protocol", "model"]``.

    Returns
    -------
    DataFrame
        The columns of `by`, `flux, scale, group` (all, igbp, koppen, wetland, water), `value`,
        `n_sites`, `n` (values of all sites), `{metric}_{statistic}` for `SUMMARISED` and
        `STATISTICS`, and over all values of all sites together `rmse_pooled, r2_pooled,
        bias_pooled`. Those of scale ``site_mean`` are the RMSE and R² between sites.
    """
    parts = []
    for group in ("all", "igbp", "koppen", "wetland", "water"):
        part = scores if group == "all" else scores[scores["scale"] == "daily"]
        part = part[part[group]] if group in ("wetland", "water") else part
        if part.empty:
            continue
        keys = [*by, "flux", "scale", *([group] if group in ("igbp", "koppen") else [])]
        table = part.groupby(keys, sort=False).apply(_over_sites, include_groups=False)
        parts.append(table.reset_index().rename(columns={group: "value"}).assign(group=group))
    if not parts:
        return pd.DataFrame(columns=[*by, "flux", "scale", "group", "value", "n_sites"])
    table = pd.concat(parts, ignore_index=True).astype({"n_sites": int, "n": int})
    first = [*by, "flux", "scale", "group", "value"]
    return table.reindex(columns=[*first, *table.columns.drop(first, errors="ignore")])


def _over_sites(part: pd.DataFrame) -> pd.Series:
    """Statistics over the sites of one model, flux and scale."""
    found: dict[str, float] = {"n_sites": len(part), "n": part["n"].sum()}
    for metric in SUMMARISED:
        values = part[metric].dropna()
        for name, quantile in STATISTICS.items():
            over = values.mean() if quantile is None else values.quantile(quantile)
            found[f"{metric}_{name}"] = over
    squared = (part["n"] * part["rmse"] ** 2).sum()
    mean = np.average(part["mean"], weights=part["n"])
    variation = (part["n"] * (part["sd"] ** 2 + (part["mean"] - mean) ** 2)).sum()
    found["rmse_pooled"] = np.sqrt(squared / found["n"])
    found["r2_pooled"] = 1 - squared / variation if variation > 0 else np.nan
    found["bias_pooled"] = np.average(part["bias"], weights=part["n"])
    return pd.Series(found)
