"""Daily values from those of a satellite or a product with longer steps: the rules of the cube.

Days between two values are linear in time; the first and the last value are held. A year is filled
from its own values, those of the `LONGEST_GAP` days before it and of the `AFTER` days after it.
"""

from __future__ import annotations

import numpy as np

from tamflux.predictors.cube import FLAG_NO_DATA
from tamflux.readers.modis_files import AFTER, LONGEST_GAP

OBSERVED, FILLED = 0, 1
"""Origin of a day's value, as in `refl_filled`; `FLAG_NO_DATA` where there is none."""

_LONG_STEP = 1.5
"""Two values lie further apart than usual where their distance exceeds that many usual steps."""


def fill_series(
    values: np.ndarray, dates: np.ndarray, days: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Daily values of sparse series, such as the satellite columns of a site.

    Each calendar year of `days` is filled as a year of the cube is: with `fill_in_time`, from the
    values of the year and those near it. A year without any stays missing.

    Parameters
    ----------
    values : numpy.ndarray
        (time, series) float32, NaN where missing; each series may have its own dates.
    dates, days : numpy.ndarray
        (time,) and (day,) datetime64[D], ascending.

    Returns
    -------
    daily : numpy.ndarray
        (day, series) float32.
    flag : numpy.ndarray
        (day, series) int8: 0 on a day with a value, or between two values that are at most one and
        a half usual steps apart (the median distance of the values of the series); 1 on other
        filled days; 2 without data.
    """
    dates, days = dates.astype("datetime64[D]"), days.astype("datetime64[D]")
    daily = np.full((len(days), values.shape[1]), np.nan, np.float32)
    flag = np.full(daily.shape, FLAG_NO_DATA, np.int8)
    year_of_day = days.astype("datetime64[Y]")
    for number, series in enumerate(values.T):
        known = np.isfinite(series)
        at, known_values = dates[known], series[known].astype(np.float32)
        step = np.median(np.diff(at).astype(int)) if len(at) > 1 else 0
        for year in np.unique(year_of_day):
            of_year = year_of_day == year
            near = near_year(at, year)
            if near.any():
                daily[of_year, number], flag[of_year, number] = _fill_year(
                    known_values[near], at[near], days[of_year], _LONG_STEP * step
                )
    return daily, flag


def near_year(dates: np.ndarray, year: np.datetime64) -> np.ndarray:
    """(time,) bool, dates from which a year (datetime64[Y]) is filled."""
    first, next_first = year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]")
    return (dates >= first - LONGEST_GAP) & (dates < next_first + AFTER)


def _fill_year(
    values: np.ndarray, dates: np.ndarray, days: np.ndarray, longest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Daily values and flag of one series (time,) without gaps."""
    daily, flag = fill_in_time(values[None, :, None], dates, days)
    following = np.clip(np.searchsorted(dates, days), 1, max(len(dates) - 1, 1))
    if len(dates) > 1:
        distant = np.diff(dates).astype(int)[following - 1] > longest
        flag[distant & ~np.isin(days, dates), 0] = FILLED
    return daily[0, :, 0], flag[:, 0]


def fill_in_time(
    values: np.ndarray, dates: np.ndarray, days: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Daily values of cells, linear in time between the nearest valid composites.

    The first and the last valid composite are held constant outwards. A cell without any valid
    composite stays missing. Composites of the years before and after are used like any other; a
    year is never treated as cyclic.

    Parameters
    ----------
    values : numpy.ndarray
        (band, composite, cell) float32, NaN where missing (in all bands at once).
    dates, days : numpy.ndarray
        (composite,) and (day,) datetime64[D], ascending.

    Returns
    -------
    daily : numpy.ndarray
        (band, day, cell) float32.
    flag : numpy.ndarray
        (day, cell) int8: 0 where the composite of the day, or the two around it, are valid, 1 where
        a missing composite was filled, 2 without data.
    """
    valid = np.isfinite(values[0])
    position = dates.astype(float)
    at_composites = _fill_gaps(values, valid, position)
    after = np.clip(np.searchsorted(dates, days), 1 if len(dates) > 1 else 0, len(dates) - 1)
    before = np.maximum(after - 1, 0)
    span = np.maximum(position[after] - position[before], 1.0)
    share = np.clip((days.astype(float) - position[before]) / span, 0, 1).astype(np.float32)
    share = share[:, None]
    daily = at_composites[:, before] * (1 - share) + at_composites[:, after] * share
    needs_before, needs_after = share < 1, share > 0  # the day of a composite needs no other
    observed = (valid[before] | ~needs_before) & (valid[after] | ~needs_after)
    outside = (days < dates[0]) | (days > dates[-1])
    flag = np.where(observed & ~outside[:, None], OBSERVED, FILLED).astype(np.int8)
    flag[:, ~valid.any(axis=0)] = FLAG_NO_DATA
    return daily, flag


def _fill_gaps(values: np.ndarray, valid: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(band, composite, cell) with missing composites interpolated between valid ones."""
    n = len(valid)
    step = np.arange(n)[:, None]
    last = np.maximum.accumulate(np.where(valid, step, -1), axis=0)
    following = np.minimum.accumulate(np.where(valid, step, n)[::-1], axis=0)[::-1]
    before = np.where(last < 0, following, last) % n  # % n: cells without data may take any index
    after = np.where(following == n, last, following) % n
    span = np.maximum(position[after] - position[before], 1.0)
    share = ((position[:, None] - position[before]) / span).astype(np.float32)
    share[before == after] = 0
    filled = np.empty_like(values)
    for band, out in zip(values, filled, strict=True):
        low = np.take_along_axis(band, before, axis=0)
        out[:] = low + share * (np.take_along_axis(band, after, axis=0) - low)
    return filled
