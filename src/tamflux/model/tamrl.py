"""TAM-RL: a task encoder reads a site's look-back window; its embedding modulates one flux model.

The fluxes are the mean of a modulated LSTM and of regression trees, which receive the same daily
features and the static features: their errors at held-out sites are nearly independent.

In the shapes below, batch is sites or grid cells, time is days, feature is scaled predictors.
Fluxes are gpp, reco, nee in g C m-2 d-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tamflux.model.components import Components
from tamflux.model.encoder import TaskEncoder
from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS, ExponentialMovingAverages
from tamflux.model.trees import ObliviousTrees, split_rows

CONDITIONING_SIZE = 64
"""Width of the network between task embedding and modulation."""

DROPOUT = 0.1

SHORT_WINDOW_DAYS = 30
"""Days that the task encoder reads without `Components.yearly_embedding`."""

WARM_UP_DAYS = 100
"""Last days of the look-back window that the recurrence runs through; the moving averages read
all of it."""

DIM_LIGHT = 5.0
"""Daily mean radiation that halves the GPP of the trees, W m-2: dark days have none."""

HALF_LIGHT = 100.0
"""Daily mean radiation at which `light_gate` is half open before training, W m-2."""


class Light(NamedTuple):
    """Position of the short-wave radiation among the features, and its scaling.

    feature : index of the feature.
    mean, sd : scaling, W m-2.
    """

    feature: int
    mean: float
    sd: float


class Fluxes(NamedTuple):
    """Result of a forward pass.

    flux : (batch, time, 3) of the days after the look-back window, g C m-2 d-1; nee is
        reco - gpp, or an output of its own without `Components.hard_closure`.
    reconstruction : (batch, step, feature) look-back window as the decoder gives it, or None.
    target : (batch, step, feature) look-back window in steps of `PATCH_DAYS`, or None.
    """

    flux: Tensor
    reconstruction: Tensor | None
    target: Tensor | None


class Conditioning(NamedTuple):
    """How the model is conditioned on a site or grid cell.

    static : (batch, static feature) input of the trees, or None.
    embedding : (batch, embedding) task embedding, or None for a model without.
    film_input, film_output : (batch, 2 * hidden) FiLM scale and shift, or None.
    reconstruction, target : as in `Fluxes`.
    """

    static: Tensor | None = None
    embedding: Tensor | None = None
    film_input: Tensor | None = None
    film_output: Tensor | None = None
    reconstruction: Tensor | None = None
    target: Tensor | None = None


class DailyFeatures(NamedTuple):
    """Inputs of a block of days, the same for all members that share their scaling.

    x : (batch, time, feature) predictors.
    features : (batch, time, feature * (1 + timescale)) predictors and their moving averages.
    averages : (batch, timescale, feature) moving averages after the last day, or None.
    """

    x: Tensor
    features: Tensor
    averages: Tensor | None


class RecurrentState(NamedTuple):
    """State of the model after a day.

    averages : (batch, timescale, feature) moving averages, or None.
    lstm : hidden and cell state, each (1, batch, hidden), or None before the first day.
    """

    averages: Tensor | None
    lstm: tuple[Tensor, Tensor] | None


class TamRL(nn.Module):
    """Recurrent flux model, modulated (FiLM) by task embedding and static features.

    Parameters
    ----------
    features, static_features : int
        Number of predictors and of static features.
    hidden_size, embedding_size : int
        Width of the recurrence and of the task embedding.
    flux_scale : Tensor
        (3,) standard deviations of gpp, reco, nee over the training days, g C m-2 d-1.
    light : Light, optional
        Short-wave radiation among the features; without it gpp has no `light_gate`.
    trees : int
        Number of regression trees.
    components : Components
        Parts of the model that are switched on.
    """

    flux_scale: Tensor

    def __init__(
        self,
        features: int,
        static_features: int,
        hidden_size: int,
        embedding_size: int,
        flux_scale: Tensor,
        light: Light | None = None,
        trees: int = 0,
        components: Components = Components(),  # noqa: B008 (immutable)
    ):
        super().__init__()
        self.components = components
        self.light = light if components.light_gate else None
        if self.light is not None:
            self.log_half_light = nn.Parameter(torch.tensor(HALF_LIGHT).log())
        self.register_buffer("flux_scale", flux_scale.clone())
        self.moving_averages = ExponentialMovingAverages() if components.moving_averages else None
        timescales = len(EMA_TIMESCALES_DAYS) if components.moving_averages else 0
        self.input_layer = nn.Linear(features * (1 + timescales), hidden_size)
        self.recurrence = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(hidden_size, 2 if components.hard_closure else 3)
        self.encoder = TaskEncoder(features, embedding_size) if components.task_embedding else None
        size = static_features if components.static else 0
        size += embedding_size if components.task_embedding else 0
        self.conditioning_layer = nn.Sequential(
            nn.Linear(size, CONDITIONING_SIZE), nn.SiLU(), nn.Dropout(DROPOUT)
        ) if size else None  # fmt: skip
        self.film_input = self._film_layer(components.film_input, hidden_size)
        self.film_output = self._film_layer(components.film_output, hidden_size)
        self.trees = ObliviousTrees(trees, outputs=2) if trees and components.trees else None

    def forward(
        self, x: Tensor, static: Tensor, lookback_days: int, *, modulated: bool = True
    ) -> Fluxes:
        """Fluxes of the days after the look-back window; in training those of the LSTM alone.

        Parameters
        ----------
        x : Tensor
            (batch, lookback_days + time, feature) scaled predictors, no NaN.
        static : Tensor
            (batch, static feature).
        lookback_days : int
            Days at the start of `x` that belong to the look-back window.
        modulated : bool
            False runs the forward model without conditioning, as in pre-training.
        """
        lookback, year = x[:, :lookback_days], x[:, lookback_days:]
        conditioning = self.compute_conditioning(lookback, static) if modulated else Conditioning()
        with torch.no_grad():  # gradients do not reach back into the warm-up
            (state,) = warm_up([self], lookback, [conditioning], lookback_days)
        days = self.build_features(year, state.averages)
        hidden, _ = self.step(days, conditioning, state)
        if self.training:
            flux = self.lstm_fluxes(days, hidden, conditioning)
        else:
            tree_inputs = self.tree_inputs(days, conditioning)
            flux = self.fluxes(days, hidden, conditioning, tree_inputs)
        return Fluxes(flux, conditioning.reconstruction, conditioning.target)

    def compute_conditioning(self, lookback: Tensor, static: Tensor) -> Conditioning:
        """Conditioning on sites with a look-back window (batch, time, feature)."""
        given = static if self.components.static else None
        if self.conditioning_layer is None:
            return Conditioning(given)
        inputs = [] if given is None else [given]
        embedding = reconstruction = target = None
        if self.encoder is not None:
            window = self._encoder_window(lookback)
            embedding = self.encoder(window)
            inputs.append(embedding)
            if self.training and self.components.reconstruction:
                reconstruction, target = self.encoder.reconstruct(embedding, window)
        hidden = self.conditioning_layer(torch.cat(inputs, dim=-1))
        film_input = None if self.film_input is None else self.film_input(hidden)
        film_output = None if self.film_output is None else self.film_output(hidden)
        return Conditioning(given, embedding, film_input, film_output, reconstruction, target)

    def build_features(self, x: Tensor, averages: Tensor | None) -> DailyFeatures:
        """Features of days x (batch, time, feature), given the averages before the first day."""
        if self.moving_averages is None:
            return DailyFeatures(x, x, None)
        return DailyFeatures(x, *self.moving_averages(x, averages))

    def tree_inputs(self, days: DailyFeatures, conditioning: Conditioning) -> list[Tensor]:
        """Inputs of the trees for `ObliviousTrees.predict`; none for a model without trees."""
        if self.trees is None:
            return []
        return split_rows(self.tree_features(days.features, conditioning.static))

    def step(
        self, days: DailyFeatures, conditioning: Conditioning, state: RecurrentState
    ) -> tuple[Tensor, RecurrentState]:
        """Hidden states (batch, time, hidden) of a block of days, and the state after it."""
        inputs = _modulate(self.input_layer(days.features), conditioning.film_input)
        hidden, lstm = self.recurrence(functional.silu(inputs), state.lstm)
        return hidden, RecurrentState(days.averages, lstm)

    def fluxes(
        self,
        days: DailyFeatures,
        hidden: Tensor,
        conditioning: Conditioning,
        tree_inputs: list[Tensor],
    ) -> Tensor:
        """Fluxes (batch, time, 3), g C m-2 d-1: the mean of the LSTM's and the trees'."""
        lstm_fluxes = self.lstm_fluxes(days, hidden, conditioning)
        if self.trees is None:
            return lstm_fluxes
        values = self.trees.predict(tree_inputs).view(*hidden.shape[:2], -1)
        gpp, reco = values.clamp(min=0).unbind(-1)
        gpp = gpp * self._light_response(days.x, DIM_LIGHT)
        return (lstm_fluxes + torch.stack([gpp, reco, reco - gpp], dim=-1)) / 2

    @staticmethod
    def tree_features(features: Tensor, static: Tensor | None) -> Tensor:
        """Tree inputs (batch, time, feature): `DailyFeatures.features`, then static features."""
        if static is None:
            return features
        return torch.cat([features, static[:, None].expand(-1, features.shape[1], -1)], dim=-1)

    @torch.inference_mode()
    def tree_training_features(self, x: Tensor, static: Tensor, lookback_days: int) -> Tensor:
        """`tree_features` (batch, time, feature) of the days after the look-back window."""
        lookback, year = x[:, :lookback_days], x[:, lookback_days:]
        days = self.build_features(year, self.averages_after(lookback, lookback_days))
        return self.tree_features(days.features, static if self.components.static else None)

    def averages_after(self, lookback: Tensor, days: int) -> Tensor | None:
        """Moving averages (batch, timescale, feature) after the first days of the window.

        They start from the mean of the whole window. None for a model without averages.
        """
        if self.moving_averages is None:
            return None
        start = lookback.mean(dim=1, keepdim=True).expand(-1, len(EMA_TIMESCALES_DAYS), -1)
        return self.moving_averages.averages_after(lookback[:, :days], start)

    def lstm_fluxes(
        self, days: DailyFeatures, hidden: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Fluxes (batch, time, 3) of the LSTM alone, g C m-2 d-1."""
        hidden = _modulate(hidden, conditioning.film_output)
        with torch.autocast(days.x.device.type, enabled=False):
            raw = self.head(self.dropout(hidden.float()))
        # GPP and RECO cannot be negative; their difference can
        gpp, reco = (functional.softplus(raw[..., :2]) * self.flux_scale[:2]).unbind(-1)
        gpp = gpp * self.light_gate(days.x)
        closed = self.components.hard_closure
        nee = reco - gpp if closed else raw[..., 2] * self.flux_scale[2]
        return torch.stack([gpp, reco, nee], dim=-1)

    def _film_layer(self, switched_on: bool, hidden_size: int) -> nn.Linear | None:
        """Layer for FiLM scale and shift, which starts from the identity."""
        if self.conditioning_layer is None or not switched_on:
            return None
        layer = nn.Linear(CONDITIONING_SIZE, 2 * hidden_size)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def _encoder_window(self, lookback: Tensor) -> Tensor:
        """Days that the encoder reads: all, or without `yearly_embedding` a month of them.

        That month is drawn at random in training and is the last one in prediction.
        """
        if self.components.yearly_embedding:
            return lookback
        last = lookback.shape[1] - SHORT_WINDOW_DAYS
        start = int(torch.randint(last + 1, ())) if self.training else last
        return lookback[:, start : start + SHORT_WINDOW_DAYS]

    def light_gate(self, x: Tensor) -> Tensor | float:
        """Share of GPP that the light of the day allows, for x (batch, time, feature).

        L / (L + L_half), 0 in the dark and saturating (Michaelis and Menten's form, as in the
        light response of leaves and canopies); L_half is trained. 1 where radiation is unknown.
        """
        if self.light is None:
            return 1.0
        return self._light_response(x, self.log_half_light.exp())

    def _light_response(self, x: Tensor, half: Tensor | float) -> Tensor | float:
        if self.light is None:
            return 1.0
        light = (x[..., self.light.feature] * self.light.sd + self.light.mean).clamp(min=0)
        return light / (light + half)


def warm_up(
    networks: Sequence[TamRL],
    lookback: Tensor,
    conditionings: Sequence[Conditioning],
    block_days: int,
) -> list[RecurrentState]:
    """State of each network after the look-back window (batch, time, feature)."""
    first, length = networks[0], lookback.shape[1]
    if not first.components.warm_up:
        return [RecurrentState(first.averages_after(lookback, length), None)] * len(networks)
    averages = first.averages_after(lookback, max(length - WARM_UP_DAYS, 0))
    states = [RecurrentState(averages, None)] * len(networks)
    for block in lookback[:, -WARM_UP_DAYS:].split(block_days, dim=1):
        days = first.build_features(block, states[0].averages)
        members = zip(networks, conditionings, states, strict=True)
        states = [network.step(days, condition, state)[1] for network, condition, state in members]
    return states


def close_balance(flux: Tensor) -> Tensor:
    """Nearest fluxes (..., 3) with nee = reco - gpp and neither gpp nor reco below zero.

    The three are moved by the same amount onto the plane nee = reco - gpp (orthogonal projection:
    least change in the sum of squares), then gpp and reco are cut at zero and nee follows.
    """
    gpp, reco, nee = flux.unbind(-1)
    third = (nee - (reco - gpp)) / 3
    gpp, reco = (gpp - third).clamp(min=0), (reco + third).clamp(min=0)
    return torch.stack([gpp, reco, reco - gpp], dim=-1)


def _modulate(states: Tensor, film: Tensor | None) -> Tensor:
    """Scale and shift (batch, time, hidden) by film (batch, 2 * hidden), scale around 1."""
    if film is None:
        return states
    scale, shift = film[:, None].chunk(2, dim=-1)
    return states * (1 + scale) + shift
