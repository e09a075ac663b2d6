import numpy as np
import pytest
import torch
from catboost import CatBoostRegressor, Pool

from tamflux.model.trees import ObliviousTrees
from tamflux.training.fit_trees import SETTINGS, fit_trees

TREES = 12


def days(n=600, seed=0):
    """Features, and fluxes that follow them: reco = 1 + x0 where positive, gpp = 3 where x1 > 0."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5)).astype(np.float32)
    reco = 1 + np.maximum(x[:, 0], 0)
    gpp = 3.0 * (x[:, 1] > 0)
    noise = random.normal(size=(n, 2)) * 0.1
    fluxes = np.stack([gpp + noise[:, 0], reco + noise[:, 1]], axis=1)
    return x, np.c_[fluxes, fluxes[:, 1] - fluxes[:, 0]], np.full(n, 0.9)


def planted(tensors):
    forest = ObliviousTrees(len(tensors["leaf"]), outputs=2)
    forest.load_state_dict(tensors)
    return forest


@pytest.mark.parametrize("missing", [False, True])
def test_tensors_give_what_the_library_predicts(missing):
    x, fluxes, weight = days()
    if missing:
        fluxes[::3, 0] = np.nan
        fluxes[1::5, 2] = np.nan
    found = planted(fit_trees(x, fluxes, weight, trees=TREES, seed=7, threads=1))
    scale = np.nanstd(fluxes, axis=0)
    library = CatBoostRegressor(
        iterations=TREES, learning_rate=0.5, random_seed=7, thread_count=1, **SETTINGS
    )
    library.fit(Pool(x, fluxes / scale, weight=weight))
    new = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    expected = (library.predict(new) * scale)[:, :2]
    np.testing.assert_allclose(found(torch.from_numpy(new)), expected, atol=1e-5)


def test_trees_learn_and_days_without_weight_of_a_flux_do_not_count():
    x, fluxes, weight = days(3000)
    fluxes[:1000, 0] = np.nan
    found = planted(fit_trees(x, fluxes, weight, trees=100, seed=1, threads=1))
    new, truth, _ = days(500, seed=2)
    assert np.corrcoef(found(torch.from_numpy(new))[:, 0], truth[:, 0])[0, 1] > 0.95
    assert np.corrcoef(found(torch.from_numpy(new))[:, 1], truth[:, 1])[0, 1] > 0.9


def test_one_seed_one_forest():
    first, again, other = (
        fit_trees(*days(), trees=TREES, seed=seed, threads=1) for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["leaf"], other["leaf"])
