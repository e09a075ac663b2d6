"""Trees: features against plain loops, and what a tree can learn."""

import dataclasses

import numpy as np
import pytest
from baseline_samples import samples_of

from tamflux.baselines import boosting
from tamflux.baselines.boosting import fit_boosting, tree_features

SETTINGS = {
    "catboost": {"rounds": [90, 90, 90], "learning_rate": 0.1, "depth": 4},
    "lightgbm": {"rounds": [60, 60, 60], "learning_rate": 0.1, "num_leaves": 15,
                 "min_data_in_leaf": 20},
    "xgboost": {"rounds": [60, 60, 60], "learning_rate": 0.1, "max_leaves": 15,
                "min_child_weight": 20, "max_bin": 64},
}  # fmt: skip


def test_features_are_those_of_plain_loops():
    samples = samples_of(sites=3, days=120)
    keep = np.ones(360, bool)
    keep[50:60] = False  # ten days absent: the days after them start again
    samples = dataclasses.replace(
        samples, site=samples.site[keep], date=samples.date[keep], x=samples.x[keep].copy()
    )
    samples.x[[3, 4, 200]] = np.nan
    rows = np.zeros(350, bool)
    rows[[0, 5, 49, 50, 51, 130, 200, 349]] = True
    found = tree_features(samples, rows)
    for feature, row in zip(found, np.flatnonzero(rows), strict=True):
        expected = [samples.x[row, 0]]
        for days in (7, 30, 90, 365):
            values = []
            for back in range(days):
                other = row - back
                gone = samples.date[row] - np.timedelta64(back, "D")
                if other < 0 or samples.site[other] != samples.site[row]:
                    break
                if samples.date[other] != gone:
                    break
                values.append(samples.x[other, 0])
            expected.append(np.nanmean(values))
        expected.append(samples.static[samples.site[row], 0])
        np.testing.assert_allclose(feature, expected, rtol=1e-5)


@pytest.mark.parametrize("name", list(SETTINGS))
def test_memory_and_class_are_learnt_at_unseen_sites(name):
    samples = samples_of()
    fitted = fit_boosting(name, samples, np.arange(4), settings=SETTINGS[name], seed=1, threads=1)
    predicted = fitted.predict(samples, np.array([5, 4]))
    observed = samples.y[samples.site >= 4]
    assert predicted.shape == observed.shape and predicted.dtype == np.float32
    r2 = 1 - ((predicted - observed) ** 2).sum(0) / ((observed - observed.mean(0)) ** 2).sum(0)
    assert (r2 > 0.8).all(), r2
    again = fit_boosting(name, samples, np.arange(4), settings=SETTINGS[name], seed=1, threads=1)
    np.testing.assert_array_equal(again.predict(samples, np.array([4, 5])), predicted)


@pytest.mark.parametrize("name", list(SETTINGS))
def test_fluxes_without_weight_are_not_learnt_from(name):
    samples = samples_of()
    spoilt = dataclasses.replace(samples, y=samples.y.copy(), qc=samples.qc.copy())
    bad = np.arange(len(samples.y)) % 5 == 0
    spoilt.qc[bad] = 0.4
    clean = dataclasses.replace(spoilt, y=spoilt.y.copy())
    spoilt.y[bad] = 1000
    spoilt.y[samples.site >= 4] = -1000  # of sites that do not train
    clean.y[7::50, 1] = np.nan
    spoilt.y[7::50, 1] = np.nan
    fits = [
        fit_boosting(name, s, np.arange(4), settings=SETTINGS[name], seed=1, threads=1)
        for s in (clean, spoilt)
    ]
    first, second = (fit.predict(samples, np.arange(6)) for fit in fits)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", list(SETTINGS))
def test_further_sites_stop_the_trees(name, monkeypatch):
    """Where nothing carries over to the other sites, more trees only learn their noise."""
    monkeypatch.setattr(boosting, "MAX_ROUNDS", 200)
    samples = samples_of(sites=8)
    noise = np.random.default_rng(5).normal(0, 3, samples.y.shape).astype(np.float32)
    noisy = dataclasses.replace(samples, y=samples.y * 0.2 + noise)
    settings = {key: value for key, value in SETTINGS[name].items() if key != "rounds"}
    common = {"settings": settings, "seed": 1, "threads": 1}
    fitted = fit_boosting(name, noisy, np.arange(4), **common, stop_idx=np.arange(4, 6))
    assert len(fitted.rounds) == 3 and max(fitted.rounds) < 150
    clean = fit_boosting(name, samples, np.arange(4), **common, stop_idx=np.arange(4, 6))
    assert min(clean.rounds) > max(fitted.rounds)
    fixed = fit_boosting(
        name, noisy, np.arange(4), settings=settings | {"rounds": fitted.rounds}, seed=1, threads=1
    )
    held = np.array([6, 7])
    np.testing.assert_allclose(
        fixed.predict(noisy, held), fitted.predict(noisy, held), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", list(SETTINGS))
def test_missing_predictors_stay_missing(name):
    """A site without the predictor is predicted, and not as if its value were zero."""
    samples = samples_of()
    samples.x[samples.site == 3] = np.nan
    samples.x[samples.site == 5] = np.nan
    samples = dataclasses.replace(samples, predictors=("ndvi",), optional=("ndvi",))
    fitted = fit_boosting(name, samples, np.arange(4), settings=SETTINGS[name], seed=1, threads=1)
    predicted = fitted.predict(samples, np.array([5]))
    assert np.isfinite(predicted).all()
    absent = samples.y[samples.site == 3, 0].mean()  # all that is known of such a site of its class
    assert abs(predicted[:, 0].mean() - absent) < 0.5 * absent
