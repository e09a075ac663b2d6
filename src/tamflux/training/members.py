"""Members of the ensemble that makes the product, trained at the pixels of the towers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tamflux.samples.samples import load_samples
from tamflux.training.train import fit_member, member_seed


def train_member(
    year_paths: Sequence[str | Path],
    sites_path: str | Path,
    checkpoint: str | Path,
    curve: str | Path,
    *,
    name: str,
    member: int,
    seed: int,
    train_years: Sequence[int],
    split: str,
    predictors: Sequence[str],
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    code: str,
    threads: int,
) -> None:
    """Train one member on the training sites of a split (contract 3 in docs/architecture.md).

    Parameters
    ----------
    year_paths : sequence of path
        Samples of the training years and of those that are their history.
    sites_path : path
        Sites with the columns ``split_{split}``.
    checkpoint, curve : path
        Files to write.
    name : str
        ``tamrl`` or ``lstm``, the site-blind baseline.
    member, seed : int
        Number of the member and seed of the run.
    train_years : sequence of int
        Years whose fluxes are used.
    split : str
        igbp, koppen or block.
    predictors : sequence of str
        In the order of the features.
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
    samples = load_samples(year_paths, sites_path, predictors, train_years)
    held_out = samples.sites[f"split_{split}"] == "test"
    fit_member(
        samples,
        samples.sites["site_id"][~held_out].to_list(),
        checkpoint,
        curve,
        name=name,
        seed=member_seed(seed, name, member),
        model=model,
        training=training,
        provenance={"code": code, "split": split, "member": member},
        threads=threads,
    )
