"""Predictors that a site lacks altogether: groups, indicators, what a model learns of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_sites import toy_samples

from tamflux.errors import TrainingError
from tamflux.samples.samples import make_windows, optional_predictors
from tamflux.training.absent import absence_groups, drop_groups, drop_statics, find_absent
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.training.gaps import missing_weather, samples_without_weather
from tamflux.training.members import fit_member

MODEL = {"hidden_size": 8, "embedding_size": 2, "trees": 5, "balance_weight": 0.1}
TRAINING = {
    "pretrain_epochs": 2, "epochs": 30, "batch_size": 4, "learning_rate": 0.02, "device": "cpu",
}  # fmt: skip


def test_reflectances_are_absent_together_any_other_by_itself():
    names = ("t2m", "lai", "refl_b1", "tp", "evi", "day_length")
    of_table = optional_predictors(names, weather=True)
    assert of_table == ("lai", "refl_b1", "tp", "evi")
    assert optional_predictors(names, weather=False) == ("lai", "refl_b1", "evi")
    assert absence_groups(names, of_table) == ((2, 4), (1,), (3,))
    assert absence_groups(names, ()) == ()


def test_absent_is_a_group_without_any_value():
    x = np.ones((3, 5, 4))
    x[0, :, 1] = np.nan  # part of a group
    x[1, :, 1:3] = np.nan
    x[2, :4, 3] = np.nan  # one day has a value
    absent = find_absent(x, ((1, 2), (3,)))
    assert absent.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert find_absent(x, ()).shape == (3, 0)


def test_dropped_groups_are_zero_and_said_to_be_absent():
    torch.manual_seed(0)
    x, absent = torch.ones(4000, 3, 4), torch.zeros(4000, 2)
    absent[0, 1] = 1
    dropped, indicator = drop_groups(x, absent, ((1, 2), (3,)))
    assert indicator[0, 1] == 1
    for feature, group in {1: 0, 2: 0, 3: 1}.items():
        gone = dropped[1:, 0, feature] == 0
        assert torch.equal(gone, indicator[1:, group] == 1)
        assert gone.float().mean() == pytest.approx(0.1, abs=0.02)
    assert (dropped[..., 0] == 1).all()


def test_optional_weather_is_missing_only_where_the_cell_has_some():
    x = np.ones((2, 6, 2))
    x[0, :, 1] = np.nan
    x[1, 2, 1] = np.nan
    names = ("t2m", "strd")
    assert missing_weather(x, names)[0].all()
    expected = np.zeros((2, 6), bool)
    expected[1, 2] = True
    np.testing.assert_array_equal(missing_weather(x, names, ("strd",)), expected)


def with_satellite(sites, lacking):
    """Toy towers whose flux also follows a leaf area that some of them lack."""
    samples = toy_samples(sites)
    lai = np.random.default_rng(1).uniform(0, 6, sites)[samples.site]
    y = samples.y + np.array([0.8, 0.2, -0.6], np.float32) * (lai[:, None] - 3).astype(np.float32)
    y[:, :2] = np.maximum(y[:, :2], 0)
    y[:, 2] = y[:, 1] - y[:, 0]
    lai[np.isin(samples.site, lacking)] = np.nan
    return replace(
        samples,
        x=np.column_stack([samples.x, lai]).astype(np.float32),
        y=y,
        predictors=("t2m", "ssrd", "lai"),
        optional=("lai",),
    )


def test_a_site_without_a_predictor_is_trained_on_and_predicted(tmp_path):
    lacking = np.arange(0, 40, 5)
    samples = with_satellite(40, lacking)
    assert not samples_without_weather(samples, samples.optional).any()
    path = tmp_path / "m.safetensors"
    fit_member(
        samples, list(samples.sites["site_id"][:32]), path, tmp_path / "m.csv", name="tamrl",
        seed=1, model=MODEL, training=TRAINING, provenance={},
    )  # fmt: skip
    ensemble = Ensemble.load([path])
    assert ensemble.optional == ("lai",)
    test = np.arange(32, 40)
    predicted = predict_sites(ensemble, samples, test)["gpp"].to_numpy()
    rows = np.isin(samples.site, test)
    assert np.isfinite(predicted).all()
    second = samples.date[rows] >= np.datetime64("2002-01-01")
    has = ~np.isin(samples.site[rows], lacking)
    error = np.abs(predicted - samples.y[rows, 0])
    without = replace(samples, x=samples.x.copy())
    without.x[:, 2] = np.nan
    blind = predict_sites(ensemble, without, test)["gpp"].to_numpy()
    blind_error = np.abs(blind - samples.y[rows, 0])
    # the predictor helps where it is there, and its absence is no catastrophe
    assert error[second & has].mean() < 0.8 * blind_error[second & has].mean()
    assert blind_error[second].mean() < 2 * samples.y[rows, 0][second].std()
    # the indicator, not the value 0 alone, tells that it is absent
    mean_value = replace(samples, x=samples.x.copy())
    mean_value.x[:, 2] = ensemble.specs[0].mean[2]
    given = predict_sites(ensemble, mean_value, test)["gpp"].to_numpy()
    assert np.abs(given - blind).max() > 1e-3


def with_height(sites, lacking):
    """Toy towers whose flux also follows a height, in m, that some of them lack."""
    samples = toy_samples(sites)
    height = np.random.default_rng(2).uniform(0, 40, sites)
    of_row = (height[samples.site, None] - 20) / 10
    y = samples.y + np.array([0.8, 0.2, -0.6], np.float32) * of_row.astype(np.float32)
    y[:, :2] = np.maximum(y[:, :2], 0)
    y[:, 2] = y[:, 1] - y[:, 0]
    height[lacking] = np.nan
    return replace(
        samples,
        y=y,
        static=np.column_stack([samples.static, height]).astype(np.float32),
        static_features=(*samples.static_features, "extra_height"),
    )


def test_a_static_predictor_is_standardised_with_the_training_sites(tmp_path):
    lacking = np.arange(0, 40, 5)
    samples = with_height(40, lacking)
    path = tmp_path / "m.safetensors"
    fit_member(
        samples, list(samples.sites["site_id"][:32]), path, tmp_path / "m.csv", name="tamrl",
        seed=1, model=MODEL, training=TRAINING, provenance={},
    )  # fmt: skip
    ensemble = Ensemble.load([path])
    (spec,) = ensemble.specs
    height = samples.static[:32, -1].astype(float)
    assert spec.static_mean[-1] == pytest.approx(np.nanmean(height))
    assert spec.static_sd[-1] == pytest.approx(np.nanstd(height))
    assert set(spec.static_mean[:-1]) == {0.0} and set(spec.static_sd[:-1]) == {1.0}
    scaled = spec.scale_static(samples.static)
    assert np.isfinite(scaled).all() and scaled.shape[1] == samples.static.shape[1] + 1
    assert scaled[lacking, -1].all() and not scaled[lacking, -2].any()
    present = np.setdiff1d(np.arange(32), lacking)
    assert scaled[present, -2].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[present, -2].std() == pytest.approx(1, abs=1e-5)
    test = np.arange(32, 40)
    rows = np.isin(samples.site, test)
    second = samples.date[rows] >= np.datetime64("2002-01-01")
    has = ~np.isin(samples.site[rows], lacking)
    predicted = predict_sites(ensemble, samples, test)["gpp"].to_numpy()
    without = replace(samples, static=samples.static.copy())
    without.static[:, -1] = np.nan
    blind = predict_sites(ensemble, without, test)["gpp"].to_numpy()
    error, blind_error = (np.abs(each - samples.y[rows, 0]) for each in (predicted, blind))
    assert np.isfinite(blind).all()
    assert error[second & has].mean() < 0.8 * blind_error[second & has].mean()


def test_dropped_statics_are_zero_and_said_to_be_absent():
    torch.manual_seed(0)
    static = torch.ones(4000, 4)
    static[:, 3] = 0  # the indicator of the feature number 1
    dropped = drop_statics(static, (1,))
    gone = dropped[:, 1] == 0
    assert torch.equal(gone, dropped[:, 3] == 1)
    assert gone.float().mean() == pytest.approx(0.1, abs=0.02)
    assert (dropped[:, [0, 2]] == 1).all() and (static[:, 1] == 1).all()
    assert drop_statics(static, ()) is static


def test_a_static_predictor_that_no_training_site_has_is_refused(tmp_path):
    samples = with_height(6, np.arange(5))
    with pytest.raises(TrainingError, match="cannot train") as caught:
        fit_member(
            samples, list(samples.sites["site_id"][:5]), tmp_path / "m", tmp_path / "c",
            name="tamrl", seed=1, model=MODEL, training=TRAINING, provenance={},
        )  # fmt: skip
    assert "extra_height" in str(caught.value)


def test_a_tower_that_paused_a_year_is_predicted_in_the_next(tmp_path):
    samples = toy_samples(12)
    path = tmp_path / "m.safetensors"
    fit_member(
        samples, list(samples.sites["site_id"]), path, tmp_path / "m.csv", name="tamrl", seed=1,
        model=MODEL, training=TRAINING | {"epochs": 2}, provenance={},
    )  # fmt: skip
    ensemble = Ensemble.load([path])
    paused = replace(samples, x=samples.x.copy())
    one = np.flatnonzero(samples.site == 0)
    paused.x[one[:300]] = np.nan  # most of the first year
    predicted = predict_sites(ensemble, paused, np.array([0]))["gpp"].to_numpy()
    assert np.isnan(predicted[:300]).all() and np.isfinite(predicted[300:]).all()
    paused.x[one[365:600]] = np.nan  # and most of the second
    predicted = predict_sites(ensemble, paused, np.array([0]))["gpp"].to_numpy()
    assert np.isfinite(predicted[300:365]).all() and np.isfinite(predicted[600:]).all()
    # a short gap leaves the window of the year before
    short = replace(samples, x=samples.x.copy())
    short.x[one[100:150]] = np.nan
    windows = make_windows(short, samples_without_weather(short, ()))
    np.testing.assert_array_equal(windows.lookback_rows[1], one[:365])
