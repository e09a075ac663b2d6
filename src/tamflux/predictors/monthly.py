"""Predictors as means over calendar months, for models trained on monthly means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def monthly_means(
    x: np.ndarray,
    dates: np.ndarray,
    features: Sequence[int],
    site: np.ndarray | None = None,
) -> np.ndarray:
    """Predictors of which some are averaged over each calendar month.

    Every day gets the mean of the known days of its month; a missing value stays missing. A month
    that is not over is averaged over the days that exist, so its values change with each new day.

    Parameters
    ----------
    x : numpy.ndarray
        (..., time, feature) predictors in catalogue units, in the order of days.
    dates : numpy.ndarray
        (time,) datetime64[D].
    features : sequence of int
        Numbers of the features to average.
    site : numpy.ndarray, optional
        (time,) number of the site of each day, where the days of several sites follow each other.

    Returns
    -------
    numpy.ndarray
        `x` itself where `features` is empty, else a copy.
    """
    if not len(features):
        return x
    new = np.diff(dates.astype("datetime64[M]")).astype(int) != 0
    if site is not None:
        new |= np.diff(site) != 0
    first = np.flatnonzero(np.r_[True, new])
    days = np.diff(np.r_[first, len(dates)])
    averaged = x.copy()
    for feature in features:
        values = x[..., feature]
        known = np.isfinite(values)
        total = np.add.reduceat(np.where(known, values, 0), first, axis=-1, dtype=np.float64)
        number = np.add.reduceat(known, first, axis=-1, dtype=np.int64)
        means = np.repeat(total / np.maximum(number, 1), days, axis=-1)
        averaged[..., feature] = np.where(known, means, np.nan)
    return averaged
