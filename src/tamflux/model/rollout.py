"""Prediction with the members of an ensemble: block by block of days, all members in one pass."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from tamflux.model.tamrl import RecurrentState, TamRL, warm_up

BLOCK_DAYS = 20
"""Days computed at once on a CPU; a GPU takes all of them."""


class MemberPrediction(NamedTuple):
    """Prediction of one member.

    flux : (batch, time, 3) gpp, reco, nee, g C m-2 d-1.
    embedding : (batch, embedding) task embedding, or None for a model without.
    states : recurrent state after each of the requested days.
    """

    flux: Tensor
    embedding: Tensor | None
    states: dict[int, RecurrentState]


@torch.inference_mode()
def predict_members(
    networks: Sequence[TamRL],
    x: Tensor,
    static: Tensor,
    lookback_days: int,
    states: Sequence[RecurrentState] | None = None,
    keep: Collection[int] = (),
) -> list[MemberPrediction]:
    """Fluxes of members that share their scaling, in one pass over the days.

    A block of days stays in the cache of the CPU from the predictors to the fluxes, and the
    features that all members share are computed once. A prediction that resumes from a recurrent
    state equals a run over all days, on a CPU bit for bit.

    Parameters
    ----------
    networks : sequence of TamRL
        Members of one configuration.
    x, static, lookback_days
        As of `TamRL.forward`. With `states`, the days after the state follow the look-back window
        immediately.
    states : sequence of RecurrentState, optional
        State of each member at the end of the day before; None warms up over the look-back window.
    keep : collection of int
        Numbers of days after which the state is wanted. The equality is bit for bit for multiples
        of `BLOCK_DAYS`; other numbers cut a block.
    """
    lookback, year = x[:, :lookback_days], x[:, lookback_days:]
    conditionings = [network.compute_conditioning(lookback, static) for network in networks]
    if states is None:
        states = warm_up(networks, lookback, conditionings, block_days(x.device, lookback_days))
    fluxes: list[list[Tensor]] = [[] for _ in networks]
    saved: dict[int, list[RecurrentState]] = {}
    edges = {*range(0, year.shape[1], block_days(x.device, year.shape[1])), *keep}
    for start, stop in pairwise([*sorted(edges), year.shape[1]]):
        if start in keep:
            saved[start] = list(states)
        days = networks[0].build_features(year[:, start:stop], states[0].averages)
        tree_inputs, after = networks[0].tree_inputs(days, conditionings[0]), []
        members = zip(networks, conditionings, states, fluxes, strict=True)
        for network, conditioning, state, flux in members:
            hidden, state = network.step(days, conditioning, state)
            flux.append(network.fluxes(days, hidden, conditioning, tree_inputs))
            after.append(state)
        states = after
    return [
        MemberPrediction(
            torch.cat(flux, dim=1), conditioning.embedding, {day: saved[day][n] for day in saved}
        )
        for n, (flux, conditioning) in enumerate(zip(fluxes, conditionings, strict=True))
    ]


def block_days(device: torch.device, days: int) -> int:
    """Number of days to compute at once on a device, out of `days`."""
    return BLOCK_DAYS if device.type == "cpu" else days
