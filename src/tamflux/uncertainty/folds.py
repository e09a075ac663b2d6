"""Cross-validation over the training towers: a member for each fold, trained without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tamflux.errors import ContractError
from tamflux.samples.samples import load_samples
from tamflux.samples.splits import neighbours, tower_roles
from tamflux.training.members import fit_member, member_seed


def train_fold(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoint: str | Path,
    curve: str | Path,
    *,
    name: str,
    fold: int,
    folds: int,
    seed: int,
    train_years: Sequence[int],
    split: str,
    predictors: Sequence[str],
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    code: str,
    threads: int,
) -> None:
    """Train a member like those of the product on the training towers of all folds but one.

    Parameters are those of `tamflux.training.members.train_member`; `fold` of `folds` is held out.
    """
    samples = load_samples(year_paths, sites_path, predictors, train_years)
    of_site = assign_calibration_folds(samples.sites, split, folds, seed)
    trained = (of_site >= 0) & (of_site != fold)
    fit_member(
        samples,
        samples.sites["site_id"][trained].to_list(),
        checkpoint,
        curve,
        name=name,
        seed=member_seed(seed, "fold", fold),
        model=model,
        training=training,
        provenance={"code": code, "split": split, "fold": fold},
        threads=threads,
    )


def assign_calibration_folds(sites: pd.DataFrame, split: str, folds: int, seed: int) -> np.ndarray:
    """(site,) fold of each tower that trains the product, -1 for held-out ones.

    Folds are stratified by vegetation class; towers within 5 km share one. The result does not
    depend on the order of the sites.

    Raises
    ------
    ContractError
        If there are fewer groups of training towers than folds.
    """
    training = np.flatnonzero(tower_roles(sites, split) != "test")
    table = sites.iloc[training].sort_values("site_id")
    cluster = neighbours(table["lat"].to_numpy(), table["lon"].to_numpy())
    _, first, cluster = np.unique(cluster, return_index=True, return_inverse=True)
    if len(first) < folds:
        raise ContractError(
            "too few training towers to cross-validate",
            found=f"{len(first)} towers more than 5 km apart",
            expected=f"at least {folds} (calibration.folds)",
            fix="add towers, or lower calibration.folds",
        )
    random = np.random.default_rng([seed, folds])
    shuffled = random.permutation(len(first))
    shuffled = shuffled[np.argsort(table["igbp"].to_numpy()[first][shuffled], kind="stable")]
    of_cluster = np.empty(len(first), np.int64)
    of_cluster[shuffled] = np.arange(len(first)) % folds
    drawn = pd.Series(of_cluster[cluster], index=table["site_id"])
    return sites["site_id"].map(drawn).fillna(-1).to_numpy(np.int64)
