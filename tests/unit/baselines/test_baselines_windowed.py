"""Networks on windows: the windows by brute force, generalisation to other sites, and no leaks."""

import numpy as np
import pandas as pd
import pytest
import torch

from tamflux.baselines.networks import PublishedTamRL
from tamflux.baselines.windowed import (
    TARGET_DAYS,
    WINDOW_DAYS,
    cut_windows,
    draw_support,
    fit_network,
)
from tamflux.samples.samples import Samples

NAMES = ("lstm", "ct_lstm", "transformer", "published_tamrl")
SETTINGS = {"hidden_size": 16, "learning_rate": 0.02, "epochs": 150}


@pytest.fixture(scope="module")
def samples():
    """Twelve sites of 100 to 210 days: gpp follows the weather of the day and of the week."""
    random = np.random.default_rng(0)
    lengths = np.arange(100, 220, 10)
    site = np.repeat(np.arange(12), lengths)
    date = np.concatenate([np.datetime64("2001-01-01") + np.arange(n) for n in lengths])
    x = random.normal(5, 2, (len(site), 3)).astype(np.float32)
    week = pd.DataFrame(x[:, 1]).groupby(site).rolling(7, min_periods=1).mean()[0].to_numpy()
    gpp = x[:, 0] + 3 * week
    y = np.stack([gpp, 0.5 * gpp, -0.5 * gpp], axis=1).astype(np.float32)
    sites = pd.DataFrame({"site_id": [f"XX-{i:02d}" for i in range(12)]})
    static = random.normal(size=(12, 2)).astype(np.float32)
    qc = np.ones(len(site), np.float32)
    return Samples(
        sites, site, date, x, y, qc, static, ("t2m", "vpd", "ssrd"), ("igbp_ENF", "igbp_GRA")
    )


def test_every_day_is_the_target_of_one_window_that_ends_after_it(samples):
    windows = cut_windows(samples, np.array([2, 5]))
    assert windows.shape[1] == WINDOW_DAYS
    for site in (2, 5):
        own = np.flatnonzero(samples.site == site)
        block = [rows for rows in windows if rows[-1] in own]
        assert {row for rows in block for row in rows} <= set(own)
        targets = [row for rows in block for row in dict.fromkeys(rows[-TARGET_DAYS:])]
        assert targets == own.tolist()
        for rows in block:
            steps = np.diff(rows)
            assert ((steps == 1) | ((steps == 0) & np.isin(rows[1:], own[[0, -1]]))).all()


def test_support_windows_lie_within_their_sites(samples):
    support = draw_support(samples, np.random.default_rng(1))
    assert (samples.site[support] == np.arange(12)[:, None]).all()
    assert (np.diff(support, axis=1) == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_learns_what_carries_over_to_other_sites(samples, name):
    fitted = fit_network(name, samples, np.arange(9), settings=SETTINGS, seed=1, threads=1)
    held = samples.site >= 9
    predicted = fitted.predict(samples, np.arange(9, 12))
    assert predicted.shape == (held.sum(), 3) and predicted.dtype == np.float32
    error = predicted - samples.y[held]
    assert (error.std(axis=0) < 0.7 * samples.y[held].std(axis=0)).all()
    alone = fitted.predict(samples, np.array([10]))  # a site does not depend on the others
    np.testing.assert_allclose(alone, predicted[samples.site[held] == 10], atol=1e-4)


@pytest.mark.parametrize("name", ("lstm", "published_tamrl"))
def test_held_out_sites_change_nothing(samples, name):
    other = Samples(**{**vars(samples), "x": samples.x.copy(), "y": samples.y.copy()})
    held = samples.site >= 9
    other.x[held], other.y[held] = 100, -100
    settings = SETTINGS | {"epochs": 2}
    one, two = (
        fit_network(name, data, np.arange(9), settings=settings, seed=3, threads=1)
        for data in (samples, other)
    )
    for key, tensor in one.network.state_dict().items():
        torch.testing.assert_close(tensor, two.network.state_dict()[key], rtol=0, atol=0)
    np.testing.assert_array_equal(one.mean, two.mean)


def test_the_published_modulation_by_hand():
    """The states of the LSTM are scaled by 1 + gamma and shifted by beta of the embedding."""
    torch.manual_seed(0)
    network = PublishedTamRL(3, 2, 4).eval()
    x, static, support = torch.randn(2, 30, 3), torch.randn(2, 2), torch.randn(2, 30, 3)
    embedding = {}
    network.embedding.register_forward_hook(lambda *call: embedding.update(z=call[2]))
    out = network(x, static, support)
    inputs = torch.cat([x, static[:, None].expand(-1, 30, -1)], dim=-1)
    gamma, beta = network.film_input(embedding["z"]).chunk(2, dim=-1)
    embedded = network.embed(inputs) * (1 + gamma)[:, None] + beta[:, None]
    gamma, beta = network.film_state(embedding["z"]).chunk(2, dim=-1)
    states = network.recurrence(embedded)[0] * (1 + gamma)[:, None] + beta[:, None]
    torch.testing.assert_close(out, network.head(states))
    assert (network(x, static, x) != out).any()  # another support, another flux


def test_a_missing_predictor_is_marked(samples):
    """A gappy predictor gets one more input, 1 where it is missing; its value is the mean."""
    gappy = Samples(**{**vars(samples), "x": samples.x.copy()})
    gappy.x[gappy.site == 2, 1] = np.nan
    fitted = fit_network("lstm", gappy, np.arange(9), settings=SETTINGS | {"epochs": 1}, seed=1,
                         threads=1)  # fmt: skip
    scaled = fitted.scale(gappy).numpy()
    assert scaled.shape[1] == 4
    np.testing.assert_array_equal(scaled[:, 3], gappy.site == 2)
    assert (scaled[gappy.site == 2, 1] == 0).all()
    assert np.isfinite(fitted.predict(gappy, np.array([2]))).all()
