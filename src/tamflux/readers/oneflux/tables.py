"""Read the required columns of one ONEFlux table (daily, hourly or half-hourly).

Fluxes of daily tables are in g C m-2 d-1, those of half-hourly and hourly tables in
umol CO2 m-2 s-1; units are converted in `tamflux.towers.daily`. Column names are compared in
capitals because JapanFlux writes ``NEE_vUT``.

The three fluxes are taken from one variant, so that NEE = RECO - GPP holds as well as the
provider's processing allows. It holds exactly for USTAR50 alone: the fluxes of REF may stem from
three different friction-velocity thresholds, and those of plain 50 are percentiles computed at each
time step for each flux separately (SUBSET files have no USTAR50).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.readers.oneflux.archive import Member
from tamflux.readers.oneflux.names import FileName

VARIANTS = ("VUT_USTAR50", "VUT_REF", "VUT", "VUT_50", "CUT_USTAR50", "CUT_REF", "CUT", "CUT_50")
"""Variants of the three fluxes in order of preference (JapanFlux calls its REF plain VUT)."""

BASE_NEE = ("NEE_PI", "NEE", "FC")
"""Columns of measured NEE in AmeriFlux BASE (FC: without storage), in order of preference."""

BASE_SUFFIXES = ("", "_PI", "_1_1_1", "_PI_1_1_1")
"""Endings of a column of AmeriFlux BASE, in order of preference: a single sensor, data processed by
the team of the tower, the first of several sensors. Gap-filled columns (``_F``) are not read."""

MIN_RELATIVE_COVERAGE = 0.9
"""Share of the time steps of the best variant that a preferred variant must have."""

METEOROLOGY = {
    "t2m": ("TA_F", "TA_F_MDS", "TA"),
    "vpd": ("VPD_F", "VPD_F_MDS", "VPD"),
    "ssrd": ("SW_IN_F", "SW_IN_F_MDS", "SW_IN"),
    "tp": ("P_F", "P"),
}
"""Columns of tower meteorology (degC, hPa, W m-2, mm per time step), in order of preference."""

MISSING = -9999.0

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""Bounds of the years of timestamps: eddy covariance records are not older."""

MAX_LINE = 1024**2
"""Longest header line, in bytes; FULLSET has about 5 kB."""


@dataclass(frozen=True)
class TowerTable:
    """One table in the provider's units, with the names of `tamflux.variables`.

    `frame` has ``time`` (datetime64, local standard time, start of the step), ``gpp, reco, nee``
    (in the unit of the time step), ``flag`` (the provider's quality flag of NEE; NaN where there
    is none) and the available meteorology. Missing values are NaN.
    """

    frame: pd.DataFrame
    name: FileName
    label: str
    variant: str
    steps_per_day: int
    unused: tuple[tuple[str, int], ...] = ()
    """Reasons and numbers of values that other columns of the same variable had."""


def read_table(member: Member, name: FileName) -> TowerTable:
    """Read a tower table.

    Raises
    ------
    InputError
        If the file is empty or truncated, has no timestamps, no NEE, or a value that is no number.
    """
    with member.open() as stream:
        header, rest = _read_header(stream, member)
        wanted = wanted_columns(header, name)
        raw = _parse(rest, header, wanted, member)
    if raw.empty:
        raise InputError("the table has no rows", file=member.label, expected="one row a time step")
    if member.inner is None:  # the checksum of a zip finds this by itself
        _check_last_line(member, len(header))
    time, steps = _timestamps(raw, name, member)
    frame = pd.DataFrame({"time": time})
    unused: list[tuple[str, int]] = []
    variant = _add_fluxes(frame, raw, name, member, unused)
    for variable in METEOROLOGY:
        columns = [c for c in _columns_of(variable, name) if c in raw and raw[c].notna().any()]
        if columns:
            # TA_F of ONEFlux contains TA_F_MDS: only in BASE do columns compete
            frame[variable] = _first_valid(raw, columns, unused if _is_base(name) else [])[0]
    return TowerTable(frame, name, member.label, variant, steps, tuple(unused))


def read_first_timestamp(member: Member, name: FileName) -> np.datetime64:
    """First timestamp of a table; only its first lines are read.

    Raises
    ------
    InputError
        If the header or the first row is not that of a tower table with NEE.
    """
    with member.open() as stream:
        header, rest = _read_header(stream, member)
        line = rest.readline()
    wanted = wanted_columns(header, name)
    if not any(column.startswith(("NEE", "FC")) for column in wanted):
        raise _no_nee(member)
    raw = _parse(io.BytesIO(line), header, wanted, member)
    if raw.empty:
        raise InputError("the table has no rows", file=member.label, expected="one row a time step")
    return _timestamps(raw, name, member)[0][0]


def _read_header(stream, member: Member) -> tuple[list[str], io.BufferedReader]:
    """Column names in capitals, and the stream after them; leading lines with ``#`` are skipped."""
    rest = io.BufferedReader(stream, 1024**2)
    line = rest.readline(MAX_LINE)
    while line.startswith(b"#"):
        line = rest.readline(MAX_LINE)
    text = line.decode("utf-8-sig", errors="replace").strip()
    if not text:
        raise InputError(
            "the file is empty", file=member.label, expected="a header line with column names"
        )
    header = [column.strip(' "').upper() for column in text.split(",")]
    if not any(column in ("TIMESTAMP", "TIMESTAMP_START") for column in header):
        raise InputError(
            "the table has no timestamps",
            file=member.label,
            found=ascii(text[:80]),
            expected="a column TIMESTAMP or TIMESTAMP_START",
        )
    return header, rest


def _is_base(name: FileName) -> bool:
    return name.network == "AmeriFlux BASE"


def _columns_of(variable: str, name: FileName) -> list[str]:
    """Columns of a meteorological variable in order of preference."""
    columns = METEOROLOGY[variable]
    return [columns[-1] + end for end in BASE_SUFFIXES] if _is_base(name) else list(columns)


def _base_nee_columns() -> list[str]:
    """Columns of NEE in AmeriFlux BASE in order of preference."""
    return [column + end for column in BASE_NEE for end in ("", "_1_1_1")]


def _time_column(header: list[str]) -> str:
    return "TIMESTAMP_START" if "TIMESTAMP_START" in header else "TIMESTAMP"


def wanted_columns(header: list[str], name: FileName) -> list[str]:
    """Columns of a table that are read, in the order of its header."""
    wanted = {_time_column(header)}
    if _is_base(name):
        wanted.update(_base_nee_columns())
    else:
        for variant in VARIANTS:
            wanted |= {f"NEE_{variant}", f"NEE_{variant}_QC"}
            wanted |= {f"GPP_NT_{variant}", f"RECO_NT_{variant}"}
    for variable in METEOROLOGY:
        wanted.update(_columns_of(variable, name))
    return [column for column in header if column in wanted]


def _parse(rest, header: list[str], wanted: list[str], member: Member) -> pd.DataFrame:
    """Parse the wanted columns as float64; -9999 becomes NaN, infinity is rejected later.

    Timestamps remain text.
    """
    positions = sorted({header.index(column) for column in wanted})
    types: dict[int, type] = dict.fromkeys(positions, np.float64)
    types[header.index(_time_column(header))] = str
    try:
        raw = pd.read_csv(
            rest, header=None, names=range(len(header)), usecols=positions, dtype=types,
            encoding_errors="replace", index_col=False,
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        if "No columns to parse" in str(error):
            return pd.DataFrame(columns=wanted, dtype=np.float64)
        expected = f"numbers in {len(header)} columns"
        raise _damaged(member, "the table cannot be read", str(error)[:200], expected) from error
    raw.columns = [header[position] for position in positions]
    numbers = raw.columns.drop(_time_column(header))
    raw[numbers] = raw[numbers].mask(raw[numbers] == MISSING)
    return raw


def _check_last_line(member: Member, columns: int) -> None:
    """Refuse a table that is cut off within its last line."""
    with member.open() as stream:
        stream.seek(-min(MAX_LINE, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        last = stream.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
    found = last.count(b",") + 1
    if found < columns:
        what = "the table is cut off within its last line"
        raise _damaged(member, what, f"{found} columns in the last line", f"{columns} columns")


def _timestamps(raw: pd.DataFrame, name: FileName, member: Member):
    """Start of each step in local standard time, and the number of steps a day."""
    column = _time_column(list(raw))
    daily = name.resolution == "DD"
    digits, form = (8, "%Y%m%d") if daily else (12, "%Y%m%d%H%M")
    text = raw[column].fillna("nan").str.strip().str.removesuffix(".0")
    text = text.str.replace(r"(?<=\d)[-:T ]", "", regex=True)  # 2001-01-31 00:30 in some releases
    text = text.str.slice(0, 8) if daily else text.str.replace(r"^(\d{12})00$", r"\1", regex=True)
    time = pd.to_datetime(text, format=form, errors="coerce")
    bad = time.isna() | (text.str.len() != digits)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        what = "a timestamp cannot be read; the file may be truncated"
        found = f"{text.iloc[row]} in data row {row + 1}"
        raise _damaged(member, what, found, "YYYYMMDD" if daily else "YYYYMMDDHHMM", column)
    outside = (time.dt.year < FIRST_YEAR) | (time.dt.year > LAST_YEAR)
    if outside.any():
        what = "a timestamp is outside the years of flux measurements"
        found, expected = text[outside].iloc[0], f"{FIRST_YEAR} to {LAST_YEAR}"
        raise _damaged(member, what, found, expected, column)
    steps = {"DD": 1, "HH": 48, "HR": 24}[name.resolution]
    apart = np.diff(np.sort(time.unique()))
    if len(apart) and np.median(apart) != (step := np.timedelta64(1440 // steps, "m")):
        raise InputError(
            "the time step is not the one in the file name",
            file=member.label,
            variable=column,
            found=f"most timestamps {np.median(apart).astype('timedelta64[m]')} apart",
            expected=f"{step} ({name.resolution})",
            fix="restore the file name of the provider",
        )
    return time.to_numpy(), steps


def _add_fluxes(
    frame: pd.DataFrame, raw: pd.DataFrame, name: FileName, member: Member, unused: list
) -> str:
    """Add gpp, reco, nee and flag; return the variant, or the columns of NEE in AmeriFlux BASE."""
    if _is_base(name):
        columns = [c for c in _base_nee_columns() if c in raw and raw[c].notna().any()]
        if not columns:
            raise _no_nee(member)
        nee, used = _first_valid(raw, columns, unused)
        frame["gpp"], frame["reco"], frame["nee"], frame["flag"] = np.nan, np.nan, nee, np.nan
        return " + ".join(used)
    variant = _choose_variant(raw, unused)
    if variant is None:
        raise _no_nee(member)
    columns = [f"GPP_NT_{variant}", f"RECO_NT_{variant}", f"NEE_{variant}", f"NEE_{variant}_QC"]
    for variable, column in zip(("gpp", "reco", "nee", "flag"), columns, strict=True):
        frame[variable] = raw[column].to_numpy() if column in raw else np.nan
    return variant


def _first_valid(
    raw: pd.DataFrame, columns: list[str], unused: list
) -> tuple[np.ndarray, list[str]]:
    """Value of the first column that has one, at each time step, and the columns that are used.

    Values of the other columns at the same time steps are added to `unused`.
    """
    values = np.full(len(raw), np.nan)
    used: list[str] = []
    for column in columns:
        found = raw[column].to_numpy()
        free = np.isnan(values)
        n_unused = int((~np.isnan(found) & ~free).sum())
        if n_unused:
            unused.append((f"{column} not used where {' or '.join(used)} has a value", n_unused))
        if (free & ~np.isnan(found)).any():
            values[free] = found[free]
            used.append(column)
    return values, used


def _choose_variant(raw: pd.DataFrame, unused: list) -> str | None:
    """Preferred variant among those that cover most time steps; None without any NEE.

    Time steps with all three fluxes count, or those with NEE if no variant has all three. Variants
    are not mixed within a table, because they differ in their friction-velocity thresholds.
    """
    nee = {v: raw[f"NEE_{v}"].notna() for v in VARIANTS if f"NEE_{v}" in raw}
    complete = {
        v: here & raw[f"GPP_NT_{v}"].notna() & raw[f"RECO_NT_{v}"].notna()
        for v, here in nee.items()
        if {f"GPP_NT_{v}", f"RECO_NT_{v}"} <= set(raw)
    }
    if not any(here.any() for here in complete.values()):
        complete = nee
    most = max((int(here.sum()) for here in complete.values()), default=0)
    if most == 0:
        return None
    variant = next(v for v, n in complete.items() if n.sum() >= MIN_RELATIVE_COVERAGE * most)
    other = {v: int((here & ~nee[variant]).sum()) for v, here in nee.items()}
    for name, n in other.items():
        if n:
            unused.append((f"variant {name} not used where {variant} has no NEE", n))
    return variant


def _damaged(member: Member, what, found, expected, variable=None) -> InputError:
    """Error for a table that is not as its provider made it."""
    return InputError(
        what, file=member.label, variable=variable, found=found, expected=expected,
        fix="get the file again from its provider",
    )  # fmt: skip


def _no_nee(member: Member) -> InputError:
    return InputError(
        "the table has no NEE",
        file=member.label,
        variable="NEE",
        found="no NEE column, or only missing values",
        expected="one of " + ", ".join(f"NEE_{v}" for v in VARIANTS) + ", or NEE_PI, FC (BASE)",
    )
