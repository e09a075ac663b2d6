"""What attributes cannot tell of an ERA5 year: a few days of radiation and precipitation are read.

A wrong kind of delivery or a wrong unit that still lies within the valid range would pass every
other check and make a product of wrong numbers.
"""

from __future__ import annotations

import numpy as np

from tamflux.errors import InputError
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_variables import (
    ACCUMULATED,
    CATALOGUE_UNITS,
    RAW,
    guess_unit,
    known_units,
)

MIN_PEAK = {"ssrd": 50.0, "strd": 50.0, "tp": 1.0}
"""Least value that the highest daily mean of four days, one a season, has: W m-2, mm d-1.
Midsummer days have over 200 W m-2 of short-wave even at the poles."""
MID_JANUARY, MID_JULY = 14, 195
SEASONAL = ("t2m", "t2m_min", "t2m_max", "d2m", "ssrd", "strd")
EXTRATROPICS = 30
MIN_MIRRORED = 0.7
"""Raw variables that follow the sun, the degree of latitude from which on they do so surely, and
the correlation of their change over half a year with latitude that, below zero, is a mistake."""
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
    if source.days > MID_JULY:
        for role in sorted({*SEASONAL} & {*source.roles}):
            _check_seasons(source, role)
    if "sp" in source.roles:
        _check_antarctica(source)


def _check_seasons(source: Era5Year, role: str) -> None:
    """Beyond the tropics July must be warmer than January in the north, colder in the south."""
    lat = source.nodes(role)[0]
    july, january = (_zonal_mean(source, role, day) for day in (MID_JULY, MID_JANUARY))
    rise = np.where(abs(lat) >= EXTRATROPICS, july - january, 0)
    size = np.sqrt(np.square(rise).sum() * np.square(lat[rise != 0]).sum())
    if size > 0 and (rise * lat).sum() / size < -MIN_MIRRORED:
        raise InputError(
            "the seasons are those of the other hemisphere: latitude looks mirrored",
            file=source.layer(role).label, variable=role,
            found=f"July less January: {rise[-1]:.3g} at {lat[-1]:g}, {rise[0]:.3g} at {lat[0]:g}",
            expected="a warmer July in the north, a colder one in the south",
            fix="look whether latitude runs the way the file says, and the stamps are right",
        )  # fmt: skip


def _check_antarctica(source: Era5Year) -> None:
    """Antarctica is high: surface pressure is lower there than at the north pole."""
    lat = source.nodes("sp")[0]
    if lat[0] > -80 or lat[-1] < 80:
        return
    pressure = _zonal_mean(source, "sp", 0)
    south, north = pressure[lat <= -80].mean(), pressure[lat >= 80].mean()
    if north < south - 100:
        raise InputError(
            "the north pole is as high as Antarctica: latitude looks mirrored",
            file=source.layer("sp").label, variable="sp",
            found=f"{north:.0f} hPa north of 80 N, {south:.0f} hPa south of 80 S",
            expected="the lower surface pressure in the south",
            fix="look whether latitude runs the way the file says",
        )  # fmt: skip


def _zonal_mean(source: Era5Year, role: str, day: int) -> np.ndarray:
    """(lat,) mean of a raw variable over a day and all longitudes, from the south."""
    values = source.read(role, slice(day, day + 1))
    return np.asarray(np.nanmean(values, axis=(0, 1, 3), dtype=np.float64))


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
