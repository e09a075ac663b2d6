"""Exponential moving averages of the predictors: antecedent conditions such as soil water."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMA_TIMESCALES_DAYS = (5, 20, 60, 180)
"""e-folding times of the averages, d: from a spell of weather to the water of the soil."""

CHUNK_DAYS = 20
"""Days per matrix product: few enough that little is multiplied by zero."""


class ExponentialMovingAverages(nn.Module):
    """Moving averages of the predictors, one per entry of `EMA_TIMESCALES_DAYS`.

    m[t] = a m[t - 1] + (1 - a) x[t] with a = exp(-1 / timescale), in float32; nothing is trained.
    """

    weights: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", _weights(), persistent=False)

    def forward(self, x: Tensor, averages: Tensor) -> tuple[Tensor, Tensor]:
        """Concatenate the predictors and their averages.

        Parameters
        ----------
        x : Tensor
            (batch, time, feature).
        averages : Tensor
            (batch, timescale, feature) before the first day.

        Returns
        -------
        Tensor
            (batch, time, feature * (1 + timescale)): the predictors, then each average.
        Tensor
            (batch, timescale, feature) averages after the last day.
        """
        chunks = []
        with torch.autocast(x.device.type, enabled=False):
            for chunk in x.float().split(CHUNK_DAYS, dim=1):
                weights = self._weights_for(chunk.shape[1])
                product = weights @ torch.cat([chunk, averages], dim=1)
                chunks.append(product.reshape(*chunk.shape[:2], -1))
                averages = product[:, -len(EMA_TIMESCALES_DAYS) :]
        return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=1), averages

    def averages_after(self, x: Tensor, averages: Tensor) -> Tensor:
        """Averages (batch, timescale, feature) after the last day; parameters as of `forward`."""
        days = x.shape[1]
        lag = torch.arange(days - 1, -1, -1, device=x.device)
        decay = torch.exp(-1 / torch.tensor(EMA_TIMESCALES_DAYS, dtype=torch.float64).to(x.device))
        of_days = ((1 - decay[:, None]) * decay[:, None] ** lag).float()
        with torch.autocast(x.device.type, enabled=False):
            return (decay**days).float()[:, None] * averages.float() + of_days @ x.float()

    def _weights_for(self, days: int) -> Tensor:
        """Weights of a chunk that may be shorter than `CHUNK_DAYS`."""
        if days == CHUNK_DAYS:
            return self.weights
        rows = self.weights[: days * (1 + len(EMA_TIMESCALES_DAYS))]
        return torch.cat([rows[:, :days], rows[:, CHUNK_DAYS:]], dim=1)


def _weights() -> Tensor:
    """Matrix that turns the days of a chunk and the averages before it into the features.

    The recursion m[t] = a m[t - 1] + (1 - a) x[t], unrolled over the chunk, is
    m[t] = a^(t + 1) m[-1] + sum over s <= t of (1 - a) a^(t - s) x[s].
    Rows are (day, 1 + timescale): first the identity, which copies the predictors, then each
    average. Columns are (days of the chunk, averages before it).
    """
    day = torch.arange(CHUNK_DAYS, dtype=torch.float64)
    timescale = torch.tensor(EMA_TIMESCALES_DAYS, dtype=torch.float64)[:, None, None]
    lag = day[:, None] - day
    decayed = (1 - torch.exp(-1 / timescale)) * torch.exp(-lag / timescale) * (lag >= 0)
    of_days = torch.cat([torch.eye(CHUNK_DAYS, dtype=torch.float64)[None], decayed])
    left = torch.exp(-(day + 1) / timescale[..., 0])  # a^(t + 1)
    of_averages = torch.cat(
        [
            torch.zeros(1, CHUNK_DAYS, len(EMA_TIMESCALES_DAYS)),
            torch.diag_embed(left.T).transpose(0, 1),
        ]
    )
    both = torch.cat([of_days, of_averages], dim=2)  # (1 + timescale, day, column)
    return both.transpose(0, 1).flatten(0, 1).float()
