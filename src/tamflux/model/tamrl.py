"""TAM-RL: a task encoder reads a place's history; its code modulates one recurrent flux model.

Shapes: batch is places, time is days, feature is scaled predictors. Outputs are fluxes in
g C m-2 d-1 (gpp, reco, nee).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_DAYS = 10
"""Days that the task encoder and its decoder see as one step."""

ENCODER_SIZE = 32
"""Width of the task encoder in each direction, and of its decoder."""

CONDITION_SIZE = 64
"""Width of the network between task code and modulation."""

DROPOUT = 0.1


class Fluxes(NamedTuple):
    """What a forward pass gives.

    flux : (batch, time, 3) gpp, reco, nee of the days after the history, g C m-2 d-1.
    reconstruction : (batch, step, feature) history as the decoder remembers it, or None.
    target : (batch, step, feature) history in steps of `PATCH_DAYS`, or None.
    """

    flux: Tensor
    reconstruction: Tensor | None
    target: Tensor | None


class TaskEncoder(nn.Module):
    """Bidirectional LSTM autoencoder of a place's history of predictors; never sees a flux."""

    def __init__(self, features: int, code_size: int):
        super().__init__()
        self.patch = nn.Conv1d(features, ENCODER_SIZE, PATCH_DAYS, stride=PATCH_DAYS)
        self.encoder = nn.LSTM(ENCODER_SIZE, ENCODER_SIZE, batch_first=True, bidirectional=True)
        self.code = nn.Linear(2 * ENCODER_SIZE, code_size)
        self.decoder = nn.LSTM(code_size + 2, ENCODER_SIZE, batch_first=True)
        self.restore = nn.Linear(ENCODER_SIZE, features)

    def forward(self, history: Tensor) -> Tensor:
        """Task code (batch, code_size) of a history (batch, time, feature)."""
        patches = functional.silu(self.patch(history.transpose(1, 2))).transpose(1, 2)
        states, _ = self.encoder(patches)
        return self.code(states.mean(dim=1))

    def reconstruct(self, code: Tensor, history: Tensor) -> tuple[Tensor, Tensor]:
        """History as restored from the code alone, and the history, both (batch, step, feature).

        The decoder is told the season (as the step's phase), not the weather.
        """
        target = functional.avg_pool1d(history.transpose(1, 2), PATCH_DAYS).transpose(1, 2)
        steps = target.shape[1]
        phase = torch.arange(steps, device=code.device) * (2 * torch.pi * PATCH_DAYS / 365.25)
        season = torch.stack([phase.sin(), phase.cos()], dim=-1).expand(len(code), -1, -1)
        driver = torch.cat([code[:, None].expand(-1, steps, -1), season], dim=-1)
        return self.restore(self.decoder(driver)[0]), target


class TamRL(nn.Module):
    """Recurrent flux model, modulated (FiLM) by task code and static features.

    Parameters
    ----------
    features, static_features : int
        Number of predictors and of static features.
    hidden_size, code_size : int
        Width of the recurrence and length of the task code.
    flux_scale : Tensor
        (3,) standard deviations of gpp, reco, nee over the training days, g C m-2 d-1.
    site_blind : bool
        No task code, no static features, no modulation: the plain LSTM baseline.
    """

    def __init__(
        self,
        features: int,
        static_features: int,
        hidden_size: int,
        code_size: int,
        flux_scale: Tensor,
        site_blind: bool = False,
    ):
        super().__init__()
        self.site_blind = site_blind
        self.register_buffer("flux_scale", flux_scale.clone())
        self.embed = nn.Linear(features, hidden_size)
        self.recurrence = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(hidden_size, 3)
        if not site_blind:
            self.encoder = TaskEncoder(features, code_size)
            self.condition = nn.Sequential(
                nn.Linear(static_features + code_size, CONDITION_SIZE),
                nn.SiLU(),
                nn.Dropout(DROPOUT),
            )
            self.film_input = _identity_film(hidden_size)
            self.film_output = _identity_film(hidden_size)

    def forward(
        self, x: Tensor, static: Tensor, history_days: int, *, modulated: bool = True
    ) -> Fluxes:
        """Fluxes of the days after the history.

        Parameters
        ----------
        x : Tensor
            (batch, history_days + time, feature) scaled predictors, no NaN.
        static : Tensor
            (batch, static feature).
        history_days : int
            Days at the start of `x` that are only history.
        modulated : bool
            False runs the forward model alone, as in pre-training.
        """
        embedded = self.embed(x)
        reconstruction = target = film_output = None
        if modulated and not self.site_blind:
            history = x[:, :history_days]
            code = self.encoder(history)
            if self.training:
                reconstruction, target = self.encoder.reconstruct(code, history)
            condition = self.condition(torch.cat([static, code], dim=-1))
            embedded = _modulate(embedded, self.film_input(condition))
            film_output = self.film_output(condition)
        states = self.recurrence(functional.silu(embedded))[0][:, history_days:]
        if film_output is not None:
            states = _modulate(states, film_output)
        raw = self.head(self.dropout(states)).float()
        # productivity and respiration cannot be negative; their difference can
        raw = torch.cat([functional.softplus(raw[..., :2]), raw[..., 2:]], dim=-1)
        return Fluxes(raw * self.flux_scale, reconstruction, target)


def close_balance(flux: Tensor) -> Tensor:
    """Nearest fluxes (..., 3) with nee = reco - gpp and neither gpp nor reco below zero.

    The three heads are moved by the same amount onto the plane nee = reco - gpp (orthogonal
    projection: least change in the sum of squares), then gpp and reco are cut at zero and nee
    follows.
    """
    gpp, reco, nee = flux.unbind(-1)
    third = (nee - (reco - gpp)) / 3
    gpp, reco = (gpp - third).clamp(min=0), (reco + third).clamp(min=0)
    return torch.stack([gpp, reco, reco - gpp], dim=-1)


def _identity_film(hidden_size: int) -> nn.Linear:
    """Layer that gives scale and shift, at first 1 and 0 for every place."""
    layer = nn.Linear(CONDITION_SIZE, 2 * hidden_size)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _modulate(states: Tensor, film: Tensor) -> Tensor:
    """Scale and shift (batch, time, hidden) by film (batch, 2 * hidden), scale around 1."""
    scale, shift = film[:, None].chunk(2, dim=-1)
    return states * (1 + scale) + shift
