"""LightGBM continued with the measured days of a site: what adaptation is compared with.

Fitting all trees again with a site's days among those of the other sites would take a fit for every
site, number of days and flux. Instead, boosting goes on from the predictions of the trees that
were fitted to the other folds' sites, with the site's days alone: a few small trees on what is
left of them, whose leaves are shrunk as means of few independent days.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.adaptation.curve import site_scores, write_curve
from tamflux.adaptation.record import aligned_fluxes, measured_well
from tamflux.baselines.boosting import tree_features
from tamflux.samples.samples import load_samples

SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_data_in_leaf": 10,
    "lambda_l2": 100,
    "feature_fraction": 0.5,
    "boost_from_average": False,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
"""The best of three at the 56 towers with daily bands; the others had a `lambda_l2` of 20, with 50
and with 15 rounds."""

ROUNDS = 50


def lightgbm_curve(
    samples_path: str | Path,
    sites_path: str | Path,
    predictions_path: str | Path,
    lightgbm_paths: Sequence[str | Path],
    curve_path: str | Path,
    *,
    days: Sequence[int],
    min_qc: float,
    first_day: str,
    monthly: Sequence[str],
    seed: int,
    threads: int,
) -> None:
    """Score LightGBM continued with the first good days of each held-out site, on days of TAM-RL.

    Parameters
    ----------
    predictions_path : path
        Out-of-fold predictions of TAM-RL: where either model has none, a day does not count.
    lightgbm_paths : sequence of path
        Out-of-fold predictions of the repetitions of LightGBM; their mean is continued.
    curve_path : path
        CSV to write, as of `tamflux.adaptation.curve.adaptation_curve`, with method `lightgbm`.
    samples_path, sites_path, days, min_qc, first_day, seed
        As for `adaptation_curve`.
    monthly : sequence of str
        Predictors to average over calendar months, as in `load_samples`.
    threads : int
    """
    samples = load_samples([samples_path], sites_path, monthly=monthly)
    observed = measured_well(samples, min_qc, first_day)
    trees = np.mean(
        [aligned_fluxes(samples, pd.read_parquet(path)) for path in lightgbm_paths], axis=0
    )
    predicted = aligned_fluxes(samples, pd.read_parquet(predictions_path))
    good = np.isfinite(observed + predicted + trees).all(axis=1)
    scores = []
    for site in tqdm(range(len(samples.sites)), desc="continued LightGBM", unit="site"):
        of_site = samples.site == site
        features, first = tree_features(samples, of_site), np.flatnonzero(of_site)[0]

        def continued(used, scored, features=features, first=first):
            x, x_scored = features[used - first], features[scored - first]
            error = observed[used] - trees[used]
            steps = [continue_boosting(x, error[:, k], x_scored, seed, threads) for k in range(3)]
            return trees[scored] + np.stack(steps, axis=1), None

        rows = np.flatnonzero(good & of_site)
        method = {"lightgbm": continued}
        scores += site_scores(samples, observed, rows, method, days, seed, draws=["first"])
    write_curve(scores, curve_path)


def continue_boosting(
    x: np.ndarray, error: np.ndarray, x_scored: np.ndarray, seed: int, threads: int
) -> np.ndarray:
    """What the measured days of a site add to the prediction of other days.

    Parameters
    ----------
    x : numpy.ndarray
        (day, feature) of the measured days; there may be none.
    error : numpy.ndarray
        (day,) measured minus predicted flux, g C m-2 d-1.
    x_scored : numpy.ndarray
        (other day, feature).

    Returns
    -------
    numpy.ndarray
        (other day,) g C m-2 d-1.
    """
    if not len(x):
        return np.zeros(len(x_scored))
    level = error.sum() / (len(error) + SETTINGS["lambda_l2"])  # trees would not shrink the mean
    settings = SETTINGS | {"seed": seed, "num_threads": threads}
    data = lightgbm.Dataset(x, error - level, init_score=np.zeros(len(x)))
    trees = lightgbm.train(settings, data, ROUNDS)
    return level + np.asarray(trees.predict(x_scored, num_threads=threads))
