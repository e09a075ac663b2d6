"""The training loss: fit to the towers, carbon balance, and memory of the task encoder."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from tamflux.model.tamrl import Fluxes

RECONSTRUCTION_WEIGHT = 0.1


def flux_loss(predicted: Tensor, observed: Tensor, weight: Tensor, flux_scale: Tensor) -> Tensor:
    """Weighted mean square error in units of each flux's standard deviation.

    Parameters
    ----------
    predicted, observed : Tensor
        (batch, time, 3) gpp, reco, nee, g C m-2 d-1; `observed` may hold NaN where weight is 0.
    weight : Tensor
        (batch, time, 3) weight of each value, 0 where nothing was observed.
    flux_scale : Tensor
        (3,) g C m-2 d-1.
    """
    error = (predicted - observed.nan_to_num()) / flux_scale
    return (weight * error**2).sum() / weight.sum().clamp(min=1e-6)


def balance_loss(predicted: Tensor) -> Tensor:
    """Mean of (nee - (reco - gpp))², in (g C m-2 d-1)², over all days, observed or not."""
    gpp, reco, nee = predicted.unbind(-1)
    return ((nee - (reco - gpp)) ** 2).mean()


def training_loss(
    output: Fluxes, observed: Tensor, weight: Tensor, flux_scale: Tensor, balance_weight: float
) -> Tensor:
    """Sum of the three terms; `balance_weight` in (g C m-2 d-1)-2."""
    loss = flux_loss(output.flux, observed, weight, flux_scale)
    loss = loss + balance_weight * balance_loss(output.flux)
    if output.reconstruction is not None:
        loss = loss + RECONSTRUCTION_WEIGHT * functional.mse_loss(
            output.reconstruction.float(), output.target.float()
        )
    return loss
