"""Quality control of a tower's days: impossible values are removed and listed with their reason.

Values are removed, never changed: negative GPP or RECO is noise of the partitioning, and clipping
it would bias the mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.files import plain_text
from tamflux.readers.oneflux.tables import METEOROLOGY as COLUMNS
from tamflux.readers.oneflux.tables import TowerTable
from tamflux.towers.daily import FLUX_NAMES
from tamflux.units import is_kilopascal, likely_units
from tamflux.variables import FLUXES, METEOROLOGY, Variable

REJECTED_COLUMNS = ("site_id", "file", "what", "reason", "n")

MAX_OUTSIDE = 0.2
"""Share of a column that may lie out of range; a larger one indicates another unit."""

MIN_CLOSURE = 0.5
"""Smallest correlation of NEE with RECO - GPP. Real files have 0.95 to 1.00; a wrong sign or mixed
units give a negative or a low one."""

MIN_DEVIATION = 0.01
"""Smallest standard deviation of daily NEE in g m-2 d-1; a year of polar desert has several times
that, and fluxes in kg m-2 d-1 less."""


_FLUX_UNITS = {
    "DD": {"gcm-2d-1", "gcm-2day-1", "gc/m2/d", "gcm^-2d^-1"},
    "HH": {"umolco2m-2s-1", "umolm-2s-1", "µmolco2m-2s-1", "μmolco2m-2s-1", "µmolm-2s-1"},
}
COLUMN_UNITS = {
    "t2m": {"degc", "deg.c", "c", "celsius", "degreec", "°c"},
    "vpd": {"hpa"},
    "ssrd": {"wm-2", "w/m2", "wm^-2"},
    "tp": {"mm", "mmd-1", "mmday-1"},
}
"""Spellings of the units in which the columns of a table are understood, without spaces."""


class Rejections:
    """List of rejected sites, files, days and values, with reasons and counts."""

    def __init__(self):
        self._rows: list[tuple] = []

    def add(self, site_id: str, file: str, what: str, reason: str, n: int = 1) -> None:
        """Add an entry, unless `n` is 0."""
        if n:
            row = site_id, plain_text(file), what, plain_text(reason), int(n)
            self._rows.append(row)

    def to_frame(self) -> pd.DataFrame:
        """All entries, ordered by site, file, what and reason."""
        frame = pd.DataFrame(self._rows, columns=list(REJECTED_COLUMNS))
        return frame.sort_values(list(REJECTED_COLUMNS[:4]), ignore_index=True)


def refuse_units(
    table: TowerTable, units: dict[str, str], site_id: str, rejected: Rejections
) -> TowerTable:
    """Table without meteorology whose declared unit is another one than expected.

    Parameters
    ----------
    units : dict
        Column (in capitals) -> unit, from a BIFVARINFO file.

    Raises
    ------
    InputError
        If a flux is declared in another unit.
    """
    expected = _FLUX_UNITS["DD" if table.steps_per_day == 1 else "HH"]
    for column in (f"NEE_{table.variant}", *table.variant.split(" + "),
                   f"GPP_NT_{table.variant}", f"RECO_NT_{table.variant}"):  # fmt: skip
        unit = units.get(column, "")
        if unit and _plain_unit(unit) not in expected:
            raise InputError(
                "a flux has another unit", file=table.label, variable=column, found=unit,
                expected=sorted(expected)[-1], fix="convert it, or correct the BIFVARINFO file",
            )  # fmt: skip
    frame = table.frame
    for name, known in COLUMN_UNITS.items():
        declared = next((c for c in COLUMNS[name] if c in units), "")
        if declared and name in frame and _plain_unit(units[declared]) not in known:
            reason = f"{declared} is in {units[declared]}, expected {METEOROLOGY[name].units}"
            rejected.add(site_id, table.label, "value", reason, frame[name].notna().sum())
            frame = frame.drop(columns=name)
    return replace(table, frame=frame)


def _plain_unit(unit: str) -> str:
    return "".join(unit.lower().split())


def drop_repeated(
    frame: pd.DataFrame, site_id: str, file: str, what: str, rejected: Rejections
) -> pd.DataFrame:
    """Make each ``time`` of a table unique, and list the removed rows.

    The first of identical rows is kept. Rows that differ at the same time are all removed, because
    nothing tells which is right. `what` is ``day`` for a daily table, ``value`` for a finer one.
    """
    same = frame.duplicated()
    rejected.add(site_id, file, what, "timestamp repeated with the same values", same.sum())
    frame = frame[~same]
    differ = frame["time"].duplicated(keep=False)
    reason = "timestamp repeated with different values"
    rejected.add(site_id, file, what, reason, differ.sum())
    return frame[~differ].reset_index(drop=True)


def check_days(
    days: pd.DataFrame, site_id: str, file: str, max_abs_flux: float, rejected: Rejections
) -> pd.DataFrame:
    """Remove impossible values from one source's days, and list them.

    Parameters
    ----------
    days : pandas.DataFrame
        ``date, gpp, reco, nee, qc`` and meteorology, see `tamflux.towers.daily.aggregate_days`.
    max_abs_flux : float
        g m-2 d-1; a larger flux is rejected.

    Returns
    -------
    pandas.DataFrame
        Days with at least one flux and a quality, in order of time.
    """
    fluxes = list(FLUX_NAMES)
    days = days.copy()
    for flux in fluxes:
        variable = replace(FLUXES[flux], valid_min=-max_abs_flux, valid_max=max_abs_flux)
        reason = f"{flux} beyond towers.max_abs_flux ({max_abs_flux:g} g m-2 d-1)"
        _remove_out_of_range(days, variable, reason, site_id, file, rejected)
    for name in sorted(METEOROLOGY.keys() & set(days)):
        variable = METEOROLOGY[name]
        low, high = variable.valid_min, variable.valid_max
        reason = f"{name} outside {low:g} to {high:g} {variable.units}"
        _remove_out_of_range(days, variable, reason, site_id, file, rejected)
    if {"vpd", "t2m"} <= set(days) and is_kilopascal(days["vpd"], days["t2m"]):
        reason = "vpd is a tenth of what air of this temperature has: the values look like kPa"
        rejected.add(site_id, file, "value", reason, days["vpd"].notna().sum())
        days["vpd"] = np.nan
    days = days[days[fluxes].notna().any(axis=1)]
    unknown = days["qc"].isna()
    rejected.add(site_id, file, "day", "fluxes without a quality flag of NEE", unknown.sum())
    outside = (days["qc"] < 0) | (days["qc"] > 1)
    rejected.add(site_id, file, "day", "quality flag of NEE outside its range", outside.sum())
    return days[~unknown & ~outside].sort_values("date", ignore_index=True)


def _remove_out_of_range(
    days: pd.DataFrame,
    variable: Variable,
    reason: str,
    site_id: str,
    file: str,
    rejected: Rejections,
) -> None:
    """Remove the values of a column beyond its range; the column if they exceed `MAX_OUTSIDE`."""
    values = days[variable.name]
    bad = (values < variable.valid_min) | (values > variable.valid_max)
    if bad.sum() > MAX_OUTSIDE * values.notna().sum():
        low, high = values.quantile([0.02, 0.98])
        looks = likely_units(low, high, variable)
        reason += f" on {bad.sum()} days: the whole column is left out"
        reason += f"; the values look like {looks}" if looks else ""
        bad = values.notna()
    rejected.add(site_id, file, "value", reason, bad.sum())
    days[variable.name] = values.mask(bad)


def closure_problem(days: pd.DataFrame) -> str:
    """Reason why NEE contradicts RECO - GPP, "" if it does not."""
    triple = days[list(FLUX_NAMES)].dropna()
    if len(triple) < 30:
        return ""
    balance = triple["reco"] - triple["gpp"]
    if balance.std() == 0 or triple["nee"].std() == 0:
        return "a flux has the same value on every day"
    if triple["nee"].std() < MIN_DEVIATION:
        return (
            f"NEE hardly varies (standard deviation {triple['nee'].std():.2g}, expected at least "
            f"{MIN_DEVIATION} g m-2 d-1): check the unit, it may be kg m-2 d-1"
        )
    correlation = float(np.corrcoef(triple["nee"], balance)[0, 1])
    if correlation >= MIN_CLOSURE:
        return ""
    return (
        f"NEE does not follow RECO - GPP (correlation {correlation:.2f}, expected at least "
        f"{MIN_CLOSURE}): check the signs and units of the columns"
    )
