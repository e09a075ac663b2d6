"""One raw ERA5 variable in one file: which statistic it is, how it is converted, what it lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.errors import InputError
from tamflux.readers.cds_files import read_fields
from tamflux.readers.era5_variables import (
    CATALOGUE_UNITS,
    RAW,
    STATISTICS,
    guess_unit,
    known_units,
    plain_unit,
)

_TOLERANCE = 1e-3
"""Values beyond the valid range by less than this share of it are rounding: they are clipped."""


@dataclass(frozen=True)
class Layer:
    """One raw variable in one file: where it is, when, on which nodes, how to convert it."""

    path: Path
    label: str
    name: str
    role: str
    units: str
    seconds: float
    factor: float
    offset: float
    time: str
    chunk: int
    stamps: np.ndarray
    lat: np.ndarray
    lon: np.ndarray


def statistic_of(variable: netCDF4.Variable, label: str) -> str | None:
    """Daily statistic of a variable: by its name, its cell_methods, its member, its file."""
    names = [Path(part).name for part in reversed(label.rstrip(")").split(" ("))]
    for text in (variable.name, getattr(variable, "cell_methods", ""), *names):
        words = [w for w in re.findall("[a-z]+", text.lower()) if w in STATISTICS]
        if words:
            return STATISTICS[words[-1]]
    return None


def chunk_steps(variable: netCDF4.Variable, time: netCDF4.Variable) -> int:
    """Time steps in a chunk of a variable."""
    sizes = variable.chunking()
    if not isinstance(sizes, list) or not time.dimensions:
        return 1
    return sizes[variable.dimensions.index(time.dimensions[0])]


def check_present(least: np.ndarray, layer: Layer, steps: slice) -> None:
    empty = np.isnan(least)
    if empty.any():
        stamps = layer.stamps[steps][empty]
        raise InputError(
            "a field is missing everywhere", file=layer.label, variable=layer.name,
            found=f"{empty.sum()} empty fields, first {stamps[0]}", expected="values",
            fix="download the file again",
        )  # fmt: skip


def repeated_days(layer: Layer, other: Layer, n_repeated: int, may_be_hourly: bool) -> InputError:
    """The problem of stamps of a layer that `other`, or the layer itself, has too."""
    return InputError(
        "days are given more than once",
        file=layer.label,
        variable=layer.role,
        found=f"{n_repeated} repeated stamps, also in {other.label}",
        expected="each day once",
        fix="set inputs.era5.kind to hourly if the file is hourly, else take one of the files "
        "out of inputs.era5.path"
        if may_be_hourly
        else "take one of the files out of inputs.era5.path, or download it again",
    )


def missing_days(
    layers: Sequence[Layer], missing: np.ndarray, n_wanted: int, year: int, at_end: bool
) -> InputError:
    """The problem of `missing` stamps (datetime64) of a raw variable, `at_end` of their hours."""
    days = np.unique((missing - int(at_end)).astype("datetime64[D]"))
    next_year = missing[0] == np.datetime64(f"{year + 1}-01-01T00")
    listed = ", ".join(map(str, days[:5])) + (" ..." if len(days) > 5 else "")
    return InputError(
        "days are missing",
        file=layers[0].label + (f" and {len(layers) - 1} more" if layers[1:] else ""),
        variable=layers[0].role,
        found=f"{n_wanted - len(missing)} of {n_wanted} stamps; incomplete days: {listed}",
        expected=f"every day of {year}",
        fix=f"add the file with {year + 1}-01-01 00 UTC: it holds the end of the year"
        if next_year
        else "download the missing days",
    )


def conversion(
    file: netCDF4.Dataset, name: str, role: str, seconds: float, time: str, label: str
) -> tuple[str, float, float]:
    """Unit of a variable in a file, and factor and offset to the catalogue's."""
    units = str(getattr(file[name], "units", ""))
    table = known_units(role, seconds)
    if plain_unit(units) in table:
        return units, *table[plain_unit(units)]
    sample, _ = read_fields(file, name, time, slice(0, 1), label)
    raise InputError(
        "variable has an unknown unit" if units else "variable has no units",
        file=label, variable=name, found=units or "no units", expected=" or ".join(table),
        fix=guess_unit(sample, role, table, units) or "download the right variable",
    )  # fmt: skip


def clip_to_range(
    values: np.ndarray, least: np.ndarray, most: np.ndarray, layers: Sequence[Layer]
) -> np.ndarray:
    """Values in the valid range of their variable; what lies beyond by rounding is clipped.

    Parameters
    ----------
    values : numpy.ndarray
        (field, ...) in catalogue units.
    least, most : numpy.ndarray
        (field,) smallest and largest value of each.
    layers : sequence of Layer
        (field,) where each comes from.

    Raises
    ------
    InputError
        If a value is far out of the range, with a guess of its unit.
    """
    role = layers[0].role
    raw_variable = RAW[role.split("_")[0]]
    low, high = raw_variable.valid
    slack = _TOLERANCE * (high - low)
    wrong = np.flatnonzero((least < low - slack) | (most > high + slack))
    if len(wrong):
        layer = layers[wrong[0]]
        raw = (values[wrong[0]] - layer.offset) / layer.factor
        table = known_units(role, layer.seconds)
        others = {u: c for u, c in table.items() if c != (layer.factor, layer.offset)}
        raise InputError(
            "values are outside the valid range", file=layer.label, variable=layer.name,
            found=f"{least[wrong[0]]:.6g} to {most[wrong[0]]:.6g} converted from {layer.units}",
            expected=f"{low:g} to {high:g} {CATALOGUE_UNITS[raw_variable.family]}",
            fix=guess_unit(raw, role, others, layer.units)
            or "look for unmasked fill values, a wrong unit, or a damaged file",
        )  # fmt: skip
    if least.min() < low or most.max() > high:
        np.clip(values, low, high, out=values)
    return values
