"""The task encoder: it summarises the predictors of a look-back window, never the fluxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_DAYS = 10
"""Days that the task encoder and its decoder read as one step."""

ENCODER_SIZE = 32
"""Width of the task encoder in each direction, and of its decoder."""


class TaskEncoder(nn.Module):
    """Bidirectional LSTM autoencoder of the predictors in a look-back window."""

    def __init__(self, features: int, embedding_size: int):
        super().__init__()
        self.patch = nn.Conv1d(features, ENCODER_SIZE, PATCH_DAYS, stride=PATCH_DAYS)
        self.encoder = nn.LSTM(ENCODER_SIZE, ENCODER_SIZE, batch_first=True, bidirectional=True)
        self.embedding_head = nn.Linear(2 * ENCODER_SIZE, embedding_size)
        self.decoder = nn.LSTM(embedding_size + 2, ENCODER_SIZE, batch_first=True)
        self.decoder_head = nn.Linear(ENCODER_SIZE, features)

    def forward(self, lookback: Tensor) -> Tensor:
        """Task embedding (batch, embedding) of a look-back window (batch, time, feature)."""
        patches = functional.silu(self.patch(lookback.transpose(1, 2))).transpose(1, 2)
        states, _ = self.encoder(patches)
        return self.embedding_head(states.mean(dim=1))

    def reconstruct(self, embedding: Tensor, lookback: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructed and true look-back window, both (batch, step, feature), scaled.

        Each step is the mean of `PATCH_DAYS` days. The decoder receives the embedding and the
        season (as the phase of the step), not the weather.
        """
        target = functional.avg_pool1d(lookback.transpose(1, 2), PATCH_DAYS).transpose(1, 2)
        steps = target.shape[1]
        phase = torch.arange(steps, device=embedding.device) * (2 * torch.pi * PATCH_DAYS / 365.25)
        season = torch.stack([phase.sin(), phase.cos()], dim=-1).expand(len(embedding), -1, -1)
        driver = torch.cat([embedding[:, None].expand(-1, steps, -1), season], dim=-1)
        return self.decoder_head(self.decoder(driver)[0]), target
