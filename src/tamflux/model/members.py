"""Prediction with members of one configuration: block by block of days, all members in one pass."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from tamflux.model.tamrl import Past, TamRL, spin_up

BLOCK_DAYS = 20
"""Days computed at once on a processor; a GPU takes all of them."""


class Predicted(NamedTuple):
    """What a member predicts of some places.

    flux : (batch, time, 3) gpp, reco, nee, g C m-2 d-1.
    code : (batch, code) task code, or None for a model without.
    kept : pasts of the days after which they were wanted.
    """

    flux: Tensor
    code: Tensor | None
    kept: dict[int, Past]


@torch.inference_mode()
def predict_members(
    networks: Sequence[TamRL],
    x: Tensor,
    static: Tensor,
    history_days: int,
    pasts: Sequence[Past] | None = None,
    keep: Collection[int] = (),
) -> list[Predicted]:
    """Fluxes of members that share their scaling, in one pass over the days.

    The days of a block stay in the processor's cache from the predictors to the fluxes, and what
    the members see of them is computed once. Days after a past equal those of a run over all days,
    on a processor bit for bit.

    Parameters
    ----------
    networks : sequence of TamRL
        Of one configuration.
    x, static, history_days
        As of `TamRL.forward`; with pasts, the days after them follow the history at once.
    pasts : sequence of Past, optional
        Of each member at the end of the day before; None spins up over the history.
    keep : collection of int
        Numbers of days after which the past is wanted. Bit for bit holds for multiples of
        `BLOCK_DAYS`: at others a block is cut.
    """
    history, year = x[:, :history_days], x[:, history_days:]
    places = [network.place(history, static) for network in networks]
    if pasts is None:
        pasts = spin_up(networks, history, places, block_days(x.device, history_days))
    fluxes: list[list[Tensor]] = [[] for _ in networks]
    kept: dict[int, list[Past]] = {}
    edges = {*range(0, year.shape[1], block_days(x.device, year.shape[1])), *keep}
    for start, stop in pairwise([*sorted(edges), year.shape[1]]):
        if start in keep:
            kept[start] = list(pasts)
        days = networks[0].see(year[:, start:stop], pasts[0].means)
        asked, after = networks[0].ask(days, places[0]), []
        for network, place, past, flux in zip(networks, places, pasts, fluxes, strict=True):
            states, past = network.advance(days, place, past)
            flux.append(network.fluxes(days, states, place, asked))
            after.append(past)
        pasts = after
    return [
        Predicted(torch.cat(flux, dim=1), place.code, {day: kept[day][n] for day in kept})
        for n, (flux, place) in enumerate(zip(fluxes, places, strict=True))
    ]


def block_days(device: torch.device, days: int) -> int:
    """How many of some days are computed at once on a device."""
    return BLOCK_DAYS if device.type == "cpu" else days
