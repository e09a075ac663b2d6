"""The day that stands for a time step of a series: the middle of its period."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def step_dates(times: Sequence[np.ndarray], bounds: Sequence[np.ndarray | None]) -> np.ndarray:
    """Days of the steps of some files.

    The middle of the bounds of time, where a file has them. Without any bounds, timestamps that are
    all the first or all the last day of a month stand for whole months (or years, as their distance
    says): the day is in the middle. Any other timestamp is the day of its value.

    Parameters
    ----------
    times : sequence of numpy.ndarray
        (step,) datetime64[s] of each file.
    bounds : sequence of numpy.ndarray or None
        (step, 2) datetime64[s] of each file; None where it has none.

    Returns
    -------
    numpy.ndarray
        (all steps,) datetime64[D].
    """
    if not len(times):
        return np.array([], "datetime64[D]")
    if all(each is None for each in bounds):
        stamps = np.concatenate(times).astype("datetime64[D]")
        months = _whole_months(stamps)
        return stamps if months is None else months
    return np.concatenate(
        [
            of_file.astype("datetime64[D]") if edges is None else _middle(*edges.T)
            for of_file, edges in zip(times, bounds, strict=True)
        ]
    )


def _whole_months(stamps: np.ndarray) -> np.ndarray | None:
    """Middles of the periods that begin or end with months; None where stamps do neither."""
    for shift in (0, 1):  # first days, then last days
        months = (stamps + shift).astype("datetime64[M]")
        if (months.astype("datetime64[D]") == stamps + shift).all():
            distance = np.diff(np.unique(months)).astype(int)
            length = int(distance.min(initial=12)) if len(distance) else 1
            first = months - length * shift
            start = first.astype("datetime64[s]")
            return _middle(start, (first + length).astype("datetime64[s]"))
    return None


def _middle(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    return (start + (stop - start) / 2).astype("datetime64[D]")
