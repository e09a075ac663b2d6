"""Metrics of predicted fluxes, per site and as quartiles over sites.

Every function takes a table with `site_id`, the observed flux `gpp` and its prediction `gpp_pred`
(likewise `reco`, `nee`). A day counts for a flux where both are finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

FLUX_NAMES = ("gpp", "reco", "nee")
METRICS = ("r2", "rmse", "nmae", "rae", "bias")


def score_sites(
    frame: pd.DataFrame, fluxes: Sequence[str] = FLUX_NAMES, min_days: int = 2
) -> pd.DataFrame:
    """Score each site and flux.

    Parameters
    ----------
    frame : DataFrame
        `site_id`, and for each flux `{flux}` (observed) and `{flux}_pred`, g m-2 d-1.
    fluxes : sequence of str
        Names of the fluxes.
    min_days : int
        Sites with fewer usable days of a flux are left out for that flux.

    Returns
    -------
    DataFrame
        One row per site and flux: `site_id, flux, n, mean, sd` (of the observed, with divisor n),
        `r2, rmse, nmae, rae, bias`. With errors e = predicted - observed and m the mean:
        r2 = 1 - sum(e²) / sum((y - m)²); rmse = sqrt(mean(e²)); nmae = mean|e| / |m|;
        rae = sum|e| / sum|y - m|; bias = mean(e). A ratio is NaN where its denominator is zero.
    """
    tables = []
    for flux in fluxes:
        site, observed, error = _usable(frame, flux)
        codes, sites = pd.factorize(site, sort=True)
        n = np.bincount(codes, minlength=len(sites))
        mean = _sums(observed, codes, n) / n
        departure = observed - mean[codes]
        variation = _sums(departure**2, codes, n)
        absolute, squared = _sums(np.abs(error), codes, n), _sums(error**2, codes, n)
        table = pd.DataFrame(
            {
                "site_id": sites,
                "flux": flux,
                "n": n,
                "mean": mean,
                "sd": np.sqrt(variation / n),
                "r2": 1 - _ratio(squared, variation),
                "rmse": np.sqrt(squared / n),
                "nmae": _ratio(absolute / n, np.abs(mean)),
                "rae": _ratio(absolute, _sums(np.abs(departure), codes, n)),
                "bias": _sums(error, codes, n) / n,
            }
        )
        tables.append(table[table["n"] >= min_days])
    return pd.concat(tables, ignore_index=True)


def quartiles(
    scores: pd.DataFrame,
    by: str | Sequence[str] | None = None,
    metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Quartiles over sites of every metric, per flux and, if given, per group.

    Parameters
    ----------
    scores : DataFrame
        From `score_sites`, with the columns of `by` joined to it.
    by : str or sequence of str, optional
        Further grouping columns, such as ``"igbp"`` or ``"model"``.
    metrics : sequence of str
        Columns of `scores`.

    Returns
    -------
    DataFrame
        `flux`, the columns of `by`, `n_sites`, and `{metric}_q25, {metric}_q50, {metric}_q75`.
    """
    by = [by] if isinstance(by, str) else list(by or [])
    groups = scores.groupby([*by, "flux"], sort=False, dropna=False)
    table = groups[list(metrics)].quantile([0.25, 0.5, 0.75]).unstack()  # noqa: PD010
    table.columns = [f"{metric}_q{round(100 * q)}" for metric, q in table.columns]
    table.insert(0, "n_sites", groups["site_id"].nunique())
    return table.reset_index()


def _usable(frame: pd.DataFrame, flux: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sites, observed and errors of the days where observed and predicted are finite."""
    observed = frame[flux].to_numpy(np.float64)
    error = frame[f"{flux}_pred"].to_numpy(np.float64) - observed
    keep = np.isfinite(error)
    return frame["site_id"].to_numpy()[keep], observed[keep], error[keep]


def _sums(values: np.ndarray, codes: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.bincount(codes, weights=values, minlength=len(n))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(
        numerator, denominator, out=np.full(len(denominator), np.nan), where=denominator > 0
    )
