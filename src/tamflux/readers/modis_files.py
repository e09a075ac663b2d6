"""Which MODIS files make a year: dates in their names, doubles and gaps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from tamflux.errors import InputError

LONGEST_GAP = 64
"""Days that may lie between two files; as far do files of the year before reach into a year."""

AFTER = 31
"""How far the files of the year after reach into a year: its January. When a year grows, what was
made from the year before it, such as the trained model, is thus not touched from February on."""


def composite_date(path: str | Path) -> np.datetime64:
    """Day of a file, from ``.AYYYYDDD.`` in its name; for MCD43C4 the day it is nominal for.

    Raises
    ------
    InputError
        If the name holds no such date.
    """
    match = re.search(r"\.A(\d{4})(\d{3})\.", Path(path).name)
    year, day = (int(part) for part in match.groups()) if match else (0, 0)
    date = np.datetime64(f"{year:04d}-01-01") + (day - 1)
    if not match or day < 1 or date.astype("datetime64[Y]") != np.datetime64(f"{year:04d}", "Y"):
        raise InputError(
            "the file name holds no date",
            file=path,
            found=Path(path).name,
            expected="year and day of the year, such as MCD43C4.A2019001.061.2020286183652.hdf",
            fix="give the file the name it was delivered under",
        )
    return date


def near_year(paths: Iterable[str | Path], year: int) -> list[Path]:
    """Files of a year, of `LONGEST_GAP` days before and `AFTER` days after it, sorted.

    A file without a date in its name stays in the list: reading it says what is wrong.
    """
    first, last = np.datetime64(f"{year}-01-01"), np.datetime64(f"{year}-12-31")

    def near(path: Path) -> bool:
        try:
            return bool(first - LONGEST_GAP <= composite_date(path) <= last + AFTER)
        except InputError:
            return True

    return sorted(path for path in map(Path, paths) if near(path))


def select_composites(
    paths: Iterable[str | Path], year: int, may_end_early: bool = False
) -> dict[np.datetime64, Path]:
    """Files that take part in a year (see `near_year`), by day.

    Parameters
    ----------
    may_end_early : bool
        Whether the year may go on after the last file.

    Raises
    ------
    InputError
        If a day has two files, the year has none, or two days with a file are further apart than
        `LONGEST_GAP`.
    """
    first, last = np.datetime64(f"{year}-01-01"), np.datetime64(f"{year}-12-31")
    days: dict[np.datetime64, Path] = {}
    for path in near_year(paths, year):
        date = composite_date(path)
        if date in days:
            raise InputError(
                "a day has two MODIS files",
                file=path,
                found=f"{date} is also in {days[date]}",
                expected="one file a day",
                fix="keep the one with the later production time (the last number of the name)",
            )
        days[date] = path
    if not any(first <= date <= last for date in days):
        raise InputError(
            "a year has no MODIS file",
            file="inputs.modis.path",
            found=f"no file of {year}",
            expected=f"files of {year}, every day or every eighth",
            fix="download them, or take the year out of config.yaml",
        )
    dates = np.array(sorted(days))
    _check_gaps(dates, first, min(last, dates[-1]) if may_end_early else last)
    return {date: days[date] for date in dates}


def _check_gaps(dates: np.ndarray, first: np.datetime64, last: np.datetime64) -> None:
    """Refuse gaps that touch the year; a border without a file beyond it counts as an end."""
    ends = [*([first] if dates[0] > first else []), *dates, *([last] if dates[-1] < last else [])]
    gaps = [
        f"{a} to {b}"
        for a, b in pairwise(ends)
        if (b - a).astype(int) > LONGEST_GAP and b >= first and a <= last
    ]
    if gaps:
        raise InputError(
            "MODIS files are missing",
            file="inputs.modis.path",
            found=f"no file from {'; '.join(gaps)}",
            expected=f"at most {LONGEST_GAP} days between two files",
            fix="download the missing days",
        )
