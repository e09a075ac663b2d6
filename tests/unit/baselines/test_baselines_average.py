"""The mean of a network and of the best trees."""

import json

import numpy as np
import pandas as pd
import pytest

from tamflux.baselines.average import average_predictions
from tamflux.errors import ContractError


@pytest.fixture
def files(tmp_path):
    """Fluxes 1 of the network, 3 and 9 of trees; the second ones are the better of the search."""
    index = pd.MultiIndex.from_product([["A", "B"], pd.date_range("2001-01-01", periods=3)])
    keys = index.to_frame(index=False, name=["site_id", "date"]).assign(fold=[0] * 3 + [1] * 3)
    for name, value in {"lstm": 1.0, "xgboost": 3.0, "catboost": 9.0}.items():
        table = keys.assign(gpp=value, reco=value + np.arange(6), nee=-value)
        table.sample(frac=1, random_state=1).to_parquet(tmp_path / f"{name}.parquet")
    for name, score in {"xgboost": 0.8, "catboost": 0.7}.items():
        tried = [{"settings": {}, "score": score}, {"settings": {}, "score": 0.9}]
        (tmp_path / f"{name}.json").write_text(json.dumps({"candidates": tried}))
    return tmp_path


def average(folder):
    trees = ("xgboost", "catboost")
    average_predictions(
        folder / "lstm.parquet", {name: folder / f"{name}.parquet" for name in trees},
        {name: folder / f"{name}.json" for name in trees}, folder / "mean.parquet",
    )  # fmt: skip
    return pd.read_parquet(folder / "mean.parquet")


def test_the_mean_is_that_of_the_network_and_of_the_better_trees(files):
    found = average(files)
    assert (
        found["site_id"].tolist() == list("AAABBB") and found["fold"].tolist() == [0] * 3 + [1] * 3
    )
    assert (found["gpp"] == 5).all() and (found["nee"] == -5).all()
    assert found["reco"].tolist() == [5 + k for k in range(6)]


def test_what_one_of_the_two_lacks_is_missing_or_refused(files):
    table = pd.read_parquet(files / "catboost.parquet")
    table.loc[(table["site_id"] == "A"), "gpp"] = np.nan
    table.to_parquet(files / "catboost.parquet")
    assert average(files)["gpp"].isna().tolist() == [True] * 3 + [False] * 3
    table[1:].to_parquet(files / "catboost.parquet")
    with pytest.raises(ContractError, match="same site-days"):
        average(files)
