"""MODIS of the demo Earth as HDF4: MCD43C4 reflectance, MCD12C1 land cover; and Köppen classes.

Data-set names, types, scales and fill values are those of the real products (MCD43 User Guide V061;
MCD12 User Guide V061). A pixel has a value where the 16 days around the file's day held enough
clear ones: clouds of the weather make the gaps.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401 (adds the accessor `rio`)
import xarray as xr
from pyhdf.SD import SD, SDC
from rasterio.transform import from_origin
from tqdm import tqdm

from tamflux.demo_earth.layout import calendar_date
from tamflux.demo_earth.planet import (
    igbp_fractions,
    igbp_percent,
    koppen_map,
    ndvi_range,
)
from tamflux.demo_earth.sun import declination
from tamflux.demo_earth.vegetation import (
    EVERGREEN,
    TALL,
    class_vector,
    ndvi,
    reflectance,
    season,
)
from tamflux.demo_earth.weather import (
    LOOKBACK_DAYS,
    Weather,
    days_in,
    row_blocks,
    simulate_weather,
)
from tamflux.files import atomic_path, disk_array, remove

FILL, QUALITY_FILL = 32767, 255
WINDOW = (8, 8)
"""Days of the window before the file's day, and from it on."""
CLEAR_DAYS = (10, 7, 5, 3, 2)
"""Clear days of the 16 for quality 0, 1, ... 4; fewer leave a gap (chosen after the 7 observations
of a full inversion)."""
DARK = 40.0
"""Potential radiation, W m-2, below which the sun is too low for a value."""

_BYTE, _WORD = (np.uint8, SDC.UINT8), (np.int16, SDC.INT16)


def simulate_modis(
    seed: int, year: int, resolution: float, cmg_pixels: int, targets: dict[int, str]
) -> None:
    """Write the MCD43C4 files of a year.

    Parameters
    ----------
    cmg_pixels : int
        Pixels along one side of a cell of `resolution` degrees.
    targets : dict of int to path
        File of each day of the year (`layout.demo_modis_files`).
    """
    size = resolution / cmg_pixels
    shape = round(180 / size), round(360 / size)
    lat = 90 - size * (np.arange(shape[0]) + 0.5)
    lon = -180 + size * (np.arange(shape[1]) + 0.5)
    days = np.array(list(targets))
    folder = Path(next(iter(targets.values()))).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:  # a global year would not fit in memory
        layers = disk_array(file.fileno(), np.int16, (len(days), 9, *shape))
        for block in tqdm(row_blocks(*shape), desc=f"MODIS {year}"):
            rows = block.stop - block.start
            points = np.repeat(lat[block], shape[1]), np.tile(lon, rows)
            noise = np.random.default_rng([seed, 23, year, block.start])
            values = composites(seed, year, days, *points, size, noise)
            layers[:, :, block] = values.reshape(len(days), 9, rows, shape[1])
        for number, day in enumerate(days):
            _write_mcd43c4(targets[int(day)], year, int(day), np.asarray(layers[number]))
        del layers


def composites(seed: int, year: int, days, lat, lon, size: float, noise) -> np.ndarray:
    """(day, 9, pixel) int16: digital numbers of bands 1 to 7, quality, per cent of snow."""
    out = np.full((len(days), 9, len(lat)), FILL, np.int16)
    out[:, 7:] = QUALITY_FILL
    share = igbp_fractions(lat, lon, size)
    land = np.flatnonzero(share[0] < 0.9)
    if len(land) == 0:
        return out
    lat, lon, share = lat[land], lon[land], share[:, land]
    share[0] = 0
    share /= share.sum(0)
    weather = simulate_weather(seed, year, lat, lon)
    row = LOOKBACK_DAYS + np.minimum(days, days_in(year)) - 1
    low, high = ndvi_range(lat, lon, size)
    green = ndvi(season(weather, lat)[row], low, high, class_vector(EVERGREEN) @ share)
    snow = weather.snow[row]
    bands = reflectance(green, weather.soil[row], snow, 0.7 * class_vector(TALL) @ share)
    bands += noise.standard_normal(bands.shape, np.float32) * (0.003 + 0.015 * bands)
    numbers = np.clip(np.round(bands / 0.0001), 1, 16000).astype(np.int16)
    quality = _quality(weather, row)
    observed = quality != QUALITY_FILL
    out[:, :7, land] = np.where(observed[:, None], numbers.transpose(1, 0, 2), FILL)
    out[:, 7, land] = quality
    out[:, 8, land] = np.where(observed, np.round(100 * snow), QUALITY_FILL)
    return out


def _quality(weather: Weather, row: np.ndarray) -> np.ndarray:
    """(day, pixel) MCD43C4 quality 0 to 4, or fill."""
    clear = np.concatenate([np.zeros_like(weather.cloud[:1]), np.cumsum(1 - weather.cloud, axis=0)])
    last = np.minimum(row + WINDOW[1], len(weather.cloud))
    first = row - WINDOW[0]
    number = (clear[last] - clear[first]) * (sum(WINDOW) / (last - first))[:, None]  # at year ends
    quality = (number[None] < np.array(CLEAR_DAYS)[:, None, None]).sum(0)
    dark = weather.ssrd_pot[row] < DARK
    return np.where((quality == len(CLEAR_DAYS)) | dark, QUALITY_FILL, quality)


def _write_mcd43c4(target: str, year: int, day: int, layers: np.ndarray) -> None:
    """One file from (9, row, col) layers."""
    date = calendar_date(year, day)
    with _new_hdf4(target) as file:
        file.attr("CoreMetadata.0").set(SDC.CHAR, _metadata(date))
        file.attr("source").set(SDC.CHAR, "simulated by tamflux.demo_earth; not MODIS data")
        for band in range(1, 8):
            _store(
                file, f"Nadir_Reflectance_Band{band}", layers[band - 1], _WORD, FILL,
                long_name=f"Nadir_Reflectance_Band{band}", units="reflectance, no units",
                scale_factor=0.0001, add_offset=0.0, valid_range=(0, FILL - 1),
            )  # fmt: skip
        observed = layers[7] != QUALITY_FILL
        inputs = np.where(observed, 100, QUALITY_FILL)
        for name, values in {
            "BRDF_Quality": layers[7],
            "Local_Solar_Noon": _solar_noon(date, layers.shape[1:]),
            "Percent_Inputs": inputs,
            "Percent_Snow": layers[8],
        }.items():
            _store(file, name, values, _BYTE, QUALITY_FILL, long_name=name)
        uncertainty = np.where(observed, 20 + 10 * layers[7], FILL)
        _store(
            file, "BRDF_Albedo_Uncertainty", uncertainty, _WORD, FILL,
            long_name="BRDF_Albedo_Uncertainty", scale_factor=0.001, add_offset=0.0,
        )  # fmt: skip


@contextmanager
def _new_hdf4(target: str | Path) -> Iterator[SD]:
    """Create a file atomically, with the same bytes in every run.

    HDF4 stores the name under which a file was opened, so it must not contain a process number.
    """
    with atomic_path(target) as path:
        named = path.with_name(f".{Path(target).name}.partial")
        try:
            file = SD(str(named), SDC.WRITE | SDC.CREATE)
            yield file
            file.end()
            os.replace(named, path)
        finally:
            remove(named)


def _metadata(date) -> str:
    """Product, collection and date range in ECS core metadata."""
    first, last = date - timedelta(days=WINDOW[0]), date + timedelta(days=WINDOW[1] - 1)
    values = {
        "SHORTNAME": '"MCD43C4"', "VERSIONID": 61, "PGEVERSION": '"6.1.0"',
        "RANGEBEGINNINGDATE": f'"{first}"', "RANGEENDINGDATE": f'"{last}"',
    }  # fmt: skip
    return "".join(
        f"OBJECT = {key}\n  NUM_VAL = 1\n  VALUE = {value}\nEND_OBJECT = {key}\n"
        for key, value in values.items()
    )


def _solar_noon(date, shape: tuple[int, int]) -> np.ndarray:
    """(row, col) solar zenith angle at local noon, degrees (FAO-56, eq. 24)."""
    doy = date.timetuple().tm_yday
    tilt = np.degrees(declination(doy))
    lat = 90 - 180 / shape[0] * (np.arange(shape[0]) + 0.5)
    return np.broadcast_to(np.minimum(np.round(np.abs(lat - tilt)), 90)[:, None], shape)


def write_landcover(target: str) -> None:
    """Write MCD12C1 at 0.25 degree: majority class, and per cent of every IGBP class."""
    percent = np.moveaxis(igbp_percent()[:, ::-1], 0, 2)
    with _new_hdf4(target) as file:
        file.attr("source").set(SDC.CHAR, "block means of MODIS MCD12C1 v006 2019, as shipped")
        _store(file, "Majority_Land_Cover_Type_1", percent.argmax(2), _BYTE, 255,
               long_name="Majority_Land_Cover_Type_1", units="class number")  # fmt: skip
        _store(file, "Majority_Land_Cover_Type_1_Assessment", percent.max(2), _BYTE, 255,
               long_name="Majority_Land_Cover_Type_1_Assessment", units="percent")  # fmt: skip
        _store(file, "Land_Cover_Type_1_Percent", percent, _BYTE, 255,
               long_name="Land_Cover_Type_1_Percent", units="percent in integers")  # fmt: skip


def write_koppen(target: str) -> None:
    """Write the Köppen codes of Beck et al. (2018) as a GeoTIFF of 0.25 degree, 0 for no class."""
    codes = xr.DataArray(koppen_map()[::-1], dims=("y", "x")).rio.write_nodata(0)
    codes = codes.rio.write_crs("EPSG:4326").rio.write_transform(from_origin(-180, 90, 0.25, 0.25))
    with atomic_path(target) as path:
        codes.rio.to_raster(path, driver="GTiff", compress="deflate")


def _store(file: SD, name: str, values, kind, fill: int, valid_range=None, **attributes) -> None:
    """Write one compressed data set, fill value and attributes included."""
    dtype, code = kind
    data = file.create(name, code, values.shape)
    data.setcompress(SDC.COMP_DEFLATE, 1)
    data.setfillvalue(fill)
    if valid_range:
        data.setrange(*valid_range)
    for key, value in attributes.items():
        data.attr(key).set(SDC.CHAR if isinstance(value, str) else SDC.FLOAT64, value)
    data[:] = np.ascontiguousarray(values, dtype)
    data.endaccess()
