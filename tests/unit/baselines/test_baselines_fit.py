"""Comparison of one model: every held-out day predicted, folds kept, no leaks."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from baseline_samples import samples_of, write_samples

from tamflux.baselines import fit
from tamflux.errors import ContractError

TREES = {"rounds": [40, 40, 40], "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20,
         "bagging_fraction": 0.5}  # fmt: skip
TAMRL = {
    "model": {"hidden_size": 8, "embedding_size": 4, "trees": 3, "balance_weight": 0.1},
    "training": {"pretrain_epochs": 0, "epochs": 1, "batch_size": 4, "learning_rate": 0.01,
                 "device": "cpu"},
}  # fmt: skip
FOLD = [0, 1, -1, 0, 1, -1]


@pytest.fixture
def table(tmp_path):
    """A folder with samples, sites, folds and settings of six towers far from each other."""
    samples = samples_of(sites=6, days=400)
    write(samples, tmp_path)
    return tmp_path


def write(samples, folder):
    sites = samples.sites.assign(lat=np.arange(6) * 10.0, lon=0.0)
    write_samples(dataclasses.replace(samples, sites=sites), folder)
    sites.assign(fold=FOLD, cluster=range(6)).to_csv(folder / "folds.csv", index=False)


def compare(folder, name="lightgbm", member=0, **others):
    target = folder / "igbp" / f"{name}_{member}.parquet"
    arguments = {"settings": TREES if name == "lightgbm" else TAMRL, "seed": 1, "code": "a",
                 "train_years": None, "predictors": None, "monthly": [], "threads": 1}  # fmt: skip
    fit.compare_model(
        [folder / "samples.parquet"], folder / "sites.csv", folder / "folds.csv",
        target, name=name, member=member, **(arguments | others),
    )  # fmt: skip
    return pd.read_parquet(target)


@pytest.mark.parametrize("name", ["lightgbm", "continuous_lstm", "tamrl"])
def test_every_day_of_every_held_out_site_is_predicted_once(table, name):
    result = compare(table, name)
    assert result.columns.tolist() == ["site_id", "date", "fold", "gpp", "reco", "nee"]
    assert not result.isna().any(axis=None)
    assert result.groupby("site_id").size().to_dict() == dict.fromkeys(
        ["S0", "S1", "S3", "S4"], 400
    )
    assert result.groupby("site_id")["fold"].unique().str[0].tolist() == [0, 1, 0, 1]
    assert not result.duplicated(["site_id", "date"]).any()
    assert not any((table / "igbp" / "models").iterdir())


def test_fluxes_of_held_out_sites_do_not_reach_their_predictions(table):
    before = compare(table).set_index(["site_id", "date"])
    samples = samples_of(sites=6, days=400)
    samples.y[samples.site == 0] *= 3  # held out in fold 0, trained on in fold 1
    write(samples, table)
    after = compare(table).set_index(["site_id", "date"])
    change = (after["gpp"] - before["gpp"]).abs().groupby("site_id").max()
    assert change[["S0", "S3"]].max() == 0 and change[["S1", "S4"]].min() > 0


def test_a_killed_comparison_goes_on_with_the_folds_that_are_left(table, monkeypatch):
    complete = compare(table)
    fitted = []

    def dying(*args, real=fit.fit_model, **kwargs):
        if len(fitted) == 1:
            raise KeyboardInterrupt
        fitted.append(1)
        return real(*args, **kwargs)

    (table / "igbp" / "lightgbm_0.parquet").unlink()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fit, "fit_model", dying)
        compare(table)
    assert not (table / "igbp" / "lightgbm_0.parquet").exists()
    with monkeypatch.context() as patched:
        patched.setattr(fit, "fit_model", dying)
        fitted.clear()  # one more fit is allowed: one fold was left
        pd.testing.assert_frame_equal(compare(table), complete)


def test_repetitions_differ_and_years_that_do_not_train_are_not_learnt_from(table):
    first, second = compare(table), compare(table, member=1)
    assert (first["gpp"] != second["gpp"]).any()
    samples = samples_of(sites=6, days=400)
    only_2001 = compare(table, train_years=[2001])
    samples.y[samples.date >= np.datetime64("2002-01-01")] = 30
    write(samples, table)
    pd.testing.assert_frame_equal(compare(table, train_years=[2001]), only_2001)


def test_cells_are_predicted_by_the_model_of_the_first_fold(table):
    cells = [table / "samples.parquet"], table / "sites.csv", table / "cells.parquet"
    result = compare(table, cells=cells).query("fold == 0")
    found = pd.read_parquet(table / "cells.parquet")
    assert found["site_id"].nunique() == 6
    both = found.merge(result, on=["site_id", "date"], suffixes=("", "_held"))
    assert len(both) == len(result) and (both["nee"] == both["nee_held"]).all()


def test_folds_of_other_sites_are_refused(table):
    folds = pd.read_csv(table / "folds.csv").assign(site_id="elsewhere")
    folds.to_csv(table / "folds.csv", index=False)
    with pytest.raises(ContractError, match="no training sites or no test sites"):
        compare(table)
