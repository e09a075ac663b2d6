"""The training loss: fit to the towers, carbon balance, reconstruction, site effects."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tamflux.model.tamrl import Fluxes

RECONSTRUCTION_WEIGHT = 0.1

SITE_EFFECT_SD = 0.3
"""Standard deviation of the site effects on the log scale."""

SITE_EFFECT_WEIGHT = 0.3


class SiteEffects(nn.Module):
    """Random effects: a factor on gpp and one on reco for each training site.

    Towers of one climate and class differ for reasons that no predictor holds: age, soil,
    management, calibration. The factors, regularised towards 1, absorb these differences, so that
    the shared model need not memorise its sites. A site that was not trained on has the factors 1.
    (Mixed-effects models: Laird and Ware 1982, Biometrics 38, 963.)
    """

    def __init__(self, sites: int):
        super().__init__()
        self.log_factor = nn.Embedding(sites, 2)
        nn.init.zeros_(self.log_factor.weight)

    def forward(self, flux: Tensor, site_idx: Tensor) -> Tensor:
        """Fluxes (batch, time, 3) times the factors of the sites (batch,); the balance stays."""
        gpp, reco, nee = flux.unbind(-1)
        gpp_factor, reco_factor = self.log_factor(site_idx).exp().split(1, dim=-1)
        more_gpp, more_reco = gpp * (gpp_factor - 1), reco * (reco_factor - 1)
        return torch.stack([gpp + more_gpp, reco + more_reco, nee + more_reco - more_gpp], dim=-1)

    def penalty(self, site_idx: Tensor, site_years: Tensor) -> Tensor:
        """Penalty on the factors of the sites (batch,), divided among the site-years of each.

        `site_years` : (site,) number of training site-years of every site.
        """
        squared = (self.log_factor(site_idx) / SITE_EFFECT_SD) ** 2
        return SITE_EFFECT_WEIGHT * (squared / site_years[site_idx, None]).mean()


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
    if output.reconstruction is not None and output.target is not None:
        loss = loss + RECONSTRUCTION_WEIGHT * functional.mse_loss(
            output.reconstruction.float(), output.target.float()
        )
    return loss
