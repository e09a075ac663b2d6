"""Missing weather: fluxes are missing on such days, and the model passes over them.

A day of a site or grid cell lacks weather where a meteorological predictor is NaN. Its fluxes are
missing, not invented. The states of the model need a value for every day, though: they get the
weather of the same day one look-back window earlier (`fill_gaps`). How much of the model's memory
consists of such days (`gap_memory`) widens the prediction intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.signal import lfilter

from tamflux.model.moving_averages import EMA_TIMESCALES_DAYS
from tamflux.samples.samples import MAX_MISSING_SHARE, Samples
from tamflux.variables import METEOROLOGY


def missing_weather(
    x: np.ndarray, predictors: Sequence[str], optional: Sequence[str] = ()
) -> np.ndarray:
    """Days (cell, time) bool without weather.

    Parameters
    ----------
    x : numpy.ndarray
        (cell, time, feature) predictors.
    predictors : sequence of str
        Names of the features.
    optional : sequence of str
        Predictors that are absent, not missing, at a cell that lacks them on all days.
    """
    missing = np.zeros(x.shape[:-1], bool)
    for feature in _weather_features(predictors):
        unknown = np.isnan(x[..., feature])
        if predictors[feature] in optional:
            unknown &= ~unknown.all(axis=-1, keepdims=True)
        missing |= unknown
    return missing


def samples_without_weather(samples: Samples, optional: Sequence[str]) -> np.ndarray:
    """Site-days (row,) bool without weather; `optional` as of `missing_weather`, site by site."""
    missing = np.empty(len(samples.site), bool)
    first = np.flatnonzero(np.diff(samples.site, prepend=-1))
    for start, stop in pairwise([*first, len(samples.site)]):
        of_site = samples.x[None, start:stop]
        missing[start:stop] = missing_weather(of_site, samples.predictors, optional)[0]
    return missing


def missing_fluxes(missing: np.ndarray, lookback_days: int) -> np.ndarray:
    """Days (cell, time) whose fluxes are missing, given days (cell, lookback + time) without data.

    They are the days of the year without weather, and all days of a cell that lacks the weather of
    most of its look-back window: neither its embedding nor its states mean anything.
    """
    unknown = missing[:, :lookback_days].mean(axis=1) > MAX_MISSING_SHARE
    return missing[:, lookback_days:] | unknown[:, None]


def fill_gaps(x: np.ndarray, predictors: Sequence[str], lookback_days: int) -> np.ndarray:
    """Predictors whose missing weather has a value for the states of the model.

    A missing value of the look-back window becomes the mean of the others there; one of the year,
    that of the day `lookback_days` earlier. Filled values depend on earlier days alone. A value
    without any substitute stays NaN, which `ModelSpec.scale` turns into the training mean.

    Parameters
    ----------
    x : numpy.ndarray
        (cell, lookback_days + time, feature) predictors in catalogue units.
    predictors : sequence of str
        Names of the features.
    lookback_days : int

    Returns
    -------
    numpy.ndarray
        `x` itself where no weather is missing, else a copy.
    """
    cells = np.flatnonzero(missing_weather(x, predictors).any(axis=1))
    if not len(cells):
        return x
    filled = x.copy()
    for feature in _weather_features(predictors):
        values = x[cells, :, feature]
        known = np.isfinite(values[:, :lookback_days])
        total = np.where(known, values[:, :lookback_days], 0).sum(axis=1, dtype=np.float64)
        number = known.sum(axis=1)
        mean = np.divide(total, number, out=np.full(len(cells), np.nan), where=number > 0)
        for start in range(0, values.shape[1], lookback_days):
            block = values[:, start : start + lookback_days]
            before = values[:, start - lookback_days : start][:, : block.shape[1]]
            substitute = before if start else np.broadcast_to(mean[:, None], block.shape)
            np.copyto(block, substitute, where=np.isnan(block), casting="same_kind")
        filled[cells, :, feature] = values
    return filled


def gap_memory(filled: np.ndarray, lookback_days: int) -> np.ndarray:
    """Share (cell, time) of filled days in the model's memory on each day of the year, 0 to 1.

    It is 1 on a filled day. Otherwise it is the largest share of filled days in the look-back
    window, over which the task embedding averages, and in the exponential moving averages of the
    model: m_T[t] = a m_T[t - 1] + (1 - a) filled[t] with a = exp(-1 / T) and each timescale T.

    Parameters
    ----------
    filled : numpy.ndarray
        (cell, lookback_days + time) bool, days whose weather is filled or missing.
    """
    memory = np.zeros(filled[:, lookback_days:].shape, np.float32)
    cells = np.flatnonzero(filled.any(axis=1))
    days = filled[cells].astype(np.float64)
    memory[cells] = days[:, :lookback_days].mean(axis=1, keepdims=True)
    for timescale in EMA_TIMESCALES_DAYS if len(cells) else ():
        decay = np.exp(-1 / timescale)
        average = lfilter([1 - decay], [1, -decay], days, axis=1)
        memory[cells] = np.maximum(memory[cells], average[:, lookback_days:])
    memory[filled[:, lookback_days:]] = 1
    return memory


def _weather_features(predictors: Sequence[str]) -> list[int]:
    return [number for number, name in enumerate(predictors) if name in METEOROLOGY]
