"""Selection of the MODIS files of a year: dates in their names, duplicates and gaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from tamflux.errors import InputError

LONGEST_GAP = 64
"""Largest number of days between two files; files of the year before count from so many days on."""

AFTER = 31
"""Days of the year after whose files count: its January."""


def composite_date(path: str | Path) -> np.datetime64:
    """Day of a file, from ``.AYYYYDDD.`` in its name; the nominal day of an MCD43C4 file.

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
            fix="give the file its original name",
        )
    return date


def modis_files_of_year(
    find: Callable[[int], Sequence[str | Path]], year: int, years: Mapping[str, Sequence[int]]
) -> list[Path]:
    """Files that the reflectance of a year is made of.

    They are the files of the year's own path, those of the last `LONGEST_GAP` days of the year
    before, and the January of the year after if that year trains. A later year that is of the
    product alone never counts: adding it must not change results that exist, such as a trained
    model. Copies of its January beside the year's own files do count, up to `AFTER` days.

    Parameters
    ----------
    find : callable
        Gives the files of the path of a year.
    year : int
    years : mapping
        The section `years` of the configuration.
    """
    listed = {listed for part in years.values() for listed in part}
    before = near_year(find(year - 1), year) if year - 1 in listed else []
    after = find(year + 1) if year + 1 in years["train"] else []
    return near_year([*(f for f in before if not _is_within(f, year)), *find(year), *after], year)


def _is_within(path: Path, year: int) -> bool:
    """Whether a file is dated in a year or later; False without a date."""
    try:
        return bool(composite_date(path) >= np.datetime64(f"{year}-01-01"))
    except InputError:
        return False


def near_year(paths: Iterable[str | Path], year: int) -> list[Path]:
    """Sorted files from `LONGEST_GAP` days before a year to `AFTER` days after it.

    A file without a date in its name stays in the list, so that reading it raises the error.
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
    """Files of a year and of the days around it (see `near_year`), by day.

    Parameters
    ----------
    may_end_early : bool
        Whether the last file may lie before the end of the year.

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
                expected="one file per day",
                fix="keep the one with the later production time (the last number of the name)",
            )
        days[date] = path
    if not any(first <= date <= last for date in days):
        raise InputError(
            "a year has no MODIS file",
            file="inputs.modis.path",
            found=f"no file of {year}",
            expected=f"files of {year}, every day or every eighth",
            fix="download them, or remove the year from config.yaml",
        )
    dates = np.array(sorted(days))
    _check_gaps(dates, first, min(last, dates[-1]) if may_end_early else last)
    return {date: days[date] for date in dates}


def _check_gaps(dates: np.ndarray, first: np.datetime64, last: np.datetime64) -> None:
    """Refuse long gaps that touch the year, bounded by a file or the start or end of the year."""
    bounds = [*([first] if dates[0] > first else []), *dates, *([last] if dates[-1] < last else [])]
    gaps = [
        f"{a} to {b}"
        for a, b in pairwise(bounds)
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
