"""What attributes cannot tell of an ERA5 year: a few days of radiation and precipitation are read.

A wrong kind of delivery or a wrong unit that still lies within the valid range would pass every
other check and make a product of wrong numbers.
"""

from __future__ import annotations

import numpy as np

from tamflux.errors import InputError
from tamflux.sources.era5 import Era5Year
from tamflux.sources.era5_variables import (
    ACCUMULATED,
    CATALOGUE_UNITS,
    RAW,
    guess_unit,
    known_units,
)

MIN_PEAK = {"ssrd": 50.0, "strd": 50.0, "tp": 1.0}
"""Least value that the highest daily mean of four days, one a season, has: W m-2, mm d-1.
Midsummer days have over 200 W m-2 of short-wave even at the poles."""
_MAX_FALL = 0.02
"""Falls within a day, as a share of its sum, that packing may cause in values that only grow."""


def check_sample(source: Era5Year) -> None:
    """Compare one day of each season with what its kind and units say.

    Values since 00 UTC never fall within a day, those of single hours do. Precipitation is judged
    where the file spans half of the globe or more: small dry regions have none for weeks.

    Raises
    ------
    InputError
        Naming the kind or the unit that the values look like.
    """
    days = [round(share * (source.days - 1)) for share in (0, 0.25, 0.5, 0.75)]
    for role in ACCUMULATED:
        if role not in source.roles:
            continue
        if source.kind != "daily_statistics":
            _check_kind(source, role, days)
        lon = source.nodes(role)[1]
        if role != "tp" or lon[-1] - lon[0] >= 180:
            _check_peak(source, role, days)


def _check_kind(source: Era5Year, role: str, days: list[int]) -> None:
    """Radiation alone is looked at: precipitation may be zero for hours in either kind."""
    if role == "tp":
        return
    rises = falls = total = 0.0
    for day in days:
        values = source.thinned_day(role, day)
        if values is None:
            return  # only the stamps of 00 UTC were downloaded
        steps = np.diff(values, axis=0)
        rises += np.nansum(np.maximum(steps, 0))
        falls += np.nansum(np.maximum(-steps, 0))
        total += np.nansum(values.max(axis=0))
    grows = falls <= _MAX_FALL * total and rises >= total / 2
    wrong = falls > _MAX_FALL * total if source.kind == "land_hourly" else grows
    if total > 0 and wrong:
        found, other = (
            ("values that grow all day: ERA5-Land, since 00 UTC", "land_hourly")
            if grows
            else ("values that fall within a day: ERA5, of single hours", "hourly")
        )
        raise InputError(
            "the accumulated values are not of the kind in the configuration",
            file=source.layer(role).label, variable=role, found=found,
            expected=f"inputs.era5.kind: {source.kind}", fix=f"set inputs.era5.kind to {other}",
        )  # fmt: skip


def _check_peak(source: Era5Year, role: str, days: list[int]) -> None:
    peak = max(float(np.nanmax(source.read(role, slice(day, day + 1)))) for day in days)
    if peak < MIN_PEAK[role]:
        unit = CATALOGUE_UNITS[RAW[role].family]
        raise InputError(
            "values are far too small", file=source.layer(role).label, variable=role,
            found=f"at most {peak:.3g} {unit} on four days, from {source.layer(role).units}",
            expected=f"somewhere more than {MIN_PEAK[role]:g} {unit}",
            fix=_guess(source, role, peak),
        )  # fmt: skip


def _guess(source: Era5Year, role: str, peak: float) -> str:
    """A remedy that names the units which make the highest value a likely one."""
    layer = source.layer(role)
    table = known_units(role, layer.seconds)
    raw = np.array([peak / layer.factor])
    likely = {u: c for u, c in table.items() if raw[0] * c[0] >= MIN_PEAK[role]}
    return guess_unit(raw, role, likely, layer.units) or (
        "look whether the file holds daily sums or means, and correct its units attribute"
    )
