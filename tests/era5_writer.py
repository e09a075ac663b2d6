"""Small ERA5 files in the layouts of the Climate Data Store, for tests."""

import re
from pathlib import Path

import netCDF4
import numpy as np

from tamflux.solar import potential_radiation

LAT = np.arange(90.0, -91, -10)
LON = np.arange(0.0, 360, 10)
UNITS = {"t2m": "K", "d2m": "K", "ssrd": "J m**-2", "strd": "J m**-2", "tp": "m", "sp": "Pa",
         "swvl1": "m**3 m**-3", "u10": "m s**-1", "v10": "m s**-1"}  # fmt: skip


def write_era5(
    path,
    variables,
    timestamps,
    lat=LAT,
    lon=LON,
    time="valid_time",
    units=UNITS,
    attrs=None,
    how=None,
) -> Path:
    """Write fields (time, lat, lon), or numbers, as the store's NetCDF.

    `how` is the daily statistic in the history ("": none), by default that of the file name.
    """
    if how is None:
        how = next(iter(re.findall("daily[-_](mean|sum|min|max)", path.name)), "")
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(timestamps), len(lat), len(lon))
    with netCDF4.Dataset(path, "w") as file:
        if how:
            hours = {"time_shift": {"hours": -1 if {"tp", "ssrd", "strd"} & {*variables} else 0}}
            file.history = (
                "2025-03-18T09:18 GRIB to CDM+CF via cfgrib-0.9.15.0/ecCodes-2.39.0\n"
                f"earthkit.transforms.aggregate.temporal.daily_reduce(x, how={how}, **{hours})"
            )
        for name, size in zip((time, "latitude", "longitude"), shape, strict=True):
            file.createDimension(name, size)
        axis = file.createVariable(time, "i8", (time,))
        axis.units, axis.calendar = "seconds since 1970-01-01", "proleptic_gregorian"
        axis[:] = np.asarray(timestamps, "datetime64[s]").astype("i8")
        file.createVariable("latitude", "f8", ("latitude",))[:] = lat
        file.createVariable("longitude", "f8", ("longitude",))[:] = lon
        file.createVariable("number", "i8", ())[:] = 0
        for name, values in variables.items():
            variable = file.createVariable(
                name, "f4", (time, "latitude", "longitude"), fill_value=np.nan, zlib=True
            )
            unit = (units or {}).get(name.split("_m")[0].split("_sum")[0])
            if unit:
                variable.units = unit
            variable.setncatts((attrs or {}).get(name, {}))
            variable[:] = np.broadcast_to(values, shape)
    return path


def days_of(year):
    """Stamps of the daily statistics of a year."""
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


def write_daily_year(folder, year=2003, seed=0, lat=LAT, lon=LON, rain=3.0) -> list[Path]:
    """A whole year of daily statistics, one file a variable and statistic, smooth and plausible.

    `rain` is the mean precipitation, mm d-1.
    """
    rng = np.random.default_rng(seed)
    days, shape = days_of(year), (1, len(lat), len(lon))
    season = np.cos(2 * np.pi * np.arange(len(days)) / len(days))[:, None, None]
    weather = rng.normal(size=(len(days), *shape[1:]))
    warm = 249 + 52 * np.cos(np.radians(lat))[:, None] - 8 * season + rng.normal(size=shape)
    warm = warm + weather
    sky = 0.75 * 5.67e-8 * warm**4
    sun = 0.5 * potential_radiation(np.asarray(lat, float), days)[:, :, None] * (1 + weather / 20)
    fields = {
        ("2m_temperature", "mean"): {"t2m": warm},
        ("2m_temperature", "minimum"): {"t2m": warm - 5},
        ("2m_temperature", "maximum"): {"t2m": warm + 5},
        ("2m_dewpoint_temperature", "mean"): {"d2m": warm - 8},
        ("surface_solar_radiation_downwards", "sum"): {"ssrd": sun * 86400},
        ("surface_thermal_radiation_downwards", "sum"): {"strd": sky * 86400},
        ("total_precipitation", "sum"): {"tp": 1e-3 * rng.gamma(1, rain, (len(days), *shape[1:]))},
        ("volumetric_soil_water_layer_1", "mean"): {"swvl1": 0.3 + 0.1 * season},
        ("surface_pressure", "mean"): {"sp": 1e5 + 100 * weather},
        ("10m_u_component_of_wind", "mean"): {"u10": 3 + season},
        ("10m_v_component_of_wind", "mean"): {"v10": 4.0 + season},
    }
    return [
        write_era5(folder / f"{name}_daily_{statistic}_{year}.nc", values, days, lat, lon)
        for (name, statistic), values in fields.items()
    ]
