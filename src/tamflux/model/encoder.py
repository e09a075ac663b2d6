"""The task encoder: what a place's own history of predictors says of it, never its fluxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_DAYS = 10
"""Days that the task encoder and its decoder see as one step."""

ENCODER_SIZE = 32
"""Width of the task encoder in each direction, and of its decoder."""


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
