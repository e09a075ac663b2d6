"""Score predictions at the towers of a site table; one protocol selects the days of all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.evaluation.comparison import site_groups
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import TAMRL
from tamflux.evaluation.scales import DAYTIME, score_scales, summarise
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
        `protocol` (folds or zero_shot), `model`, the columns of `score_scales`, the site's `fold`
        and the columns of `site_groups`.
    summary_path : path
        CSV to write: `summarise` by protocol and model.
    min_qc, first_day, min_days
        The protocol, as in `scored_days`; sites with fewer than `min_days` such days of a flux are
        not scored for it.

    Raises
    ------
    ContractError
        If a scored day has no prediction.
    """
    predictions = pd.read_parquet(predictions_path)
    tables = []
    for protocol, samples_path, sites_path, scores_path in zip(
        ["folds", "zero_shot"], samples_paths, sites_paths, scores_paths, strict=False
    ):
        predicted = predictions[(predictions["fold"] < 0) == (protocol == "zero_shot")]
        days = scored_days(predicted, pd.read_parquet(samples_path), min_qc, first_day)
        scores = score_scales(days, min_days)
        scores.insert(0, "model", TAMRL)
        scores.insert(0, "protocol", protocol)
        scores = scores.merge(pd.read_csv(sites_path)[["site_id", "fold"]], "left", "site_id")
        scores = scores.merge(site_groups(sites_path), "left", "site_id")
        with atomic_path(scores_path) as path:
            scores.to_csv(path, index=False, float_format="%.5g")
        tables.append(scores)
    summary = summarise(pd.concat(tables, ignore_index=True), ["protocol", "model"])
    for row in summary[(summary["group"] == "all") & (summary["scale"] == "daily")].itertuples():
        log.info(
            "%s %s: R2 median %.3f, RMSE median %.3f, mean %.3f, p90 %.3f g m-2 d-1, %d sites",
            row.protocol, row.flux, row.r2_median, row.rmse_median, row.rmse_mean, row.rmse_p90,
            row.n_sites,
        )  # fmt: skip
    with atomic_path(summary_path) as path:
        summary.to_csv(path, index=False, float_format="%.5g")


def scored_days(
    predictions: pd.DataFrame, samples: pd.DataFrame, min_qc: float, first_day: str
) -> pd.DataFrame:
    """Observed and predicted fluxes of the days that count.

    A day counts from `first_day` on if its `qc` is at least `min_qc` and its weather is known, and
    for a flux if that flux was observed.

    Returns
    -------
    DataFrame
        `site_id, date, gpp, reco, nee`, `gpp_dt` where the samples have it, and `gpp_pred,
        reco_pred, nee_pred`.
    """
    observed = samples[(samples["qc"] >= min_qc) & (samples["date"] >= pd.Timestamp(first_day))]
    weather = [name for name in METEOROLOGY if name in observed]
    observed = observed.dropna(subset=weather)
    fluxes = [*FLUX_NAMES, *[DAYTIME][: DAYTIME in observed]]
    observed = observed[["site_id", "date", *fluxes]].dropna(subset=FLUX_NAMES, how="all")
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
