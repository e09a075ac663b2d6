"""ERA5 against independent expectations: climatology, potential radiation, emission of the sky.

The bounds are wide enough for real years. At 163 towers of FLUXNET2015 with gridded precipitation
of 2001-2016 and the climatology of ERA5 (above 0.5 mm d-1), the ratio of the two is 0.26 to 2.3
over a year, and 0.07 to 3.0 in 99.8 % of single months averaged over regions of 10 degrees with
five towers or more; tower temperature differs by -5.9 to 5.4 K over a year and by -9.0 to 8.0 K in
99.8 % of single months.
"""

from __future__ import annotations

import logging
from math import prod
from typing import NamedTuple

import numpy as np

from tamflux.climatology import climatology
from tamflux.errors import InputError
from tamflux.readers.era5 import DAILY, Era5Year
from tamflux.readers.era5_variables import CATALOGUE_UNITS, RAW
from tamflux.solar import potential_radiation

log = logging.getLogger("tamflux")

SAMPLE_DAYS, SAMPLE_VALUES, MIN_SAMPLE_DAYS = 24, 2_000_000, 36
"""Days of a raw variable that are read for these checks; of precipitation, which varies most, as
many as hold the number of values, and no fewer than the minimum, which is three a month."""
SMALL_REGION, SHORT_SPAN, LARGE_REGION = 2.0, 300, 40.0
"""Degrees below which a region, and days below which a sample, gets the wider bounds; degrees from
which on those of ratios are narrow for single months too."""
MIN_CLIMATOLOGY = 0.5
"""mm d-1 of climatological precipitation from which on it is compared."""
MIN_POTENTIAL = 20.0
"""W m-2 of potential radiation from which on radiation is compared."""
MAX_ABOVE_POTENTIAL = 0.5
"""Share of node-days whose radiation may exceed 1.1 x potential + 10 W m-2."""
STEFAN_BOLTZMANN = 5.670374e-8


class Bounds(NamedTuple):
    """Range of the regional mean relative to its reference, and the wider one of small samples."""

    low: float
    high: float
    wide_low: float
    wide_high: float


RATIOS = {
    "tp": Bounds(0.22, 3, 1 / 16, 5),
    "ssrd": Bounds(0.15, 0.9, 0.05, 1),
    "strd": Bounds(0.45, 1.15, 0.35, 1.3),
}
"""Bounds of the ratio to climatology (`tp`), to potential radiation (`ssrd`), and to black-body
emission at the climatological temperature (`strd`)."""
MONTHLY_RAIN = (0.4, 2.2)
"""Bounds of the ratio of precipitation in a single month of a large region. Between 2 and 40
degrees those of small samples hold for months: real ones reach 3.0."""
DIFFERENCES = {
    "t2m": Bounds(-10, 10, -20, 20),
    "t2m_min": Bounds(-25, 10, -35, 20),
    "t2m_max": Bounds(-10, 25, -20, 35),
    "d2m": Bounds(-50, 10, -60, 20),
}
"""Bounds in K of the difference to the climatological temperature."""
MIN_SEASON, MAX_SEASON_SHIFT = 4.0, 45
"""K of the annual harmonic of temperature from which on its phase is compared, and the displacement
in days that is refused."""
MIN_ZONAL, MIN_ZONAL_WIDTH, MIN_ZONAL_MATCH = 3.0, 90, 0.3
"""K and degrees of longitude from which on departures from the zonal mean are compared, and the
correlation with those of the climatology below which temperature is refused: it is above 0.7 for a
year of weather, and near or below 0 for shifted longitudes."""
_CAUSES = {
    24.0: "a sum over the day is read as a mean over hours",
    12.0: "values since 00 UTC (ERA5-Land) are read as values of single hours",
    1 / 6: "the sum covers 4 of the 24 hours of a day",
    1 / 12: "values of single hours are read as values since 00 UTC",
    1 / 24: "a mean over hours, or a single hour, is read as a sum over the day",
    1000.0: "the unit is mm, not m",
    0.001: "the unit is m, not mm",
}
"""Mistakes by the factor that they make."""


def check_plausible(source: Era5Year) -> None:
    """Compare regional means of a sample of days with what is expected of the region.

    Raises
    ------
    InputError
        Naming the likely cause.
    """
    for variable in source.raw_variables:
        days = sample_days(source, variable)
        values = _daily_values(source, variable, days)
        _check_changes(source, variable, values)
        if variable in RATIOS or variable in DIFFERENCES:
            _check_mean(source, variable, days, values)


def sample_days(source: Era5Year, variable: str) -> np.ndarray:
    """Evenly spaced days of the year for the checks of a raw variable."""
    size = source.samples_per_day(variable) * prod(axis.size for axis in source.nodes(variable))
    n = max(SAMPLE_VALUES // size, MIN_SAMPLE_DAYS) if variable == "tp" else SAMPLE_DAYS
    if n > source.days / 2:
        return np.arange(source.days)
    return np.linspace(0, source.days - 1, n).round().astype(int)


def _daily_values(source: Era5Year, variable: str, days: np.ndarray, nodes: int = 60) -> np.ndarray:
    """(day, lat, lon) daily means at about `nodes` nodes an axis."""
    thinned = tuple(slice(None, None, -(-axis.size // nodes)) for axis in source.nodes(variable))
    blocks = [slice(day, day + 1) for day in map(int, days)]
    if len(days) == source.days:
        blocks = source.blocks(variable, 0, 16 * SAMPLE_VALUES, 16 * SAMPLE_VALUES)
    fields = [source.read(variable, block).mean(axis=1)[:, *thinned] for block in blocks]
    return np.concatenate(fields)


def _check_changes(source: Era5Year, variable: str, values: np.ndarray) -> None:
    """Weather changes from day to day: the same field on every day is a filled or broken file."""
    if (
        len(values) < 3
        or not np.fmax.reduce(np.abs(values), axis=None) > 0
        or (_range(values) > 0).any()
    ):
        return  # deserts have no rain on many days
    problem = InputError(
        "values are the same on every day", file=source.file_variable(variable).label,
        variable=variable, found=f"{len(values)} days with one field", expected="weather",
        fix="download the file again",
    )  # fmt: skip
    if variable in DIFFERENCES or variable == "tp":
        raise problem
    log.warning("%s", problem)


def _range(values: np.ndarray) -> np.ndarray:
    """(lat, lon) largest less smallest value of all days."""
    return np.fmax.reduce(values, axis=0) - np.fmin.reduce(values, axis=0)


def _check_mean(source: Era5Year, variable: str, days: np.ndarray, values: np.ndarray) -> None:
    """Compare the means over region and days, and over its months, with those of the reference."""
    lat, lon = (axis[:: -(-axis.size // 60)] for axis in source.nodes(variable))
    dates = np.datetime64(f"{source.year}-01-01") + days
    reference = _reference(variable, lat, lon, dates)
    if variable == "ssrd":
        _check_potential(source, values, reference)
    if variable == "t2m":
        _check_season(source, values, reference, days, lat)
        _check_longitudes(source, values, reference, lat, lon)
    weight = np.cos(np.radians(lat))[:, None] * np.isfinite(values)
    if variable == "tp":
        weight = weight * (climatology("tp", lat, lon, dates).mean(axis=0) > MIN_CLIMATOLOGY)
    sums = np.array([
        (np.where(weight > 0, x, 0) * weight).sum(axis=(1, 2)) for x in (values, reference, 1)
    ])  # fmt: skip
    extent = min(np.ptp(lat), np.ptp(lon))
    bounds = (RATIOS | DIFFERENCES)[variable]
    wide = extent < SMALL_REGION or np.ptp(days) < SHORT_SPAN
    _compare(source, variable, sums, bounds[2:] if wide else bounds[:2], "")
    month = dates.astype("datetime64[M]")
    of_month = bounds[:2] if extent >= LARGE_REGION and variable in RATIOS else bounds[2:]
    if variable == "tp" and extent >= LARGE_REGION:
        of_month = MONTHLY_RAIN
    for one in np.unique(month):
        _compare(source, variable, sums[:, month == one], of_month, f" in {one}")


def _compare(
    source: Era5Year,
    variable: str,
    sums: np.ndarray,
    bounds: tuple[float, float],
    period: str,
) -> None:
    """Compare sums (found, expected, weight; day) with the bounds."""
    if not sums[2].any():
        return
    found, expected = sums[:2].sum(axis=1) / sums[2].sum()
    if variable in RATIOS:
        if expected < (MIN_POTENTIAL if variable == "ssrd" else MIN_CLIMATOLOGY):
            return
        departure, unit = found / expected, ""
    else:
        departure, unit = found - expected, " K"
    if not bounds[0] <= departure <= bounds[1]:
        raise _implausible(source, variable, found, expected, departure, bounds, unit, period)


def _check_season(
    source: Era5Year, values: np.ndarray, reference: np.ndarray, days: np.ndarray, lat: np.ndarray
) -> None:
    """Compare the phase of the annual harmonic of temperature, over all nodes at once."""
    if np.ptp(days) < SHORT_SPAN:
        return
    turn = np.exp(2j * np.pi * days / 365.25)[:, None, None]
    usable = np.isfinite(values).all(axis=0)
    found, expected = (
        2 * (np.where(usable, x - x.mean(axis=0), 0) * turn).mean(axis=0)
        for x in (values, reference)
    )
    weight = np.cos(np.radians(lat))[:, None] * usable
    sizes = [np.sqrt((weight * abs(h) ** 2).sum() / max(weight.sum(), 1e-9))
             for h in (found, expected)]  # fmt: skip
    late = np.angle((weight * found * expected.conj()).sum()) / (2 * np.pi) * 365.25
    if min(sizes) >= MIN_SEASON and abs(late) > MAX_SEASON_SHIFT:
        raise InputError(
            "the seasons are displaced", file=source.file_variable("t2m").label, variable="t2m",
            found=f"temperature {abs(late):.0f} days {'late' if late > 0 else 'early'}",
            expected=f"at most {MAX_SEASON_SHIFT} days off the climatology",
            fix="check the timestamps, the order of files, and the direction of latitude",
        )  # fmt: skip


def _check_longitudes(
    source: Era5Year, values: np.ndarray, reference: np.ndarray, lat: np.ndarray, lon: np.ndarray
) -> None:
    """Compare the departures of temperature from its zonal mean with those of the climatology."""
    if np.ptp(lon) < MIN_ZONAL_WIDTH:
        return
    usable = np.isfinite(values)
    n = np.maximum(usable.sum(axis=2, keepdims=True), 1)
    found, expected = (
        np.where(usable, x - np.where(usable, x, 0).sum(axis=2, keepdims=True) / n, 0)
        for x in (values, reference)
    )
    weight = np.cos(np.radians(lat))[:, None] * usable
    total = max(weight.sum(), 1e-9)
    sd_found, sd = (np.sqrt((weight * x**2).sum() / total) for x in (found, expected))
    if sd < MIN_ZONAL or sd_found < sd / 2:
        return
    match = (weight * found * expected).sum() / total / (sd * sd_found)
    if match < MIN_ZONAL_MATCH:
        raise InputError(
            "temperature lies over other longitudes than in the climatology",
            file=source.file_variable("t2m").label, variable="t2m",
            found=f"a correlation of {match:.2f} along parallels",
            expected=f"at least {MIN_ZONAL_MATCH}", fix="check the longitudes of the file",
        )  # fmt: skip


def _reference(variable: str, lat: np.ndarray, lon: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """(day, lat, lon) expected values in catalogue units."""
    if variable == "tp":
        return climatology("tp", lat, lon, dates)
    if variable == "ssrd":
        shape = (len(dates), len(lat), len(lon))
        return np.broadcast_to(potential_radiation(lat, dates)[:, :, None], shape)
    t2m = climatology("t2m", lat, lon, dates)
    return STEFAN_BOLTZMANN * (t2m + 273.15) ** 4 if variable == "strd" else t2m


def _check_potential(source: Era5Year, values: np.ndarray, potential: np.ndarray) -> None:
    """Daily radiation at the surface cannot exceed that at the top of the atmosphere."""
    share = (values > 1.1 * potential + 10).sum() / max(np.isfinite(values).sum(), 1)
    if share > MAX_ABOVE_POTENTIAL:
        raise InputError(
            "radiation exceeds that at the top of the atmosphere",
            file=source.file_variable("ssrd").label, variable="ssrd",
            found=f"in {share:.0%} of the values, up to {np.nanmax(values):.0f} W m-2",
            expected=f"at most {MAX_ABOVE_POTENTIAL:.0%} above 1.1 x potential + 10 W m-2",
            fix="check the direction of latitude, the dates, the statistic and inputs.era5.kind",
        )  # fmt: skip


def _implausible(
    source: Era5Year,
    variable: str,
    found: float,
    expected: float,
    departure: float,
    bounds: tuple[float, float],
    unit: str,
    period: str,
) -> InputError:
    part, units = (
        source.file_variable(variable),
        CATALOGUE_UNITS[RAW[variable.split("_")[0]].family],
    )
    fix = "check units, statistic, region and inputs.era5.kind"
    if variable in RATIOS and departure > 0:
        factor = min(_CAUSES, key=lambda c: abs(np.log(departure / c * _usual(variable))))
        fix = f"probably {_CAUSES[factor]}: check units, statistic and inputs.era5.kind"
        if source.dataset_type == DAILY and factor in (12.0, 1 / 12):
            fix = "check units and statistic: cell_methods or history may be wrong"
    what = {"tp": "climatology", "ssrd": "potential radiation", "strd": "black-body emission"}
    return InputError(
        f"the regional mean{period} is far from {what.get(variable, 'climatology')}",
        file=part.label,
        variable=variable,
        found=f"{found:.3g} {units} from {part.units or 'no unit'}, where {expected:.3g} "
        f"{'is the reference' if variable in RATIOS else 'is usual'}",
        expected=f"{'a ratio' if variable in RATIOS else 'a difference'} of {bounds[0]:.3g} to "
        f"{bounds[1]:.3g}{unit}, not {departure:.3g}",
        fix=fix,
    )  # fmt: skip


def _usual(variable: str) -> float:
    """Inverse of the usual ratio to the reference."""
    return {"tp": 1.0, "ssrd": 2.0, "strd": 1.2}[variable]
