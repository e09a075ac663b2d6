"""Statements of an ERA5 file about its days: statistic, frequency, time shift, time zone, bounds.

A statement is believed if the reader understands it, and refused otherwise. File names are no
statements: users rename files.
"""

from __future__ import annotations

import logging
import re

import netCDF4
import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.readers.era5_variables import ACCUMULATED, STATISTICS

log = logging.getLogger("tamflux")

_HOW = (
    r"daily_\w+\(.*?how\s*=\s*['\"]?(\w+)",  # the Climate Data Store's daily statistics
    r"\.daily_(mean|min|max|sum|minimum|maximum)\(",  # earthkit-transforms
    r"\bday(mean|avg|min|max|sum)\b",  # cdo
)
_HOUR = np.timedelta64(1, "h")


def daily_statistic(file: netCDF4.Dataset, name: str, base: str, label: str) -> str:
    """Statistic of a variable of a daily file: ``mean``, ``sum``, ``min`` or ``max``.

    Its `cell_methods`, else the `history` of the file, else the name of the variable (`t2m_min`)
    give it. Without any of them, a variable is taken for a daily mean if only means are used of it.

    Parameters
    ----------
    name, base : str
        Name in the file, and base name of the raw variable.

    Raises
    ------
    InputError
        If nothing gives the statistic of an accumulated variable or of temperature, if statements
        contradict each other, or if the statistic is none of the four.
    """
    cell_methods = str(getattr(file[name], "cell_methods", ""))
    history = str(getattr(file, "history", ""))
    stated = {
        "cell_methods": re.findall(r"\btime\w*\s*:\s*(\w+)", cell_methods.lower()),
        "history": [m for pattern in _HOW for m in re.findall(pattern, history)],
        "name": re.findall(r"_(mean|min|minimum|max|maximum|sum)$", name),
    }
    found = {where: [STATISTICS.get(s, s) for s in words] for where, words in stated.items()}
    statistics = {word for words in found.values() for word in words}
    if not statistics and base not in ACCUMULATED and base != "t2m":
        return "mean"
    usable = {"mean", "sum"} if base in ACCUMULATED else {"mean"}
    usable |= {"min", "max"}
    if len(statistics) == 1 and statistics <= usable:
        return statistics.pop()
    what = "the daily statistic is contradictory or not one that is used"
    if not statistics:
        what = "nothing in the file gives its daily statistic"
    raise InputError(
        what, file=label, variable=name,
        found={k: v for k, v in found.items() if v} or "no cell_methods, no how= in the history",
        expected=f"one of {', '.join(sorted(usable))}; the file name proves nothing",
        fix="use the file as the Climate Data Store delivers it, or state what it holds: "
        f"ncatted -a cell_methods,{name},o,c,'time: sum' FILE (or mean, minimum, maximum)",
    )  # fmt: skip


def check_frequency(file: netCDF4.Dataset, name: str, base: str, statistic: str, label: str):
    """Refuse sums and extremes over fewer than 24 hours a day.

    Raises
    ------
    InputError
        If the file states a frequency of more than an hour.
    """
    text = " ".join(
        [str(getattr(file, "history", "")), str(getattr(file[name], "cell_methods", "")),
         f"frequency={getattr(file, 'frequency', '')}"]
    )  # fmt: skip
    patterns = (r"frequency['\"]?\s*[:=]\s*['\"]?(\d+)[_ -]?h", r"interval:?\s*(\d+)\s*h")
    hours = max((int(n) for p in patterns for n in re.findall(p, text.lower())), default=1)
    if hours <= 1 or hours >= 24:
        return
    if base not in ACCUMULATED and statistic == "mean":
        log.warning("%s: %s is a mean over every %dth hour of a day only", label, name, hours)
        return
    raise InputError(
        f"the daily {statistic} is not made of all 24 hours", file=label, variable=name,
        found=f"values every {hours} h", expected="values every hour",
        fix='download with "frequency": "1_hourly"',
    )  # fmt: skip


def check_day(file: netCDF4.Dataset, name: str, time: str, base: str, label: str) -> None:
    """Refuse days that are not UTC days.

    The store shifts accumulated variables by -1 h, because their timestamps end the hour.

    Raises
    ------
    InputError
        If the file states another shift or a time zone.
    """
    history = str(getattr(file, "history", ""))
    found = re.findall(r"time_shift['\"]?\s*[:=]\s*\{([^}]*)\}", history)
    shifts = [_shift(text) for text in found]
    if stated := str(getattr(file[time], "time_shift", "")):
        shifts.append(_shift(stated))
    zone = re.search(r":\d{2}(?:\.\d*)?\s*([+-]\d{1,2}(?::?\d{2})?)\s*$", _units(file[time]))
    moved = bool(zone) and any(c in "123456789" for c in zone[1]) if zone else False
    right = pd.Timedelta(hours=-1 if base in ACCUMULATED else 0)
    if base in ACCUMULATED and shifts and all(shift == pd.Timedelta(0) for shift in shifts):
        log.warning("%s: the days of %s end at 23 UTC (time_shift of 0 hours)", label, name)
        shifts = []
    if moved or any(shift != right for shift in shifts):
        raise InputError(
            "the days of the file are not UTC days", file=label, variable=name,
            found=_units(file[time]) if moved else f"time_shift {', '.join(map(str, shifts))}",
            expected=f"a time_shift of {right} or none",
            fix='download with "time_zone": "utc+00:00"',
        )  # fmt: skip


def _shift(text: str) -> pd.Timedelta:
    """A time shift, such as ``'hours': -1`` or ``-1 hours``; the largest one if it is neither."""
    parts = re.findall(r"['\"]?([a-z]+)['\"]?\s*:\s*(-?\d+(?:\.\d+)?)", text)
    try:
        return (
            pd.Timedelta(**{unit: float(n) for unit, n in parts}) if parts else pd.Timedelta(text)
        )
    except (ValueError, TypeError, OverflowError):
        return pd.Timedelta.max


def bounded_days(
    file: netCDF4.Dataset, time: str, bounds: np.ndarray | None, timestamps: np.ndarray, label: str
) -> np.ndarray:
    """(step,) datetime64[D] UTC days of a daily file, by the bounds of its time axis if it has any.

    Parameters
    ----------
    bounds, timestamps : numpy.ndarray
        (step, 2) or None, and (step,), datetime64[s].

    Raises
    ------
    InputError
        If the bounds are not those of UTC days.
    """
    if bounds is None:
        return timestamps.astype("datetime64[D]")
    days = bounds[:, 0].astype("datetime64[D]")
    exact = (bounds[:, 0] == days) & (bounds[:, 1] - bounds[:, 0] == 24 * _HOUR)
    if not exact.all():
        first = bounds[~exact][0]
        raise InputError(
            "the bounds of the time axis are not UTC days", file=label, variable=time,
            found=f"{first[0]} to {first[1]}", expected="00 UTC to 00 UTC of the next day",
            fix="use daily statistics of UTC days",
        )  # fmt: skip
    return days


def check_hours(
    time: str, bounds: np.ndarray | None, timestamps: np.ndarray, accumulated: bool, label: str
) -> None:
    """Refuse timestamps that do not mark full hours, or hours that do not end at them.

    Raises
    ------
    InputError
        If timestamps have minutes, or the bounds of accumulated hours do not end at them.
    """
    off = timestamps != timestamps.astype("datetime64[h]")
    late = np.zeros(len(timestamps), bool)
    if accumulated and bounds is not None:
        late = bounds[:, 1] != timestamps
    if (off | late).any():
        n = int(np.flatnonzero(off | late)[0])
        found = f"{timestamps[n]}" + (
            "" if bounds is None else f" for {bounds[n, 0]} to {bounds[n, 1]}"
        )
        raise InputError(
            "timestamps do not mark the end of full hours", file=label, variable=time, found=found,
            expected="full hours; accumulated values at the end of their hour",
            fix="use the hourly files of the Climate Data Store as they are",
        )  # fmt: skip


def _units(variable: netCDF4.Variable) -> str:
    return str(getattr(variable, "units", ""))
