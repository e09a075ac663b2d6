"""Gaps in the weather: which days they are, what fills them, how long the model remembers them."""

from dataclasses import replace

import numpy as np
import pytest
from test_training_train import TRAINING, equal, fit
from toy_sites import DAYS, toy_samples

from tamflux.errors import TrainingError
from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS
from tamflux.training.ensemble import Ensemble, predict_sites
from tamflux.training.gaps import fill_gaps, gap_memory, missing_fluxes, missing_weather
from tamflux.training.trainer import day_weights

LOOKBACK, TIME = 12, 17
NAMES = ("t2m", "ndvi", "ssrd")


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, LOOKBACK + TIME, 3)).astype(np.float32)


def test_only_meteorology_is_weather(x):
    x[0, 3, 0] = x[1, 4, 1] = x[2, 5, 2] = np.nan
    missing = missing_weather(x, NAMES)
    assert np.argwhere(missing).tolist() == [[0, 3], [2, 5]]
    assert missing_weather(x[..., 1:2], ("ndvi",)).sum() == 0


def test_predictors_without_gaps_are_not_copied(x):
    x[1, 4, 1] = np.nan  # reflectance
    assert fill_gaps(x, NAMES, LOOKBACK) is x


def test_a_gap_takes_the_same_day_one_window_earlier_else_the_mean(x):
    """Against a plain loop over the days."""
    before = x.copy()
    x[0, 2:5, 0] = x[0, 20:29, 0] = np.nan  # day 26 is two windows after day 2
    x[1, :LOOKBACK, 2] = x[1, 15, 2] = np.nan  # no look-back window at all
    x[2, 7, 1] = np.nan
    given = x.copy()
    filled = fill_gaps(x, NAMES, LOOKBACK)
    expected = given.copy()
    expected[0, 2:5, 0] = given[0, np.r_[0:2, 5:LOOKBACK], 0].astype(float).mean()
    for day in range(20, 29):
        expected[0, day, 0] = expected[0, day - LOOKBACK, 0]
    np.testing.assert_allclose(filled, expected, rtol=1e-6)
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(filled[3], before[3])


def test_filled_values_depend_on_earlier_days_alone(x):
    """So a run that resumes within the year fills the same."""
    x[:, 14:20, 0] = np.nan
    later = x.copy()
    later[:, 22:] = 9
    short = fill_gaps(x[:, :22], NAMES, LOOKBACK)
    np.testing.assert_array_equal(fill_gaps(later, NAMES, LOOKBACK)[:, :22], short)


def test_a_cell_without_most_of_its_look_back_window_is_missing():
    missing = np.zeros((3, LOOKBACK + TIME), bool)
    missing[0, :6] = missing[1, :7] = missing[2, LOOKBACK + 3] = True
    found = missing_fluxes(missing, LOOKBACK)
    assert not found[0].any() and found[1].all() and np.flatnonzero(found[2]).tolist() == [3]


def test_the_memory_of_a_gap_is_the_largest_share_of_filled_days():
    """Against the recursion of the moving averages, day by day."""
    filled = np.random.default_rng(1).random((3, 60)) < [[0.0], [0.1], [0.6]]
    found = gap_memory(filled, 40)
    averages = np.zeros((3, len(EMA_TIMESCALES_DAYS)))
    decay = np.exp(-1 / np.array(EMA_TIMESCALES_DAYS))
    for day in range(60):
        averages = decay * averages + (1 - decay) * filled[:, day : day + 1]
        if day >= 40:
            share = np.maximum(averages.max(axis=1), filled[:, :40].mean(axis=1))
            expected = np.where(filled[:, day], 1, share)
            np.testing.assert_allclose(found[:, day - 40], expected, rtol=1e-6)
    assert not found[0].any() and found.max() == 1


def without_weather(samples, site, days):
    x = samples.x.copy()
    x.reshape(-1, DAYS, 2)[site, days, 0] = np.nan
    return replace(samples, x=x)


def test_days_without_weather_do_not_train(tmp_path):
    """Their fluxes change nothing."""
    gap = slice(500, 540)
    samples = without_weather(toy_samples(12), 3, gap)
    weight = day_weights(samples, 0.5).reshape(12, DAYS, 3)
    assert (weight[3, gap] == 0).all() and (weight[3, 540:] == 1).all()
    spoiled = samples.y.copy()
    spoiled.reshape(12, DAYS, 3)[3, gap] = 40
    assert equal(fit(tmp_path, samples)[0], fit(tmp_path, replace(samples, y=spoiled))[0])


@pytest.mark.parametrize(("days", "trains"), [(180, True), (200, False)])
def test_a_site_without_most_of_its_look_back_window_does_not_train(tmp_path, days, trains):
    """Whether the order of its fluxes matters; their standard deviation stays."""
    samples = without_weather(toy_samples(12), 3, slice(0, days))
    reversed_year = samples.y.copy()
    year = reversed_year.reshape(12, DAYS, 3)[3, 365:]
    year[:] = year[::-1].copy()
    first, second = (fit(tmp_path, replace(samples, y=y))[0] for y in (samples.y, reversed_year))
    assert (first["flux_scale"] == second["flux_scale"]).all()
    assert equal(first, second) == (not trains)


def test_training_without_any_weather_is_refused(tmp_path):
    samples = toy_samples(4)
    samples.x.reshape(-1, DAYS, 2)[:, 365:, 1] = np.nan
    with pytest.raises(TrainingError, match="too few sites with fluxes"):
        fit(tmp_path, samples, training=TRAINING)


def test_sites_are_predicted_but_for_days_without_weather(tmp_path):
    samples = toy_samples(12)
    fit(tmp_path, samples)
    ensemble = Ensemble.load([tmp_path / "m.safetensors"])
    with_gap = without_weather(samples, 3, slice(500, 540))
    data, found = (predict_sites(ensemble, s, np.array([3, 4])) for s in (samples, with_gap))
    missing = found["gpp"].isna().to_numpy()
    assert np.flatnonzero(missing).tolist() == list(range(500, 540))
    assert found["gpp"][DAYS:].equals(data["gpp"][DAYS:])  # another site
    assert (found["gpp"][365:500] == data["gpp"][365:500]).all()
