"""Paired differences and their bootstrap intervals."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tamflux.evaluation.paired import compare_medians, paired_differences, resample, weighted_median


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(0, 100))
def test_the_weighted_median_is_the_median_of_repeated_values(values, seed):
    values = np.array(values)
    counts = np.random.default_rng(seed).integers(0, 4, (6, len(values)))
    counts[:, 0] += 1
    expected = [np.median(np.repeat(values, count)) for count in counts]
    np.testing.assert_allclose(weighted_median(values, counts), expected)


def test_neighbours_are_drawn_together():
    cluster = np.array([7, 3, 7, 9, 3, 7])
    counts = resample(cluster, 0, resamples=2000)
    for number in (3, 7, 9):
        own = counts[:, cluster == number]
        assert (own == own[:, :1]).all()
    first = counts[:, [1, 0, 3]]  # one of each cluster
    assert (first.sum(axis=1) == 3).all()
    np.testing.assert_allclose(first.mean(axis=0), 1, atol=0.08)


def test_a_model_against_itself_differs_by_nothing():
    score = np.random.default_rng(0).gamma(4, size=90)
    result = compare_medians(score, score, np.arange(90), 3)
    assert result == {name: (0.0, 0.0, 0.0) for name in ("paired", "medians", "relative")}


def test_the_interval_is_that_of_normal_theory_on_many_sites():
    """Standard error of the median of n normal values: sd sqrt(pi / 2n)."""
    n, shift = 4000, 0.3
    random = np.random.default_rng(1)
    baseline = random.normal(10, 1, n)
    tamrl = baseline - shift + random.normal(0, 1, n)
    value, low, high = compare_medians(tamrl, baseline, np.arange(n), 0)["paired"]
    error = np.sqrt(np.pi / 2 / n)
    assert abs(value + shift) < 4 * error
    np.testing.assert_allclose(high - low, 2 * 1.96 * error, rtol=0.15)
    assert low < value < high < 0


def test_clusters_widen_the_interval():
    """Ten copies of each site tell as much as the sites alone."""
    random = np.random.default_rng(2)
    tamrl, baseline = random.normal(1, 1, 60), random.normal(1, 1, 60)
    alone = compare_medians(tamrl, baseline, np.arange(60), 5)
    together = compare_medians(*(np.repeat(v, 10) for v in (tamrl, baseline, np.arange(60))), 5)
    apart = compare_medians(np.repeat(tamrl, 10), np.repeat(baseline, 10), np.arange(600), 5)
    width = {
        name: np.diff(result["paired"][1:])[0]
        for name, result in {"alone": alone, "together": together, "apart": apart}.items()
    }
    np.testing.assert_allclose(width["together"], width["alone"], rtol=1e-9)
    assert width["apart"] < 0.5 * width["alone"]


def test_differences_pair_the_same_sites():
    """Sites that one model lacks, or has no R² for, do not count."""
    sites = [f"AA-{k}" for k in range(5)]
    tamrl = pd.DataFrame(
        {"site_id": sites, "rmse": [1.0, 2, 3, 4, 9], "r2": [0.5, 0.4, 0.3, 0.2, 0]}
    )
    baseline = pd.DataFrame({
        "site_id": sites[:4], "rmse": [2.0, 4, 6, 3], "r2": [0.1, 0.1, np.nan, 0.1],
    })  # fmt: skip
    scores = pd.concat([tamrl.assign(model="tamrl"), baseline.assign(model="xgboost")])
    scores = scores.assign(protocol="igbp", flux="gpp", cluster=scores["site_id"].str[-1])
    row = paired_differences(scores, 0).iloc[0]
    assert (row["baseline"], row["n_sites"], row["n_clusters"]) == ("xgboost", 4, 4)
    np.testing.assert_allclose(row["better"], 0.75)
    np.testing.assert_allclose(row["rmse_paired"], np.median([-1, -2, -3, 1]))
    np.testing.assert_allclose(row["rmse_relative"], 2.5 / 3.5 - 1)
    np.testing.assert_allclose(row["r2_medians"], 0.4 - 0.1)
    assert row["rmse_paired_low"] <= row["rmse_paired"] <= row["rmse_paired_high"]
