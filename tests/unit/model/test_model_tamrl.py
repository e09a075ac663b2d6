import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tamflux.model.components import ABLATIONS, PLAIN_LSTM, Components
from tamflux.model.encoder import PATCH_DAYS
from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS, ExponentialMovingAverages
from tamflux.model.rollout import predict_members
from tamflux.model.tamrl import WARM_UP_DAYS, Light, TamRL, close_balance

BATCH, LOOKBACK, DAYS, FEATURES, STATIC = 3, 40, 25, 5, 4


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = TamRL(
        FEATURES, STATIC, hidden_size=7, embedding_size=2, flux_scale=torch.tensor([4.0, 3, 2])
    )
    for film in (model.film_input, model.film_output):  # as after training, not the identity
        torch.nn.init.normal_(film.weight, std=0.3)
    return model.eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(BATCH, LOOKBACK + DAYS, FEATURES), torch.randn(BATCH, STATIC)


def test_shapes(network, inputs):
    network.train()
    flux, reconstruction, target = network(*inputs, LOOKBACK)
    assert flux.shape == (BATCH, DAYS, 3)
    assert reconstruction.shape == target.shape == (BATCH, LOOKBACK // PATCH_DAYS, FEATURES)


def test_modulation_is_the_identity_before_training(inputs):
    torch.manual_seed(0)
    fresh = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3)).eval()
    torch.testing.assert_close(
        fresh(*inputs, LOOKBACK).flux, fresh(*inputs, LOOKBACK, modulated=False).flux
    )


def test_a_later_day_never_changes_an_earlier_flux(network, inputs):
    x, static = inputs
    changed = x.clone()
    changed[:, LOOKBACK + 10 :] += 1
    before, after = network(x, static, LOOKBACK).flux, network(changed, static, LOOKBACK).flux
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert (before[:, 10:] != after[:, 10:]).any()


def test_the_task_embedding_reads_the_lookback_window_alone(network, inputs):
    x, _ = inputs
    changed = x.clone()
    changed[:, LOOKBACK:] += 1
    embedding = network.encoder(x[:, :LOOKBACK])
    torch.testing.assert_close(embedding, network.encoder(changed[:, :LOOKBACK]))
    changed[:, 0] += 1
    assert (embedding != network.encoder(changed[:, :LOOKBACK])).any()


def test_the_embedding_matters_to_the_fluxes(network, inputs):
    """Sites with the same weather in the year but another look-back window differ at its end."""
    x, static = inputs
    network.input_layer.weight.data[:, FEATURES:] = 0
    network.recurrence.weight_hh_l0.data.zero_()  # no recurrence: only the embedding can carry it
    network.recurrence.bias_hh_l0.data[7:14] = -50  # forget gate shut
    changed = x.clone()
    changed[:, : LOOKBACK - 1] += 2
    a, b = network(x, static, LOOKBACK).flux, network(changed, static, LOOKBACK).flux
    assert (a[:, -1] - b[:, -1]).abs().max() > 1e-3


def test_a_site_does_not_depend_on_its_batch(network, inputs):
    x, static = inputs
    together = network(x, static, LOOKBACK).flux
    alone = torch.cat(
        [network(x[i : i + 1], static[i : i + 1], LOOKBACK).flux for i in range(BATCH)]
    )
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("components", [Components(), *ABLATIONS.values()])
def test_blocks_of_days_change_no_flux(components, inputs):
    torch.manual_seed(3)
    network = TamRL(FEATURES, STATIC, 8, 3, torch.ones(3), components=components).eval()
    for film in (network.film_input, network.film_output):
        if film is not None:
            torch.nn.init.normal_(film.weight, std=0.3)
    whole = network(*inputs, LOOKBACK).flux
    torch.testing.assert_close(
        predict_members([network], *inputs, LOOKBACK)[0].flux, whole, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("block", [4, 20, 1000])
def test_a_year_resumes_from_a_state_whatever_the_blocks(network, inputs, block, monkeypatch):
    monkeypatch.setattr("tamflux.model.rollout.BLOCK_DAYS", block)
    x, static = inputs
    ((flux, embedding, kept),) = predict_members([network], x, static, LOOKBACK, keep={0, 10})
    torch.testing.assert_close(flux, network(x, static, LOOKBACK).flux, atol=1e-5, rtol=1e-5)
    assert set(kept) == {0, 10}
    torch.testing.assert_close(embedding, network.encoder(x[:, :LOOKBACK]))
    rest = torch.cat([x[:, :LOOKBACK], x[:, LOOKBACK + 10 :]], dim=1)
    (later,) = predict_members([network], rest, static, LOOKBACK, [kept[10]])
    torch.testing.assert_close(later.flux, flux[:, 10:], atol=1e-6, rtol=0)


def test_the_plain_lstm_ignores_the_site(inputs):
    blind = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3), components=PLAIN_LSTM).eval()
    x, static = inputs
    torch.testing.assert_close(
        blind(x, static, LOOKBACK).flux, blind(x, static + 1, LOOKBACK).flux, rtol=0, atol=0
    )
    assert not any("encoder" in name or "film" in name for name in blind.state_dict())


def test_no_light_no_productivity_and_light_saturates(inputs):
    """Against the form L / (L + L_half), with everything else held."""
    torch.manual_seed(0)
    lit = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3), Light(feature=2, mean=150.0, sd=80.0)).eval()
    dark = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3)).eval()
    dark.load_state_dict({k: v for k, v in lit.state_dict().items() if "light" not in k})
    x, static = inputs
    x[:, LOOKBACK:, 2] = torch.linspace(-150 / 80, 4, DAYS)  # 0 to 470 W m-2
    ungated, gated = dark(x, static, LOOKBACK).flux, lit(x, static, LOOKBACK).flux
    light = torch.linspace(0, 150 + 4 * 80, DAYS)
    torch.testing.assert_close(gated[..., 0], ungated[..., 0] * light / (light + 100))
    torch.testing.assert_close(gated[..., 1], ungated[..., 1])
    assert (gated[:, 0, 0] == 0).all()
    torch.testing.assert_close(gated[..., 2], gated[..., 1] - gated[..., 0])


@pytest.mark.parametrize(
    "off", ["moving_averages", "static", "task_embedding", "hard_closure", None]
)
def test_fluxes_are_the_mean_of_lstm_and_trees(off, inputs):
    """Against trees evaluated by hand; two of the three days are bright, one is dark."""
    components = Components(**{off: False}) if off else Components()
    torch.manual_seed(4)
    light = Light(feature=2, mean=150.0, sd=80.0)
    model = TamRL(
        FEATURES, STATIC, 7, 2, torch.ones(3), light, trees=4, components=components
    ).eval()
    x, static = inputs
    x[:, LOOKBACK + 3, 2] = -150 / 80  # 0 W m-2
    shown = FEATURES * (1 if off == "moving_averages" else 1 + len(EMA_TIMESCALES_DAYS))
    shown += 0 if off == "static" else STATIC
    model.trees.feature.copy_(torch.randint(shown, model.trees.feature.shape))
    model.trees.border.copy_(torch.randn(model.trees.border.shape))
    model.trees.leaf.copy_(torch.randn(model.trees.leaf.shape))
    features = model.tree_training_features(x, static, LOOKBACK)
    assert features.shape == (BATCH, DAYS, shown)
    gpp, reco = model.trees(features).clamp(min=0).unbind(-1)
    bright = (x[:, LOOKBACK:, 2] * 80 + 150).clamp(min=0)
    gpp = gpp * bright / (bright + 5)
    of_trees = torch.stack([gpp, reco, reco - gpp], dim=-1)
    bare = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3), light, components=components).eval()
    bare.load_state_dict({k: v for k, v in model.state_dict().items() if "trees" not in k})
    expected = (bare(x, static, LOOKBACK).flux + of_trees) / 2
    found = predict_members([model], x, static, LOOKBACK)[0].flux
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (found[:, 3, 0] == 0).all() and (found[:, 4, 0] > 0).any()


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_component_can_be_switched_off(name, inputs):
    torch.manual_seed(0)
    model = TamRL(FEATURES, STATIC, 7, 2, torch.ones(3), components=ABLATIONS[name])
    flux, reconstruction, _ = model(*inputs, LOOKBACK)
    assert flux.shape == (BATCH, DAYS, 3) and torch.isfinite(flux).all()
    assert (reconstruction is None) == (
        name in ("tamrl_without_task_embedding", "tamrl_without_reconstruction")
    )
    imbalance = (flux[..., 2] - (flux[..., 1] - flux[..., 0])).abs().max()
    assert (imbalance > 0.1) if name == "tamrl_without_hard_closure" else (imbalance < 1e-6)


def test_moving_averages_follow_their_recursion(inputs):
    x, _ = inputs
    x = x.repeat(1, 3, 1)  # several chunks
    start = torch.randn(BATCH, len(EMA_TIMESCALES_DAYS), FEATURES)
    both, last = ExponentialMovingAverages()(x, start)
    assert torch.equal(both[..., :FEATURES], x)
    fading = both[..., FEATURES:].reshape(BATCH, x.shape[1], len(EMA_TIMESCALES_DAYS), FEATURES)
    assert torch.equal(fading[:, -1], last)
    for number, days in enumerate(EMA_TIMESCALES_DAYS):
        keep = math.exp(-1 / days)
        memory = start[:, number].double()
        for day in range(x.shape[1]):
            memory = keep * memory + (1 - keep) * x[:, day].double()
            torch.testing.assert_close(
                fading[:, day, number].double(), memory, atol=1e-5, rtol=1e-5
            )


def test_means_after_some_days_are_the_last_of_the_means_of_every_day(inputs):
    x, _ = inputs
    start = torch.randn(BATCH, len(EMA_TIMESCALES_DAYS), FEATURES)
    for days in (0, 1, 33):
        found = ExponentialMovingAverages().averages_after(x[:, :days], start)
        expected = ExponentialMovingAverages()(x[:, :days], start)[1] if days else start
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_the_recurrence_runs_through_the_last_days_of_the_window_alone():
    """Without averages and embedding nothing else reaches from the window into the year."""
    torch.manual_seed(5)
    lookback = WARM_UP_DAYS + 30
    x, static = torch.randn(BATCH, lookback + DAYS, FEATURES), torch.randn(BATCH, STATIC)
    bare = TamRL(
        FEATURES,
        STATIC,
        7,
        2,
        torch.ones(3),
        components=Components(moving_averages=False, task_embedding=False),
    ).eval()
    bare.recurrence.bias_hh_l0.data[7:14] = 50  # forget gate open: the first day never fades
    early, late = x.clone(), x.clone()
    early[:, : lookback - WARM_UP_DAYS] += 1
    late[:, lookback - WARM_UP_DAYS] += 1
    flux = bare(x, static, lookback).flux
    assert torch.equal(bare(early, static, lookback).flux, flux)
    assert (bare(late, static, lookback).flux != flux).any()
    whole = TamRL(
        FEATURES, STATIC, 7, 2, torch.ones(3), components=Components(task_embedding=False)
    ).eval()
    assert (whole(early, static, lookback).flux != whole(x, static, lookback).flux).any()


def test_gpp_and_reco_cannot_be_negative(network, inputs):
    x, static = inputs
    flux = network(50 * x, static, LOOKBACK).flux
    assert (flux[..., :2] >= 0).all()


fluxes = st.lists(
    st.tuples(*[st.floats(-50, 50, width=32)] * 3), min_size=1, max_size=20
).map(lambda rows: torch.tensor(rows, dtype=torch.float64))  # fmt: skip


@given(fluxes)
def test_closed_fluxes_balance_and_are_physical(flux):
    gpp, reco, nee = close_balance(flux).unbind(-1)
    torch.testing.assert_close(nee, reco - gpp, rtol=0, atol=1e-12)
    assert (gpp >= 0).all() and (reco >= 0).all()


@given(fluxes)
def test_closing_moves_as_little_as_possible(flux):
    """Against the orthogonal projection from linear algebra, where nothing is cut at zero."""
    normal = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)  # gpp - reco + nee = 0
    projector = torch.eye(3, dtype=torch.float64) - torch.outer(normal, normal) / normal.dot(normal)
    expected = flux @ projector
    free = (expected[:, :2] > 0).all(dim=1)
    torch.testing.assert_close(close_balance(flux)[free], expected[free])


def test_balanced_fluxes_stay_as_they_are():
    flux = torch.tensor([[10.0, 6.0, -4.0]])
    torch.testing.assert_close(close_balance(flux), flux)
