"""Checks of an ERA5 year that need values: a few days are read and compared with expectations.

A wrong dataset type, or a wrong unit whose values still lie within the valid range, would pass
every other check and make a product of wrong numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import product as pairs
from pathlib import Path

import numpy as np

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_file_variables import FileVariable
from tamflux.readers.era5_plausibility import check_plausible, sample_days
from tamflux.readers.era5_variables import (
    ACCUMULATED,
    CATALOGUE_UNITS,
    RAW,
    guess_unit,
    known_units,
)
from tamflux.solar import potential_radiation_at
from tamflux.variables import METEOROLOGY

MIN_PEAK = {"ssrd": 50.0, "strd": 50.0, "tp": 1.0}
"""Smallest plausible maximum over four days, one a season, of a daily mean (W m-2, mm d-1).
Midsummer days have over 200 W m-2 of short-wave radiation even at the poles."""
MID_JANUARY, MID_JULY = 14, 195
SEASONAL = ("t2m", "t2m_min", "t2m_max", "d2m", "ssrd", "strd")
EXTRATROPICS = 30
MIN_MIRRORED = 0.7
"""Raw variables with a solar seasonal cycle, the latitude (degrees) poleward of which the cycle is
certain, and the anticorrelation of the January to July change with latitude that is refused."""
_MAX_FALL = 0.02
"""Decreases within a day, as a share of its sum, that packing may cause in accumulated values."""
_MAX_HOURLY_DAYS = 36
"""Days that are looked at hour by hour."""
_EVIDENT_DAYS, _EVIDENT_NODES = 3, 200
"""Days with rain or sun, or nodes with them, from which on values of single hours must fall."""

_CLOCK_DAYS, _CLOCK_NODES = 12, 6
MAX_CLOCK_ERROR, _MIN_DIURNAL = 0.75, 0.2
"""Hours by which radiation may be displaced against the sun, of the mean of some days and nodes an
axis, and the share of its sum that its daily harmonic must have to be looked at. Clouds of the
afternoon displace it by less than 0.5 h; a wrong time zone by 1 h or more."""


def check_sample(source: Era5Year) -> None:
    """Compare one day of each season with what its dataset type and units say.

    Values accumulated since 00 UTC never decrease within a day, those of single hours do. The
    maximum of precipitation is checked only if the file spans half of the globe or more, because
    small dry regions have none for weeks. Regional means are compared with climatology and
    potential radiation (`tamflux.readers.era5_plausibility`).

    Raises
    ------
    InputError
        Naming the dataset type or the unit that the values look like.
    """
    days = [round(share * (source.days - 1)) for share in (0, 0.25, 0.5, 0.75)]
    for variable in ACCUMULATED:
        if variable not in source.raw_variables:
            continue
        if source.dataset_type != "daily_statistics":
            _check_dataset_type(source, variable)
        lon = source.nodes(variable)[1]
        if variable != "tp" or lon[-1] - lon[0] >= 180:
            _check_peak(source, variable, days)
    if source.dataset_type != "daily_statistics" and "ssrd" in source.raw_variables:
        _check_clock(source)
    if source.days > MID_JULY:
        for variable in sorted({*SEASONAL} & {*source.raw_variables}):
            _check_seasons(source, variable)
    if "sp" in source.raw_variables:
        _check_antarctica(source)
    check_plausible(source)


def inspect_era5(
    paths: Iterable[str | Path],
    dataset_type: str,
    year: int,
    grid: Grid,
    predictors: Sequence[str] = tuple(METEOROLOGY),
    may_end_early: bool = False,
    allow_gaps: bool = False,
) -> list[InputError]:
    """Everything wrong with the ERA5 files of a year, from coordinates, attributes and a few days.

    Parameters as in `Era5Year`; empty if the year can be read. The values are looked at only if
    nothing else is wrong.
    """
    arguments = (paths, dataset_type, year, grid, predictors)
    with tempfile.TemporaryDirectory() as scratch:
        source = Era5Year(*arguments, scratch, may_end_early, allow_gaps)
        if source.problems:
            return source.problems
        with closing(source):
            try:
                check_sample(source)
            except InputError as error:
                return [error]
    return []


def _check_clock(source: Era5Year) -> None:
    """Compare the hours of radiation with those of the sun: timestamps must be UTC.

    As at towers, the phase of the first daily harmonic is compared with that of the potential
    radiation, here of some nodes and days at once.
    """
    lat, lon = (axis[:: max(1, axis.size // _CLOCK_NODES)] for axis in source.nodes("ssrd"))
    product, size, total, label = 0.0j, 0.0, 0.0, ""
    for day in np.linspace(0, source.days - 1, _CLOCK_DAYS).astype(int):
        values, part = source.thinned_day("ssrd", int(day), _CLOCK_NODES)
        if values is None or part is None:
            continue  # only the timestamps of 00 UTC were downloaded
        if source.dataset_type == "land_hourly":
            values = np.diff(values, axis=0, prepend=0)
        start = np.datetime64(f"{source.year}-01-01T00:30") + np.timedelta64(24 * int(day), "h")
        times = start + np.arange(len(values)) * np.timedelta64(1, "h")
        turn = np.exp(2j * np.pi * (np.arange(len(values)) + 0.5) / 24)
        for (row, north), (col, east) in pairs(enumerate(lat), enumerate(lon)):
            hours = np.nan_to_num(values[:, row, col])
            phase = hours @ turn
            sun = potential_radiation_at(north, east, times) @ turn
            product += phase * np.conj(sun)
            size, total, label = size + abs(phase), total + hours.sum(), part.label
    late = np.angle(product) * 12 / np.pi
    if size > _MIN_DIURNAL * total and abs(late) > MAX_CLOCK_ERROR:
        raise InputError(
            "radiation is displaced against the sun", file=label, variable="ssrd",
            found=f"{abs(late):.1f} h {'late' if late > 0 else 'early'}",
            expected=f"at most {MAX_CLOCK_ERROR:g} h: timestamps of UTC, at the end of each hour",
            fix="check the time zone of the timestamps and the longitudes",
        )  # fmt: skip


def _check_seasons(source: Era5Year, variable: str) -> None:
    """Beyond the tropics July must be warmer than January in the north, colder in the south."""
    lat = source.nodes(variable)[0]
    july, january = (_zonal_mean(source, variable, day) for day in (MID_JULY, MID_JANUARY))
    rise = np.where(abs(lat) >= EXTRATROPICS, july - january, 0)
    size = np.sqrt(np.square(rise).sum() * np.square(lat[rise != 0]).sum())
    if size > 0 and (rise * lat).sum() / size < -MIN_MIRRORED:
        raise InputError(
            "the seasons are those of the other hemisphere: latitude looks mirrored",
            file=source.file_variable(variable).label, variable=variable,
            found=f"July less January: {rise[-1]:.3g} at {lat[-1]:g}, {rise[0]:.3g} at {lat[0]:g}",
            expected="a warmer July in the north, a colder one in the south",
            fix="check the direction of latitude and the timestamps",
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
            file=source.file_variable("sp").label, variable="sp",
            found=f"{north:.0f} hPa north of 80 N, {south:.0f} hPa south of 80 S",
            expected="the lower surface pressure in the south",
            fix="check the direction of latitude",
        )  # fmt: skip


def _zonal_mean(source: Era5Year, variable: str, day: int) -> np.ndarray:
    """(lat,) mean of a raw variable over a day and all longitudes, from the south."""
    values = source.read(variable, slice(day, day + 1))
    valid = ~np.isnan(values)
    total = np.where(valid, values, 0).sum(axis=(0, 1, 3), dtype=np.float64)
    n = valid.sum(axis=(0, 1, 3))
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _check_dataset_type(source: Era5Year, variable: str) -> None:
    """Compare how accumulated values run through the day with the configured dataset type.

    Values since 00 UTC never fall before the next 00 UTC. Those of single hours fall wherever rain
    stops or the sun sets; a few wet nodes on one day may be an exception, many are not.
    """
    rises: dict[str, float] = {}
    falls, total = dict(rises), dict(rises)
    days, nodes = dict(rises), dict(rises)
    for day in _hourly_days(source, variable):
        values, part = source.thinned_day(variable, int(day))
        if values is None or part is None or not np.fmax.reduce(values, axis=None) > 0:
            continue  # only the timestamps of 00 UTC were downloaded, or nothing fell
        steps, label = np.diff(values, axis=0), part.label
        for sums, more in (
            (rises, np.nansum(np.maximum(steps, 0))), (falls, np.nansum(np.maximum(-steps, 0))),
            (total, np.nansum(np.fmax.reduce(values, axis=0))), (days, 1.0),
            (nodes, (np.fmax.reduce(values, axis=0) > 0).sum()),
        ):  # fmt: skip
            sums[label] = sums.get(label, 0) + float(more)
    for label in total:
        falling = falls[label] > _MAX_FALL * total[label]
        evident = days[label] >= _EVIDENT_DAYS or nodes[label] >= _EVIDENT_NODES
        rising = evident and not falling and rises[label] >= total[label] / 2
        if falling if source.dataset_type == "land_hourly" else rising:
            raise _wrong_dataset_type(source, variable, label, rising)


def _hourly_days(source: Era5Year, variable: str) -> np.ndarray:
    """At most `_MAX_HOURLY_DAYS` of the sampled days."""
    days = sample_days(source, variable)
    return days[:: -(-len(days) // _MAX_HOURLY_DAYS)]


def _wrong_dataset_type(source: Era5Year, variable: str, label: str, rising: bool) -> InputError:
    found, other = (
        ("values that rise all day: ERA5-Land, since 00 UTC", "land_hourly")
        if rising
        else ("values that decrease within a day: ERA5, of single hours", "hourly")
    )
    return InputError(
        "the accumulated values are not of the dataset type in the configuration",
        file=label, variable=variable, found=found,
        expected=f"inputs.era5.kind: {source.dataset_type}",
        fix=f"set inputs.era5.kind to {other}, if all variables are of it; "
        "else download this one from the same dataset as the others",
    )  # fmt: skip


def _check_peak(source: Era5Year, variable: str, days: list[int]) -> None:
    peak = max(
        float(np.fmax.reduce(source.read(variable, slice(day, day + 1)), axis=None)) for day in days
    )
    if not peak >= MIN_PEAK[variable]:
        part, unit = source.file_variable(variable), CATALOGUE_UNITS[RAW[variable].family]
        raise InputError(
            "values are far too small", file=part.label, variable=variable,
            found=f"at most {peak:.3g} {unit} on four days, from {part.units}",
            expected=f"somewhere more than {MIN_PEAK[variable]:g} {unit}",
            fix=_guess(part, peak),
        )  # fmt: skip


def _guess(part: FileVariable, peak: float) -> str:
    """Remedy naming the units in which the maximum would be plausible."""
    table = known_units(part.variable, part.seconds)
    raw = np.array([peak / part.factor])
    likely = {u: c for u, c in table.items() if raw[0] * c[0] >= MIN_PEAK[part.variable]}
    return guess_unit(raw, part.variable, likely, part.units) or (
        "check whether the file holds daily sums or means, and correct its units attribute"
    )
