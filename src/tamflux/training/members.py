"""Train one member: pre-training of the forward model, joint training, regression trees."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from tamflux.extra_predictors import PREFIX
from tamflux.files import atomic_path
from tamflux.samples.samples import LOOKBACK_DAYS, Samples, load_samples
from tamflux.samples.splits import tower_roles
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.data_checks import check_training_data
from tamflux.training.trainer import MIN_QC, Trainer, day_weights

log = logging.getLogger("tamflux")


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
        Samples of the training years and of their look-back windows.
    sites_path : path
        Table of sites with their splits.
    checkpoint, curve : path
        Files to write.
    name : str
        ``tamrl``, or ``lstm``, the baseline without static inputs.
    member, seed : int
        Number of the member and seed of the run.
    train_years : sequence of int
        Years whose fluxes train.
    split : str
        Hold-out split: igbp, koppen or block; with folds, all sites train.
    predictors : sequence of str
        Predictors in the order of the features.
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
    held_out = tower_roles(samples.sites, split) == "test"
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


def fit_member(
    samples: Samples,
    training_sites: Sequence[str],
    checkpoint: str | Path,
    curve: str | Path,
    *,
    name: str,
    seed: int,
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    provenance: Mapping[str, Any],
    threads: int = 1,
) -> None:
    """Train one member and write its checkpoint and learning curve.

    All training sites train, for a fixed number of epochs with a learning rate that falls to zero:
    early stopping on validation sites cost more skill than it gained. The state is saved next to
    the checkpoint after every epoch; a killed training resumes from it and ends with the same
    weights. It is deleted once the checkpoint is written.

    Parameters
    ----------
    samples : Samples
    training_sites : sequence of str
        Sites whose fluxes may be used.
    checkpoint, curve : path
        Checkpoint (safetensors) and learning curve (CSV: `epoch, stage, loss,
        learning_rate, seconds`) to write.
    name : str
        ``tamrl``, ``lstm`` for the baseline without static inputs, or ``tamrl_without_...``
        (`components_of`).
    seed : int
        Seed of this member.
    model, training : mapping
        The sections `model` and `training` of the configuration.
    provenance : mapping
        Stored in the checkpoint: code identity, split, fold.
    threads : int
        CPU threads.

    Raises
    ------
    TrainingError
        If the samples cannot train a model.
    """
    torch.set_num_threads(threads)
    train_idx = np.flatnonzero(samples.sites["site_id"].isin(training_sites))
    check_training_data(samples, train_idx, MIN_QC)
    spec = _build_spec(samples, train_idx, name, seed, model, training, provenance)
    trainer = Trainer(samples, train_idx, spec, model["balance_weight"], training, seed)
    state = Path(checkpoint).with_name(f".{Path(checkpoint).stem}.resume.safetensors")
    trainer.resume(state)
    epochs = tqdm(
        range(trainer.epoch, trainer.epochs),
        initial=trainer.epoch,
        total=trainer.epochs,
        unit="epoch",
        desc=name,
    )
    for _ in epochs:
        row = trainer.run_epoch()
        trainer.save(state)
        epochs.set_postfix(loss=row["loss"])
        log.info(
            "epoch %d/%d (%s): loss %.4f, %.1f s",
            row["epoch"], trainer.epochs, row["stage"], row["loss"], row["seconds"],
        )  # fmt: skip
    trainer.fit_trees(threads)
    with atomic_path(curve) as path:
        pd.DataFrame(trainer.curve).to_csv(path, index=False)
    save_checkpoint(checkpoint, trainer.network, spec)
    state.unlink(missing_ok=True)


def _build_spec(
    samples: Samples,
    train_idx: np.ndarray,
    name: str,
    seed: int,
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> ModelSpec:
    """Specification with scaling and flux scale from the training sites alone."""
    of_training = np.isin(samples.site, train_idx)
    used = of_training[:, None] & (day_weights(samples, MIN_QC) > 0)
    x = samples.x[of_training].astype(np.float64)
    flux_scale = [samples.y[used[:, k], k].astype(np.float64).std() for k in range(3)]
    return ModelSpec(
        model=name,
        hidden_size=model["hidden_size"],
        embedding_size=model["embedding_size"],
        trees=model["trees"],
        lookback_days=LOOKBACK_DAYS,
        predictors=samples.predictors,
        units=samples.units,
        static_features=samples.static_features,
        monthly=samples.monthly,
        mean=tuple(np.nanmean(x, axis=0).tolist()),
        sd=tuple(np.nanstd(x, axis=0).tolist()),
        flux_scale=tuple(map(float, flux_scale)),
        training_sites=tuple(samples.sites["site_id"].iloc[train_idx]),
        optional=samples.optional,
        **static_scaling(samples, train_idx),
        provenance={
            **provenance,
            "seed": seed,
            "model": dict(model),
            "training": {k: v for k, v in training.items() if k != "device"},
        },
    )


def static_scaling(samples: Samples, train_idx: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Mean and sd of the static features: of the training sites for extra predictors, else 0, 1."""
    extra = np.array([name.startswith(PREFIX) for name in samples.static_features])
    static = samples.static[train_idx].astype(np.float64)
    mean, sd = np.zeros(len(extra)), np.ones(len(extra))
    mean[extra] = np.nanmean(static[:, extra], axis=0)
    sd[extra] = np.nanstd(static[:, extra], axis=0)
    return {"static_mean": tuple(mean.tolist()), "static_sd": tuple(sd.tolist())}


def member_seed(seed: int, model: str, member: int) -> int:
    """Seed of one member, derived from the seed of the run."""
    words = json.dumps([seed, model, member]).encode()
    return int.from_bytes(hashlib.sha256(words).digest()[:4], "big")
