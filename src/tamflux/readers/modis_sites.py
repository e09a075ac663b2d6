"""Tables of MODIS reflectance (MOD09GA) at sites."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.errors import InputError
from tamflux.files import DAMAGED_TABLE
from tamflux.readers.modis import BANDS, SCALE, VALID_DIGITAL_NUMBERS, state_is_clear

log = logging.getLogger("tamflux")

REFLECTANCES = [f"refl_b{band}" for band in BANDS]
_OTHER_NAMES = {"site": "site_id", "TIMESTAMP": "date", "time": "date"}
_STATE = ("state_1km", "state_1km_1")
_STATE_FILL = 65535
DARKEST, MIN_SAMPLE = 0.002, 20
"""No band of `MIN_SAMPLE` site-days or more has only reflectances below `DARKEST`."""


def read_site_reflectance(path: str | Path) -> pd.DataFrame:
    """Read a table of MOD09GA (or MYD09GA) surface reflectance at sites.

    Parameters
    ----------
    path : path
        Parquet or CSV with `site_id` (or `site`), `date`, `sur_refl_b01` to `sur_refl_b07` (also
        with the files' suffix `_1`) as digital numbers or as reflectance, and `state_1km` (or
        `clouds`, as in CarbonFluxBench).

    Returns
    -------
    DataFrame
        `site_id, date, refl_b1` to `refl_b7` (float32, reflectance), sorted by site and day. NaN
        where a value is fill or out of range or `state_1km` says cloud, shadow, high aerosol or
        high cirrus; snow stays, as in the cube.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, or has a day of a site twice.
    """
    path = Path(path)
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except DAMAGED_TABLE as error:
        raise _refuse(
            "the table cannot be read", path, None, str(error), "Parquet or CSV"
        ) from error
    table = table.rename(columns=_OTHER_NAMES)
    bands = [_column(table, (f"sur_refl_b{b:02d}", f"sur_refl_b{b:02d}_1"), path) for b in BANDS]
    usable = _usable(table, path)
    site, date = (table[_column(table, (name,), path)] for name in ("site_id", "date"))
    date = _days(date, path)
    if site.isna().any():
        raise _refuse("a site has no name", path, "site_id", f"{site.isna().sum()} rows", "a name")
    result = pd.DataFrame({"site_id": site.astype(str), "date": date})
    if len(double := result[result.duplicated()]):
        first = double.iloc[0]
        found = f"{first['site_id']} {first['date']:%Y-%m-%d}, {len(double)} in all"
        raise _refuse("a day of a site comes twice", path, "site_id, date", found, "each day once")
    for name, column in zip(REFLECTANCES, bands, strict=True):
        values = _as_reflectance(_numbers(table, column, path), path, column)
        result[name] = np.where(usable, values, np.nan).astype(np.float32)
    if (empty := result[REFLECTANCES].isna().all()).any():
        found = "fill and bad state only in " + ", ".join(np.array(bands)[empty])
        raise _refuse("no reflectance is usable", path, "sur_refl_b01..07", found, "clear days")
    return result.sort_values(["site_id", "date"], ignore_index=True)


def _usable(table: pd.DataFrame, path: Path) -> np.ndarray:
    """(row,) bool from `state_1km`, else from `clouds`, the cloudy share of the site's box."""
    if "clouds" in table and not any(name in table for name in _STATE):
        log.warning("%s has no state_1km: `clouds` alone is masked, not shadow or aerosol", path)
        return _numbers(table, "clouds", path) == 0
    name = _column(table, _STATE, path)
    state = np.nan_to_num(_numbers(table, name, path), nan=_STATE_FILL)
    if not ((state >= 0) & (state <= _STATE_FILL) & (state % 1 == 0)).all():
        raise _refuse("a state is no number of 16 bits", path, name,
                      f"{state.min():g} to {state.max():g}", f"0 to {_STATE_FILL}")  # fmt: skip
    return state_is_clear(state) & (state != _STATE_FILL)


def _days(column: pd.Series, path: Path) -> pd.Series:
    days = pd.to_datetime(column, errors="coerce").dt.normalize()
    if days.isna().any():
        found = repr(column[days.isna()].iloc[0])
        raise _refuse("a date cannot be read", path, "date", found, "YYYY-MM-DD")
    return days


def _column(table: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in table:
            return name
    raise _refuse("a column is missing", path, names[0], ", ".join(map(str, table)), names[0])


def _numbers(table: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    """(row,) float64 of a column, NaN where missing."""
    if not pd.api.types.is_numeric_dtype(table[column]):
        found = repr(table[column].iloc[0])[:60] if len(table) else "no row"
        raise _refuse("a column does not hold numbers", path, column, found, "numbers")
    return table[column].to_numpy(np.float64, na_value=np.nan)


def _as_reflectance(values: np.ndarray, path: Path, column: str) -> np.ndarray:
    """Digital numbers to reflectance; values that all lie below 2 are reflectance already."""
    present = values[np.isfinite(values) & (values > VALID_DIGITAL_NUMBERS[0])]
    numbers = values if present.size and present.max() > 2 else values / SCALE
    fill = ~np.isfinite(numbers) | np.isin(values, (-28672, -9999))
    in_range = (numbers >= VALID_DIGITAL_NUMBERS[0]) & (numbers <= VALID_DIGITAL_NUMBERS[1])
    bad = ~fill & ~in_range
    if bad.sum() > 0.01 * max(1, (~fill).sum()):
        raise _refuse("a reflectance is out of range", path, column,
                      f"{bad.sum()} values, such as {values[bad][0]:g}",
                      "digital numbers of -100 to 16000, or reflectance, fill -28672")  # fmt: skip
    if present.size >= MIN_SAMPLE and present.max() < DARKEST and (present > 0).any():
        raise _refuse("reflectances are far too small: they look scaled twice by 0.0001", path,
                      column, f"at most {present.max():g}",
                      f"somewhere {DARKEST:g} or more, or digital numbers")  # fmt: skip
    return np.where(in_range & ~fill, numbers * SCALE, np.nan)


def _refuse(what, path, variable, found, expected) -> InputError:
    return InputError(
        what, file=path, variable=variable, found=found, expected=expected,
        fix="correct the file or download it again",
    )  # fmt: skip
