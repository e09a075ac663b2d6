"""Inputs that are believable but wrong: sound files whose numbers are of something else.

Scaled (sums and means, units), shifted by hours or days, another statistic, another version, a
part of the region or of the time missing. Each has to be noticed (refused), flagged (listed among
the rejections) or harmless: no array then differs by more than `HARMLESS` of its spread.
"""

from __future__ import annotations

import shutil
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd

from tamflux.errors import TamfluxError

from .trial import REJECTIONS, Reader

NOTICED = ("noticed", "flagged", "harmless")
BELIEVED = "believed"
HARMLESS = 0.25
"""Root mean square difference, in standard deviations of the undamaged array.

A value that is missing where the damage removed it is honest, and does not count.
"""
ERA5_FACTORS = (1 / 86400, 1 / 3600, 1 / 1000, 1 / 24, 1 / 6, 6, 24, 1000, 3600)
"""Mean and sum over hours or a day, mm and m, J and W, 4 of 24 hours."""
FLUX_FACTORS = (1 / 1000, 12 / 44 / 1000, 1e3, 44 / 12 * 1e3, 1e6)
"""kg and g, CO2 and C, mg and g."""


def try_believable(
    reader: Reader, number: int, seed: int, whole: Path, expected: dict
) -> tuple[str, str, str]:
    """Damage a copy of the folder `whole` believably and read it.

    Returns
    -------
    how, outcome, text : str
        The damage, one of `NOTICED` or `BELIEVED`, and what the reader said.
    """
    damages = DAMAGES[reader.name]
    rng = np.random.default_rng([seed, number, *reader.name.encode()])
    kind = list(damages)[number % len(damages)]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "input"
        shutil.copytree(whole, folder)
        how = f"{kind}: {damages[kind](folder, rng)}"
        try:
            values = reader.read(folder)
        except TamfluxError as error:
            return how, "noticed", str(error)
        except BaseException as error:
            return how, "traceback", f"{error!r}\n{traceback.format_exc(limit=-4)}"
    if set(values.get(REJECTIONS, ())) - set(expected.get(REJECTIONS, ())):
        return how, "flagged", ""
    worst = {name: _difference(values, expected, name) for name in expected if name != REJECTIONS}
    name = max(worst, key=worst.__getitem__)
    outcome = "harmless" if worst[name] <= HARMLESS else BELIEVED
    return how, outcome, f"{name} differs by {worst[name]:.3g} standard deviations"


def _difference(values: dict, expected: dict, name: str) -> float:
    """Root mean square difference of an array, in standard deviations of the expected one."""
    then, now = expected[name], values.get(name)
    if now is None or now.shape != then.shape or now.dtype.kind not in "fiu":
        return 0.0 if now is not None and np.array_equal(now, then) else np.inf
    if np.isnan(now).all() and not np.isnan(then).all():
        return np.inf
    spread = np.nanstd(then) or 1.0
    return float(np.sqrt(np.nanmean((now.astype(float) - then) ** 2)) / spread)


def _era5(change: Callable, patterns: tuple[str, ...]):
    """Damage one of the files that fit the patterns: `change(file, variable, rng)` says how."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        path = next(folder.glob(patterns[rng.integers(len(patterns))]))
        with netCDF4.Dataset(path, "a") as file:
            variable = next(v for v in file.variables.values() if v.ndim == 3)
            return f"{path.name}, {change(file, variable, rng)}"

    return apply


def _scale(file, variable, rng) -> str:
    factor = ERA5_FACTORS[rng.integers(len(ERA5_FACTORS))]
    variable[:] = (factor * variable[:]).astype(variable.dtype)
    return f"times {factor:g}"


def _warm(file, variable, rng) -> str:
    change = float(rng.choice([-1, 1]) * rng.uniform(15, 40))
    variable[:] = variable[:] + change
    return f"plus {change:.0f}"


def _shift_time(file, variable, rng) -> str:
    unit = file["valid_time"].units.split()[0]
    per_day = {"seconds": 86400, "hours": 24, "days": 1}[unit]
    days = float(rng.choice([-1, 1]) * rng.integers(1, 20))
    file["valid_time"][:] = file["valid_time"][:] + (days * per_day)
    return f"time plus {days:g} days"


def _shift_hours(file, variable, rng) -> str:
    hours = int(rng.choice([h for h in range(-11, 13) if h]))
    file.setncattr("history", f"daily_reduce(how=mean, **{ {'time_shift': {'hours': hours}} })")
    return f"days shifted by {hours} hours"


def _other_statistic(file, variable, rng) -> str:
    how = str(rng.choice(["median", "std", "sum", "first", "last"]))
    file.setncattr("history", f"daily_reduce(how={how}, **{{'time_shift': {{'hours': 0}}}})")
    return f"how={how}"


def _other_version(file, variable, rng) -> str:
    version = f"{rng.integers(6, 9999):04d}"
    file.createVariable("expver", str, ())[...] = version
    return f"experiment {version}"


def _part_missing(file, variable, rng) -> str:
    begin, size = int(rng.integers(0, 330)), int(rng.integers(3, 35))
    row, col = int(rng.integers(1, 3)), int(rng.integers(0, 6))
    block = np.ma.filled(variable[begin : begin + size].astype(float), np.nan)
    block[:, row : row + 2, col : col + 3] = np.nan
    variable[begin : begin + size] = block
    return f"{size} days of a region missing"


def _csv_of_zip(pattern: str, change: Callable):
    """Damage a table in one of the zips of a folder."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        for path in sorted(folder.glob("*.zip")):
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            for name in members:
                if pattern in name:
                    table = pd.read_csv(pd.io.common.BytesIO(members[name]))
                    how = change(table, rng)
                    members[name] = table.to_csv(index=False).encode()
                    with zipfile.ZipFile(path, "w") as archive:
                        for other, content in members.items():
                            archive.writestr(zipfile.ZipInfo(other), content)
                    return f"{name}, {how}"
        raise FileNotFoundError(pattern)

    return apply


def _scale_fluxes(table: pd.DataFrame, rng) -> str:
    factor = FLUX_FACTORS[rng.integers(len(FLUX_FACTORS))]
    for column in table.columns:
        if column.startswith(("NEE_", "GPP_", "RECO_")) and not column.endswith("_QC"):
            table[column] = table[column].where(table[column] == -9999, table[column] * factor)
    return f"fluxes times {factor:g}"


def _miss_flux(table: pd.DataFrame, rng) -> str:
    begin, size = int(rng.integers(0, len(table) // 2)), len(table) // 4
    column = next(c for c in table.columns if c.startswith("NEE_") and not c.endswith("_QC"))
    table.loc[begin : begin + size, column] = -9999
    return f"{size} rows of {column} missing"


def _other_flag(table: pd.DataFrame, rng) -> str:
    column = next(c for c in table.columns if c.startswith("NEE_") and c.endswith("_QC"))
    table[column] = table[column] * float(rng.choice([2, 3, 100]))
    return f"{column} of another scale"


_SUMS = ("total_prec*", "*solar*", "*thermal*")
_MEANS = ("2m_temp*mean*", "2m_dew*", "surface_pressure*", "vol*")
DAMAGES = {
    "ERA5, days": {
        "scaled": _era5(_scale, _SUMS),
        "shifted by days": _era5(_shift_time, (*_SUMS, *_MEANS)),
        "shifted by hours": _era5(_shift_hours, _MEANS),
        "another statistic": _era5(_other_statistic, _MEANS),
        "another version": _era5(_other_version, (*_SUMS, *_MEANS)),
        "part missing": _era5(_part_missing, (*_SUMS, *_MEANS)),
        "too warm or cold": _era5(_warm, ("2m_temp*mean*",)),
    },
    "towers, zips": {
        "scaled": _csv_of_zip("FULLSET_DD", _scale_fluxes),
        "scaled half-hours": _csv_of_zip("FULLSET_HH", _scale_fluxes),
        "part missing": _csv_of_zip("FULLSET_DD", _miss_flux),
        "another flag": _csv_of_zip("FULLSET_DD", _other_flag),
    },
}
"""Kinds of damage by the name of the reader."""
