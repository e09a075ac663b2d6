"""Share of the days, months, years and site means of towers inside their prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.uncertainty.calibration import LEVELS, Calibration
from tamflux.uncertainty.conformal import MIN_DAYS, SCALES, average
from tamflux.variables import IGBP_CLASSES

QUANTILES = (0.1, 0.5)
"""Quantiles over sites or cells of the share inside the interval."""

COLUMNS = (
    "flux", "scale", "group", "value", "level", "n_locations", "coverage", "coverage_mean",
    "coverage_q10", "coverage_q50", "half_width",
)  # fmt: skip


def site_coverage(
    intervals: Calibration,
    site: np.ndarray,
    date: np.ndarray,
    predicted: np.ndarray,
    error: np.ndarray,
    igbp: np.ndarray,
    min_days: int,
) -> pd.DataFrame:
    """Share inside the intervals of each site, flux, scale and level.

    Parameters
    ----------
    intervals : Calibration
        Made without the sites.
    site, date : numpy.ndarray
        (day,) number of the site, and datetime64[D].
    predicted, error : numpy.ndarray
        (day, 3) predicted fluxes and observed minus predicted, g C m-2 d-1, NaN where missing.
    igbp : numpy.ndarray
        (site, 17) fractions of the classes.
    min_days : int
        Sites with fewer observed days of a flux are left out for it.

    Returns
    -------
    DataFrame
        `site, flux, scale, level, n` (days or means), `inside` (share of them) and `half_width`
        (their mean, g C m-2 d-1). Means of months and years need the days of `MIN_DAYS`.
    """
    tables = []
    for k, flux in enumerate(FLUX_NAMES):
        known = np.isfinite(error[:, k])
        known &= np.bincount(site[known], minlength=len(igbp))[site] >= min_days
        difficulty = intervals.difficulty_estimate(flux, predicted[known, 0], predicted[known, 1])
        values = np.stack([error[known, k], difficulty], axis=1)
        for scale in SCALES:
            number, days, means = average(scale, site[known], date[known], values)
            use = days >= (1 if scale in ("day", "site") else MIN_DAYS[scale])
            number, days, (mean, difficulty) = number[use], days[use], means[use].T
            for level in LEVELS:
                width = difficulty * intervals.quantile(flux, igbp[number], days, level)
                hit = np.abs(mean) <= width
                table = pd.DataFrame({"site": number, "n": 1, "inside": hit, "half_width": width})
                table = table.groupby("site").agg(
                    {"n": "sum", "inside": "mean", "half_width": "mean"}
                )
                tables.append(table.assign(flux=flux, scale=scale, level=level).reset_index())
    return pd.concat(tables, ignore_index=True)


def pool_sites(table: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Coverage of all sites together and of groups of sites.

    Parameters
    ----------
    table : DataFrame
        From `site_coverage`.
    groups : DataFrame
        One row per site number; each column is a way to group the sites, NaN where unknown.

    Returns
    -------
    DataFrame
        `flux, scale, group` (all, or the name of a column), `value, level, n_locations` (sites),
        `coverage` (share of all days or means), `coverage_mean` (mean over sites of their share),
        its quantiles `coverage_q10, coverage_q50`, and `half_width` (mean, g C m-2 d-1).
    """
    parts = [(("all", "all"), table)]
    for name in groups:
        of_site = table["site"].map(groups[name])
        values = _in_order(of_site.dropna().unique())
        parts += [((name, value), table[of_site == value]) for value in values]
    rows = []
    for flux in FLUX_NAMES:
        for (group, value), part in parts:
            of_flux = part[part["flux"] == flux]
            for (scale, level), sites in of_flux.groupby(["scale", "level"], sort=False):
                given = {"flux": flux, "scale": scale, "group": group, "value": value}
                rows.append(given | {"level": level} | _pool(sites))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pool(sites: pd.DataFrame) -> dict[str, float]:
    inside, n = sites["inside"].to_numpy(), sites["n"].to_numpy()
    return {
        "n_locations": len(sites),
        "coverage": np.average(inside, weights=n),
        "coverage_mean": inside.mean(),
        **{f"coverage_q{100 * q:.0f}": np.quantile(inside, q) for q in QUANTILES},
        "half_width": np.average(sites["half_width"], weights=n),
    }


def _in_order(values: Sequence[str]) -> list[str]:
    """Classes in their usual order, other values sorted."""
    return sorted(values, key=lambda v: (IGBP_CLASSES.index(v) if v in IGBP_CLASSES else 99, v))
