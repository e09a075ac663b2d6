"""Score predictions at the towers of a site table; one protocol selects the days of all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.evaluation.metrics import FLUX_NAMES, pooled_rmse, quartiles, score_sites
from tamflux.files import atomic_path
from tamflux.variables import METEOROLOGY

log = logging.getLogger("tamflux")


def score_real_towers(
    predictions_path: str | Path,
    samples_paths: Sequence[str | Path],
    sites_paths: Sequence[str | Path],
    scores_paths: Sequence[str | Path],
    summary_path: str | Path,
    *,
    min_qc: float,
    first_day: str,
    min_days: int,
) -> None:
    """Write scores per site for each site table, and their summary.

    Parameters
    ----------
    predictions_path : path
        Parquet: `site_id, date, fold, gpp, reco, nee` and standard deviations; fold -1: the second
        table.
    samples_paths, sites_paths, scores_paths : sequences of path
        Samples and sites of the first and, if given, the second table, and the CSV files to write:
        one row per site and flux, `site_id, flux, n, r2, rmse, nmae, rae, bias, fold, igbp,
        koppen`.
    summary_path : path
        CSV: `table` (folds or zero_shot), `flux`, `n_sites`, quartiles over sites, `pooled_rmse`.
    min_qc, first_day, min_days
        The protocol, as in `scored_days`; sites with fewer than `min_days` such days of a flux are
        not scored for it.

    Raises
    ------
    ContractError
        If a scored day has no prediction.
    """
    predictions = pd.read_parquet(predictions_path)
    summaries = []
    for table, samples_path, sites_path, scores_path in zip(
        ["folds", "zero_shot"], samples_paths, sites_paths, scores_paths, strict=False
    ):
        predicted = predictions[(predictions["fold"] < 0) == (table == "zero_shot")]
        days = scored_days(predicted, pd.read_parquet(samples_path), min_qc, first_day)
        scores = score_sites(days, min_days=min_days)
        sites = pd.read_csv(sites_path)[["site_id", "fold", "igbp", "koppen"]]
        with atomic_path(scores_path) as path:
            scores.merge(sites, "left", "site_id").to_csv(path, index=False, float_format="%.5g")
        scored = days[days["site_id"].isin(scores["site_id"])]
        summary = quartiles(scores)
        summary["pooled_rmse"] = summary["flux"].map(pooled_rmse(scored))
        summaries.append(summary.assign(table=table))
        for row in summary.itertuples():
            log.info(
                "%s %s: median R2 %.3f, median RMSE %.3f, pooled RMSE %.3f g m-2 d-1, %d sites",
                table, row.flux, row.r2_q50, row.rmse_q50, row.pooled_rmse, row.n_sites,
            )  # fmt: skip
    with atomic_path(summary_path) as path:
        pd.concat(summaries).set_index("table").to_csv(path, float_format="%.5g")


def scored_days(
    predictions: pd.DataFrame, samples: pd.DataFrame, min_qc: float, first_day: str
) -> pd.DataFrame:
    """Observed and predicted fluxes of the days that count.

    A day counts from `first_day` on if its `qc` is at least `min_qc` and its weather is known, and
    for a flux if that flux was observed.

    Returns
    -------
    DataFrame
        `site_id, date, gpp, reco, nee` and `gpp_pred, reco_pred, nee_pred`.
    """
    observed = samples[(samples["qc"] >= min_qc) & (samples["date"] >= pd.Timestamp(first_day))]
    weather = [name for name in METEOROLOGY if name in observed]
    observed = observed.dropna(subset=weather)
    observed = observed[["site_id", "date", *FLUX_NAMES]].dropna(subset=FLUX_NAMES, how="all")
    predicted = predictions[["site_id", "date", *FLUX_NAMES]]
    days = observed.merge(predicted, "left", ["site_id", "date"], suffixes=("", "_pred"))
    absent = days[[f"{flux}_pred" for flux in FLUX_NAMES]].isna().any(axis=1)
    if absent.any():
        first = days[absent].iloc[0]
        raise ContractError(
            "a day to score has no prediction",
            found=f"{first['site_id']} {first['date']:%Y-%m-%d} and {np.sum(absent) - 1} more",
            expected="a prediction of every flux for every site-day of the table",
        )
    return days
