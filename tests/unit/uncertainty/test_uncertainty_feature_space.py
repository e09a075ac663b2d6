"""The dissimilarity index equals a brute-force search in units of its median over towers."""

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
    return FeatureSpace.from_towers([f"T{i:02d}" for i in range(30)], FOLD, towers())


def brute_force(features):
    known = towers()[:, :3]
    scaled = [(a[:, :3] - known.mean(0)) / known.std(0) for a in (features, towers())]
    return cdist(*scaled)


def test_dissimilarity_is_that_of_a_brute_force_search():
    space, new = make(), towers(seed=1)
    new[:, 3] = np.random.default_rng(2).normal(0, 100, 30)
    among = brute_force(towers())
    among[FOLD[:, None] == FOLD] = np.inf
    unit = np.median(among.min(1))
    np.testing.assert_allclose(space.dissimilarity(new), brute_force(new).min(1) / unit, 1e-4)
    np.testing.assert_allclose(space.out_of_fold_dissimilarity(), among.min(1) / unit, 1e-4)
    assert np.median(space.out_of_fold_dissimilarity()) == pytest.approx(1)
    np.testing.assert_allclose(space.dissimilarity(towers()), 0, atol=1e-6)


def test_a_cell_does_not_depend_on_the_others():
    space, new = make(), towers(seed=1)
    alone = np.concatenate([space.dissimilarity(new[i : i + 1]) for i in range(30)])
    np.testing.assert_array_equal(alone, space.dissimilarity(new))


def test_a_missing_feature_counts_as_the_mean():
    space, new = make(), towers()[:1]
    new[0, 1] = np.nan
    filled = new.copy()
    filled[0, 1] = towers()[:, 1].mean()
    np.testing.assert_allclose(space.dissimilarity(new), space.dissimilarity(filled), atol=1e-5)


def test_a_saved_file_is_the_same_and_a_damaged_or_foreign_one_is_refused(tmp_path):
    space = make()
    space.save(tmp_path / "p.safetensors")
    loaded = FeatureSpace.load(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(loaded.dissimilarity(towers(1)), space.dissimilarity(towers(1)))
    assert loaded.site_ids == space.site_ids
    with pytest.raises(ContractError, match="another model"):
        loaded.dissimilarity(towers()[:, :2])
    (tmp_path / "p.safetensors").write_bytes(b"\x08")
    with pytest.raises(ContractError, match="cannot read the feature space"):
        FeatureSpace.load(tmp_path / "p.safetensors")


def test_features_are_embeddings_seasons_and_static():
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
