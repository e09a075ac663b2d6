"""Speed of the predictors: MB of decoded raw data per core and second, and of a plain decode.

    python benchmarks/predictors.py

prints one line of JSON. A plain decode reads the same variables of the same files with netCDF4 or
pyhdf and keeps nothing. Both count seconds of all threads together (what one core would need), so
that neither waiting for the disk nor other work on the machine matters much.

- `value`, `reference`: a year of ERA5 daily statistics, eleven files, to the store of the cube, by
  `prepare_era5`: one band of tiles around the globe, 721 x 1440 nodes cut to 31 x 1440.
- `modis`: global MCD43C4 files (3600 x 7200, seven bands and quality) to cell means, per file; and
  `tile_seconds`, filling a tile of 30 x 30 cells in time to 365 days and writing it.
  `ratio_daily` and `ratio_8_daily` join both: a year with a file every day, or every eighth.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import yaml
from pyhdf.SD import SD, SDC

from tamflux.demo_earth.layout import ERA5_FILES
from tamflux.demo_earth.planet import koppen_map
from tamflux.demo_earth.raw_era5 import VARIABLES
from tamflux.demo_earth.weather import days_in, simulate_weather
from tamflux.grid import Grid
from tamflux.predictors.cube import create_store, year_days
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.predictors.reflectance import _write_tiles as write_days
from tamflux.predictors.reflectance import aggregate
from tamflux.readers.era5_variables import ACCUMULATED
from tamflux.readers.modis import BANDS, band_field, read_composite
from tamflux.variables import REFL_FILLED, REFLECTANCE

CONFIG = Path(__file__).parents[1] / "config.yaml"
YEAR = 2003
RESOLUTION = 0.25
PIXELS = 5
"""MODIS pixels along one side of a cell."""
LAND_TILES = 0.45
"""Share of the tiles of the globe that hold land."""
FILL = 32767


def core_seconds(work: Callable[[], object]) -> float:
    """Seconds of all threads that a piece of work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def write_era5(folder: Path, lat: np.ndarray, lon: np.ndarray) -> list[Path]:
    """A year of the demo Earth's weather at nodes, packed as by the demo Earth; lat descending."""
    weather = simulate_weather(0, YEAR, np.repeat(lat, len(lon)), np.tile(lon, len(lat)))
    weather, days = weather.tail(days_in(YEAR)), days_in(YEAR)
    axes = {"valid_time": np.arange(days), "latitude": lat, "longitude": lon}
    paths = []
    for role, stem in ERA5_FILES.items():
        name, units, _, _, bits, value = VARIABLES[role]
        paths.append(folder / f"{stem}_{YEAR}.nc")
        with netCDF4.Dataset(paths[-1], "w") as file:
            for axis, values in axes.items():
                file.createDimension(axis, len(values))
                file.createVariable(axis, values.dtype, (axis,))[:] = values
            file["valid_time"].units = f"days since {YEAR}-01-01"
            variable = file.createVariable(
                name, "f4", tuple(axes), zlib=True, complevel=1, fill_value=np.float32(np.nan),
                chunksizes=(31, min(4, len(lat)), len(lon)), significant_digits=bits,
                quantize_mode="BitRound",
            )  # fmt: skip
            variable.units = units
            usual = "sum" if role in ACCUMULATED else "mean"
            variable.cell_methods = f"time: {role.partition('_')[2] or usual}"
            variable[:] = value(weather).reshape(days, len(lat), len(lon))
    return paths


def decode_era5(paths: list[Path]) -> int:
    """Read all variables of files, a month of days at once; returns their bytes."""
    size = 0
    for path in paths:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            variable = next(v for v in file.variables.values() if v.ndim == 3)
            for start in range(0, len(variable), 31):
                size += variable[start : start + 31].nbytes
    return size


def era5_seconds(folder: Path, rows: int, repeats: int) -> tuple[int, list, list, list]:
    """Bytes, and seconds of own work, of a plain decode, and of the wall clock of own work."""
    settings = yaml.safe_load(CONFIG.read_text())
    lat = 40 + RESOLUTION * np.arange(rows, -1, -1)
    lon = RESOLUTION * np.arange(round(360 / RESOLUTION))
    paths = write_era5(folder, lat, lon)
    grid = Grid(RESOLUTION, (-180.0, 40.0, 180.0, float(lat[0])))
    tile, names = settings["grid"]["tile_size"], settings["predictors"]["variables"]
    own, plain, wall = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        own.append(
            core_seconds(
                lambda: prepare_era5(
                    paths, "daily_statistics", YEAR, grid, tile, names, folder / "era5.zarr"
                )
            )
        )
        wall.append(time.perf_counter() - start)
        plain.append(core_seconds(lambda: decode_era5(paths)))
    return decode_era5(paths), own, plain, wall


def write_modis(path: Path, pixels: int, seed: int) -> None:
    """One MCD43C4 file of plausible reflectances on the real land, with gaps of clouds."""
    random = np.random.default_rng(seed)
    land = koppen_map()[::-1] > 0
    cloudy = random.random((land.shape[0] // 8, land.shape[1] // 8)) < 0.15
    quality = np.where(land & ~np.kron(cloudy, np.ones((8, 8), bool)), 0, 255)
    quality = quality.repeat(pixels, axis=0).repeat(pixels, axis=1).astype(np.uint8)
    clear, file = quality == 0, SD(str(path), SDC.WRITE | SDC.CREATE)
    for name in [*(band_field("MCD43C4", band) for band in BANDS), "BRDF_Quality"]:
        digital = quality
        if name != "BRDF_Quality":
            level = random.uniform(300, 3000, land.shape).repeat(pixels, 0).repeat(pixels, 1)
            noise = random.standard_normal(level.shape, np.float32)
            digital = np.where(clear, level + (30 + 0.015 * level) * noise, FILL).astype(np.int16)
        kind = SDC.UINT8 if digital is quality else SDC.INT16
        data = file.create(name, kind, digital.shape)
        data.setcompress(SDC.COMP_DEFLATE, 1)
        if digital is not quality:
            data.attr("scale_factor").set(SDC.FLOAT64, 0.0001)
        data[:] = digital
        data.endaccess()
    file.end()


def decode_modis(paths: list[Path]) -> int:
    """Read the bands and the quality of files; returns their bytes."""
    size = 0
    for path in paths:
        file = SD(str(path), SDC.READ)
        for name in [*(band_field("MCD43C4", band) for band in BANDS), "BRDF_Quality"]:
            size += file.select(name)[:].nbytes
        file.end()
    return size


def mean_modis(paths: list[Path], min_valid_fraction: float) -> None:
    """Cell means of files."""
    grid = Grid(RESOLUTION)
    for path in paths:
        aggregate(*read_composite(path, "MCD43C4", BANDS, grid), grid, min_valid_fraction)


def tile_seconds(folder: Path, names: list[str], size: int) -> float:
    """Seconds that filling and writing a tile of a year of 8-daily means takes."""
    grid = Grid(RESOLUTION, (0.0, 0.0, 2 * size * RESOLUTION, size * RESOLUTION))
    dates = np.arange(f"{YEAR}-01-01", f"{YEAR + 1}-01-01", 8, dtype="datetime64[D]")
    random = np.random.default_rng(1)
    means = random.uniform(0.02, 0.4, (len(BANDS), len(dates), *grid.shape)).astype(np.float32)
    means[:, random.random(means.shape[1:]) < 0.15] = np.nan
    variables = [REFLECTANCE[name] for name in names if name in REFLECTANCE]
    wanted = [variable.name for variable in variables]
    with create_store(folder / "modis.zarr", grid, YEAR, size, [*variables, REFL_FILLED]) as store:
        days = year_days(YEAR)
        return core_seconds(lambda: write_days(store, means, BANDS, dates, days, wanted, size)) / 2


def measure_modis(folder: Path, files: int, pixels: int, repeats: int) -> dict:
    """Rates of own work and of a plain decode, and what a year costs in decodes."""
    settings = yaml.safe_load(CONFIG.read_text())
    names, size = settings["predictors"]["variables"], settings["grid"]["tile_size"]
    paths = [folder / f"MCD43C4.A{YEAR}{day:03d}.061.hdf" for day in range(1, files + 1)]
    for seed, path in enumerate(paths):
        write_modis(path, pixels, seed)
    own, plain, tile = [], [], []
    share = settings["predictors"]["min_valid_fraction"]
    for _ in range(repeats):
        own.append(core_seconds(lambda: mean_modis(paths, share)))
        plain.append(core_seconds(lambda: decode_modis(paths)))
        tile.append(tile_seconds(folder, names, size))
    size_mb = decode_modis(paths) / 1e6
    own_file, plain_file = (statistics.median(times) / files for times in (own, plain))
    tiles = LAND_TILES * len(Grid(RESOLUTION).tiles(size)) * statistics.median(tile)
    ratio = {n: n * plain_file / (n * own_file + tiles) for n in (365, 46)}
    return {
        "value": round(size_mb / files / own_file, 1),
        "reference": round(size_mb / files / plain_file, 1),
        "ratio": round(plain_file / own_file, 3),
        "tile_seconds": round(statistics.median(tile), 3),
        "ratio_daily": round(ratio[365], 3),
        "ratio_8_daily": round(ratio[46], 3),
        "file_mb": round(size_mb / files, 1),
        "own_seconds": [round(value, 2) for value in own],
        "decode_seconds": [round(value, 2) for value in plain],
    }


def measure(rows: int, files: int, pixels: int, repeats: int) -> dict:
    """Rates of ERA5 and of MODIS, own work and decode in turns; the median repeat counts."""
    with tempfile.TemporaryDirectory() as name:
        size, own, plain, wall = era5_seconds(Path(name), rows, repeats)
        modis = measure_modis(Path(name), files, pixels, repeats)
    rate, reference = (size / 1e6 / statistics.median(times) for times in (own, plain))
    return {
        "name": "predictors",
        "value": round(rate, 1),
        "unit": "MB of decoded ERA5 per core and second",
        "reference": round(reference, 1),
        "ratio": round(rate / reference, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "modis": modis,
        "details": {
            "era5_mb": round(size / 1e6, 1),
            "own_seconds": [round(value, 2) for value in own],
            "decode_seconds": [round(value, 2) for value in plain],
            "own_wall_seconds": [round(value, 2) for value in wall],
            "cores": len(os.sched_getaffinity(0)),
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speed of the predictors beside a plain decode")
    parser.add_argument("--rows", type=int, default=30, help="cells of ERA5 from south to north")
    parser.add_argument("--files", type=int, default=2, help="of MODIS")
    parser.add_argument("--pixels", type=int, default=PIXELS, help="of MODIS in a cell of 0.25")
    parser.add_argument("--repeats", type=int, default=3)
    print(json.dumps(measure(**vars(parser.parse_args()))))
