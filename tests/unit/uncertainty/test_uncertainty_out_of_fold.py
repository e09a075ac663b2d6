"""Folds keep neighbours together; leaks are refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from tamflux.errors import ContractError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.uncertainty.calibration import Calibration
from tamflux.uncertainty.feature_space import FeatureSpace
from tamflux.uncertainty.folds import assign_calibration_folds
from tamflux.uncertainty.out_of_fold import build_feature_space, calibrate

PREDICTORS = ("t2m", "ssrd")


def sites(n=40, seed=0):
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"site_id": [f"AA-{i:03d}" for i in range(n)]})
    table["lat"], table["lon"] = random.uniform(-50, 60, n), random.uniform(-170, 170, n)
    table.loc[1, ["lat", "lon"]] = table.loc[0, ["lat", "lon"]] + 0.01
    table["igbp"] = random.choice(["ENF", "GRA", "DBF"], n)
    table["split_igbp"] = np.where(np.arange(n) % 5 == 4, "test", "train")
    return table


def test_folds_spread_classes_and_keep_neighbours_together():
    table = sites()
    fold = assign_calibration_folds(table, "igbp", 4, seed=1)
    assert (fold[table["split_igbp"] == "test"] == -1).all()
    assert (assign_calibration_folds(table, "folds", 4, seed=1) >= 0).all()
    assert fold[0] == fold[1]
    train = fold >= 0
    assert set(fold[train]) == set(range(4))
    counts = pd.crosstab(table["igbp"][train], fold[train])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 2
    shuffled = table.sample(frac=1, random_state=0)
    again = pd.Series(assign_calibration_folds(shuffled, "igbp", 4, seed=1), index=shuffled.index)
    np.testing.assert_array_equal(again.sort_index(), fold)
    with pytest.raises(ContractError, match="too few training towers"):
        assign_calibration_folds(table.head(3), "igbp", 4, seed=1)


@pytest.fixture
def study(tmp_path):
    """Samples of one year at 40 towers and two untrained members, one per fold."""
    random, table = np.random.default_rng(0), sites()
    dates = pd.date_range("2001-01-01", "2001-12-31")
    frame = pd.DataFrame({"site_id": np.repeat(table["site_id"], len(dates))})
    frame["date"] = np.tile(dates, len(table))
    frame["t2m"], frame["ssrd"] = (
        random.normal(10, 5, len(frame)),
        random.uniform(0, 300, len(frame)),
    )
    frame["gpp"], frame["reco"] = random.gamma(2, 2, len(frame)), random.gamma(2, 1, len(frame))
    frame["nee"], frame["qc"] = frame["reco"] - frame["gpp"], 1.0
    frame.to_parquet(tmp_path / "2001.parquet")
    for name in STATIC_FEATURES:
        table[name] = 0.0
    table["koppen"] = "Cfb"
    table.assign(igbp_GRA=1.0).to_csv(tmp_path / "sites.csv", index=False)
    fold = assign_calibration_folds(table, "igbp", 2, seed=3)
    for number in (0, 1):
        torch.manual_seed(number)
        training_sites = table["site_id"][(fold >= 0) & (fold != number)]
        save_member(tmp_path / f"{number}.safetensors", training_sites)
    common = {"train_years": [2001], "predictors": PREDICTORS}
    files = [[tmp_path / "2001.parquet"], tmp_path / "sites.csv"]
    members = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    space = tmp_path / "feature_space.safetensors"
    build_feature_space(*files, members, space, split="igbp", folds=2, seed=3, **common)

    def run(without_fold=()):
        calibrate(
            *files,
            [[member] for member in members],
            space,
            tmp_path / "c.json",
            code="x",
            threads=1,
            without_fold=without_fold,
            **common,
        )
        return Calibration.load(tmp_path / "c.json")

    return tmp_path, table, fold, run


def save_member(path, training_sites):
    spec = ModelSpec(
        model="tamrl", hidden_size=4, embedding_size=3, trees=2, lookback_days=365,
        predictors=PREDICTORS,
        units=("degC", "W m-2"), static_features=STATIC_FEATURES, mean=(10, 150), sd=(5, 90),
        flux_scale=(2, 1, 2), training_sites=tuple(training_sites), provenance={},
    )  # fmt: skip
    save_checkpoint(path, spec.network(), spec)


def test_calibration_covers_the_towers_it_is_made_from(study):
    folder, table, fold, run = study
    space = FeatureSpace.load(folder / "feature_space.safetensors")
    assert set(space.site_ids) == set(table["site_id"][fold >= 0])
    calibration = run()
    about = json.loads((folder / "c.json").read_text())["about"]
    assert about["towers"] == (fold >= 0).sum() and about["folds"] == 2
    assert calibration.half_width("gpp", np.array([4.0]), np.array([2.0]))[0] > 1
    # these errors are independent between days: means over three days are smaller than they are
    assert 0.5 < about["share_of_single_days_inside"]["gpp"] < 0.9


def test_a_member_trained_on_its_held_out_towers_is_refused(study):
    folder, table, _, run = study
    save_member(folder / "1.safetensors", table["site_id"])
    with pytest.raises(ContractError, match="trained on its held-out towers"):
        run()


def test_the_intervals_of_a_fold_know_nothing_of_its_towers(study):
    folder, table, fold, run = study
    paths = [folder / f"calibration_{number}.json" for number in (0, 1)]

    def calibrations():
        run(paths)
        return [Calibration.load(path) for path in paths]

    before = calibrations()
    for number, found in enumerate(before):
        assert found.about["left_out"] == table["site_id"][fold == number].to_list()
    frame = pd.read_parquet(folder / "2001.parquet")
    frame.loc[frame["site_id"].isin(before[0].about["left_out"]), "gpp"] *= 10
    frame.to_parquet(folder / "2001.parquet")
    after = calibrations()
    assert after[0].difficulty == before[0].difficulty
    assert after[0].nonconformity_quantile == before[0].nonconformity_quantile
    assert after[1].difficulty["gpp"][-1] > 2 * before[1].difficulty["gpp"][-1]
