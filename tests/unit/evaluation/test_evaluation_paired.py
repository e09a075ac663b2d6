"""Paired differences and their bootstrap intervals."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tamflux.evaluation.paired import (
    STATISTICS,
    compare_sites,
    paired_differences,
    resample,
    weighted_median,
)


def sites_of(rmse, r2=None):
    """Scores of sites with ten values of mean k and standard deviation 1 each."""
    rmse = np.asarray(rmse, float)
    r2 = 1 - rmse**2 if r2 is None else r2
    return pd.DataFrame({"n": 10, "mean": np.arange(len(rmse)), "sd": 1.0, "rmse": rmse, "r2": r2})


def compare_rmse(tamrl, baseline, cluster, seed):
    return compare_sites(sites_of(tamrl), sites_of(baseline), cluster, seed)


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
    result = compare_rmse(score, score, np.arange(90), 3)
    assert result == dict.fromkeys(STATISTICS, (0.0, 0.0, 0.0))


def test_the_interval_is_that_of_normal_theory_on_many_sites():
    """Standard error of the median of n normal values: sd sqrt(pi / 2n)."""
    n, shift = 1500, 0.3
    random = np.random.default_rng(1)
    baseline = random.normal(10, 1, n)
    tamrl = baseline - shift + random.normal(0, 1, n)
    value, low, high = compare_rmse(tamrl, baseline, np.arange(n), 0)["rmse_paired"]
    error = np.sqrt(np.pi / 2 / n)
    assert abs(value + shift) < 4 * error
    np.testing.assert_allclose(high - low, 2 * 1.96 * error, rtol=0.15)
    assert low < value < high < 0


def test_clusters_widen_the_interval():
    """Ten copies of each site tell as much as the sites alone."""
    random = np.random.default_rng(2)
    tamrl, baseline = random.normal(1, 1, 60), random.normal(1, 1, 60)
    alone = compare_rmse(tamrl, baseline, np.arange(60), 5)
    together = compare_rmse(*(np.repeat(v, 10) for v in (tamrl, baseline, np.arange(60))), 5)
    apart = compare_rmse(np.repeat(tamrl, 10), np.repeat(baseline, 10), np.arange(600), 5)
    width = {
        name: np.diff(result["rmse_paired"][1:])[0]
        for name, result in {"alone": alone, "together": together, "apart": apart}.items()
    }
    np.testing.assert_allclose(width["together"], width["alone"], rtol=1e-9)
    assert width["apart"] < 0.5 * width["alone"]


def test_the_pooled_r2_is_that_of_the_drawn_values():
    """Values of 30 sites, drawn again by hand for every resample."""
    random = np.random.default_rng(4)
    observed = random.normal(random.normal(0, 2, (30, 1)), 1, (30, 5))
    predicted = {
        name: observed + random.normal(0, sd, (30, 5)) for name, sd in (("t", 1), ("b", 2))
    }
    tables = {}
    for name, values in predicted.items():
        rmse = np.sqrt(np.mean((values - observed) ** 2, axis=1))
        tables[name] = sites_of(rmse).assign(n=5, mean=observed.mean(1), sd=observed.std(1))
    found = compare_sites(tables["t"], tables["b"], np.arange(30), 7)["r2_pooled_difference"]

    def difference(counts):
        y, t, b = (np.repeat(v, counts, axis=0) for v in (observed, *predicted.values()))
        return (np.mean((b - y) ** 2) - np.mean((t - y) ** 2)) / np.var(y)

    drawn = [difference(counts) for counts in resample(np.arange(30), 7)]
    expected = [difference(np.ones(30, int)), *np.percentile(drawn, [2.5, 97.5])]
    np.testing.assert_allclose(found, expected)


def test_differences_pair_the_same_sites():
    """Sites that one model lacks do not count, nor those without R² where it is compared."""
    sites = [f"AA-{k}" for k in range(5)]
    tamrl = sites_of([1.0, 2, 3, 4, 9], [0.5, 0.4, 0.3, 0.2, 0]).assign(site_id=sites)
    baseline = sites_of([2.0, 4, 6, 3], [0.1, 0.1, np.nan, 0.1]).assign(site_id=sites[:4])
    scores = pd.concat([tamrl.assign(model="tamrl"), baseline.assign(model="xgboost")])
    scores = scores.assign(
        protocol="igbp", flux="gpp", scale="daily", cluster=scores["site_id"].str[-1]
    )
    row = paired_differences(scores, 0).iloc[0]
    assert (row["baseline"], row["n_sites"], row["n_clusters"]) == ("xgboost", 4, 4)
    np.testing.assert_allclose(row["better"], 0.75)
    np.testing.assert_allclose(row["rmse_paired"], np.median([-1, -2, -3, 1]))
    np.testing.assert_allclose(row["rmse_median_relative"], 2.5 / 3.5 - 1)
    np.testing.assert_allclose(row["rmse_mean_relative"], 10 / 15 - 1)
    np.testing.assert_allclose(row["r2_median_difference"], 0.4 - 0.1)
    assert row["rmse_paired_low"] <= row["rmse_paired"] <= row["rmse_paired_high"]


def test_without_r2_the_other_statistics_remain():
    """One value a site: the site means."""
    one, two = (sites_of(rmse, np.nan).assign(n=1, sd=0.0) for rmse in ([1.0, 2, 3], [2.0, 3, 4]))
    result = compare_sites(one, two, np.arange(3), 0)
    assert result["rmse_paired"] == (-1.0, -1.0, -1.0)
    assert np.isnan(result["r2_median_difference"]).all()
    np.testing.assert_allclose(result["r2_pooled_difference"][0], (29 - 14) / 2)
