"""How errors fall with the days that a held-out site has measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tamflux.adaptation.features import daily_conditions
from tamflux.adaptation.record import Record, aligned_fluxes, measured_well
from tamflux.adaptation.series import held_out_series, write_series
from tamflux.files import atomic_path
from tamflux.samples.samples import Samples, load_samples
from tamflux.training.checkpoint import load_checkpoint
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

SCORED_AFTER = 365
"""Scored are the good days of a site after this many of them, whatever was used."""

MIN_SCORED = 30
"""Scored days that a site needs."""

MAX_FACTOR = 3.0
"""Bound of the factor of the method `scale`; winter fluxes would give any."""

DRAWS = ("first", "random", "winter")
"""Which of the first `SCORED_AFTER` good days are used: the first ones, any, or those of the three
coldest calendar months of the site alone."""

Method = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]]
"""From rows to use and rows to predict: fluxes (row, 3) and the half-widths of their 90 %
intervals, if the method has any."""


def adaptation_curve(
    samples_path: str | Path,
    sites_path: str | Path,
    predictions_path: str | Path,
    checkpoint: str | Path,
    correction_path: str | Path,
    curve_path: str | Path,
    series_path: str | Path,
    *,
    days: Sequence[int],
    min_qc: float,
    first_day: str,
    seed: int,
) -> None:
    """Learn how sites differ, and adapt the model to held-out sites with their measured days.

    A fold's sites are corrected with the errors of the other folds' sites alone.

    Parameters
    ----------
    samples_path, sites_path : path
        Samples and sites with `fold`.
    predictions_path : path
        Out-of-fold predictions of the samples.
    checkpoint : path
        Any member, for the scaling of the predictors.
    correction_path : path
        JSON to write: the distribution of the errors over all sites (`Correction.load`).
    curve_path : path
        CSV to write: `site_id, method, draw, days, flux, rmse, inside, half_width, n`; methods
        are `none`, `scale` (one factor on gpp and one on reco, at most `MAX_FACTOR`) and
        `correction`.
    series_path : path
        Parquet to write: columns of `tamflux.adaptation.series.held_out_series`.
    days : sequence of int
        Numbers of measured days.
    min_qc, first_day
        Good days have at least this qc, from this day on, and all three fluxes.
    seed : int
        For the days drawn at random.
    """
    samples = load_samples([samples_path], sites_path)
    spec = load_checkpoint(checkpoint)[1]
    record = Record(
        samples,
        aligned_fluxes(samples, pd.read_parquet(predictions_path)),
        measured_well(samples, min_qc, first_day),
        daily_conditions(samples, spec.mean, spec.sd),
    )
    fluxes, observed, conditions = record.fluxes, record.observed, record.conditions
    fold, everywhere = samples.sites["fold"].to_numpy(), np.ones(len(samples.sites), bool)
    unchanged = {"none": lambda _used, scored: (fluxes[scored], None)}
    rows_of, scores, series = record.rows_of_sites(), [], []
    for number in np.unique(fold):
        prior = record.learn(fold != number)

        def corrected(used, scored, prior=prior):
            site = prior.adapt(fluxes[used], observed[used], conditions[used])
            return site.apply(fluxes[scored], conditions[scored])

        methods = {
            "correction": corrected,
            "scale": lambda used, scored: (_scaled(fluxes, observed, used, scored), None),
        }
        for site in np.flatnonzero(fold == number).tolist():
            series.append(held_out_series(record, site, prior))
            scores += site_scores(samples, observed, rows_of[site], unchanged, [0], seed)
            scores += site_scores(samples, observed, rows_of[site], methods, days, seed)
    teachers = int(record.teaching(everywhere).sum())
    record.learn(everywhere).save(correction_path, {"sites": teachers})
    write_series(series, series_path)
    write_curve(scores, curve_path)
    _log_summary(pd.DataFrame(scores))


def site_scores(
    samples: Samples,
    observed: np.ndarray,
    rows: np.ndarray,
    methods: Mapping[str, Method],
    days: Sequence[int],
    seed: int,
    draws: Sequence[str] = DRAWS,
) -> list[dict[str, Any]]:
    """Scores of one site for each number of days, draw and method.

    Parameters
    ----------
    samples, seed
        As for `adaptation_curve`.
    observed : numpy.ndarray
        (row, 3) measured fluxes.
    rows : numpy.ndarray
        Rows of the good days of the site; with fewer than `SCORED_AFTER` + `MIN_SCORED` there are
        no scores.
    methods : mapping of name to Method
    days : sequence of int
        Numbers of measured days; a draw that has fewer is left out.
    draws : sequence of str
        Which of `DRAWS`.
    """
    if len(rows) < SCORED_AFTER + MIN_SCORED:
        return []
    early, scored = rows[:SCORED_AFTER], rows[SCORED_AFTER:]
    site_id, table = samples.sites["site_id"][samples.site[rows[0]]], []
    for draw in draws:
        for n in days:
            used = _draw(draw, early, n, samples, seed)
            if len(used) < n or (n == 0 and draw != "first"):
                continue
            for name, method in methods.items():
                key = {"site_id": site_id, "method": name, "draw": draw, "days": n}
                found = _scores(observed[scored], *method(used, scored))
                table += [key | score for score in found]
    return table


def _scores(observed, predicted, half_width) -> list[dict[str, Any]]:
    """Scores of each flux."""
    error = np.abs(predicted - observed)
    scores = []
    for k, flux in enumerate(FLUXES):
        score = {"flux": flux, "rmse": np.sqrt(np.square(error[:, k]).mean())}
        if half_width is not None:
            score["inside"] = (error[:, k] <= half_width[:, k]).mean()
            score["half_width"] = half_width[:, k].mean()
        scores.append(score | {"n": len(observed)})
    return scores


def write_curve(scores: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Write scores of sites as CSV."""
    with atomic_path(path) as partial:
        pd.DataFrame(scores).to_csv(partial, index=False, float_format="%.5g")


def _draw(draw: str, early: np.ndarray, n: int, samples: Samples, seed: int) -> np.ndarray:
    """Rows of `n` of the first good days of a site."""
    if draw == "first":
        return early[:n]
    if draw == "random":
        random = np.random.default_rng([seed, samples.site[early[0]]])
        return np.sort(random.permutation(early)[:n])
    month = samples.date[early].astype("datetime64[M]").astype(int) % 12
    t2m = samples.x[early, samples.predictors.index("t2m")]
    coldest = pd.Series(t2m).groupby(month).mean().nsmallest(3).index
    return early[np.isin(month, coldest)][:n]


def _scaled(
    fluxes: np.ndarray, observed: np.ndarray, used: np.ndarray, scored: np.ndarray
) -> np.ndarray:
    """Fluxes of the scored days, gpp and reco each times one factor of the used days."""
    if not len(used):
        return fluxes[scored]
    total = np.maximum(fluxes[used, :2].sum(axis=0), 1e-6)
    factor = (observed[used, :2].sum(axis=0) / total).clip(1 / MAX_FACTOR, MAX_FACTOR)
    gpp, reco = (fluxes[scored, :2] * factor).T
    return np.stack([gpp, reco, reco - gpp], axis=1)


def curve_summary(curve: pd.DataFrame) -> pd.DataFrame:
    """Mean RMSE over sites and its change against `none` at the same sites, in percent.

    Returns
    -------
    DataFrame
        `method, draw, days, flux, sites, rmse, change, inside, half_width`.
    """
    none = curve[curve["method"] == "none"].set_index(["site_id", "flux"])["rmse"]
    reference = none.reindex(pd.MultiIndex.from_frame(curve[["site_id", "flux"]])).to_numpy()
    keys = ["method", "draw", "days", "flux"]
    table = curve.assign(reference=reference).groupby(keys, sort=False)
    means = table[["rmse", "reference", "inside", "half_width"]].mean()
    means["sites"] = table["site_id"].nunique()
    means["change"] = 100 * (means["rmse"] / means.pop("reference") - 1)
    return means.reset_index()


def _log_summary(curve: pd.DataFrame) -> None:
    for row in curve_summary(curve).itertuples():
        if row.method == "correction" and row.draw == "first":
            log.info(
                "%3d days, %s: mean RMSE %.3f g m-2 d-1 (%+.1f %%), inside %.3f, %d sites",
                row.days, row.flux, row.rmse, row.change, row.inside, row.sites,
            )  # fmt: skip
