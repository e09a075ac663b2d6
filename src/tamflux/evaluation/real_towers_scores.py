"""Score predictions at the towers of a site table; one protocol selects the days of all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tamflux.evaluation.comparison import site_groups
from tamflux.evaluation.paired import TAMRL
from tamflux.evaluation.scales import score_scales, summarise
from tamflux.files import atomic_path
from tamflux.samples.scored_days import scored_days

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
