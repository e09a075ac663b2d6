"""Points of the user's sites: a CSV table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tamflux.errors import InputError
from tamflux.files import DAMAGED_TABLE

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_RANGES = {"lat": (-90, 90), "lon": (-180, 360)}


def read_points(path: str | Path) -> pd.DataFrame:
    """The user's points: `site_id, lat, lon` (degrees), in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or has no row; if a coordinate is not on Earth;
        or if a `site_id` comes twice or cannot be the name of a file.
    """

    def refusal(what: str, found: object, expected: str) -> InputError:
        return InputError(
            what, file=path, found=str(found)[:200], expected=expected,
            fix="correct the table, or set product.sites to null",
        )  # fmt: skip

    form = "a CSV file in UTF-8: site_id, lat, lon"
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except DAMAGED_TABLE as error:
        raise refusal("the table of points cannot be read", error, form) from error
    table.columns = table.columns.str.strip().str.lower()
    if missing := {"site_id", "lat", "lon"} - {*table}:
        raise refusal("the table of points lacks columns", ", ".join(table), ", ".join(missing))
    if table.empty:
        raise refusal("the table of points has no row", "0 rows", "a row for each site")
    points = table[["site_id", "lat", "lon"]].apply(lambda column: column.str.strip())
    for name, (low, high) in _RANGES.items():
        values = pd.to_numeric(points[name], errors="coerce")
        if not (valid := values.between(low, high)).all():
            expected = f"{low} to {high} degrees"
            raise refusal(f"a {name} is not on Earth", points[name][~valid].iloc[0], expected)
        points[name] = values
    if not (valid := points["site_id"].str.fullmatch(_NAME)).all():
        expected = "letters, digits, dots, dashes and underscores"
        raise refusal(
            "a site_id cannot be a file name", points["site_id"][~valid].iloc[0], expected
        )
    if (twice := points["site_id"].str.lower().duplicated()).any():
        raise refusal("a site_id is repeated", points["site_id"][twice].iloc[0], "one row a site")
    return points
