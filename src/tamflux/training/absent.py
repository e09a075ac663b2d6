"""Predictors that a site or grid cell lacks altogether are given to the model as absent.

A tower without a satellite series, or a region without a long-wave product, has no value of a
predictor on any day. Such a predictor is scaled to 0, the training mean, and an indicator says so:
one further static feature per group of predictors that are absent together. The model learns the
indicators because a share of the inputs is dropped in training (Srivastava et al. 2014, applied to
whole input series).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tamflux.extra_predictors import PREFIX
from tamflux.variables import REFLECTANCE

DROPPED_SHARE = 0.2
"""Share of the training site-years that lack predictors on purpose. Each of them draws its own
probability of dropping a group, uniformly from 0 to 1, so that the model meets a single absent
group as well as the absence of all; on average half of the share lacks a group."""


def absence_groups(
    predictors: Sequence[str], optional: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Features of each group: reflectances and their indices together, any other by itself."""
    features = {name: number for number, name in enumerate(predictors) if name in optional}
    reflectance = tuple(number for name, number in features.items() if name in REFLECTANCE)
    others = [(number,) for name, number in features.items() if name not in REFLECTANCE]
    return (*([reflectance] if reflectance else []), *others)


def find_absent(lookback: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Absent groups (cell, group) float32, 1 where the look-back window holds no value of any.

    Parameters
    ----------
    lookback : numpy.ndarray
        (cell, time, feature) predictors, NaN where missing.
    groups : sequence
        From `absence_groups`.
    """
    absent = [np.isnan(lookback[..., list(group)]).all(axis=(1, 2)) for group in groups]
    shape = len(lookback), len(groups)
    return np.stack(absent, axis=1).astype(np.float32) if groups else np.zeros(shape, np.float32)


def drop_groups(
    x: Tensor, absent: Tensor, groups: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """Drop groups of predictors from some site-years; see `DROPPED_SHARE`.

    Parameters
    ----------
    x : Tensor
        (batch, time, feature) scaled predictors.
    absent : Tensor
        (batch, group), 1 where a group is absent already.

    Returns
    -------
    Tensor, Tensor
        `x` with 0 in place of dropped predictors, and `absent` with them.
    """
    if not groups:
        return x, absent
    dropped = _draw_dropped(len(x), len(groups)).to(absent.device)
    of_feature = torch.zeros(len(x), x.shape[-1], dtype=torch.bool, device=x.device)
    for number, group in enumerate(groups):
        of_feature[:, list(group)] = dropped[:, number, None]
    return x.masked_fill(of_feature[:, None], 0), absent.masked_fill(dropped, 1)


def _draw_dropped(rows: int, groups: int) -> Tensor:
    """(row, group) bool, what each site-year lacks on purpose; see `DROPPED_SHARE`."""
    random = torch.rand(rows, 2 + groups)
    probability = torch.where(random[:, 0] < DROPPED_SHARE, random[:, 1], 0)
    return random[:, 2:] < probability[:, None]


def optional_statics(static_features: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the static features that may be absent: the extra predictors."""
    return tuple(n for n, name in enumerate(static_features) if name.startswith(PREFIX))


def drop_statics(static: Tensor, optional: Sequence[int]) -> Tensor:
    """Drop optional static features from some site-years; see `DROPPED_SHARE`.

    Parameters
    ----------
    static : Tensor
        (batch, feature + indicator) from `ModelSpec.scale_static`.
    optional : sequence of int
        Features that may be absent; their indicators are the last columns, in this order.
    """
    if not optional:
        return static
    dropped = _draw_dropped(len(static), len(optional)).to(static.device)
    indicators = list(range(static.shape[1] - len(optional), static.shape[1]))
    static = static.clone()
    static[:, list(optional)] = static[:, list(optional)].masked_fill(dropped, 0)
    static[:, indicators] = static[:, indicators].masked_fill(dropped, 1)
    return static
