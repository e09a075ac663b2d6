"""Networks of upscaling studies and of CarbonFluxBench, which map windows of days to fluxes.

Shapes: batch is windows, time is the days of a window, feature is scaled predictors. Outputs are
(batch, time, 3) gpp, reco, nee in standard deviations from their mean over the training days.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

DROPOUT = 0.2
"""As in CarbonFluxBench's configurations."""

EMBEDDING_SIZE = 64
HEADS = 4
LAYERS = 2


class WindowLSTM(nn.Module):
    """LSTM over a window; a CT-LSTM where every day's input includes the static features."""

    def __init__(self, features: int, static_features: int, hidden_size: int):
        super().__init__()
        self.recurrence = nn.LSTM(features + static_features, hidden_size, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden_size, 3))
        self.uses_static = static_features > 0

    def forward(self, x: Tensor, static: Tensor) -> Tensor:
        """Fluxes of windows x (batch, time, feature) with static (batch, static feature)."""
        if self.uses_static:
            x = _append_static(x, static)
        return self.head(self.recurrence(x)[0]).float()


class WindowTransformer(nn.Module):
    """Encoder-only transformer: every day of the window attends to every other."""

    def __init__(self, features: int, static_features: int, hidden_size: int, days: int):
        super().__init__()
        self.embed = nn.Linear(features + static_features, hidden_size)
        self.position = nn.Parameter(0.02 * torch.randn(days, hidden_size))
        layer = nn.TransformerEncoderLayer(
            hidden_size, HEADS, 2 * hidden_size, DROPOUT, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, 3))

    def forward(self, x: Tensor, static: Tensor) -> Tensor:
        """Fluxes of windows x (batch, time, feature) with static (batch, static feature)."""
        return self.head(self.layers(self.embed(_append_static(x, static)) + self.position)).float()


class PublishedTamRL(nn.Module):
    """TAM-RL as its paper describes it (arXiv 2603.09974).

    A bidirectional LSTM encodes one support window of the site; the task embedding modulates (FiLM)
    the input and the states of an LSTM over the query window. The public code trains no
    reconstruction, so there is no decoder here. It encodes the query window itself, whereas the
    paper describes the support set; this class follows the paper.
    """

    def __init__(self, features: int, static_features: int, hidden_size: int):
        super().__init__()
        inputs = features + static_features
        self.read = nn.Linear(inputs, hidden_size)
        self.norm = nn.BatchNorm1d(hidden_size)
        self.encoder = nn.LSTM(hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.embedding = nn.Linear(hidden_size, EMBEDDING_SIZE)
        self.embed = nn.Linear(inputs, hidden_size)
        self.film_input = nn.Linear(EMBEDDING_SIZE, 2 * hidden_size)
        self.film_state = nn.Linear(EMBEDDING_SIZE, 2 * hidden_size)
        self.recurrence = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden_size, 3))

    def forward(self, x: Tensor, static: Tensor, support: Tensor | None) -> Tensor:
        """Fluxes of a query window x, modulated by a support window (both batch, time, feature).

        Without a support window there is no modulation: the first stage of training.
        """
        embedded = self.embed(_append_static(x, static))
        if support is None:
            return self.head(self.recurrence(embedded)[0]).float()
        read = self.norm(self.read(_append_static(support, static)).transpose(1, 2)).transpose(1, 2)
        last = self.encoder(functional.leaky_relu(read))[1][0]  # (direction, batch, hidden)
        embedding = self.embedding(last.sum(dim=0))
        states = self.recurrence(_film(embedded, self.film_input(embedding)))[0]
        return self.head(_film(states, self.film_state(embedding))).float()


def _append_static(x: Tensor, static: Tensor) -> Tensor:
    """(batch, time, feature + static feature): the static features appended to every day."""
    return torch.cat([x, static[:, None].expand(-1, x.shape[1], -1)], dim=-1)


def _film(states: Tensor, film: Tensor) -> Tensor:
    """Scale (around 1) and shift states (batch, time, hidden) by film (batch, 2 * hidden)."""
    scale, shift = film[:, None].chunk(2, dim=-1)
    return states * (1 + scale) + shift
