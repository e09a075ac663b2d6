import pytest
import torch

from tamflux.model.loss import RECONSTRUCTION_WEIGHT, balance_loss, flux_loss, training_loss
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
