"""Boosted trees with the features that FLUXCOM-X and its users give them.

A tree sees one day at a time; what the weeks before did to a place reaches it through trailing
means of the predictors (Nelson and Walther et al. 2024, doi:10.5194/bg-21-5079-2024, use XGBoost
on daily and hourly meteorology, reflectance and vegetation classes).
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

SITES_AT_ONCE = 64
"""Sites whose features are in memory together when predicting."""


Fit = Callable[..., lightgbm.Booster | xgboost.Booster]


class Trees:
    """One regressor for each flux."""

    def __init__(self, boosters: list[lightgbm.Booster | xgboost.Booster]):
        self._boosters = boosters

    def predict(self, samples: Samples, chosen: np.ndarray) -> np.ndarray:
        """(row, 3) float32 gpp, reco, nee, g m-2 d-1, of every day of the chosen sites."""
        parts = []
        chosen = np.sort(chosen)
        for start in range(0, len(chosen), SITES_AT_ONCE):
            rows = np.isin(samples.site, chosen[start : start + SITES_AT_ONCE])
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
    chosen: np.ndarray,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
) -> Trees:
    """Fit boosted trees, each flux by itself, to the weighted squared error.

    There is no early stopping: the number of rounds is a setting like the others, and every
    training site is learnt from.

    Parameters
    ----------
    name : str
        ``xgboost`` or ``lightgbm``.
    samples : Samples
    chosen : numpy.ndarray
        (n,) numbers of the training sites in `samples`.
    settings : mapping
        `rounds`, and parameters of the library under its own names.
    seed, threads : int
    """
    weight = day_weights(samples, MIN_QC)
    rows = np.isin(samples.site, chosen) & (weight > 0).any(axis=1)
    x, y, weight = tree_features(samples, rows), samples.y[rows], weight[rows]
    settings = dict(settings)
    rounds = settings.pop("rounds")
    fits: dict[str, Fit] = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}
    boosters = []
    for flux in range(y.shape[1]):
        used = weight[:, flux] > 0
        data = x[used], y[used, flux], weight[used, flux]
        boosters.append(fits[name](*data, settings, rounds, seed, threads))
    return Trees(boosters)


def tree_features(samples: Samples, rows: np.ndarray) -> np.ndarray:
    """Features of single days.

    Parameters
    ----------
    samples : Samples
    rows : numpy.ndarray
        (row,) bool; True for the days wanted.

    Returns
    -------
    numpy.ndarray
        (n, 4 x predictor + static feature) float32: the predictors of the day, their means over
        the `TRAILING_DAYS` that end with it, and the static features. A mean is of the days that
        have a value and reaches back to the first of the site's unbroken days at most; NaN where
        there is no value.
    """
    # only the wanted sites, so that few sites cost little
    near = np.isin(samples.site, np.unique(samples.site[rows]))
    x, wanted = samples.x[near], rows[near]
    first = _first_of_unbroken(samples.site[near], samples.date[near])
    means = [_trailing_mean(x, first, days)[wanted] for days in TRAILING_DAYS]
    return np.concatenate([x[wanted], *means, samples.static[samples.site[rows]]], axis=1)


def _first_of_unbroken(site: np.ndarray, date: np.ndarray) -> np.ndarray:
    """(row,) number of the first row of the run of consecutive days that each row is in."""
    step = (np.diff(site) != 0) | (np.diff(date) != np.timedelta64(1, "D"))
    starts = np.r_[True, step]
    return np.maximum.accumulate(np.where(starts, np.arange(len(site)), 0))


def _trailing_mean(x: np.ndarray, first: np.ndarray, days: int) -> np.ndarray:
    """(row, feature) float32 mean of the finite values of the last `days` rows, from `first` on."""
    finite = np.isfinite(x)
    stop = np.arange(len(x)) + 1
    start = np.maximum(stop - days, first)
    mean = np.empty_like(x)
    for feature in range(x.shape[1]):  # one column at a time: sums in double precision are large
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
