"""Is one model better than another? Paired scores of sites, and intervals from a site bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd

TAMRL = "tamrl"
RESAMPLES = 5000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resamples: 95 % intervals (Efron 1979, Ann. Stat. 7, 1)."""


def difference_table(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Our model against every other, at the same sites.

    Parameters
    ----------
    scores : DataFrame
        `protocol, model, site_id, flux, rmse, r2, cluster`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        `protocol, peer, flux, n_sites, n_clusters, better` (share of sites where our RMSE is
        lower), and with the ends `_low` and `_high` of their 95 % intervals: `rmse_paired` (median
        over sites of ours - peer), `rmse_relative` (median RMSE of ours over that of the peer,
        minus 1) and `r2_medians` (median R² of ours minus that of the peer).
    """
    rows = []
    for (protocol, flux), part in scores.groupby(["protocol", "flux"], sort=False):
        cluster = part.groupby("site_id")["cluster"].first()
        wide = {
            name: part.set_index(["site_id", "model"])[name].unstack()  # noqa: PD010
            for name in ("rmse", "r2")
        }
        for peer in [name for name in wide["rmse"] if name != TAMRL and TAMRL in wide["rmse"]]:
            rmse, r2 = (wide[name][[TAMRL, peer]].dropna() for name in ("rmse", "r2"))
            row = {
                "protocol": protocol,
                "peer": peer,
                "flux": flux,
                "n_sites": len(rmse),
                "n_clusters": cluster[rmse.index].nunique(),
                "better": (rmse[TAMRL] < rmse[peer]).mean(),
            }
            error = compare_medians(rmse[TAMRL], rmse[peer], cluster[rmse.index], seed)
            skill = compare_medians(r2[TAMRL], r2[peer], cluster[r2.index], seed)
            for name, values in (
                ("rmse_paired", error["paired"]),
                ("rmse_relative", error["relative"]),
                ("r2_medians", skill["medians"]),
            ):
                row |= zip([name, f"{name}_low", f"{name}_high"], values, strict=True)
            rows.append(row)
    return pd.DataFrame(rows)


def compare_medians(
    ours: np.ndarray, peer: np.ndarray, cluster: np.ndarray, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Compare a score of two models at the same sites.

    Parameters
    ----------
    ours, peer : numpy.ndarray
        (site,) the score of each model, finite.
    cluster : numpy.ndarray
        (site,) number of the cluster of neighbours of each site. Whole clusters are resampled:
        towers side by side do not tell of two places.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        Value, low and high end of the 95 % interval of: `paired`, the median over sites of
        ours - peer; `medians`, the median of ours minus that of the peer; `relative`, the median
        of ours over that of the peer, minus 1.
    """
    ours, peer = np.asarray(ours, float), np.asarray(peer, float)
    once = np.ones((1, len(ours)), int)
    counts = np.concatenate([once, resample(cluster, seed)])
    first, second = weighted_median(ours, counts), weighted_median(peer, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "paired": weighted_median(ours - peer, counts),
            "medians": first - second,
            "relative": first / second - 1,
        }
    intervals = {}
    for name, all_ in values.items():
        low, high = np.nanpercentile(all_[1:], INTERVAL)
        intervals[name] = float(all_[0]), float(low), float(high)
    return intervals


def resample(cluster: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(resample, site) how often each site is drawn: as many clusters as there are, with return."""
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
