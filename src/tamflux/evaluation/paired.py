"""Is one model better than another? Paired scores of sites, and intervals from a site bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd

TAMRL = "tamrl"
RESAMPLES = 5000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resamples: 95 % intervals (Efron 1979, Ann. Stat. 7, 1)."""


STATISTICS = (
    "rmse_paired", "rmse_median_relative", "rmse_mean_relative", "r2_median_difference",
    "r2_pooled_difference",
)  # fmt: skip


def paired_differences(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Differences of TAM-RL and every baseline at the same sites, for each flux and scale.

    Parameters
    ----------
    scores : DataFrame
        `protocol, model, site_id, flux, scale, n, mean, sd, rmse, r2, cluster`; see
        `scales.score_scales`.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        `protocol, baseline, flux, scale, n_sites, n_clusters, better` (share of sites where TAM-RL
        has the lower RMSE), and the `STATISTICS` of `compare_sites` with the bounds `_low` and
        `_high` of their 95 % intervals.
    """
    rows = []
    keys = ["protocol", "flux", "scale"]
    for (protocol, flux, scale), part in scores.groupby(keys, sort=False):
        models = {name: table.set_index("site_id") for name, table in part.groupby("model")}
        tamrl = models.pop(TAMRL, part[:0])
        for baseline, other in models.items():
            sites = tamrl.index.intersection(other.index)
            if sites.empty:
                continue
            first, second = tamrl.loc[sites], other.loc[sites]
            row = {
                "protocol": protocol,
                "baseline": baseline,
                "flux": flux,
                "scale": scale,
                "n_sites": len(sites),
                "n_clusters": first["cluster"].nunique(),
                "better": (first["rmse"] < second["rmse"]).mean(),
            }
            compared = compare_sites(first, second, first["cluster"].to_numpy(), seed)
            for name, values in compared.items():
                row |= zip([name, f"{name}_low", f"{name}_high"], values, strict=True)
            rows.append(row)
    return pd.DataFrame(rows)


def compare_sites(
    tamrl: pd.DataFrame, baseline: pd.DataFrame, cluster: np.ndarray, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Compare the scores of two models on the same values of the same sites.

    Parameters
    ----------
    tamrl, baseline : DataFrame
        One row per site, the same in both: `n, mean, sd, rmse, r2`.
    cluster : numpy.ndarray
        (site,) number of the cluster of neighbours of each site. Clusters are resampled as
        units, because scores of adjacent towers are not independent.
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict
        Value, lower and upper bound of the 95 % interval of: `rmse_paired`, the median over sites
        of the difference of RMSE, tamrl - baseline; `rmse_median_relative` and
        `rmse_mean_relative`, the median and the mean RMSE of tamrl over that of the baseline,
        minus 1; `r2_median_difference`, the median R² of tamrl minus that of the baseline;
        `r2_pooled_difference`, the same of the R² over all values of all sites together.
    """
    original = np.ones((1, len(tamrl)), int)
    counts = np.concatenate([original, resample(cluster, seed)])
    first, second = tamrl["rmse"].to_numpy(float), baseline["rmse"].to_numpy(float)
    r2 = np.stack([tamrl["r2"].to_numpy(float), baseline["r2"].to_numpy(float)])
    finite = np.isfinite(r2).all(axis=0)
    skill = [weighted_median(of_model[finite], counts[:, finite]) for of_model in r2]
    n, mean, sd = (tamrl[name].to_numpy(float) for name in ("n", "mean", "sd"))
    gain = counts @ (n * (second**2 - first**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        about_mean = counts @ (n * (sd**2 + mean**2)) - (counts @ (n * mean)) ** 2 / (counts @ n)
        values = (
            weighted_median(first - second, counts),
            weighted_median(first, counts) / weighted_median(second, counts) - 1,
            (counts @ first) / (counts @ second) - 1,
            skill[0] - skill[1],
            np.where(about_mean > 0, gain / about_mean, np.nan),
        )
    return {name: _interval(of) for name, of in zip(STATISTICS, values, strict=True)}


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    """The value, which comes first, and its interval; NaN where nothing can be compared."""
    if np.isnan(values[1:]).all():
        return float(values[0]), np.nan, np.nan
    low, high = np.nanpercentile(values[1:], INTERVAL)
    return float(values[0]), float(low), float(high)


def resample(cluster: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(resample, site) number of draws of each site, with clusters drawn with replacement."""
    names, number = np.unique(cluster, return_inverse=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, number]


def weighted_median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(resample,) median of `values` (site,), each counted `counts` (resample, site) times.

    NaN where no site is counted.
    """
    if not len(values):
        return np.full(len(counts), np.nan)
    order = np.argsort(values, kind="stable")
    ordered, up_to = values[order], np.cumsum(counts[:, order], axis=1)
    total = up_to[:, -1]
    # the two middle ranks, the same one where the number is odd
    lower = (up_to > ((total - 1) // 2)[:, None]).argmax(axis=1)
    upper = (up_to > (total // 2)[:, None]).argmax(axis=1)
    return np.where(total > 0, (ordered[lower] + ordered[upper]) / 2, np.nan)
