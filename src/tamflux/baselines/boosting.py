"""Boosted trees with the features that FLUXCOM-X and its users give them.

A tree predicts each day by itself; antecedent conditions enter as trailing means of the predictors.
Nelson and Walther et al. (2024, doi:10.5194/bg-21-5079-2024) use XGBoost on daily and hourly
meteorology, reflectance and vegetation classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import catboost
import lightgbm
import numpy as np
import xgboost

from tamflux.samples.samples import Samples
from tamflux.training.trainer import MIN_QC, day_weights, site_weights

TRAILING_DAYS = (7, 30, 90, 365)
"""Days of the trailing means, the day itself included."""

SITES_PER_BATCH = 64
"""Sites whose features are in memory together when predicting."""

MAX_ROUNDS = 300
"""Most trees of one flux."""

PATIENCE = 30
"""Trees without improvement at the inner held-out sites after which a fit stops."""


class Days(NamedTuple):
    """Features (day, feature), one flux (day,) in g m-2 d-1, and weights (day,) above 0."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class Booster(Protocol):
    """A fitted regressor of one flux."""

    rounds: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(day,) flux, g m-2 d-1."""


class BoostedTrees:
    """One regressor for each flux."""

    def __init__(self, boosters: Sequence[Booster]):
        self._boosters = boosters

    @property
    def rounds(self) -> list[int]:
        """Number of trees of each flux."""
        return [booster.rounds for booster in self._boosters]

    def predict(self, samples: Samples, site_idx: np.ndarray) -> np.ndarray:
        """(row, 3) float32 gpp, reco, nee, g m-2 d-1, of every day of the selected sites."""
        parts = []
        site_idx = np.sort(site_idx)
        for start in range(0, len(site_idx), SITES_PER_BATCH):
            rows = np.isin(samples.site, site_idx[start : start + SITES_PER_BATCH])
            x = tree_features(samples, rows)
            fluxes = [booster.predict(x) for booster in self._boosters]
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
    stop_idx: np.ndarray | None = None,
) -> BoostedTrees:
    """Fit boosted trees, each flux by itself, to the weighted squared error.

    Missing predictors stay missing: the libraries learn on which side of a split such days go.

    Parameters
    ----------
    name : str
        ``xgboost``, ``lightgbm`` or ``catboost``.
    samples : Samples
    train_idx : numpy.ndarray
        (n,) positions of the training sites in `samples.sites`.
    settings : mapping
        Parameters of the library under its own names; without `stop_idx` also `rounds`, the number
        of trees of each flux.
    seed, threads : int
    stop_idx : numpy.ndarray, optional
        (n,) positions of further sites. The number of trees, at most `MAX_ROUNDS`, is then that of
        the lowest error there.
    """
    settings = dict(settings)
    rounds = settings.pop("rounds", [MAX_ROUNDS] * 3)
    training = _days(samples, train_idx)
    stopping = [None] * 3 if stop_idx is None else _days(samples, stop_idx)
    fit = FITS[name]
    return BoostedTrees(
        [
            fit(days, stop, settings, number, seed, threads)
            for days, stop, number in zip(training, stopping, rounds, strict=True)
        ]
    )


def _days(samples: Samples, site_idx: np.ndarray) -> list[Days]:
    """Days of some sites with an observed flux, for each flux."""
    weight = day_weights(samples, MIN_QC)
    weight *= site_weights(samples, site_idx, weight)[samples.site, None]
    rows = np.isin(samples.site, site_idx) & (weight > 0).any(axis=1)
    x, y, weight = tree_features(samples, rows), samples.y[rows], weight[rows]
    used = weight > 0
    return [Days(x[of], y[of, k], weight[of, k]) for k, of in enumerate(used.T)]


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


class LightGBM:
    """Trees of LightGBM."""

    def __init__(self, days: Days, stop: Days | None, settings, rounds, seed, threads):
        parameters = {
            "objective": "regression",
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": threads,
            "verbose": -1,
        }
        data = lightgbm.Dataset(days.x, days.y, weight=days.weight)
        held = [] if stop is None else [data.create_valid(stop.x, stop.y, weight=stop.weight)]
        callbacks: list[Callable[..., Any]]
        callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)] if held else []
        self._trees = lightgbm.train(
            parameters | settings, data, rounds, valid_sets=held, callbacks=callbacks
        )
        self.rounds = self._trees.best_iteration or rounds

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._trees.predict(x, num_threads=1))


class XGBoost:
    """Trees of XGBoost."""

    def __init__(self, days: Days, stop: Days | None, settings, rounds, seed, threads):
        parameters = {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "seed": seed,
            "nthread": threads,
        }
        matrix = {"nthread": threads, "max_bin": settings["max_bin"]}
        data = xgboost.QuantileDMatrix(days.x, days.y, weight=days.weight, **matrix)
        held = []
        if stop is not None:
            held_days = xgboost.QuantileDMatrix(
                stop.x, stop.y, weight=stop.weight, ref=data, **matrix
            )
            held = [(held_days, "held")]
        trees = xgboost.train(
            parameters | settings, data, rounds, evals=held, verbose_eval=False,
            early_stopping_rounds=PATIENCE if held else None,
        )  # fmt: skip
        self.rounds = trees.best_iteration + 1 if held else rounds
        self._trees = trees[: self.rounds]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self._trees.inplace_predict(x)


class CatBoost:
    """Trees of CatBoost."""

    def __init__(self, days: Days, stop: Days | None, settings, rounds, seed, threads):
        self._trees = catboost.CatBoostRegressor(
            loss_function="RMSE",
            bootstrap_type="Bernoulli",
            iterations=rounds,
            random_seed=seed % 2**31,
            thread_count=threads,
            allow_writing_files=False,
            verbose=False,
            **settings,
        )
        held = None if stop is None else catboost.Pool(stop.x, stop.y, weight=stop.weight)
        self._trees.fit(
            catboost.Pool(days.x, days.y, weight=days.weight),
            eval_set=held,
            early_stopping_rounds=None if held is None else PATIENCE,
        )
        self.rounds = self._trees.tree_count_

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self._trees.predict(x, thread_count=1)


FITS: Mapping[str, Callable[..., Booster]] = {
    "catboost": CatBoost,
    "lightgbm": LightGBM,
    "xgboost": XGBoost,
}
"""Libraries of boosted trees by the name of the model."""
