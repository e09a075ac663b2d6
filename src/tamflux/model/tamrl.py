"""TAM-RL: a task encoder reads a place's history; its code modulates one recurrent flux model.

Shapes: batch is places, time is days, feature is scaled predictors. Outputs are fluxes in
g C m-2 d-1 (gpp, reco, nee).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tamflux.model.memory import MEMORY_DAYS, leaky_means

PATCH_DAYS = 10
"""Days that the task encoder and its decoder see as one step."""

ENCODER_SIZE = 32
"""Width of the task encoder in each direction, and of its decoder."""

CONDITION_SIZE = 64
"""Width of the network between task code and modulation."""

DROPOUT = 0.1

INGREDIENTS = (
    "code", "static", "film_input", "film_output", "memory", "spinup", "year_code",
    "light_gate", "hard_closure", "reconstruction", "pretraining", "site_effects",
)  # fmt: skip
"""What can be left out of the model or of its training, to see what it is worth."""

SITE_BLIND = frozenset(
    {"code", "static", "film_input", "film_output", "memory", "light_gate", "pretraining"}
    | {"site_effects"}
)
"""Left out of the plain LSTM, which knows no place."""

WEATHER_DAYS = 30
"""Days that the task encoder sees without "year_code"."""


HALF_LIGHT = 100.0
"""Daily mean radiation at which `light_gate` is half open before training, W m-2."""


class Light(NamedTuple):
    """Where the radiation is in the features, and how it was scaled.

    feature : number of the feature.
    mean, sd : its scaling, W m-2.
    """

    feature: int
    mean: float
    sd: float


class Fluxes(NamedTuple):
    """What a forward pass gives.

    flux : (batch, time, 3) gpp, reco, nee of the days after the history, g C m-2 d-1; nee is
        reco - gpp, or without "hard_closure" an output of its own that the loss draws there.
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
    light : Light, optional
        Radiation among the features; without it gpp has no `light_gate`.
    without : collection of str
        Those of `INGREDIENTS` that are left out.
    """

    def __init__(
        self,
        features: int,
        static_features: int,
        hidden_size: int,
        code_size: int,
        flux_scale: Tensor,
        light: Light | None = None,
        without: Collection[str] = (),
    ):
        super().__init__()
        self.light = None if "light_gate" in without else light
        if self.light is not None:
            self.log_half_light = nn.Parameter(torch.tensor(HALF_LIGHT).log())
        self.without = frozenset(without)
        self.register_buffer("flux_scale", flux_scale.clone())
        memories = 0 if "memory" in self.without else len(MEMORY_DAYS)
        self.embed = nn.Linear(features * (1 + memories), hidden_size)
        self.recurrence = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(hidden_size, 3 if "hard_closure" in self.without else 2)
        self.encoder = None if "code" in self.without else TaskEncoder(features, code_size)
        known = 0 if "static" in self.without else static_features
        known += 0 if self.encoder is None else code_size
        self.condition = nn.Sequential(
            nn.Linear(known, CONDITION_SIZE), nn.SiLU(), nn.Dropout(DROPOUT)
        ) if known else None  # fmt: skip
        self.film_input = self._film("film_input", hidden_size)
        self.film_output = self._film("film_output", hidden_size)

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
        history = x[:, :history_days]
        inputs = x
        if "memory" not in self.without:
            inputs = torch.cat([x, leaky_means(x, history.mean(dim=1))], dim=-1)
        embedded = self.embed(inputs)
        reconstruction = target = film_output = None
        if modulated and self.condition is not None:
            place = [] if "static" in self.without else [static]
            if self.encoder is not None:
                read = self._what_the_encoder_reads(history)
                code = self.encoder(read)
                place.append(code)
                if self.training and "reconstruction" not in self.without:
                    reconstruction, target = self.encoder.reconstruct(code, read)
            condition = self.condition(torch.cat(place, dim=-1))
            if self.film_input is not None:
                embedded = _modulate(embedded, self.film_input(condition))
            if self.film_output is not None:
                film_output = self.film_output(condition)
        states = self._run_along_time(functional.silu(embedded), history_days)
        if film_output is not None:
            states = _modulate(states, film_output)
        with torch.autocast(x.device.type, enabled=False):
            raw = self.head(self.dropout(states.float()))
        # productivity and respiration cannot be negative; their difference can
        gpp, reco = (functional.softplus(raw[..., :2]) * self.flux_scale[:2]).unbind(-1)
        gpp = gpp * self.light_gate(x[:, history_days:])
        soft = "hard_closure" in self.without
        nee = raw[..., 2] * self.flux_scale[2] if soft else reco - gpp
        return Fluxes(torch.stack([gpp, reco, nee], dim=-1), reconstruction, target)

    def _film(self, name: str, hidden_size: int) -> nn.Linear | None:
        """Layer that gives scale and shift, at first 1 and 0 for every place."""
        if self.condition is None or name in self.without:
            return None
        layer = nn.Linear(CONDITION_SIZE, 2 * hidden_size)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def _what_the_encoder_reads(self, history: Tensor) -> Tensor:
        """The history, or without "year_code" a month of it: any in training, else the last."""
        if "year_code" not in self.without:
            return history
        last = history.shape[1] - WEATHER_DAYS
        start = int(torch.randint(last + 1, ())) if self.training else last
        return history[:, start : start + WEATHER_DAYS]

    def light_gate(self, x: Tensor) -> Tensor | float:
        """Share of the productivity that the light of the day allows, for x (batch, time, feature).

        L / (L + L_half), 0 in the dark and saturating (Michaelis and Menten's form, as in the
        light response of leaves and canopies); L_half is learnt. 1 where light is unknown.
        """
        if self.light is None:
            return 1.0
        light = (x[..., self.light.feature] * self.light.sd + self.light.mean).clamp(min=0)
        return light / (light + self.log_half_light.exp())

    def _run_along_time(self, embedded: Tensor, history_days: int) -> Tensor:
        """States (batch, time, hidden) of the days after the history.

        The history sets the state that the year starts from; gradients do not reach back into it.
        """
        state = None
        if "spinup" not in self.without:
            with torch.no_grad():
                state = self.recurrence(embedded[:, :history_days])[1]
        return self.recurrence(embedded[:, history_days:], state)[0]


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


def _modulate(states: Tensor, film: Tensor) -> Tensor:
    """Scale and shift (batch, time, hidden) by film (batch, 2 * hidden), scale around 1."""
    scale, shift = film[:, None].chunk(2, dim=-1)
    return states * (1 + scale) + shift
