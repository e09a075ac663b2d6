"""ERA5 daily statistics of the demo Earth, as the Climate Data Store delivers them.

One NetCDF file per variable and year: nodes on the corners of the product grid, latitude from
90 N with both poles, longitude 0 to 360, accumulated variables as sums of the day in J m-2 and m.
"""

from __future__ import annotations

from contextlib import ExitStack

import netCDF4
import numpy as np
from tqdm import tqdm

from tamflux.demo_earth.weather import (
    Weather,
    days_in,
    row_blocks,
    simulate_weather,
)
from tamflux.files import atomic_path

DAY_SECONDS = 86400.0
TIME_CHUNK = 31

VARIABLES = {
    "t2m": ("t2m", "K", "2 metre temperature", 167, 13, lambda w: w.t2m + 273.15),
    "t2m_min": ("t2m", "K", "2 metre temperature", 167, 13, lambda w: w.t2m_min + 273.15),
    "t2m_max": ("t2m", "K", "2 metre temperature", 167, 13, lambda w: w.t2m_max + 273.15),
    "d2m": ("d2m", "K", "2 metre dewpoint temperature", 168, 13, lambda w: w.d2m + 273.15),
    "ssrd": ("ssrd", "J m**-2", "Surface short-wave (solar) radiation downwards", 169, 10,
             lambda w: w.ssrd * DAY_SECONDS),
    "strd": ("strd", "J m**-2", "Surface long-wave (thermal) radiation downwards", 175, 10,
             lambda w: w.strd * DAY_SECONDS),
    "tp": ("tp", "m", "Total precipitation", 228, 10, lambda w: w.tp / 1000),
    "swvl1": ("swvl1", "m**3 m**-3", "Volumetric soil water layer 1", 39, 10, lambda w: w.swvl1),
    "sp": ("sp", "Pa", "Surface pressure", 134, 13, lambda w: w.sp * 100),
    "u10": ("u10", "m s**-1", "10 metre U wind component", 165, 10, lambda w: w.u10),
    "v10": ("v10", "m s**-1", "10 metre V wind component", 166, 10, lambda w: w.v10),
}  # fmt: skip
"""Per file: name of its variable, units, long name, GRIB parameter, bits of the mantissa (fewer
deflate faster; 13 are 0.03 K), value from the weather."""


def simulate_era5(seed: int, year: int, resolution: float, targets: dict[str, str]) -> None:
    """Write a year of ERA5, one file per key of `VARIABLES`, in blocks of rows.

    Parameters
    ----------
    resolution : float
        Spacing of the nodes in degrees: that of the product grid.
    targets : dict of str to path
        File of each variable and statistic (`layout.demo_era5_files`).
    """
    lat = 90 - resolution * np.arange(round(180 / resolution) + 1)
    lon = resolution * np.arange(round(360 / resolution))
    blocks = row_blocks(len(lat), len(lon))
    with ExitStack() as stack:
        files = {}
        for key, target in targets.items():
            path = stack.enter_context(atomic_path(target))
            file = stack.enter_context(netCDF4.Dataset(path, "w"))
            _define(file, key, year, lat, lon, blocks[0].stop)
            files[key] = file
        for block in tqdm(blocks, desc=f"ERA5 {year}"):
            rows = block.stop - block.start
            weather = simulate_weather(
                seed, year, np.repeat(lat[block], len(lon)), np.tile(lon, rows)
            ).tail(days_in(year))
            for key, file in files.items():
                _write(file, key, weather, block)


def _define(file: netCDF4.Dataset, key: str, year: int, lat, lon, block_rows: int) -> None:
    name, units, long_name, parameter, bits, _ = VARIABLES[key]
    days = days_in(year)
    file.Conventions = "CF-1.7"
    file.institution = "European Centre for Medium-Range Weather Forecasts"
    accumulated = key in ("ssrd", "strd", "tp")
    statistic = key.partition("_")[2] or ("sum" if accumulated else "mean")
    shift = {"time_shift": {"hours": -1 if accumulated else 0}}
    file.history = (
        "simulated by tamflux.demo_earth; not ERA5 data\n"
        f"as of earthkit.transforms.aggregate.temporal.daily_reduce({key}, how={statistic}, "
        f"**{shift})"
    )
    axes = {
        "valid_time": (np.arange(days), "i8", {
            "units": f"days since {year}-01-01", "calendar": "proleptic_gregorian",
            "long_name": "time", "standard_name": "time"}),
        "latitude": (lat, "f8", {"units": "degrees_north", "standard_name": "latitude",
                                 "long_name": "latitude", "stored_direction": "decreasing"}),
        "longitude": (lon, "f8", {"units": "degrees_east", "standard_name": "longitude",
                                  "long_name": "longitude"}),
    }  # fmt: skip
    for axis, (values, kind, attributes) in axes.items():
        file.createDimension(axis, len(values))
        file.createVariable(axis, kind, (axis,))[:] = values
        file[axis].setncatts(attributes)
    number = file.createVariable("number", "i8", ())
    number[...] = 0
    number.setncatts({"units": "1", "long_name": "ensemble member numerical id"})
    variable = file.createVariable(
        name, "f4", tuple(axes), zlib=True, complevel=1, fill_value=np.float32(np.nan),
        chunksizes=(min(TIME_CHUNK, days), block_rows, len(lon)),
        significant_digits=bits, quantize_mode="BitRound",
        chunk_cache=2**20,  # complete chunks are written once: eleven files need no large caches
    )  # fmt: skip
    variable.setncatts({
        "units": units, "long_name": long_name, "standard_name": "unknown",
        "coordinates": "number valid_time latitude longitude",
        "GRIB_paramId": np.int64(parameter), "GRIB_shortName": name, "GRIB_units": units,
        "GRIB_gridType": "regular_ll", "GRIB_typeOfLevel": "surface",
        "GRIB_Nx": np.int64(len(lon)), "GRIB_Ny": np.int64(len(lat)),
    })  # fmt: skip


def _write(file: netCDF4.Dataset, key: str, weather: Weather, block: slice) -> None:
    name, *_, value = VARIABLES[key]
    field = value(weather).astype(np.float32)
    file[name][:, block] = field.reshape(len(field), block.stop - block.start, -1)
