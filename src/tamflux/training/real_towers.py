"""Cross-validation on a table of tower sites: train without a fold, predict its sites."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.samples.protocols import protocol_folds, training_sites
from tamflux.samples.samples import Samples, load_samples
from tamflux.samples.site_table import convert_site_table
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.training.members import fit_member, member_seed
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")


def train_real_member(
    samples_path: str | Path,
    sites_path: str | Path,
    checkpoint: str | Path,
    curve: str | Path,
    *,
    fold: int | None,
    member: int,
    seed: int,
    monthly: Sequence[str],
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    code: str,
    threads: int,
) -> None:
    """Train one member on all folds but one.

    Parameters
    ----------
    samples_path, sites_path : path
        Samples and sites of the first table, from `convert_site_table`.
    checkpoint, curve : path
        Checkpoint (safetensors) and learning curve (CSV) to write.
    fold : int or None
        Held-out fold; neighbours of its sites do not train either. None trains on all sites.
    member, seed : int
        Number of the member and seed of the run.
    monthly : sequence of str
        Predictors that the table has as monthly means alone.
    model, training : mapping
        Sections of the configuration.
    code : str
        Identity of the training code.
    threads : int
        CPU threads.

    Raises
    ------
    ContractError, TrainingError
        If the samples are broken or cannot train a model.
    """
    samples = load_samples([samples_path], sites_path, monthly=monthly)
    train_on = samples.sites["site_id"].to_list()
    if fold is not None:
        train_on = training_sites(protocol_folds(samples.sites, "folds", seed), fold)
    fit_member(
        samples,
        train_on,
        checkpoint,
        curve,
        name="tamrl",
        seed=member_seed(seed, f"tamrl-{fold}", member),
        model=model,
        training=training,
        provenance={"code": code, "left_out_fold": fold, "member": member},
        threads=threads,
    )


def predict_real_towers(
    samples_paths: Sequence[str | Path],
    sites_paths: Sequence[str | Path],
    checkpoints: Mapping[int, Sequence[str | Path]],
    predictions_path: str | Path,
    *,
    threads: int,
) -> None:
    """Predict every site-day of the site tables with members not trained on the site.

    Parameters
    ----------
    samples_paths, sites_paths : sequences of path
        Samples and sites of each table, from `convert_site_table`.
    checkpoints : mapping of int to paths
        Members by their held-out fold; -1: trained on all folds.
    predictions_path : path
        Parquet to write: `site_id, date, fold, gpp, reco, nee, gpp_std, reco_std,
        nee_std`, g C m-2 d-1; the std is the standard deviation over members.
    threads : int
        CPU threads.

    Raises
    ------
    ContractError
        If a member was trained on a site that it is to predict.
    """
    torch.set_num_threads(threads)
    ensembles = {fold: Ensemble.load(paths) for fold, paths in checkpoints.items()}
    first = next(iter(ensembles.values()))
    tables = []
    for samples_path, sites_path in zip(samples_paths, sites_paths, strict=True):
        samples = _load_for(first, samples_path, sites_path)
        of_site = samples.sites["fold"].to_numpy()
        for fold in np.unique(of_site):
            site_idx = np.flatnonzero(of_site == fold)
            _refuse_leak(ensembles[fold], samples.sites["site_id"].iloc[site_idx], fold)
            tables.append(predict_sites(ensembles[fold], samples, site_idx).assign(fold=fold))
            log.info("fold %d: %d sites predicted", fold, len(site_idx))
    columns = ["site_id", "date", "fold", *FLUXES, *(f"{flux}_std" for flux in FLUXES)]
    table = pd.concat(tables)[columns].sort_values(["fold", "site_id", "date"])
    with atomic_path(predictions_path) as path:
        table.to_parquet(path, index=False)


def predict_table(
    days_path: str | Path, sites_path: str | Path, ensemble: Ensemble, target: str | Path
) -> pd.DataFrame:
    """Predict every day of a site table with a trained model.

    Parameters
    ----------
    days_path, sites_path : path
        Site-days (Parquet) and sites (CSV), as for `convert_site_table`; fluxes may be absent.
    ensemble : Ensemble
    target : path
        CSV (``.csv``) or Parquet to write: `site_id, date`, fluxes and their std, g C m-2 d-1.

    Raises
    ------
    InputError
        As `convert_site_table`.
    """
    samples, _ = read_table_for(ensemble, days_path, sites_path)
    table = predict_sites(ensemble, samples, np.arange(len(samples.sites)))
    with atomic_path(target) as path:
        if Path(target).suffix == ".csv":
            table.to_csv(path, index=False, float_format="%.5g")
        else:
            table.to_parquet(path, index=False)
    return table


def read_table_for(
    ensemble: Ensemble, days_path: str | Path, sites_path: str | Path
) -> tuple[Samples, np.ndarray]:
    """Samples of a site table as a model receives them, and the days (row,) bool that are filled.

    Raises
    ------
    InputError
        As `convert_site_table`.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "samples.parquet"), Path(folder, "sites.csv")
        convert_site_table(days_path, sites_path, *files, n_folds=None)
        return _load_for(ensemble, *files), pd.read_parquet(files[0])["filled"].to_numpy()


def _load_for(ensemble: Ensemble, samples_path: str | Path, sites_path: str | Path) -> Samples:
    return load_samples(
        [samples_path],
        sites_path,
        ensemble.predictors,
        monthly=ensemble.monthly,
        static_names=ensemble.static_features,
    )


def _refuse_leak(ensemble: Ensemble, site_ids: pd.Series, fold: int) -> None:
    """Raise where a member was trained on a site of the fold that it is to predict."""
    trained = {site for member in ensemble.specs for site in member.training_sites}
    leaked = sorted(trained.intersection(site_ids))
    if leaked:
        raise ContractError(
            "a member was trained on sites that it is to predict",
            found=f"fold {fold}: {', '.join(leaked[:5])}",
            expected="members trained without the fold; a second table without sites of the first",
            fix="train them again, or drop the sites from the second table",
        )
