"""ERA5: a year of daily statistics, and a year of hours in a zip, each to its store."""

from __future__ import annotations

import zipfile
from pathlib import Path

import netCDF4
import numpy as np
from era5_writer import UNITS, days_of, write_daily_year, write_era5

from tamflux.predictors.cube import Cube
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.variables import METEOROLOGY

from .stores import CUBE, GRID, TILE, YEAR, add_to_zip, read_cube
from .trial import REJECTIONS, Reader

LAT, LON = np.arange(90.0, -91, -45), np.arange(0.0, 360, 45)
HOURLY = ("t2m", "vpd", "ssrd", "tp")


def read_daily(folder: Path) -> dict[str, np.ndarray]:
    """A year of daily statistics."""
    target = folder / "out" / "2003.zarr"
    paths = sorted(folder.glob("*.nc"))
    prepare_era5(paths, "daily_statistics", YEAR, GRID, TILE, list(METEOROLOGY), target)
    return read_flagged(target)


def read_flagged(target: Path) -> dict[str, np.ndarray]:
    """The predictors, and a rejection if weather was filled or is missing."""
    flag = Cube.open(target).read_weather_flag(slice(None), slice(None))
    return read_cube(target) | ({REJECTIONS: ["weather_filled"]} if flag.any() else {})


def write_hourly(folder: Path) -> None:
    """A year of hours in two zips, as the store delivers mixed requests."""
    hours = np.arange(f"{YEAR}-01-01T00", f"{YEAR + 1}-01-01T01", dtype="datetime64[h]")
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * (np.arange(len(hours))[:, None] / 24 + LON / 360 - 0.5)
    weather = np.repeat(rng.normal(0, 2, len(hours) // 24 + 1), 24)[: len(hours), None, None]
    warm = 285 + 5 * np.cos(angle)[:, None] + 10 * np.cos(np.radians(LAT))[:, None] + weather
    members = {
        "instant.nc": {"t2m": warm, "d2m": warm - 6},
        "accum.nc": {
            "ssrd": 3600 * 800 * np.maximum(np.cos(angle), 0)[:, None],
            "tp": rng.gamma(0.2, 1e-3, (len(hours), 1, 1)),
        },
    }
    with zipfile.ZipFile(folder / "era5.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, fields in members.items():
            path = write_era5(folder / name, fields, hours, LAT, LON)
            add_to_zip(archive, name, path.read_bytes())
            (folder / name).unlink()


def read_hourly(folder: Path) -> dict[str, np.ndarray]:
    """A year of hours, of few variables."""
    target = folder / "out" / "2003.zarr"
    prepare_era5(sorted(folder.glob("*.zip")), "hourly", YEAR, GRID, TILE, HOURLY, target)
    return read_flagged(target)


def era5_fault(pattern: str, change):
    """A fault of the one file that fits `pattern`: `change(file, variable)` on its main field."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        with netCDF4.Dataset(path, "a") as file:
            change(file, next(v for v in file.variables.values() if v.ndim == 3))

    return apply


def rewrite(pattern: str, name: str, values, units=None, lat=LAT, lon=LON, days=None):
    """A fault that writes a file anew with other values, unit or axes."""

    def apply(folder: Path) -> None:
        path = next(folder.glob(pattern))
        units_ = UNITS | ({name: units} if units else {})
        timestamps = days_of(YEAR) if days is None else days
        write_era5(path, {name: values}, timestamps, lat, lon, units=units_)

    return apply


def set_values(file, variable, where=slice(None), to=np.nan) -> None:
    variable[where] = to


def set_time(attribute: str, value):
    """A change of an attribute of the time axis."""
    return lambda file, variable: file["valid_time"].setncattr(attribute, value)


def scaled(file, variable, factor: float, where=slice(None)) -> None:
    variable[where] = factor * variable[where]


def state(how: str, hours: int = 0):
    """A change of what the history states."""
    shift = {"time_shift": {"hours": hours}}
    return lambda file, variable: file.setncattr("history", f"daily_reduce(how={how}, **{shift})")


def exchange_statements(folder: Path) -> None:
    """The file of the minimum states a maximum, and the other way round."""
    for pattern, how in {"*minimum*": "max", "*maximum*": "min"}.items():
        era5_fault(pattern, state(how))(folder)


def add_version(file, variable) -> None:
    file.createVariable("expver", str, ())[...] = "0114"


T2M, TMAX, TP, SP = "2m_temp*mean*", "2m_temp*maximum*", "total_prec*", "surface_pressure*"
ERA5_FAULTS = {
    "degC said to be K": rewrite(T2M, "t2m", 12.0),
    "K said to be degC": rewrite(T2M, "t2m", 285.0, "degC"),
    "degF": rewrite(T2M, "t2m", 60.0, "degF"),
    "hPa said to be Pa": rewrite(SP, "sp", 1000.0),
    "mm said to be m": rewrite(TP, "tp", 8.0),
    "W m-2 said to be J m-2": rewrite("*solar*", "ssrd", 250.0),
    "no unit": era5_fault(T2M, lambda file, v: v.delncattr("units")),
    "a day is NaN": era5_fault(T2M, lambda file, v: set_values(file, v, 100)),
    "every day is NaN": era5_fault(SP, set_values),
    "a value is out of range": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), 900.0)),
    "a value is infinite": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), np.inf)),
    "a fill value is not masked": era5_fault(T2M, lambda f, v: set_values(f, v, (9, 1, 1), -9999)),
    "negative soil water": era5_fault("vol*", lambda f, v: set_values(f, v, (0, 0, 0), -0.5)),
    "no time axis": era5_fault(T2M, lambda f, v: f.renameVariable("valid_time", "when")),
    "no latitude": era5_fault(T2M, lambda f, v: f.renameVariable("latitude", "y")),
    "variable renamed": era5_fault(T2M, lambda f, v: f.renameVariable("t2m", "skt")),
    "another calendar": era5_fault(T2M, set_time("calendar", "360_day")),
    "unknown calendar": era5_fault(T2M, set_time("calendar", "lunar")),
    "time without unit": era5_fault(T2M, lambda f, v: f["valid_time"].delncattr("units")),
    "time in months": era5_fault(T2M, set_time("units", "months since 1970-01-01")),
    "time unit is a number": era5_fault(T2M, set_time("units", 5)),
    "unit is a number": era5_fault(T2M, lambda f, v: v.setncattr("units", 5)),
    "another year": rewrite(T2M, "t2m", 285.0, days=days_of(2002)),
    "days missing": rewrite(T2M, "t2m", 285.0, days=days_of(YEAR)[:-3]),
    "a day twice": rewrite(T2M, "t2m", 285.0, days=days_of(YEAR)[[0, *range(364)]]),
    "half of the globe": rewrite(T2M, "t2m", 285.0, lat=LAT[:3]),
    "irregular latitude": rewrite(T2M, "t2m", 285.0, lat=LAT**3 / 8100),
    "NaN latitude": rewrite(T2M, "t2m", 285.0, lat=np.where(LAT > 80, np.nan, LAT)),
    "westward longitude": rewrite(T2M, "t2m", 285.0, lon=LON[::-1]),
    "scale is text": era5_fault(T2M, lambda f, v: v.setncattr("scale_factor", "big")),
    "scale is NaN": era5_fault(T2M, lambda f, v: v.setncattr("scale_factor", np.nan)),
    "minimum and maximum exchanged": exchange_statements,
    # believable but wrong
    "a mean of rain said to be a sum": era5_fault(TP, lambda f, v: scaled(f, v, 1 / 24)),
    "rain of 4 of 24 hours": era5_fault(TP, lambda f, v: scaled(f, v, 1 / 6)),
    "rain five times": era5_fault(TP, lambda f, v: scaled(f, v, 5)),
    "radiation of 4 of 24 hours": era5_fault("*solar*", lambda f, v: scaled(f, v, 1 / 6)),
    "radiation three times": era5_fault("*solar*", lambda f, v: scaled(f, v, 3)),
    "long-wave radiation of half of the hours": era5_fault(
        "*thermal*", lambda f, v: scaled(f, v, 0.5)
    ),
    "15 K too warm": era5_fault(T2M, lambda f, v: set_values(f, v, to=v[:] + 15)),
    "one field on all days": era5_fault(T2M, lambda f, v: set_values(f, v, to=v[:1])),
    "a sum stated as a mean": era5_fault(TP, state("mean", -1)),
    "a maximum stated as a mean": era5_fault(TMAX, state("mean")),
    "days of India": era5_fault(T2M, state("mean", 5)),
    "no statement": era5_fault(T2M, lambda file, v: file.delncattr("history")),
    "another experiment": era5_fault(T2M, add_version),
    "a part missing for a month": era5_fault(
        T2M, lambda f, v: set_values(f, v, (slice(181, 212), slice(1, 3), slice(2, 5)))
    ),
    "two days missing": era5_fault(T2M, lambda f, v: set_values(f, v, slice(20, 22))),
    "no file of maximum": lambda folder: next(folder.glob(TMAX)).unlink(),
    "file of text": lambda folder: next(folder.glob(T2M)).write_text("<html>503</html>"),
}


ERA5_READERS = (
    Reader("ERA5, days", lambda f: write_daily_year(f, YEAR, 0, LAT, LON), read_daily, CUBE,
           ERA5_FAULTS),
    Reader("ERA5, hours in a zip", write_hourly, read_hourly, CUBE),
)  # fmt: skip
