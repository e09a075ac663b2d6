"""Held-out towers of a cube, from files: who teaches, who is adapted, and with which days."""

import numpy as np
import pandas as pd
import pytest
import torch

from tamflux.adaptation.series import COLUMNS, adapt_held_out
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.variables import FLUXES

PREDICTORS = ("t2m", "ssrd")
TOWERS = [f"AA-{number:02d}" for number in range(24)]
HELD_OUT = TOWERS[::4]


def save_member(path, training_sites):
    torch.manual_seed(0)
    spec = ModelSpec(
        model="tamrl", hidden_size=4, embedding_size=3, trees=0, lookback_days=365,
        predictors=PREDICTORS, units=("degC", "W m-2"), static_features=STATIC_FEATURES,
        mean=(10, 150), sd=(5, 90), flux_scale=(2, 1, 2), training_sites=tuple(training_sites),
    )  # fmt: skip
    save_checkpoint(path, spec.network(), spec)


@pytest.fixture
def adapt(tmp_path):
    """Runs `adapt_held_out` on a year of towers whose reco is a factor of their own times 2."""
    random = np.random.default_rng(0)
    days = pd.date_range("2001-01-01", "2001-12-31")
    table = pd.DataFrame({"site_id": np.repeat(TOWERS, len(days))})
    table["date"] = np.tile(days, len(TOWERS))
    table["t2m"], table["ssrd"] = 10.0, random.uniform(0, 300, len(table))
    factor = np.repeat(random.uniform(0.5, 3, len(TOWERS)), len(days))
    table["gpp"], table["reco"] = 2.0, 2 * factor + 0.1 * random.normal(size=len(table))
    table["nee"], table["qc"] = table["reco"] - table["gpp"], 1.0
    table.to_parquet(tmp_path / "2001.parquet")
    sites = pd.DataFrame({"site_id": TOWERS, "lat": 40.0, "lon": 9.0, "igbp": "GRA"})
    sites = sites.assign(koppen="Cfb", **dict.fromkeys(STATIC_FEATURES, 0.0))
    sites["split_igbp"] = np.where(sites["site_id"].isin(HELD_OUT), "test", "train")
    sites.to_csv(tmp_path / "sites.csv", index=False)
    predictions = table[["site_id", "date"]].assign(gpp=2.0, reco=2.0, nee=0.0, model="tamrl")
    predictions["split"] = np.where(predictions["site_id"].isin(HELD_OUT), "test", "train")
    predictions.to_parquet(tmp_path / "predictions.parquet")

    def run(*trained):
        members = [tmp_path / f"{number}.safetensors" for number in range(len(trained))]
        for path, towers in zip(members, trained, strict=True):
            save_member(path, towers)
        adapt_held_out(
            [tmp_path / "2001.parquet"], tmp_path / "sites.csv", tmp_path / "predictions.parquet",
            members, tmp_path / "series.parquet", split="igbp",
        )  # fmt: skip
        return pd.read_parquet(tmp_path / "series.parquet")

    return run


def test_each_held_out_tower_is_adapted_with_half_of_its_days(adapt):
    training = [tower for tower in TOWERS if tower not in HELD_OUT]
    series = adapt(training[::2], training[1::2])
    assert series["site_id"].unique().tolist() == HELD_OUT
    assert (series.groupby("site_id")["used"].sum() == 182).all()
    assert (series["reco_zero_shot"] == 2).all()
    after = series[~series["used"]]
    for kind in ("", "_zero_shot"):
        error = (after[f"reco{kind}"] - after["reco_observed"]).abs()
        after = after.assign(**{f"error{kind}": error})
    means = after.groupby("site_id")[["error", "error_zero_shot"]].mean()
    assert means["error"].mean() < 0.5 * means["error_zero_shot"].mean()
    np.testing.assert_allclose(series["nee"], series["reco"] - series["gpp"], atol=1e-5)


def test_towers_that_all_members_were_trained_on_do_not_teach(adapt, caplog):
    training = [tower for tower in TOWERS if tower not in HELD_OUT]
    series = adapt(training[5:], training[:5] + training[9:])  # nine are left out by one of them
    assert series.empty and set(series) == {"site_id", "date", *COLUMNS}
    assert set(FLUXES) <= set(series) and "9 training towers" in caplog.text
