"""ERA5 that is believable but wrong: a year of days, of hours, and of hours of ERA5-Land."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
from era5_writer import write_era5

from tamflux.climatology import climatology
from tamflux.demo_earth.layout import ERA5_FILES
from tamflux.demo_earth.raw_era5 import simulate_era5
from tamflux.grid import Grid
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.solar import potential_radiation_at
from tamflux.variables import METEOROLOGY

from .believable import Believable, Damage
from .era5 import HOURLY, read_flagged
from .stores import CUBE, YEAR

FACTORS = (1 / 86400, 1 / 3600, 1 / 1000, 1 / 24, 1 / 6, 6, 24, 1000, 3600)
"""Mean and sum over hours or a day, mm and m, J and W, 4 of 24 hours."""
DAILY_GRID = Grid(12.0)
EUROPE = Grid(10.0, (0, 30, 40, 70))
LAT, LON = np.arange(75.0, 24, -10), np.arange(-5.0, 46, 10)
SUMS = ("total_prec*", "*solar*", "*thermal*")
MEANS = ("2m_temp*mean*", "2m_dew*", "surface_pressure*", "vol*")
HOURS = ("instant*", "accum*")


def write_days(folder: Path) -> None:
    """Daily statistics of the demo Earth."""
    targets = {name: str(folder / f"{stem}_{YEAR}.nc") for name, stem in ERA5_FILES.items()}
    simulate_era5(1, YEAR, DAILY_GRID.resolution, targets)


def read_days(folder: Path) -> dict[str, np.ndarray]:
    target, names = folder / "out" / "2003.zarr", list(METEOROLOGY)
    paths = sorted(folder.glob("*.nc"))
    prepare_era5(paths, "daily_statistics", YEAR, DAILY_GRID, 15, names, target)
    return read_flagged(target)


def write_hours(folder: Path) -> None:
    """Hours of ERA5 over Europe: the climatology, its sun, and weather from day to day."""
    hours = np.arange(f"{YEAR}-01-01T00", f"{YEAR + 1}-01-01T01", dtype="datetime64[h]")
    days, rng = hours.astype("datetime64[D]"), np.random.default_rng(0)
    cycle = np.cos(2 * np.pi * (np.arange(len(hours)) / 24 - 0.6))[:, None, None]
    weather = np.repeat(rng.normal(0, 3, len(hours) // 24 + 1), 24)[: len(hours), None, None]
    warm = climatology("t2m", LAT, LON, days) + 273.15 + 4 * cycle + weather
    middle = hours - np.timedelta64(30, "m")
    light = np.stack([[potential_radiation_at(y, x, middle) for x in LON] for y in LAT])
    rain = climatology("tp", LAT, LON, days) / 24000 * rng.gamma(0.3, 1 / 0.3, (len(hours), 1, 1))
    clear = np.exp(weather / 10) * 0.4
    accumulated = {"ssrd": np.moveaxis(light, 2, 0) * 3600 * np.clip(clear, 0.1, 0.75), "tp": rain}
    write_era5(folder / "instant.nc", {"t2m": warm, "d2m": warm - 6}, hours, LAT, LON)
    write_era5(folder / "accum.nc", accumulated, hours, LAT, LON)


def write_land_hours(folder: Path) -> None:
    """The same, accumulated since 00 UTC."""
    write_hours(folder)
    accumulate(folder, None)


def hours_reader(kind: str) -> Callable[[Path], dict[str, np.ndarray]]:
    def read(folder: Path) -> dict[str, np.ndarray]:
        target = folder / "out" / "2003.zarr"
        prepare_era5(sorted(folder.glob("*.nc")), kind, YEAR, EUROPE, 4, HOURLY, target)
        return read_flagged(target)

    return read


def accumulate(folder: Path, rng) -> str:
    """Values of single hours become those since 00 UTC."""
    return _accumulation(folder, lambda days: days.cumsum(axis=1))


def difference(folder: Path, rng) -> str:
    """Values since 00 UTC become those of single hours."""
    return _accumulation(folder, lambda days: np.diff(days, axis=1, prepend=0))


def _accumulation(folder: Path, change: Callable) -> str:
    with netCDF4.Dataset(folder / "accum.nc", "a") as file:
        for name in ("ssrd", "tp"):
            values = np.asarray(file[name][:], float)
            days = values[1:].reshape(-1, 24, *values.shape[1:])  # 01 UTC to 00 UTC of the next day
            values[1:] = change(days).reshape(values[1:].shape)
            file[name][:] = values
    return "values of the other dataset type"


def one_file(change: Callable, patterns: tuple[str, ...]) -> Damage:
    """Damage one of the files that fit the patterns: `change(file, variable, rng)` says how."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        path = next(folder.glob(patterns[rng.integers(len(patterns))]))
        with netCDF4.Dataset(path, "a") as file:
            fields = [v for v in file.variables.values() if v.ndim == 3]
            return f"{path.name}, {change(file, fields[rng.integers(len(fields))], rng)}"

    return apply


def every_file(change: Callable) -> Damage:
    """Damage all files alike."""

    def apply(folder: Path, rng: np.random.Generator) -> str:
        how, state = "", rng.bit_generator.state
        for path in sorted(folder.glob("*.nc")):
            rng.bit_generator.state = state
            with netCDF4.Dataset(path, "a") as file:
                for variable in [v for v in file.variables.values() if v.ndim == 3]:
                    rng.bit_generator.state = state
                    how = change(file, variable, rng)
        return f"all files, {how}"

    return apply


def scale(file, variable, rng) -> str:
    factor = FACTORS[rng.integers(len(FACTORS))]
    variable[:] = (factor * variable[:]).astype(variable.dtype)
    return f"{variable.name} times {factor:g}"


def scale_month(file, variable, rng) -> str:
    """A month of another statistic or unit."""
    factor, first = FACTORS[rng.integers(len(FACTORS))], int(rng.integers(0, 11))
    begin, end = (int(share * len(variable) / 12) for share in (first, first + 1))
    variable[begin:end] = (factor * variable[begin:end]).astype(variable.dtype)
    return f"{variable.name} of month {first + 1} times {factor:g}"


def warm(file, variable, rng) -> str:
    change = float(rng.choice([-1, 1]) * rng.uniform(15, 40))
    field = file["t2m"]
    field[:] = field[:] + change
    return f"plus {change:.0f}"


def shift_stamps(file, variable, rng) -> str:
    unit = file["valid_time"].units.split()[0]
    days = float(rng.choice([-1, 1]) * rng.integers(1, 20))
    per_day = {"seconds": 86400, "hours": 24, "days": 1}[unit]
    file["valid_time"][:] = file["valid_time"][:] + (days * per_day)
    return f"time plus {days:g} days"


def roll_days(file, variable, rng) -> str:
    """Months in another order: values of another date under the stamps of the year."""
    days = int(rng.choice([-1, 1]) * rng.integers(60, 180))
    variable[:] = np.roll(variable[:], days * (len(variable) // 365), axis=0)
    return f"values moved by {days} days"


def roll_hours(file, variable, rng) -> str:
    """Hours of another time zone under stamps of UTC."""
    hours = int(rng.choice([h for h in range(-11, 13) if h]))
    variable[:] = np.roll(variable[:], hours, axis=0)
    return f"hours moved by {hours}"


def state_shift(file, variable, rng) -> str:
    hours = int(rng.choice([h for h in range(-11, 13) if h]))
    file.setncattr("history", f"daily_reduce(how=mean, **{ {'time_shift': {'hours': hours}} })")
    return f"days shifted by {hours} hours"


def state_statistic(file, variable, rng) -> str:
    how = str(rng.choice(["median", "std", "sum", "first", "last"]))
    file.setncattr("history", f"daily_reduce(how={how}, **{{'time_shift': {{'hours': 0}}}})")
    return f"how={how}"


def state_version(file, variable, rng) -> str:
    version = f"{rng.integers(6, 9999):04d}"
    file.createVariable("expver", str, ())[...] = version
    return f"experiment {version}"


def miss_region(file, variable, rng) -> str:
    begin, size = int(rng.integers(0, 330)), int(rng.integers(3, 35))
    steps = len(variable) // 365
    row, col = int(rng.integers(1, 3)), int(rng.integers(0, 4))
    part = slice(begin * steps, (begin + size) * steps)
    block = np.ma.filled(variable[part].astype(float), np.nan)
    block[:, row : row + 2, col : col + 3] = np.nan
    variable[part] = block
    return f"{size} days of a region missing"


def turn_latitude(file, variable, rng) -> str:
    variable[:] = variable[:, ::-1]
    return "north and south exchanged"


def turn_longitude(file, variable, rng) -> str:
    variable[:] = np.roll(variable[:], variable.shape[2] // 2, axis=2)
    return "0 E and 180 E exchanged"


def keep_six_hours(file, variable, rng) -> str:
    """The sum of 4 of 24 hours comes without the others' files."""
    values = np.asarray(variable[:])
    values[np.arange(len(values)) % 6 != 0] = np.nan
    variable[:] = values
    return "hours 00, 06, 12 and 18 alone"


HOURLY_DAMAGES = {
    "scaled": one_file(scale, ("accum*",)),
    "a month scaled": one_file(scale_month, ("accum*",)),
    "shifted by days": one_file(shift_stamps, HOURS),
    "months in another order": every_file(roll_days),
    "shifted by hours": every_file(roll_hours),
    "another version": one_file(state_version, HOURS),
    "part missing": one_file(miss_region, HOURS),
    "4 of 24 hours": every_file(keep_six_hours),
    "too warm or cold": one_file(warm, ("instant*",)),
}
ERA5 = (
    Believable("ERA5, days", write_days, read_days, CUBE, damages={
        "scaled": one_file(scale, SUMS),
        "a month scaled": one_file(scale_month, ("total_prec*", "*solar*")),
        "shifted by days": one_file(shift_stamps, (*SUMS, *MEANS)),
        "months in another order": every_file(roll_days),
        "shifted by hours": one_file(state_shift, MEANS),
        "another statistic": one_file(state_statistic, MEANS),
        "another version": one_file(state_version, (*SUMS, *MEANS)),
        "part missing": one_file(miss_region, (*SUMS, *MEANS)),
        "turned around": every_file(turn_latitude),
        "shifted in longitude": every_file(turn_longitude),
        "too warm or cold": one_file(warm, ("2m_temp*mean*",)),
    }),
    Believable("ERA5, hours", write_hours, hours_reader("hourly"), CUBE,
               damages=HOURLY_DAMAGES | {"another accumulation": accumulate}),
    Believable("ERA5-Land, hours", write_land_hours, hours_reader("land_hourly"), CUBE,
               damages=HOURLY_DAMAGES | {"another accumulation": difference}),
)  # fmt: skip
