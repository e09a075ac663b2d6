"""Is one model better than another? Paired scores of sites, and intervals from a site bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd

TAMRL = "tamrl"
RESAMPLES = 5000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resamples: 95 % intervals (Efron 1979, Ann. Stat. 7, 1)."""


def paired_differences(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Differences of TAM-RL and every baseline at the same sites.

    Parameters
    ----------
    scores : DataFrame
        `protocol, model, site_id, flux, rmse, r2, cluster`.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        `protocol, baseline, flux, n_sites, n_clusters, better` (share of sites where TAM-RL has
        the lower RMSE), and with the bounds `_low` and `_high` of their 95 % intervals:
        `rmse_paired` (median over sites of tamrl - baseline), `rmse_relative` (median RMSE of
        tamrl over that of the baseline, minus 1) and `r2_medians` (median R² of tamrl minus that
        of the baseline).
    """
    rows = []
    for (protocol, flux), part in scores.groupby(["protocol", "flux"], sort=False):
        cluster = part.groupby("site_id")["cluster"].first()
        wide = {
            name: part.set_index(["site_id", "model"])[name].unstack()  # noqa: PD010
            for name in ("rmse", "r2")
        }
        for baseline in [name for name in wide["rmse"] if name != TAMRL and TAMRL in wide["rmse"]]:
            rmse, r2 = (wide[name][[TAMRL, baseline]].dropna() for name in ("rmse", "r2"))
            row = {
                "protocol": protocol,
                "baseline": baseline,
                "flux": flux,
                "n_sites": len(rmse),
                "n_clusters": cluster[rmse.index].nunique(),
                "better": (rmse[TAMRL] < rmse[baseline]).mean(),
            }
            error = compare_medians(rmse[TAMRL], rmse[baseline], cluster[rmse.index], seed)
            skill = compare_medians(r2[TAMRL], r2[baseline], cluster[r2.index], seed)
            for name, values in (
                ("rmse_paired", error["paired"]),
                ("rmse_relative", error["relative"]),
                ("r2_medians", skill["medians"]),
            ):
                row |= zip([name, f"{name}_low", f"{name}_high"], values, strict=True)
            rows.append(row)
    return pd.DataFrame(rows)


def compare_medians(
    tamrl: np.ndarray, baseline: np.ndarray, cluster: np.ndarray, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Compare a score of two models at the same sites.

    Parameters
    ----------
    tamrl, baseline : numpy.ndarray
        (site,) the score of each model, finite.
    cluster : numpy.ndarray
        (site,) number of the cluster of neighbours of each site. Clusters are resampled as
        units, because scores of adjacent towers are not independent.
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict
        Value, lower and upper bound of the 95 % interval of: `paired`, the median over sites of
        tamrl - baseline; `medians`, the median of tamrl minus that of the baseline; `relative`,
        the median of tamrl over that of the baseline, minus 1.
    """
    tamrl, baseline = np.asarray(tamrl, float), np.asarray(baseline, float)
    original = np.ones((1, len(tamrl)), int)
    counts = np.concatenate([original, resample(cluster, seed)])
    first, second = weighted_median(tamrl, counts), weighted_median(baseline, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "paired": weighted_median(tamrl - baseline, counts),
            "medians": first - second,
            "relative": first / second - 1,
        }
    intervals = {}
    for name, all_ in values.items():
        low, high = np.nanpercentile(all_[1:], INTERVAL)
        intervals[name] = float(all_[0]), float(low), float(high)
    return intervals


def resample(cluster: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(resample, site) number of draws of each site, with clusters drawn with replacement."""
    names, number = np.unique(cluster, return_inverse=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, number]


def weighted_median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(resample,) median of `values` (site,), each counted `counts` (resample, site) times."""
    order = np.argsort(values, kind="stable")
    ordered, up_to = values[order], np.cumsum(counts[:, order], axis=1)
    total = up_to[:, -1]
    # the two middle ranks, the same one where the number is odd
    lower = (up_to > ((total - 1) // 2)[:, None]).argmax(axis=1)
    upper = (up_to > (total // 2)[:, None]).argmax(axis=1)
    return (ordered[lower] + ordered[upper]) / 2
