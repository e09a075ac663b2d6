"""Time steps of reference products: their bounds, or timestamps at the start, middle or end.

Files stamp a step by its start, its middle or its end, and a wrong guess moves the flux by up to a
month. The bounds of time decide; without them the spacing and the first and last timestamp of the
file, under the assumption that steps begin anew on 1 January. Other files are refused.
"""

from __future__ import annotations

from typing import NoReturn

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.readers.cds_files import read_times

_BOUNDS = ("time_bnds", "time_bounds", "time_bound")
_TOLERANCE = 0.25
"""Days by which a timestamp may miss the border of its step."""
_MAX_DAYS = 10
"""Longest step that is not a month, days."""
_FIX = (
    "add the bounds of time (CF: the attribute `bounds` and its variable), and use complete years "
    "of monthly, eight-day or daily files"
)


def read_steps(file: netCDF4.Dataset, label: str, year: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Steps of a calendar year.

    Returns
    -------
    time : str
        Name of the time axis.
    steps : numpy.ndarray
        Indices of the steps that touch the year, in order; empty for a file of other years.
    months : numpy.ndarray
        (12, step) days of each step in each month of the year.

    Raises
    ------
    InputError
        If the steps do not cover the year once, contradict their bounds, or could be dated in two
        ways.
    """
    time, timestamps = read_times(file, label)
    first_day = np.datetime64(f"{year}-01-01")
    times = _days_since(timestamps, first_day)
    months = np.arange(f"{year}-01", f"{year + 1}-02", dtype="datetime64[M]")
    borders = _days_since(months.astype("datetime64[D]"), first_day)
    touched = (times > _TOLERANCE) & (times < borders[-1] - _TOLERANCE)
    bounds = _read_bounds(file, time, label, first_day)
    if bounds is not None:
        if bounds.shape != (len(times), 2):
            _fail("the bounds of time have another shape", label, time, bounds.shape, "(time, 2)")
        touched = (bounds[:, 1] > _TOLERANCE) & (bounds[:, 0] < borders[-1] - _TOLERANCE)
    if not touched.any():
        return time, np.flatnonzero(touched), np.zeros((12, 0))
    order = np.argsort(times, kind="stable")
    if (np.diff(times[order]) < _TOLERANCE).any():
        _fail("a time step comes twice", label, time, "equal timestamps", "each step once")
    if bounds is None:
        selected, bounds = _date_by_spacing(times[order], borders, (label, time, year))
        steps = order[selected]
    else:
        steps = order[touched[order]]
        bounds = _check_bounds(bounds[steps], times[steps], borders[-1], (label, time, year))
    return time, steps, _days_in_months(bounds, borders)


def _read_bounds(file, time: str, label: str, first_day: np.datetime64) -> np.ndarray | None:
    """(step, 2) start and stop in days since the first day; None without bounds."""
    variable = file[time]
    if hasattr(variable, "climatology"):
        _fail("the file is a climatology of several years", label, time, variable.climatology,
              "time steps of one year")  # fmt: skip
    names = [getattr(variable, "bounds", None), *_BOUNDS]
    name = next((name for name in names if name in file.variables), None)
    if name is None:
        return None
    units = getattr(file[name], "units", variable.units)
    calendar = getattr(variable, "calendar", "standard")
    try:
        moments = netCDF4.num2date(
            file[name][:], units, calendar,
            only_use_cftime_datetimes=False, only_use_python_datetimes=True,
        )  # fmt: skip
        return _days_since(np.array(moments, "datetime64[s]"), first_day)
    except (ValueError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        _fail("the bounds of time cannot be decoded", label, name, error, f"numbers in {units}")


def _check_bounds(
    bounds: np.ndarray, times: np.ndarray, length: float, at: tuple[str, str, int]
) -> np.ndarray:
    """Bounds without the gap of a day that inclusive ends leave."""
    label, time, year = at
    starts, stops = bounds.T.copy()
    outside = (times < starts - _TOLERANCE) | (times > stops + _TOLERANCE) | (stops <= starts)
    if outside.any():
        k = int(np.flatnonzero(outside)[0])
        found = f"day {times[k]:g} of {year}, bounds {starts[k]:g} to {stops[k]:g}"
        _fail("a timestamp lies outside its bounds", label, time, found, "a time within its bounds")
    follows = np.append(starts[1:], max(length, stops[-1]))
    gap = follows - stops
    if (gap > 1 + _TOLERANCE).any() or (gap < -_TOLERANCE).any() or starts[0] > _TOLERANCE:
        found = f"{len(bounds)} steps, from day {starts[0]:g} to {stops[-1]:g}"
        _fail("the steps of a reference product do not cover the year", label, time, found,
              f"steps without gaps or overlaps from day 0 to {length:g} of {year}")  # fmt: skip
    return np.stack([starts, follows], axis=1)


def _date_by_spacing(
    times: np.ndarray, borders: np.ndarray, at: tuple[str, str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and bounds (step, 2) of the steps of the year, from ascending timestamps alone."""
    label, time, year = at
    inside = times[(times > -_TOLERANCE) & (times < borders[-1] - _TOLERANCE)]
    spacing = float(np.median(np.diff(inside))) if len(inside) > 1 else np.inf
    monthly = 28 <= spacing <= 31
    starts = borders[:-1] if monthly else np.arange(0, borders[-1], max(round(spacing, 2), 1))
    stops = np.append(starts[1:], borders[-1])
    bounds = np.stack([starts, stops], axis=1)
    found = f"{len(inside)} timestamps in {year}, the first {inside[0]:g} days after 1 January"
    if not monthly and spacing > _MAX_DAYS:
        _fail("the steps of a reference product do not cover the year", label, time, found,
              f"twelve months, or steps of at most {_MAX_DAYS} days")  # fmt: skip
    within = np.flatnonzero((times > -_TOLERANCE) & (times < borders[-1] - _TOLERANCE))
    step = np.searchsorted(starts, times[within] + _TOLERANCE, side="right") - 1
    on_border = np.abs(times[within] - starts[step]) <= _TOLERANCE
    by_start = np.array_equal(step, np.arange(len(starts)))
    if by_start and not on_border.all():
        offset = times[within] - starts
        middle, end = np.abs(offset - spacing / 2) <= 1, np.abs(offset - spacing + 1) <= _TOLERANCE
        if monthly or spacing < 2 or middle[:-1].all() or end[:-1].all():
            return within, bounds
    if on_border.all():
        at_end = [np.flatnonzero(np.abs(times - stop) <= _TOLERANCE) for stop in stops]
        by_end = all(len(index) == 1 for index in at_end)
        ends = _border_evidence(times, borders, spacing, monthly, year)
        if by_start and ends == {"start"}:
            return within, bounds
        if by_end and ends == {"end"}:
            return np.concatenate(at_end), bounds
        if by_start or by_end:
            _fail("the time steps of a reference product could be dated in two ways", label, time,
                  found, "bounds of time, or complete years")  # fmt: skip
    _fail("the steps of a reference product do not cover the year", label, time, found,
          "one timestamp in each step, at its start, middle or end, from 1 January on")  # fmt: skip


def _border_evidence(
    times: np.ndarray, borders: np.ndarray, spacing: float, monthly: bool, year: int
) -> set[str]:
    """Conventions that the first and the last timestamp of the file speak for.

    A file of complete years begins on 1 January if its timestamps are starts, and
    ends on 1 January if they are ends.
    """
    first_day = np.datetime64(f"{year}-01-01")
    evidence = set()
    for stamp, side in ((times[0], "first"), (times[-1], "last")):
        moment = first_day + np.timedelta64(round(24 * (stamp + _TOLERANCE)), "h")
        start = moment.astype("datetime64[Y]")
        day = (moment.astype("datetime64[D]") - start.astype("datetime64[D]")).astype(int)
        length = ((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(int)
        step_days = 31 if monthly else spacing
        last_start = length - 31 if monthly else (np.ceil(length / step_days) - 1) * step_days
        if day == (0 if side == "first" else last_start):
            evidence.add("start")
        if day == (step_days if side == "first" else 0):
            evidence.add("end")
    return evidence


def _days_in_months(bounds: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """(12, step) days that steps and months share; months themselves count completely."""
    low, high = borders[:-1, None], borders[1:, None]
    shared = np.maximum(np.minimum(bounds[:, 1], high) - np.maximum(bounds[:, 0], low), 0.0)
    complete = np.diag(np.diff(borders))
    same = shared.shape == complete.shape and np.abs(shared - complete).max() <= 1 + _TOLERANCE
    return complete if same else shared


def _days_since(moments: np.ndarray, first_day: np.datetime64) -> np.ndarray:
    seconds = moments.astype("datetime64[s]") - first_day.astype("datetime64[s]")
    return seconds.astype(float) / 86400


def _fail(what: str, label: str, time: str, found, expected: str) -> NoReturn:
    raise InputError(what, file=label, variable=time, found=found, expected=expected, fix=_FIX)
