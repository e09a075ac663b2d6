"""TAM-RL: a task encoder reads a place's history; its code modulates one recurrent flux model.

Beside the network stand regression trees, which are shown the same days, months of memory and
places; the fluxes are the mean of both, since networks and trees err differently at new places.

Shapes: batch is places, time is days, feature is scaled predictors. Outputs are fluxes in
g C m-2 d-1 (gpp, reco, nee).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tamflux.model.encoder import TaskEncoder
from tamflux.model.memory import MEMORY_DAYS, Memory
from tamflux.model.trees import ObliviousTrees, ask

CONDITION_SIZE = 64
"""Width of the network between task code and modulation."""

DROPOUT = 0.1

INGREDIENTS = (
    "code", "static", "film_input", "film_output", "memory", "spinup", "year_code",
    "light_gate", "hard_closure", "reconstruction", "pretraining", "site_effects",
    "site_weights", "trees",
)  # fmt: skip
"""What can be left out of the model or of its training, to see what it is worth."""

SITE_BLIND = frozenset(
    {"code", "static", "film_input", "film_output", "memory", "light_gate", "pretraining"}
    | {"site_effects", "site_weights", "trees"}
)
"""Left out of the plain LSTM, which knows no place."""

WEATHER_DAYS = 30
"""Days that the task encoder sees without "year_code"."""

SPIN_UP_DAYS = 100
"""Last days of the history that the recurrence runs through; what was earlier, `Memory` keeps."""

DIM_LIGHT = 5.0
"""Daily mean radiation that halves the productivity of the trees, W m-2: dark days have none."""

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


class Place(NamedTuple):
    """How the model is modulated at some places.

    static : (batch, static feature) that the trees are shown, or None if they are shown none.
    code : (batch, code) task code, or None for a model without.
    film_input, film_output : (batch, 2 * hidden) scale and shift, or None for no modulation.
    reconstruction, target : as in `Fluxes`.
    """

    static: Tensor | None = None
    code: Tensor | None = None
    film_input: Tensor | None = None
    film_output: Tensor | None = None
    reconstruction: Tensor | None = None
    target: Tensor | None = None


class Days(NamedTuple):
    """Some days as a model sees them, the same for all members that share their scaling.

    x : (batch, time, feature) predictors.
    seen : (batch, time, feature * (1 + memory)) predictors and their means of `Memory`.
    means : (batch, memory, feature) of `Memory` after the last day, or None.
    """

    x: Tensor
    seen: Tensor
    means: Tensor | None


class Past(NamedTuple):
    """What the model keeps of the days before.

    means : (batch, memory, feature) of `Memory`, or None.
    recurrent : hidden and cell state, each (1, batch, hidden), or None at the start.
    """

    means: Tensor | None
    recurrent: tuple[Tensor, Tensor] | None


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
    trees : int
        Number of regression trees beside the network.
    without : collection of str
        Those of `INGREDIENTS` that are left out.
    """

    flux_scale: Tensor

    def __init__(
        self,
        features: int,
        static_features: int,
        hidden_size: int,
        code_size: int,
        flux_scale: Tensor,
        light: Light | None = None,
        trees: int = 0,
        without: Collection[str] = (),
    ):
        super().__init__()
        self.light = None if "light_gate" in without else light
        if self.light is not None:
            self.log_half_light = nn.Parameter(torch.tensor(HALF_LIGHT).log())
        self.without = frozenset(without)
        self.register_buffer("flux_scale", flux_scale.clone())
        self.memory = None if "memory" in self.without else Memory()
        memories = 0 if self.memory is None else len(MEMORY_DAYS)
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
        grows = trees and "trees" not in self.without
        self.trees = ObliviousTrees(trees, outputs=2) if grows else None

    def forward(
        self, x: Tensor, static: Tensor, history_days: int, *, modulated: bool = True
    ) -> Fluxes:
        """Fluxes of the days after the history; in training those of the network alone.

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
        history, year = x[:, :history_days], x[:, history_days:]
        place = self.place(history, static) if modulated else Place()
        with torch.no_grad():  # gradients do not reach back into the spin-up
            (past,) = spin_up([self], history, [place], history_days)
        days = self.see(year, past.means)
        states, _ = self.advance(days, place, past)
        if self.training:
            flux = self.network_fluxes(days, states, place)
        else:
            flux = self.fluxes(days, states, place, self.ask(days, place))
        return Fluxes(flux, place.reconstruction, place.target)

    def place(self, history: Tensor, static: Tensor) -> Place:
        """What the model knows of some places: their task code and static features, as FiLM."""
        shown = None if "static" in self.without else static
        if self.condition is None:
            return Place(shown)
        known = [] if shown is None else [shown]
        code = reconstruction = target = None
        if self.encoder is not None:
            read = self._what_the_encoder_reads(history)
            code = self.encoder(read)
            known.append(code)
            if self.training and "reconstruction" not in self.without:
                reconstruction, target = self.encoder.reconstruct(code, read)
        condition = self.condition(torch.cat(known, dim=-1))
        film_input = None if self.film_input is None else self.film_input(condition)
        film_output = None if self.film_output is None else self.film_output(condition)
        return Place(shown, code, film_input, film_output, reconstruction, target)

    def see(self, x: Tensor, means: Tensor | None) -> Days:
        """Some days x (batch, time, feature), with the means of `Memory` before the first."""
        return Days(x, x, None) if self.memory is None else Days(x, *self.memory(x, means))

    def ask(self, days: Days, place: Place) -> list[Tensor]:
        """What the trees are shown of some days."""
        return [] if self.trees is None else ask(self.tree_features(days.seen, place.static))

    def advance(self, days: Days, place: Place, past: Past) -> tuple[Tensor, Past]:
        """States (batch, time, hidden) of some days, and the past of the day after them."""
        embedded = _modulate(self.embed(days.seen), place.film_input)
        states, recurrent = self.recurrence(functional.silu(embedded), past.recurrent)
        return states, Past(days.means, recurrent)

    def fluxes(self, days: Days, states: Tensor, place: Place, asked: list[Tensor]) -> Tensor:
        """Fluxes (batch, time, 3) of some days, g C m-2 d-1: the mean of network and trees."""
        of_network = self.network_fluxes(days, states, place)
        if self.trees is None:
            return of_network
        values = self.trees.answer(asked).view(*states.shape[:2], -1)
        gpp, reco = values.clamp(min=0).unbind(-1)
        gpp = gpp * self._share_of_light(days.x, DIM_LIGHT)
        return (of_network + torch.stack([gpp, reco, reco - gpp], dim=-1)) / 2

    @staticmethod
    def tree_features(seen: Tensor, static: Tensor | None) -> Tensor:
        """What the trees are shown (batch, time, feature): days as `Days.seen`, and the place."""
        if static is None:
            return seen
        return torch.cat([seen, static[:, None].expand(-1, seen.shape[1], -1)], dim=-1)

    @torch.inference_mode()
    def days_to_grow_from(self, x: Tensor, static: Tensor, history_days: int) -> Tensor:
        """`tree_features` (batch, time, feature) of the days after the history."""
        history, year = x[:, :history_days], x[:, history_days:]
        days = self.see(year, self.means_after(history, history_days))
        return self.tree_features(days.seen, None if "static" in self.without else static)

    def means_after(self, history: Tensor, days: int) -> Tensor | None:
        """(batch, memory, feature) of `Memory` after the first days of the history.

        Its own mean stands for what was before it. None for a model without memory.
        """
        if self.memory is None:
            return None
        start = history.mean(dim=1, keepdim=True).expand(-1, len(MEMORY_DAYS), -1)
        return self.memory.means_after(history[:, :days], start)

    def network_fluxes(self, days: Days, states: Tensor, place: Place) -> Tensor:
        """Fluxes (batch, time, 3) of some days as the network alone has them, g C m-2 d-1."""
        x = days.x
        states = _modulate(states, place.film_output)
        with torch.autocast(x.device.type, enabled=False):
            raw = self.head(self.dropout(states.float()))
        # productivity and respiration cannot be negative; their difference can
        gpp, reco = (functional.softplus(raw[..., :2]) * self.flux_scale[:2]).unbind(-1)
        gpp = gpp * self.light_gate(x)
        soft = "hard_closure" in self.without
        nee = raw[..., 2] * self.flux_scale[2] if soft else reco - gpp
        return torch.stack([gpp, reco, nee], dim=-1)

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
        return self._share_of_light(x, self.log_half_light.exp())

    def _share_of_light(self, x: Tensor, half: Tensor | float) -> Tensor | float:
        if self.light is None:
            return 1.0
        light = (x[..., self.light.feature] * self.light.sd + self.light.mean).clamp(min=0)
        return light / (light + half)


def spin_up(
    networks: Sequence[TamRL], history: Tensor, places: Sequence[Place], days_at_once: int
) -> list[Past]:
    """Pasts after the history; the means start from that of the history itself."""
    first, length = networks[0], history.shape[1]
    if "spinup" in first.without:
        return [Past(first.means_after(history, length), None)] * len(networks)
    means = first.means_after(history, max(length - SPIN_UP_DAYS, 0))
    pasts = [Past(means, None)] * len(networks)
    for block in history[:, -SPIN_UP_DAYS:].split(days_at_once, dim=1):
        days = first.see(block, pasts[0].means)
        members = zip(networks, places, pasts, strict=True)
        pasts = [network.advance(days, place, past)[1] for network, place, past in members]
    return pasts


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


def _modulate(states: Tensor, film: Tensor | None) -> Tensor:
    """Scale and shift (batch, time, hidden) by film (batch, 2 * hidden), scale around 1."""
    if film is None:
        return states
    scale, shift = film[:, None].chunk(2, dim=-1)
    return states * (1 + scale) + shift
