"""Distances equal a plain search, in units of what is usual among towers of other folds."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tamflux.errors import ContractError
from tamflux.uncertainty.feature_space import FeatureSpace, compute_features

FOLD = np.arange(30) % 5


def towers(seed=0):
    features = np.random.default_rng(seed).normal(3, [1, 10, 0.1, 5], (30, 4)).astype(np.float32)
    features[:, 3] = 7  # does not vary: must not count
    return features


def make():
    return FeatureSpace.of_towers([f"T{i:02d}" for i in range(30)], FOLD, towers())


def brute_force(places, features):
    known = towers()[:, :3]
    scaled = [(a[:, :3] - known.mean(0)) / known.std(0) for a in (features, towers())]
    return cdist(*scaled)


def test_distance_is_that_of_a_plain_search():
    places, new = make(), towers(seed=1)
    new[:, 3] = np.random.default_rng(2).normal(0, 100, 30)
    among = brute_force(places, towers())
    among[FOLD[:, None] == FOLD] = np.inf
    unit = np.median(among.min(1))
    np.testing.assert_allclose(places.distance(new), brute_force(places, new).min(1) / unit, 1e-4)
    np.testing.assert_allclose(places.unseen_distance(), among.min(1) / unit, 1e-4)
    assert np.median(places.unseen_distance()) == pytest.approx(1)
    np.testing.assert_allclose(places.distance(towers()), 0, atol=1e-6)


def test_a_place_does_not_depend_on_those_beside_it():
    places, new = make(), towers(seed=1)
    alone = np.concatenate([places.distance(new[i : i + 1]) for i in range(30)])
    np.testing.assert_array_equal(alone, places.distance(new))


def test_a_missing_feature_counts_as_usual():
    places, new = make(), towers()[:1]
    new[0, 1] = np.nan
    filled = new.copy()
    filled[0, 1] = towers()[:, 1].mean()
    np.testing.assert_allclose(places.distance(new), places.distance(filled), atol=1e-5)


def test_a_saved_file_is_the_same_and_a_damaged_or_foreign_one_is_refused(tmp_path):
    places = make()
    places.save(tmp_path / "p.safetensors")
    loaded = FeatureSpace.load(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(loaded.distance(towers(1)), places.distance(towers(1)))
    assert loaded.site_ids == places.site_ids
    with pytest.raises(ContractError, match="another model"):
        loaded.distance(towers()[:, :2])
    (tmp_path / "p.safetensors").write_bytes(b"\x08")
    with pytest.raises(ContractError, match="cannot read the places"):
        FeatureSpace.load(tmp_path / "p.safetensors")


def test_a_place_is_described_by_code_seasons_and_static():
    x = np.random.default_rng(0).normal(size=(3, 365, 2)).astype(np.float32)
    x[0, :5, 1] = np.nan
    x[1, :, 1] = np.nan
    static = np.arange(6, dtype=np.float32).reshape(3, 2)
    features = compute_features(x[:, :1, 0], x, static)
    edges = [0, 91, 182, 273, 365]
    assert features.shape == (3, 1 + 4 * 2 + 2)
    np.testing.assert_array_equal(features[:, 0], x[:, 0, 0])
    np.testing.assert_array_equal(features[:, -2:], static)
    for season in range(4):
        part = x[:, edges[season] : edges[season + 1]]
        np.testing.assert_allclose(features[:, 1 + 2 * season], part[..., 0].mean(1), atol=1e-6)
        np.testing.assert_allclose(features[0, 2 + 2 * season], np.nanmean(part[0, :, 1]), 1e-4)
        assert np.isnan(features[1, 2 + 2 * season])
