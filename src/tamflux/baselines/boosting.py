"""Boosted trees with the features that FLUXCOM-X and its users give them.

A tree predicts each day by itself; antecedent conditions enter as trailing means of the predictors.
Nelson and Walther et al. (2024, doi:10.5194/bg-21-5079-2024) use XGBoost on daily and hourly
meteorology, reflectance and vegetation classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np
import xgboost

from tamflux.samples.samples import Samples
from tamflux.training.trainer import MIN_QC, day_weights

TRAILING_DAYS = (7, 30, 90)
"""Days of the trailing means, the day itself included."""

SITES_PER_BATCH = 64
"""Sites whose features are in memory together when predicting."""


Fit = Callable[..., lightgbm.Booster | xgboost.Booster]


class BoostedTrees:
    """One regressor for each flux."""

    def __init__(self, boosters: list[lightgbm.Booster | xgboost.Booster]):
        self._boosters = boosters

    def predict(self, samples: Samples, site_idx: np.ndarray) -> np.ndarray:
        """(row, 3) float32 gpp, reco, nee, g m-2 d-1, of every day of the selected sites."""
        parts = []
        site_idx = np.sort(site_idx)
        for start in range(0, len(site_idx), SITES_PER_BATCH):
            rows = np.isin(samples.site, site_idx[start : start + SITES_PER_BATCH])
            x = tree_features(samples, rows)
            fluxes = [
                booster.inplace_predict(x)
                if isinstance(booster, xgboost.Booster)
                else booster.predict(x, num_threads=1)
                for booster in self._boosters
            ]
            parts.append(np.stack(fluxes, axis=1).astype(np.float32))
        return np.concatenate(parts)


def fit_boosting(
    name: str,
    samples: Samples,
    train_idx: np.ndarray,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
) -> BoostedTrees:
    """Fit boosted trees, each flux by itself, to the weighted squared error.

    There is no early stopping: the number of rounds is a setting like the others, and all training
    sites are used for fitting.

    Parameters
    ----------
    name : str
        ``xgboost`` or ``lightgbm``.
    samples : Samples
    train_idx : numpy.ndarray
        (n,) positions of the training sites in `samples.sites`.
    settings : mapping
        `rounds`, and parameters of the library under its own names.
    seed, threads : int
    """
    weight = day_weights(samples, MIN_QC)
    rows = np.isin(samples.site, train_idx) & (weight > 0).any(axis=1)
    x, y, weight = tree_features(samples, rows), samples.y[rows], weight[rows]
    settings = dict(settings)
    rounds = settings.pop("rounds")
    fits: dict[str, Fit] = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}
    boosters = []
    for flux in range(y.shape[1]):
        used = weight[:, flux] > 0
        data = x[used], y[used, flux], weight[used, flux]
        boosters.append(fits[name](*data, settings, rounds, seed, threads))
    return BoostedTrees(boosters)


def tree_features(samples: Samples, rows: np.ndarray) -> np.ndarray:
    """Features of single days.

    Parameters
    ----------
    samples : Samples
    rows : numpy.ndarray
        (row,) bool, True for the requested days.

    Returns
    -------
    numpy.ndarray
        (n, 4 x predictor + static feature) float32: the predictors of the day, their means over
        the `TRAILING_DAYS` that end with it, and the static features. A mean uses the days that
        have a value, back to the last gap in the dates; NaN where there is no value.
    """
    # features are computed for the requested sites alone: the cost follows their number
    of_sites = np.isin(samples.site, np.unique(samples.site[rows]))
    x, requested = samples.x[of_sites], rows[of_sites]
    first = _first_consecutive(samples.site[of_sites], samples.date[of_sites])
    means = [_trailing_mean(x, first, days)[requested] for days in TRAILING_DAYS]
    return np.concatenate([x[requested], *means, samples.static[samples.site[rows]]], axis=1)


def _first_consecutive(site: np.ndarray, date: np.ndarray) -> np.ndarray:
    """(row,) first row of the run of consecutive days that each row belongs to."""
    step = (np.diff(site) != 0) | (np.diff(date) != np.timedelta64(1, "D"))
    starts = np.r_[True, step]
    return np.maximum.accumulate(np.where(starts, np.arange(len(site)), 0))


def _trailing_mean(x: np.ndarray, first: np.ndarray, days: int) -> np.ndarray:
    """(row, feature) float32 mean of the finite values of the last `days` rows, from `first` on.

    The mean over rows [start, stop) is (C[stop] - C[start]) / n with C the cumulative sum.
    """
    finite = np.isfinite(x)
    stop = np.arange(len(x)) + 1
    start = np.maximum(stop - days, first)
    mean = np.empty_like(x)
    for feature in range(x.shape[1]):  # one at a time: float64 sums take twice the memory of x
        n = np.r_[0, np.cumsum(finite[:, feature])]
        total = np.r_[0, np.cumsum(np.where(finite[:, feature], x[:, feature], 0), dtype=float)]
        count = n[stop] - n[start]
        with np.errstate(invalid="ignore"):
            mean[:, feature] = np.where(count, (total[stop] - total[start]) / count, np.nan)
    return mean


def _fit_lightgbm(x, y, weight, settings, rounds, seed, threads) -> lightgbm.Booster:
    parameters = {
        "objective": "regression",
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    data = lightgbm.Dataset(x, y, weight=weight)
    return lightgbm.train(parameters | settings, data, rounds)


def _fit_xgboost(x, y, weight, settings, rounds, seed, threads) -> xgboost.Booster:
    parameters = {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "seed": seed,
        "nthread": threads,
    }
    data = xgboost.QuantileDMatrix(
        x, y, weight=weight, nthread=threads, max_bin=settings["max_bin"]
    )
    return xgboost.train(parameters | settings, data, rounds)
