"""What a site's own errors are regressed on: predicted fluxes, recent weather and the season."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS, ExponentialMovingAverages
from tamflux.samples.samples import LOOKBACK_DAYS, PAD, Samples, make_windows

CONDITIONS = (
    ("t2m", 0), ("vpd", 0), ("ssrd", 0), ("evi", 0),
    ("t2m", 20), ("vpd", 20), ("evi", 60), ("tp", 60),
)  # fmt: skip
"""Predictor and e-folding time of its moving average, d (0: the day itself)."""

OFFSET_CONDITIONS = (("t2m", 20),)
"""Conditions that also shift a flux, whatever its size."""

N_CONDITIONS = len(CONDITIONS) + 2
"""Columns of `daily_conditions`: `CONDITIONS`, then sine and cosine of the season."""

N_COEFFICIENTS = 1 + N_CONDITIONS + 1 + len(OFFSET_CONDITIONS) + 2
"""Columns of `design_matrix`."""

MAX_CONDITION = 3.0
"""Conditions are cut at this many standard deviations, so that an extreme day cannot rule."""

_BATCH = 64


def daily_conditions(samples: Samples, mean: Sequence[float], sd: Sequence[float]) -> np.ndarray:
    """Standardised conditions (row, condition) float32 of every day of the samples.

    A predictor that the samples lack, or a missing value, is 0, the mean. The season is shifted by
    half a year on the southern hemisphere.

    Parameters
    ----------
    samples : Samples
        With `lat` in `samples.sites`.
    mean, sd : sequence of float
        Scaling of the predictors, in their order and units (`ModelSpec`).
    """
    names = [name for name in dict.fromkeys(n for n, _ in CONDITIONS) if name in samples.predictors]
    columns = [samples.predictors.index(name) for name in names]
    scaled = (samples.x[:, columns] - np.array(mean)[columns]) / np.array(sd)[columns]
    scaled = torch.from_numpy(np.nan_to_num(scaled).astype(np.float32))
    averages = ExponentialMovingAverages()
    conditions = np.zeros((len(samples.x), N_CONDITIONS), np.float32)
    windows = make_windows(samples)
    for first in range(0, len(windows.rows), _BATCH):
        rows = windows.rows[first : first + _BATCH]
        x = scaled[torch.from_numpy(np.maximum(rows, 0))]
        lookback, year = x[:, :LOOKBACK_DAYS], x[:, LOOKBACK_DAYS:]
        start = lookback.mean(dim=1, keepdim=True).expand(-1, len(EMA_TIMESCALES_DAYS), -1)
        features, _ = averages(year, averages.averages_after(lookback, start))
        days = rows[:, LOOKBACK_DAYS:]
        for number, (name, timescale) in enumerate(CONDITIONS):
            if name in names:
                block = (0, *EMA_TIMESCALES_DAYS).index(timescale)
                values = features[..., block * len(names) + names.index(name)].numpy()
                conditions[days[days != PAD], number] = values[days != PAD]
    conditions[:, -2:] = _season(samples)
    return conditions.clip(-MAX_CONDITION, MAX_CONDITION)


def _season(samples: Samples) -> np.ndarray:
    """(row, 2) sine and cosine of the phase of the year."""
    phase = pd.DatetimeIndex(samples.date).day_of_year.to_numpy() * (2 * np.pi / 365.25)
    south = samples.sites["lat"].to_numpy(float)[samples.site] < 0
    phase = phase + np.pi * south
    return np.stack([np.sin(phase), np.cos(phase)], axis=1)


def design_matrix(fluxes: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """Regressors (day, flux, coefficient) of the errors of gpp, reco and nee.

    An error is a share of the flux that depends on the conditions, and an offset that depends on
    the season. Shares of nee are those of the mean of gpp and reco.

    Parameters
    ----------
    fluxes : numpy.ndarray
        (day, 3) predicted gpp, reco, nee, g C m-2 d-1.
    conditions : numpy.ndarray
        (day, condition) from `daily_conditions`.
    """
    gpp, reco = fluxes[:, 0], fluxes[:, 1]
    size = np.stack([gpp, reco, (gpp + reco) / 2], axis=1)
    one = np.ones((len(fluxes), 1))
    of_share = np.concatenate([one, conditions], axis=1)
    offsets = [CONDITIONS.index(condition) for condition in OFFSET_CONDITIONS]
    of_offset = np.concatenate([one, conditions[:, [*offsets, -2, -1]]], axis=1)
    shares = size[:, :, None] * of_share[:, None]
    return np.concatenate([shares, np.repeat(of_offset[:, None], 3, axis=1)], axis=2)
