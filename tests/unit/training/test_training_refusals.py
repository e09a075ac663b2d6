"""Training stops where it would else end with an untrained model or learn the wrong days."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tamflux.errors import TrainingError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import Samples
from tamflux.training import members, trainer
from tamflux.training.data_checks import check_training_data

SITES, TRAIN_IDX = 3, np.arange(3)


@pytest.fixture
def samples():
    """Three sites in 2001 and 2003: the year between is absent, which is allowed."""
    years = [np.arange(f"{y}-01-01", f"{y + 1}-01-01", dtype="datetime64[D]") for y in (2001, 2003)]
    days = np.concatenate(years)
    random, rows = np.random.default_rng(0), SITES * len(days)
    return Samples(
        sites=pd.DataFrame({"site_id": ["AA-One", "BB-Two", "CC-Three"]}),
        site=np.repeat(np.arange(SITES), len(days)),
        date=np.tile(days, SITES),
        x=random.normal(size=(rows, 2)).astype(np.float32),
        y=random.normal(size=(rows, 3)).astype(np.float32),
        qc=np.ones(rows, np.float32),
        static=np.zeros((SITES, len(STATIC_FEATURES)), np.float32),
        predictors=("t2m", "ssrd"),
        static_features=STATIC_FEATURES,
    )


def rows_of(samples, keep):
    parts = {name: getattr(samples, name)[keep] for name in ("site", "date", "x", "y", "qc")}
    return replace(samples, **parts)


def test_an_absent_year_is_accepted(samples):
    check_training_data(samples, TRAIN_IDX, 0.5)


def test_a_day_missing_within_a_year_is_refused(samples):
    gap = np.arange(len(samples.date)) != 730 + 99  # BB-Two, 10 April 2001
    with pytest.raises(TrainingError, match="BB-Two: 2001-04-11 after 2001-04-09"):
        check_training_data(rows_of(samples, gap), TRAIN_IDX, 0.5)


def test_days_out_of_order_are_refused(samples):
    order = np.arange(len(samples.date))
    order[[10, 11]] = order[[11, 10]]
    with pytest.raises(TrainingError, match="AA-One: 2001-01-12 after 2001-01-10"):
        check_training_data(rows_of(samples, order), TRAIN_IDX, 0.5)


def test_a_training_that_diverges_leaves_no_checkpoint(samples, tmp_path, monkeypatch):
    real_loss = trainer.training_loss
    monkeypatch.setattr(trainer, "training_loss", lambda *args: real_loss(*args) * torch.nan)
    with pytest.raises(TrainingError, match=r"diverged(.|\n)*nan(.|\n)*epoch 1"):
        members.fit_member(
            samples,
            samples.sites["site_id"].to_list(),
            tmp_path / "tamrl_0.safetensors",
            tmp_path / "tamrl_0_curve.csv",
            name="tamrl",
            seed=1,
            model={"hidden_size": 4, "embedding_size": 2, "trees": 3, "balance_weight": 0.1},
            training={
                "pretrain_epochs": 1,
                "epochs": 1,
                "batch_size": 4,
                "learning_rate": 0.01,
                "device": "cpu",
            },
            provenance={},
        )
    assert not list(tmp_path.iterdir())
