"""Memory of the predictors that does not fade within days: soil water, snow, leaves to come."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MEMORY_DAYS = (5, 20, 60, 180)
"""Time constants of the leaky means of the predictors: from days of weather to soil water."""

CHUNK_DAYS = 48
"""Days that `leaky_means` computes at once."""


def leaky_means(x: Tensor, start: Tensor) -> Tensor:
    """Fading means of the past of the predictors, one per time constant of `MEMORY_DAYS`.

    m[t] = a m[t - 1] + (1 - a) x[t] with a = exp(-1 / days) and m[-1] = `start`, in float32;
    computed chunk by chunk of time, as products with a triangular matrix.

    Parameters
    ----------
    x : Tensor
        (batch, time, feature).
    start : Tensor
        (batch, feature).

    Returns
    -------
    Tensor
        (batch, time, feature * len(MEMORY_DAYS)).
    """
    batch, time, features = x.shape
    chunks = -(-time // CHUNK_DAYS)
    days = torch.tensor(MEMORY_DAYS, dtype=torch.float32, device=x.device)[:, None]
    day = torch.arange(CHUNK_DAYS, dtype=torch.float32, device=x.device)
    lag = day[:, None] - day
    fade = (1 - torch.exp(-1 / days))[..., None] * torch.exp(-lag / days[..., None]) * (lag >= 0)
    left = torch.exp(-(day + 1) / days)[None, :, :, None]  # of the mean before the chunk
    with torch.autocast(x.device.type, enabled=False):
        padded = functional.pad(x.float(), (0, 0, 0, chunks * CHUNK_DAYS - time))
        parts = padded.reshape(batch, chunks, CHUNK_DAYS, features)
        means = torch.einsum("mts,bcsf->cbmtf", fade, parts)
        before = start.float()[:, None, None].expand(-1, len(MEMORY_DAYS), -1, -1)
        along = []
        for own in means:
            along.append(own + left * before)
            before = along[-1][:, :, -1:]
    fading = torch.cat(along, dim=2)[:, :, :time]  # (batch, memory, time, feature)
    return fading.transpose(1, 2).flatten(2)
