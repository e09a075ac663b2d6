"""Fit any of the compared models and predict the test sites of a protocol with it.

All models receive the same samples, the same training sites and the same weights of days.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from tqdm import tqdm

from tamflux.baselines.boosting import FITS, fit_boosting
from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.model.components import COMPONENTS_OF_MODEL
from tamflux.provenance import file_hash
from tamflux.samples.protocols import training_sites
from tamflux.samples.samples import Samples, load_samples
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.training.members import fit_member, member_seed
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")


class FittedModel(Protocol):
    """A fitted model."""

    def predict(self, samples: Samples, site_idx: np.ndarray) -> np.ndarray:
        """(row, 3) float32 gpp, reco, nee, g m-2 d-1, of every day of the selected sites.

        Rows are in the order of `samples`; NaN where the model has no prediction.
        """


def fit_model(
    name: str,
    samples: Samples,
    train_idx: np.ndarray,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    folder: Path,
    stop_idx: np.ndarray | None = None,
) -> FittedModel:
    """Fit one model.

    Parameters
    ----------
    name : str
        ``catboost``, ``lightgbm``, ``xgboost``; ``lstm``, ``ct_lstm``, ``transformer``,
        ``published_tamrl``; ``continuous_lstm``, ``tamrl`` or ``tamrl_without_...`` (an ablation).
    samples : Samples
    train_idx : numpy.ndarray
        (n,) positions of the training sites in `samples.sites`.
    settings : mapping
        Settings of the model; for `continuous_lstm` and tamrl the sections `model` and `training`
        of the configuration.
    seed, threads : int
    folder : path
        For working files.
    stop_idx : numpy.ndarray, optional
        Sites that stop boosted trees, as in `fit_boosting`.
    """
    if name in FITS:
        return fit_boosting(
            name, samples, train_idx,
            settings=settings, seed=seed, threads=threads, stop_idx=stop_idx,
        )  # fmt: skip
    if name == "lstm" or name not in COMPONENTS_OF_MODEL:  # this LSTM reads windows of a month
        from tamflux.baselines.windowed import fit_network

        return fit_network(name, samples, train_idx, settings=settings, seed=seed, threads=threads)
    checkpoint = Path(folder) / f"{name}.safetensors"
    fit_member(
        samples,
        samples.sites["site_id"].iloc[train_idx].to_list(),
        checkpoint,
        checkpoint.with_suffix(".csv"),
        name=name,
        seed=seed,
        provenance={},
        threads=threads,
        **settings,
    )
    return _Member(Ensemble.load([checkpoint], settings["training"]["device"]))


class _Member:
    """A network that is trained like a member of tamrl."""

    def __init__(self, ensemble: Ensemble):
        self._ensemble = ensemble

    def predict(self, samples: Samples, site_idx: np.ndarray) -> np.ndarray:
        return predict_sites(self._ensemble, samples, site_idx)[list(FLUXES)].to_numpy(np.float32)


def compare_model(
    samples_paths: Sequence[str | Path],
    sites_path: str | Path,
    folds_path: str | Path,
    predictions_path: str | Path,
    *,
    name: str,
    settings: Mapping[str, Any],
    member: int,
    seed: int,
    train_years: Sequence[int] | None,
    predictors: Sequence[str] | None,
    monthly: Sequence[str],
    code: str,
    threads: int,
    cells: tuple[Sequence[str | Path], str | Path, str | Path] | None = None,
) -> None:
    """Predict every day of every test site of a protocol, with one seed of one model.

    Finished folds are cached in ``models/{name}_{member}`` next to the predictions until all are
    done: a killed run continues from there.

    Parameters
    ----------
    samples_paths, sites_path : paths
        Samples (contract 2).
    folds_path : path
        CSV from `protocol_folds`.
    predictions_path : path
        Parquet to write: `site_id, date, fold, gpp, reco, nee`, g m-2 d-1.
    name, settings
        Model and its settings, as in `fit_model`.
    member, seed : int
        Index of the repetition, and seed of the run.
    train_years : sequence of int, optional
        Years whose fluxes are used for training; else all.
    predictors : sequence of str, optional
        In the order of the features; else all that the samples hold.
    monthly : sequence of str
        Predictors to average over calendar months, as in `load_samples`.
    code : str
        Identity of the code; folds cached by other code are computed again.
    threads : int
    cells : (samples paths, sites path, predictions path), optional
        Grid cells to predict as well, with the model of the first fold.

    Raises
    ------
    ContractError, TrainingError
        If samples, folds and sites do not fit each other, or cannot train a model.
    """
    samples = load_samples(samples_paths, sites_path, predictors, train_years, monthly)
    folds = pd.read_csv(folds_path, keep_default_na=False)
    inputs = [*samples_paths, sites_path, folds_path, *([*cells[0], cells[1]] if cells else [])]
    identity = [
        name,
        member,
        seed,
        settings,
        train_years,
        predictors,
        monthly,
        code,
        *map(file_hash, inputs),
    ]
    work = Path(predictions_path).parent / "models" / f"{name}_{member}"
    folder = work / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    numbers = sorted(fold for fold in folds["fold"].unique() if fold >= 0)
    for fold in tqdm(numbers, desc=name, unit="fold"):
        if (folder / f"{fold}.parquet").exists():
            log.info("fold %d is cached", fold)
            continue
        train_idx, test_idx = sites_of_fold(samples, folds, fold)
        fitted = fit_model(
            name,
            samples,
            train_idx,
            settings=settings,
            seed=member_seed(seed, f"{name}-{fold}", member),
            threads=threads,
            folder=folder / str(fold),
        )
        if cells and fold == numbers[0]:
            _predict_cells(fitted, cells, samples.predictors, folder / "cells.parquet")
        table = predict_table(fitted, samples, test_idx)
        table.insert(2, "fold", fold)
        _write(table, folder / f"{fold}.parquet")
        log.info("fold %d: %d training sites, %d test sites", fold, len(train_idx), len(test_idx))
    _write(pd.concat(pd.read_parquet(folder / f"{f}.parquet") for f in numbers), predictions_path)
    if cells:
        _write(pd.read_parquet(folder / "cells.parquet"), cells[2])
    shutil.rmtree(work)


def sites_of_fold(
    samples: Samples, folds: pd.DataFrame, fold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training sites and of the test sites of one fold in `samples.sites`.

    Raises
    ------
    ContractError
        If there are none.
    """
    site_id = samples.sites["site_id"]
    train_idx = np.flatnonzero(site_id.isin(training_sites(folds, fold)))
    test_idx = np.flatnonzero(site_id.isin(folds["site_id"][folds["fold"] == fold]))
    if not len(train_idx) or not len(test_idx):
        raise ContractError(
            "a fold has no training sites or no test sites",
            found=f"fold {fold}: {len(train_idx)} training sites, {len(test_idx)} test sites",
            fix="draw the folds again, from the sites of these samples",
        )
    return train_idx, test_idx


def predict_table(fitted: FittedModel, samples: Samples, site_idx: np.ndarray) -> pd.DataFrame:
    """`site_id, date, gpp, reco, nee` (g m-2 d-1) of every day of the selected sites."""
    rows = np.isin(samples.site, site_idx)
    table = pd.DataFrame(fitted.predict(samples, site_idx), columns=list(FLUXES))
    table.insert(0, "date", samples.date[rows].astype("datetime64[ns]"))
    table.insert(0, "site_id", samples.sites["site_id"].to_numpy()[samples.site[rows]])
    return table


def _predict_cells(fitted, cells, predictors: Sequence[str], path: Path) -> None:
    samples = load_samples(cells[0], cells[1], predictors)
    _write(predict_table(fitted, samples, np.arange(len(samples.sites))), path)


def _write(table: pd.DataFrame, path: str | Path) -> None:
    with atomic_path(path) as partial:
        table.to_parquet(partial, index=False)
