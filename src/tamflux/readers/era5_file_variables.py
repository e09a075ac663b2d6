"""One raw ERA5 variable in one file: its daily statistic, its conversion, its missing days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.readers.cds_files import field_bounds, read_fields
from tamflux.readers.era5_variables import (
    CATALOGUE_UNITS,
    RAW,
    guess_unit,
    known_units,
    plain_unit,
)

_ZERO = 1e-6
"""Share of the largest valid value up to which packing may turn a zero into another value."""
_TOLERANCE = 1e-3
"""Share of the valid range by which rounding may exceed it; such values are clipped."""


@dataclass(frozen=True)
class FileVariable:
    """One raw variable in one file.

    Attributes
    ----------
    path, label : Path, str
        The NetCDF file, and its name in messages (with the zip it came from).
    name, variable : str
        Name in the file, and raw variable (`t2m_min` for a daily minimum of `t2m`).
    units, seconds : str, float
        Unit in the file, and the time that an accumulated value spans.
    factor, offset : float
        Conversion to the catalogue's unit.
    time, chunk : str, int
        Name of the time axis, and time steps in a chunk.
    timestamps : numpy.ndarray
        (step,) datetime64[h].
    preliminary : numpy.ndarray
        (step,) bool, whether a step is preliminary ERA5T.
    lat, lon : numpy.ndarray
        Degrees of the nodes, ascending.
    """

    path: Path
    label: str
    name: str
    variable: str
    units: str
    seconds: float
    factor: float
    offset: float
    time: str
    chunk: int
    timestamps: np.ndarray
    preliminary: np.ndarray
    lat: np.ndarray
    lon: np.ndarray


def chunk_steps(variable: netCDF4.Variable, time: netCDF4.Variable) -> int:
    """Time steps in a chunk of a variable."""
    sizes = variable.chunking()
    if not isinstance(sizes, list) or not time.dimensions:
        return 1
    return sizes[variable.dimensions.index(time.dimensions[0])]


def mask_zeros(
    fields: np.ndarray, bounds: np.ndarray, part: FileVariable
) -> tuple[np.ndarray, np.ndarray]:
    """Fields and their bounds with NaN in place of zeros that stand for no data.

    Providers set variables to 0 over sea. A zero is taken for missing where it is impossible (0 K,
    0 Pa) and in soil moisture, which is never 0 on land.

    Parameters
    ----------
    fields, bounds : numpy.ndarray
        (step, lat, lon) and (2, step) as in the file.
    """
    low, high = RAW[part.variable.split("_")[0]].valid
    if low <= part.offset <= high and part.variable != "swvl1":
        return fields, bounds
    tolerance = _ZERO * (high - part.offset) / part.factor
    if not (bounds[0] <= tolerance).any():
        return fields, bounds
    fields = np.where(np.abs(fields) <= tolerance, np.float32(np.nan), fields)
    return fields, field_bounds(fields)


def repeated_days(
    part: FileVariable, other: FileVariable, n_repeated: int, may_be_hourly: bool
) -> InputError:
    """Error for timestamps that `other`, or `part` itself, has as well."""
    fix = "take one of the files out of inputs.era5.path, or download it again"
    if may_be_hourly:
        fix = f"set inputs.era5.kind to hourly if the file is hourly; else {fix}"
    return InputError(
        "days are given more than once", file=part.label, variable=part.variable,
        found=f"{n_repeated} repeated timestamps, also in {other.label}",
        expected="each day once", fix=fix,
    )  # fmt: skip


def missing_days(
    parts: Sequence[FileVariable], missing: np.ndarray, n_wanted: int, year: int, at_end: bool
) -> InputError:
    """Error for `missing` timestamps (datetime64) of a raw variable.

    `at_end`: a timestamp marks the end of its hour.
    """
    days = np.unique((missing - int(at_end)).astype("datetime64[D]"))
    listed = ", ".join(map(str, days[:5])) + (" ..." if len(days) > 5 else "")
    fix = "download the missing days"
    if missing[0] == np.datetime64(f"{year + 1}-01-01T00"):
        fix = f"add the file with {year + 1}-01-01 00 UTC: it holds the end of the year"
    return InputError(
        "days are missing", variable=parts[0].variable,
        file=parts[0].label + (f" and {len(parts) - 1} more" if parts[1:] else ""),
        found=f"{n_wanted - len(missing)} of {n_wanted} timestamps; incomplete days: {listed}",
        expected=f"every day of {year}", fix=fix,
    )  # fmt: skip


def conversion(
    file: netCDF4.Dataset, name: str, variable: str, seconds: float, time: str, label: str
) -> tuple[str, float, float]:
    """Unit of a variable in a file, and factor and offset to the catalogue's unit.

    Parameters
    ----------
    name, variable : str
        Name in the file, and raw variable.
    seconds : float
        Time that an accumulated value spans.
    time, label : str
        Name of the time axis, and of the file in messages.

    Raises
    ------
    InputError
        If the unit is absent or unknown.
    """
    units = str(getattr(file[name], "units", ""))
    table = known_units(variable, seconds)
    if plain_unit(units) in table:
        return units, *table[plain_unit(units)]
    sample, _ = read_fields(file, name, time, slice(0, 1), label)
    raise InputError(
        "variable has an unknown unit" if units else "variable has no units",
        file=label, variable=name, found=units or "no units", expected=" or ".join(table),
        fix=guess_unit(sample, variable, table, units) or "download the right variable",
    )  # fmt: skip


def clip_to_range(
    values: np.ndarray, minima: np.ndarray, maxima: np.ndarray, parts: Sequence[FileVariable]
) -> np.ndarray:
    """Values in the valid range of their variable; excess of the order of rounding is clipped.

    Parameters
    ----------
    values : numpy.ndarray
        (field, ...) in catalogue units.
    minima, maxima : numpy.ndarray
        (field,) smallest and largest value of each field.
    parts : sequence of FileVariable
        (field,) file of each field.

    Raises
    ------
    InputError
        If a value is far out of the range, with a guess of its unit.
    """
    variable = parts[0].variable
    raw = RAW[variable.split("_")[0]]
    low, high = raw.valid
    slack = _TOLERANCE * (high - low)
    wrong = np.flatnonzero((minima < low - slack) | (maxima > high + slack))
    if len(wrong):
        n, part = wrong[0], parts[wrong[0]]
        in_file = (values[n] - part.offset) / part.factor
        others = known_units(variable, part.seconds)
        others = {u: c for u, c in others.items() if c != (part.factor, part.offset)}
        raise InputError(
            "values are outside the valid range", file=part.label, variable=part.name,
            found=f"{minima[n]:.6g} to {maxima[n]:.6g} converted from {part.units}",
            expected=f"{low:g} to {high:g} {CATALOGUE_UNITS[raw.family]}",
            fix=guess_unit(in_file, variable, others, part.units)
            or "look for unmasked fill values, a wrong unit, or a damaged file",
        )  # fmt: skip
    if np.fmin.reduce(minima) < low or np.fmax.reduce(maxima) > high:
        np.clip(values, low, high, out=values)
    return values
