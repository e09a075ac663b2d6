"""Tables as numbers with their ranges, and changes that make faulty tables of whole ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES, PREDICTORS

CODES = {
    "igbp": ("", *IGBP_CLASSES),
    "koppen": ("", *KOPPEN_CLASSES),
    "koppen_group": tuple("ABCDE"),
}
SIDES = {f"split_{name}": ("train", "test") for name in ("igbp", "koppen")}
RANGES = (
    {name: (kind.valid_min, kind.valid_max) for name, kind in (PREDICTORS | FLUXES).items()}
    | {name: (0, len(known) - 1) for name, known in (CODES | SIDES).items()}
    | {f"igbp_{name}": (0, 1) for name in IGBP_CLASSES}
    | {"qc": (0, 1), "filled": (0, 1), "fold": (-1, 9), "lat": (-90, 90), "lon": (-180, 180),
       "elevation": (-500, 9000), "utc_offset": (-12, 14), "date": (0, 365.25 * 131)}
)  # fmt: skip
"""Ranges of every column that later stages compute with; others are text."""


def columns(frame: pd.DataFrame, optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Columns by site, as numbers: days since 1970, classes as their position in the list.

    Those of `optional` that a site has not are left out.
    """
    values = {}
    for site, rows in frame.groupby("site_id"):
        for name, column in rows.items():
            known = (CODES | SIDES).get(name)
            if known:
                codes = dict(zip(known, range(len(known)), strict=True))
                column = column.fillna("").map(codes).fillna(-1)
            elif name == "date":
                column = (pd.to_datetime(column) - pd.Timestamp(0)) / pd.Timedelta(days=1)
            if name in optional and column.isna().all():
                continue
            if name in RANGES or str(name).startswith("climate_"):
                values[f"{name}@{site}"] = column.to_numpy(float)
    return values


def csv(pattern: str, change):
    """A fault of one CSV file: `change(frame)` returns the frame to write."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)

    return apply


def setting(column: str, value, rows=slice(None)):
    """A change that sets rows of a column."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[rows], column] = value
        return frame

    return change


def numbers(column: str, function):
    """A change of a whole column by a function of its numbers."""
    return lambda frame: frame.assign(**{column: function(pd.to_numeric(frame[column]))})


def fields(names: dict):
    """Columns as text, of one value."""
    return lambda frame: frame.assign(**names)


def parquet(name: str, change):
    """A fault of a Parquet file: `change(frame)` returns the frame to write."""

    def apply(folder: Path) -> None:
        path = folder / name
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return apply
