"""Memory of the predictors that does not fade within days: soil water, snow, leaves to come."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEMORY_DAYS = (5, 20, 60, 180)
"""Time constants of the leaky means of the predictors: from days of weather to soil water."""

CHUNK_DAYS = 20
"""Days that `Memory` computes at once: few enough that little is multiplied by zero."""


class Memory(nn.Module):
    """Fading means of the past of the predictors, one per time constant of `MEMORY_DAYS`.

    m[t] = a m[t - 1] + (1 - a) x[t] with a = exp(-1 / days), in float32; computed chunk by chunk
    of days as one product with a matrix. Nothing is learnt.
    """

    weights: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", _weights(), persistent=False)

    def forward(self, x: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """The predictors with their means beside them, and the means after the last day.

        Parameters
        ----------
        x : Tensor
            (batch, time, feature).
        means : Tensor
            (batch, memory, feature) before the first day.

        Returns
        -------
        Tensor
            (batch, time, feature * (1 + memory)): the predictors, then each memory.
        Tensor
            (batch, memory, feature).
        """
        chunks = []
        with torch.autocast(x.device.type, enabled=False):
            for chunk in x.float().split(CHUNK_DAYS, dim=1):
                weights = self._weights_of(chunk.shape[1])
                product = weights @ torch.cat([chunk, means], dim=1)
                chunks.append(product.reshape(*chunk.shape[:2], -1))
                means = product[:, -len(MEMORY_DAYS) :]
        return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=1), means

    def means_after(self, x: Tensor, means: Tensor) -> Tensor:
        """The means (batch, memory, feature) after the last day alone; parameters as above."""
        days = x.shape[1]
        lag = torch.arange(days - 1, -1, -1, device=x.device)
        left = torch.exp(-1 / torch.tensor(MEMORY_DAYS, dtype=torch.float64, device=x.device))
        of_days = ((1 - left[:, None]) * left[:, None] ** lag).float()
        with torch.autocast(x.device.type, enabled=False):
            return (left**days).float()[:, None] * means.float() + of_days @ x.float()

    def _weights_of(self, days: int) -> Tensor:
        """The weights of a chunk that may be shorter than the others."""
        if days == CHUNK_DAYS:
            return self.weights
        rows = self.weights[: days * (1 + len(MEMORY_DAYS))]
        return torch.cat([rows[:, :days], rows[:, CHUNK_DAYS:]], dim=1)


def _weights() -> Tensor:
    """(day and kind, day and memory) weights of the days of a chunk and of the means before it.

    The kinds of a day are the predictors themselves and their means.
    """
    day = torch.arange(CHUNK_DAYS, dtype=torch.float64)
    days = torch.tensor(MEMORY_DAYS, dtype=torch.float64)[:, None, None]
    lag = day[:, None] - day
    fading = (1 - torch.exp(-1 / days)) * torch.exp(-lag / days) * (lag >= 0)
    of_days = torch.cat([torch.eye(CHUNK_DAYS, dtype=torch.float64)[None], fading])
    left = torch.exp(-(day + 1) / days[..., 0])  # of the means before the chunk
    of_means = torch.cat([torch.zeros(1, CHUNK_DAYS, len(MEMORY_DAYS)), torch.diag_embed(left.T)
                          .transpose(0, 1)])  # fmt: skip
    both = torch.cat([of_days, of_means], dim=2)  # (kind, day, day and memory)
    return both.transpose(0, 1).flatten(0, 1).float()
