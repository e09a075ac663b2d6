"""How errors fall with the days that a held-out site has measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import daily_conditions
from tamflux.files import atomic_path
from tamflux.samples.samples import Samples, load_samples
from tamflux.training.checkpoint import load_checkpoint
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

SCORED_AFTER = 365
"""Scored are the good days of a site after this many of them, whatever was used."""

MIN_SCORED = 30
"""Scored days that a site needs."""

MIN_LEARNING = 100
"""Good days that a site needs to teach how sites differ."""

MAX_FACTOR = 3.0
"""Bound of the factor of the method `scale`; winter fluxes would give any."""

DRAWS = ("first", "random", "winter")
"""Which of the first `SCORED_AFTER` good days are used: the first ones, any, or those of the three
coldest calendar months of the site alone."""


def adaptation_curve(
    samples_path: str | Path,
    sites_path: str | Path,
    predictions_path: str | Path,
    checkpoint: str | Path,
    correction_path: str | Path,
    curve_path: str | Path,
    *,
    days: Sequence[int],
    min_qc: float,
    first_day: str,
    seed: int,
) -> None:
    """Learn how sites differ, and write scores of held-out sites by number of measured days.

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
    days : sequence of int
        Numbers of measured days.
    min_qc, first_day
        Good days have at least this qc, from this day on, and all three fluxes.
    seed : int
        For the days drawn at random.
    """
    samples = load_samples([samples_path], sites_path)
    spec = load_checkpoint(checkpoint)[1]
    conditions = daily_conditions(samples, spec.mean, spec.sd)
    fluxes = aligned_fluxes(samples, pd.read_parquet(predictions_path))
    good = (samples.qc >= min_qc) & (samples.date >= np.datetime64(first_day))
    observed = np.where(good[:, None], samples.y, np.nan).astype(float)
    usable = np.isfinite(observed).all(axis=1) & np.isfinite(fluxes).all(axis=1)
    rows_of = [np.flatnonzero(usable & (samples.site == i)) for i in range(len(samples.sites))]
    fold = samples.sites["fold"].to_numpy()
    teaches = np.array([len(rows) >= MIN_LEARNING for rows in rows_of])[samples.site] & usable

    def learn(selected: np.ndarray) -> Correction:
        return Correction.learn(
            fluxes[selected], observed[selected], conditions[selected], samples.site[selected]
        )

    table = []
    for number in np.unique(fold):
        prior = learn(teaches & (fold != number)[samples.site])
        for site in np.flatnonzero(fold == number):
            scores = _site_curve(
                prior, fluxes, observed, conditions, samples, rows_of[site], days, seed
            )
            table += [{"site_id": samples.sites["site_id"][site], **score} for score in scores]
    curve = pd.DataFrame(table)
    learn(teaches).save(correction_path, {"sites": len(np.unique(samples.site[teaches]))})
    with atomic_path(curve_path) as path:
        curve.to_csv(path, index=False, float_format="%.5g")
    _log_summary(curve)


def aligned_fluxes(samples: Samples, predictions: pd.DataFrame) -> np.ndarray:
    """Predicted fluxes (row, 3) in the order of the samples, NaN where there are none."""
    site_id = samples.sites["site_id"].to_numpy()[samples.site]
    rows = pd.MultiIndex.from_arrays([site_id, samples.date.astype("datetime64[ns]")])
    table = predictions.set_index(["site_id", "date"])[list(FLUXES)]
    return table.reindex(rows).to_numpy(float)


def _site_curve(prior, fluxes, observed, conditions, samples, rows, days, seed) -> list[dict]:
    """Scores of one site for each number of days, draw and method."""
    if len(rows) < SCORED_AFTER + MIN_SCORED:
        return []
    early, scored = rows[:SCORED_AFTER], rows[SCORED_AFTER:]
    scores = []

    def score(method: str, draw: str, n: int, predicted: np.ndarray, width=None) -> None:
        error = np.abs(predicted - observed[scored])
        for k, flux in enumerate(FLUXES):
            inside = {} if width is None else {
                "inside": (error[:, k] <= width[:, k]).mean(), "half_width": width[:, k].mean()
            }  # fmt: skip
            rmse = np.sqrt(np.square(error[:, k]).mean())
            scores.append(
                {"method": method, "draw": draw, "days": n, "flux": flux, "rmse": rmse}
                | inside | {"n": len(scored)}
            )  # fmt: skip

    score("none", "first", 0, fluxes[scored])
    for draw in DRAWS:
        for n in days:
            used = _draw(draw, early, n, samples, seed)
            if len(used) < n or (n == 0 and draw != "first"):
                continue
            site = prior.adapt(fluxes[used], observed[used], conditions[used])
            score("correction", draw, n, *site.apply(fluxes[scored], conditions[scored]))
            if n:
                score("scale", draw, n, _scaled(fluxes, observed, used, scored))
    return scores


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
