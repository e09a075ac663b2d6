"""Select the settings of each baseline, with the same small budget for all.

Each baseline has five trials: fits with candidate settings on four fifths of the training sites of
one fold, scored on the others, which also stop boosted trees. The test sites of the fold are not
used. TAM-RL has no trial: its settings are those of the configuration.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.baselines.boosting import BoostedTrees
from tamflux.baselines.fit import fit_model, sites_of_fold
from tamflux.files import atomic_path
from tamflux.samples.samples import Samples, load_samples
from tamflux.samples.splits import neighbours
from tamflux.training.members import member_seed
from tamflux.training.trainer import MIN_QC, day_weights

log = logging.getLogger("tamflux")

VALIDATION_SHARE = 0.2
"""Share of the training sites that scores the candidates."""

_LIGHTGBM = {
    "learning_rate": 0.1,
    "num_leaves": 63,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "max_bin": 127,
}
_CATBOOST = {
    "learning_rate": 0.1,
    "depth": 6,
    "l2_leaf_reg": 30,
    "rsm": 0.25,
    "subsample": 0.5,
    "border_count": 64,
}
_XGBOOST = {
    "learning_rate": 0.1,
    "max_leaves": 63,
    "min_child_weight": 200,
    "colsample_bytree": 0.5,
    "subsample": 0.5,
    "max_bin": 128,
}
_NETWORK = {"hidden_size": 64, "learning_rate": 0.002, "epochs": 12}
_NETWORKS = (
    _NETWORK,
    _NETWORK | {"hidden_size": 128, "learning_rate": 0.001},
    _NETWORK | {"epochs": 24},
    _NETWORK | {"epochs": 6},
    _NETWORK | {"learning_rate": 0.005},
)
CANDIDATES: dict[str, Sequence[Mapping[str, Any]]] = {
    "catboost": (
        _CATBOOST,
        _CATBOOST | {"depth": 4},
        _CATBOOST | {"depth": 8},
        _CATBOOST | {"l2_leaf_reg": 3},
        _CATBOOST | {"learning_rate": 0.05},
    ),
    "lightgbm": (
        _LIGHTGBM,
        _LIGHTGBM | {"num_leaves": 31, "min_data_in_leaf": 1000},
        _LIGHTGBM | {"num_leaves": 15, "min_data_in_leaf": 1000},
        _LIGHTGBM | {"num_leaves": 31, "feature_fraction": 0.25},
        _LIGHTGBM | {"learning_rate": 0.05},
    ),
    "xgboost": (
        _XGBOOST,
        _XGBOOST | {"max_leaves": 31, "min_child_weight": 1000},
        _XGBOOST | {"max_leaves": 15, "min_child_weight": 1000},
        _XGBOOST | {"max_leaves": 31, "colsample_bytree": 0.25},
        _XGBOOST | {"learning_rate": 0.05},
    ),
    "lstm": _NETWORKS,
    "ct_lstm": _NETWORKS,
    "transformer": _NETWORKS,
    "published_tamrl": _NETWORKS,
}
"""Candidate settings of the baselines; the first is a common choice."""

FACTORS: Sequence[Mapping[str, float]] = (
    {},
    {"learning_rate": 0.5},
    {"hidden_size": 2},
    {"batch_size": 0.5},
    {"epochs": 2},
)
"""Factors on the values of the configuration that give the candidates of the continuous LSTM."""


def search_settings(
    samples_paths: Sequence[str | Path],
    sites_path: str | Path,
    folds_path: str | Path,
    settings_path: str | Path,
    *,
    name: str,
    seed: int,
    train_years: Sequence[int] | None,
    predictors: Sequence[str] | None,
    monthly: Sequence[str],
    sections: Mapping[str, Mapping[str, Any]],
    threads: int,
) -> None:
    """Write the best of a baseline's candidates.

    Parameters
    ----------
    samples_paths, sites_path, folds_path : paths
        Samples and the folds of one protocol; its first fold is used.
    settings_path : path
        JSON to write: `settings` of the best candidate, and `candidates`, each with `settings` and
        `score`.
    name, seed, train_years, predictors, monthly, threads
        As in `compare_model`.
    sections : mapping
        The sections `model` and `training` of the configuration, for the continuous LSTM.

    Raises
    ------
    ContractError, TrainingError
        If samples, folds and sites do not fit each other, or cannot train a model.
    """
    samples = load_samples(samples_paths, sites_path, predictors, train_years, monthly)
    folds = pd.read_csv(folds_path, keep_default_na=False)
    first = folds["fold"][folds["fold"] >= 0].min()
    train_idx, score_idx = split_validation(samples, sites_of_fold(samples, folds, first)[0], seed)
    tried: list[dict[str, Any]] = []
    for settings in tqdm(candidates(name, sections), desc=f"settings of {name}"):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(dir=_parent(settings_path), prefix=".search_") as folder:
            fitted = fit_model(
                name,
                samples,
                train_idx,
                settings=settings,
                seed=member_seed(seed, f"{name}-search", 0),
                threads=threads,
                folder=Path(folder),
                stop_idx=score_idx,
            )
            score = relative_error(samples, score_idx, fitted.predict(samples, score_idx))
        if isinstance(fitted, BoostedTrees):
            settings |= {"rounds": fitted.rounds}
        tried.append({"settings": settings, "score": score})
        log.info("%.4f in %.0f s: %s", score, time.monotonic() - start, settings)
    best = min(tried, key=lambda one: one["score"])
    with atomic_path(settings_path) as path:
        text = json.dumps({"settings": best["settings"], "candidates": tried}, indent=1)
        path.write_text(text + "\n")


def best_settings(settings_path: str | Path) -> dict[str, Any]:
    """Settings that `search_settings` chose."""
    return json.loads(Path(settings_path).read_text())["settings"]


def candidates(name: str, sections: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The five candidate settings of a baseline."""
    if name != "continuous_lstm":
        return [dict(settings) for settings in CANDIDATES[name]]
    return [
        {
            section: {
                key: type(value)(value * factors[key]) if key in factors else value
                for key, value in values.items()
            }
            for section, values in sections.items()
        }
        for factors in FACTORS
    ]


def split_validation(
    samples: Samples, train_idx: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Training sites to fit on and to score on; neighbouring towers stay together."""
    position = samples.sites[["lat", "lon"]].to_numpy()[train_idx]
    cluster = neighbours(position[:, 0], position[:, 1])
    order = np.random.default_rng(seed).permutation(cluster.max() + 1)
    first = np.cumsum(np.bincount(cluster)[order]) <= round(VALIDATION_SHARE * len(train_idx))
    scores = np.isin(cluster, order[first])
    return train_idx[~scores], train_idx[scores]


def relative_error(samples: Samples, site_idx: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over fluxes of the median site's RMSE, in standard deviations of the flux.

    Parameters
    ----------
    samples : Samples
    site_idx : numpy.ndarray
        (n,) positions of the scored sites in `samples.sites`.
    predicted : numpy.ndarray
        (row of these sites, 3) as from `FittedModel.predict`. Days that may train are scored.
    """
    rows = np.isin(samples.site, site_idx)
    weight = day_weights(samples, MIN_QC)
    counts = (weight[rows] > 0) & np.isfinite(predicted)
    site = samples.site[rows]
    scores = []
    for flux in range(3):
        used = counts[:, flux]
        error = predicted[used, flux] - samples.y[rows][used, flux].astype(np.float64)
        n = np.bincount(site[used])
        squared = np.bincount(site[used], error**2)
        scale = samples.y[weight[:, flux] > 0, flux].std(dtype=np.float64)
        scores.append(np.median(np.sqrt(squared[n > 0] / n[n > 0])) / scale)
    return float(np.mean(scores))


def _parent(path: str | Path) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path).parent
