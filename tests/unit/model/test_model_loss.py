import pytest
import torch

from tamflux.model.loss import (
    RECONSTRUCTION_WEIGHT,
    SITE_EFFECT_SD,
    SITE_EFFECT_WEIGHT,
    SiteEffects,
    balance_loss,
    flux_loss,
    training_loss,
)
from tamflux.model.tamrl import Fluxes

SCALE = torch.tensor([4.0, 2.0, 1.0])


def test_flux_loss_by_hand():
    predicted = torch.tensor([[[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]])
    observed = torch.tensor([[[3.0, 2.0, float("nan")], [5.0, 6.0, 4.0]]])
    weight = torch.tensor([[[1.0, 0.5, 0.0], [0.5, 1.0, 1.0]]])
    # ((1-3)/4)² 1 + 0 + 0 + 0 + ((5-6)/2)² 1 + ((5-4)/1)² 1 over the weights 4
    assert flux_loss(predicted, observed, weight, SCALE).item() == pytest.approx(
        (0.25 + 0.25 + 1) / 4
    )


def test_the_balance_is_in_physical_units():
    predicted = torch.tensor([[[10.0, 6.0, -4.0], [10.0, 6.0, -3.0], [10.0, 6.0, -1.0]]])
    assert balance_loss(predicted).item() == pytest.approx((0 + 1 + 9) / 3)


def test_balanced_fluxes_of_any_scale_cost_nothing():
    """Standardised fluxes would not balance; the loss must not see them so."""
    gpp, reco = torch.rand(2, 5, 7) * 10
    flux = torch.stack([gpp, reco, reco - gpp], dim=-1)
    assert balance_loss(flux).item() == pytest.approx(0, abs=1e-10)
    assert balance_loss((flux - flux.mean((0, 1))) / SCALE).item() > 0.1


def test_the_terms_add_up():
    flux = torch.tensor([[[1.0, 1.0, 1.0]]])
    output = Fluxes(flux, torch.zeros(1, 2, 3), torch.full((1, 2, 3), 2.0))
    observed, weight = flux.clone(), torch.ones(1, 1, 3)
    loss = training_loss(output, observed, weight, SCALE, balance_weight=0.5)
    assert loss.item() == pytest.approx(0 + 0.5 * 1 + RECONSTRUCTION_WEIGHT * 4)


def test_a_missing_day_gives_no_gradient():
    predicted = torch.ones(1, 2, 3, requires_grad=True)
    observed = torch.tensor([[[0.0, 0.0, 0.0], [float("nan")] * 3]])
    weight = torch.tensor([[[1.0] * 3, [0.0] * 3]])
    flux_loss(predicted, observed, weight, SCALE).backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[0, 0] != 0).all() and (predicted.grad[0, 1] == 0).all()


def test_site_effects_are_factors_that_keep_the_imbalance():
    effects = SiteEffects(3)
    effects.log_factor.weight.data = torch.tensor([[0.0, 0.0], [0.7, -0.2], [0.1, 0.3]])
    flux = torch.tensor([[[4.0, 3.0, -0.5]], [[4.0, 3.0, -0.5]]])
    at_sites = effects(flux, torch.tensor([0, 1]))
    torch.testing.assert_close(at_sites[0], flux[0])
    gpp, reco = 4 * torch.e**0.7, 3 * torch.e**-0.2
    expected = torch.tensor([[gpp, reco, reco - gpp + 0.5]])  # nee - (reco - gpp) was 0.5
    torch.testing.assert_close(at_sites[1], expected)


def test_a_site_pays_once_an_epoch_however_many_years_it_has():
    effects = SiteEffects(2)
    effects.log_factor.weight.data = torch.tensor([[SITE_EFFECT_SD] * 2, [0.0, 0.0]])
    site_years = torch.tensor([4.0, 1.0])
    site = torch.tensor([0, 0, 0, 0, 1])
    assert effects.penalty(site, site_years).item() == pytest.approx(SITE_EFFECT_WEIGHT / 5)
