"""LightGBM continued with a site's days: a closed form, and what it must not do."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from baseline_samples import samples_of, write_samples

from tamflux.adaptation.curve import SCORED_AFTER
from tamflux.baselines.continued_lightgbm import (
    ROUNDS,
    SETTINGS,
    continue_boosting,
    lightgbm_curve,
)
from tamflux.variables import FLUXES


def test_a_step_is_approached_as_shrunk_means_do():
    x = np.repeat([[0.0], [1.0]], 200, axis=0)
    error = np.where(x[:, 0] > 0, 1.0, -1.0)
    added = continue_boosting(x, error, np.array([[0.0], [1.0]]), seed=0, threads=1)
    # each round adds the learning rate times the shrunk mean of what is left in the leaf
    left = (1 - SETTINGS["learning_rate"] * 200 / (200 + SETTINGS["lambda_l2"])) ** ROUNDS
    np.testing.assert_allclose(added, [left - 1, 1 - left], atol=1e-3)


def test_no_day_adds_nothing_and_few_days_are_shrunk():
    random = np.random.default_rng(0)
    x = random.normal(size=(30, 5))
    assert (continue_boosting(x[:0], x[:0, 0], x, 0, 1) == 0).all()
    added = continue_boosting(x, np.full(30, 2.0), x, seed=0, threads=1)
    np.testing.assert_allclose(added, 2 * 30 / (30 + SETTINGS["lambda_l2"]))  # nothing to split


def test_a_level_is_learnt_and_scored_on_the_days_of_tamrl(tmp_path):
    samples = samples_of(sites=2, days=460)
    write_samples(dataclasses.replace(samples, predictors=("t2m",)), tmp_path)
    table = pd.DataFrame(samples.y, columns=list(FLUXES))
    table.insert(0, "date", samples.date.astype("datetime64[ns]"))
    table.insert(0, "site_id", samples.sites["site_id"].to_numpy()[samples.site])
    table.assign(gpp=table["gpp"] + 1).to_parquet(tmp_path / "lightgbm.parquet")
    table.iloc[:-20].to_parquet(tmp_path / "tamrl.parquet")  # no days at the end of the last site
    lightgbm_curve(
        tmp_path / "samples.parquet", tmp_path / "sites.csv", tmp_path / "tamrl.parquet",
        [tmp_path / "lightgbm.parquet"] * 2, tmp_path / "curve.csv", days=[0, 365], min_qc=0.8,
        first_day="2001-01-01", monthly=[], seed=0, threads=1,
    )  # fmt: skip
    curve = pd.read_csv(tmp_path / "curve.csv").query("draw == 'first'")
    rmse = curve.set_index(["site_id", "days", "flux"])["rmse"]
    assert rmse["S0", 0, "gpp"] == pytest.approx(1, abs=1e-4)
    assert rmse["S0", 0, "reco"] == pytest.approx(0, abs=1e-4)
    left = SETTINGS["lambda_l2"] / (365 + SETTINGS["lambda_l2"])  # a level, nothing to split
    assert rmse["S0", 365, "gpp"] == pytest.approx(left, abs=1e-3)
    n = curve.groupby("site_id")["n"].first()
    assert n.to_dict() == {"S0": 460 - SCORED_AFTER, "S1": 440 - SCORED_AFTER}
