"""The search: its split of the sites, its score, and that the better candidate wins."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from baseline_samples import samples_of, write_samples

from tamflux.baselines import search

SECTIONS = {
    "model": {"hidden_size": 64, "embedding_size": 16},
    "training": {"learning_rate": 0.003, "batch_size": 8, "epochs": 12, "device": "cpu"},
}


def placed(samples, lat):
    sites = samples.sites.assign(lat=lat, lon=0.0)
    return dataclasses.replace(samples, sites=sites)


def test_neighbours_are_never_on_both_sides():
    lat = np.repeat(np.arange(10.0), 3) + np.tile([0, 0.01, 0.02], 10)  # ten clusters of three
    samples = placed(samples_of(sites=30, days=2), lat)
    train_idx = np.arange(3, 30)
    for seed in range(5):
        fit_idx, score_idx = search.split_validation(samples, train_idx, seed)
        assert sorted([*fit_idx, *score_idx]) == train_idx.tolist()
        assert len(score_idx) == 3  # of 27; six would be more than a fifth
        assert not {int(lat[site]) for site in fit_idx} & {int(lat[site]) for site in score_idx}


def test_score_is_the_median_site_error_in_standard_deviations():
    samples = samples_of(sites=5, days=50)
    train_idx = np.array([1, 2, 4])
    rows = np.isin(samples.site, train_idx)
    factor = np.array([0.5, 3.0, 1.0])  # standard deviations of each site: the median is 1
    error = np.repeat(factor, 50)[:, None] * samples.y.std(0)
    predicted = samples.y[rows] + error.astype(np.float32)
    samples.qc[np.flatnonzero(rows)[:10]] = 0  # days that cannot train do not score
    predicted[:10] = 1e6
    scale = samples.y.std(0) / samples.y[samples.qc > 0].std(0)
    assert search.relative_error(samples, train_idx, predicted) == pytest.approx(
        scale.mean(), rel=1e-4
    )


def test_every_baseline_has_the_same_budget():
    tried = search.candidates("continuous_lstm", SECTIONS)
    assert len(tried) == 5 and tried[0] == SECTIONS
    assert all(set(one) == {"model", "training"} for one in tried)
    assert all(isinstance(one["model"]["hidden_size"], int) for one in tried)
    assert {name: len(tried) for name, tried in search.CANDIDATES.items()} == dict.fromkeys(
        search.CANDIDATES, 5
    )


def test_the_better_candidate_is_written(tmp_path, monkeypatch):
    samples = placed(samples_of(sites=12, days=150), np.arange(12.0) * 4)
    write_samples(samples, tmp_path)
    good = {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20}
    monkeypatch.setitem(search.CANDIDATES, "lightgbm", (good | {"learning_rate": 1e-4}, good))
    folds = pd.DataFrame({"site_id": samples.sites["site_id"], "fold": [0, 0] + [-1] * 10})
    folds.assign(cluster=range(12)).to_csv(tmp_path / "folds.csv", index=False)
    search.search_settings(
        [tmp_path / "samples.parquet"], tmp_path / "sites.csv", tmp_path / "folds.csv",
        tmp_path / "settings" / "lightgbm.json",
        name="lightgbm", seed=1, train_years=None, predictors=["ssrd"], monthly=[], sections={},
        threads=1,
    )  # fmt: skip
    written = json.loads((tmp_path / "settings/lightgbm.json").read_text())
    scores = [one["score"] for one in written["candidates"]]
    chosen = search.best_settings(tmp_path / "settings/lightgbm.json")
    assert chosen == good | {"rounds": chosen["rounds"]} and len(chosen["rounds"]) == 3
    assert scores[1] < 0.7 * scores[0]
    assert [path.name for path in (tmp_path / "settings").iterdir()] == ["lightgbm.json"]
