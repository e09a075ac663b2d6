"""ERA5 to tiles: values, derived variables, bounded blocks, nothing left after a failure."""

import numpy as np
import pytest
import xarray as xr
from era5_writer import LAT, LON, days_of, write_daily_year, write_era5

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors import era5_cube
from tamflux.predictors.cube import Cube
from tamflux.predictors.derived import saturation_vapour_pressure, vpd_instant
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.solar import day_length, potential_radiation
from tamflux.variables import ASTRONOMY, METEOROLOGY

STORED = 2.0**-12
"""Relative error of what the store keeps, docs/data.md."""

ALL = [*METEOROLOGY, *ASTRONOMY]
GRID = Grid(10.0)


def prepared(
    tmp_path, paths, dataset_type="daily_statistics", year=2003, grid=GRID, variables=ALL, tile=7
):
    prepare_era5(
        paths, dataset_type, year, grid, tile, variables, tmp_path / "out" / f"{year}.zarr"
    )
    return Cube.open(tmp_path / "out" / f"{year}.zarr")


def corners(field):
    """Mean of the four nodes around each cell of the 10 degree grid, by hand."""
    south_up = np.asarray(field)[..., ::-1, :]
    east = np.roll(south_up, -1, axis=-1)
    mean = (south_up[..., :-1, :] + south_up[..., 1:, :] + east[..., :-1, :] + east[..., 1:, :]) / 4
    return np.roll(mean, 18, axis=-1)  # 0..360 to -180..180


def test_a_year_of_daily_statistics(tmp_path):
    paths = write_daily_year(tmp_path)
    cube = prepared(tmp_path, paths)
    assert cube.variables == tuple(ALL)
    found = dict(zip(ALL, np.moveaxis(cube.read(slice(None), slice(None)), -1, 0), strict=True))
    raw = {path.name.split("_2003")[0]: xr.open_dataset(path) for path in paths}
    t2m = raw["2m_temperature_daily_mean"].t2m.values - 273.15
    np.testing.assert_allclose(found["t2m"], corners(t2m), rtol=STORED, atol=1e-3)
    np.testing.assert_allclose(found["t2m_max"] - found["t2m_min"], 10, atol=0.02)
    low, mean, high, dew = (saturation_vapour_pressure(t2m + d) for d in (-5, 0, 5, -8))
    vpd = (low + 2 * mean + high) / 4 - dew
    np.testing.assert_allclose(found["vpd"], corners(vpd), rtol=STORED + 1e-4)
    np.testing.assert_allclose(found["sp"].mean(), 1000, rtol=1e-2)
    np.testing.assert_allclose(found["wind"][0], 41**0.5, rtol=STORED)
    north = np.clip(LAT + 5, -90, 90)
    south = np.clip(LAT - 5, -90, 90)
    area = np.sin(np.radians(north)) - np.sin(np.radians(south))
    cells = GRID.cell_area()[:, 0]
    rain = raw["total_precipitation_daily_sum"].tp.values * 1000
    sun = raw["surface_solar_radiation_downwards_daily_sum"].ssrd.values / 86400
    for name, nodes in {"tp": rain, "ssrd": sun}.items():
        before = np.average(nodes.mean(axis=-1), weights=area, axis=1)
        after = np.average(found[name].astype(float).mean(-1), weights=cells, axis=1)
        np.testing.assert_allclose(after, before, rtol=STORED / 10)
    flag = cube.read_weather_flag(slice(None), slice(None))
    assert flag.dtype == np.int8 and flag.shape == found["t2m"].shape and not flag.any()
    assert cube.preliminary_days == ()
    for name, function in {"ssrd_pot": potential_radiation, "day_length": day_length}.items():
        expected = function(GRID.lat, days_of(2003))
        expected = np.repeat(expected[..., None], 36, axis=-1)
        np.testing.assert_allclose(found[name], expected, rtol=STORED)


def test_a_field_of_its_own_coordinate_keeps_its_place(tmp_path):
    values = 288 + LAT[:, None] / 10 + np.cos(np.radians(LON - 40))
    values = values + np.linspace(0, 1, 365)[:, None, None]
    path = write_era5(tmp_path / "2m_temperature_daily_mean.nc", {"t2m": values}, days_of(2003))
    found = prepared(tmp_path, [path], variables=["t2m"]).read(slice(None), slice(None))[0, ..., 0]
    own = GRID.lat[:, None] / 10 + np.cos(np.radians(GRID.lon - 40)) * np.cos(np.radians(5))
    np.testing.assert_allclose(found, 288 - 273.15 + own, rtol=STORED, atol=2e-3)


@pytest.mark.parametrize("dataset_type", ["hourly", "land_hourly"])
def test_hourly_vpd_wind_and_extremes_are_made_each_hour(tmp_path, dataset_type):
    hours = np.arange("2004-01-01T00", "2005-01-01T01", dtype="datetime64[h]")
    wave = np.sin(2 * np.pi * np.arange(len(hours)) / 24)[:, None, None]
    trend = 0.01 * (np.arange(len(hours)) // 24)[:, None, None]
    fields = {"t2m": 290 + 8 * wave + trend, "d2m": 280 + trend, "u10": 5 * wave, "v10": 0.0}
    paths = [write_era5(tmp_path / f"{n}.nc", {n: v}, hours) for n, v in fields.items()]
    names = ["t2m", "t2m_min", "t2m_max", "vpd", "wind"]
    cube = prepared(tmp_path, paths, dataset_type, 2004, variables=names)
    found = dict(zip(names, cube.read(slice(0, 1), slice(0, 1))[:, 0, 0].T, strict=True))
    day, trend = wave[:24, 0, 0], 0.01 * np.arange(366)
    np.testing.assert_allclose(found["t2m"], 290 - 273.15 + trend, rtol=STORED, atol=1e-3)
    np.testing.assert_allclose(found["t2m_min"], 282 - 273.15 + trend, rtol=STORED, atol=1e-3)
    np.testing.assert_allclose(found["t2m_max"], 298 - 273.15 + trend, rtol=STORED, atol=1e-3)
    t2m = 290 - 273.15 + 8 * day + trend[:, None]
    hourly = vpd_instant(t2m, 280 - 273.15 + trend[:, None] * np.ones(24))
    np.testing.assert_allclose(found["vpd"], hourly.mean(axis=1), rtol=STORED + 1e-4)
    np.testing.assert_allclose(found["wind"], np.abs(5 * day).mean(), rtol=STORED + 1e-4)
    assert len(cube.time) == 366


def test_the_result_does_not_depend_on_blocks_or_tiles(tmp_path, monkeypatch):
    paths = write_daily_year(tmp_path)
    names = ["t2m", "vpd", "tp", "day_length"]
    whole = prepared(tmp_path / "a", paths, variables=names).read(slice(None), slice(None))
    monkeypatch.setattr(era5_cube, "BLOCK_BYTES", 4 * LAT.size * LON.size * 11)
    small = prepared(tmp_path / "b", paths, variables=names, tile=5)
    assert small.tile_size == 5
    np.testing.assert_array_equal(small.read(slice(None), slice(None)), whole)


def test_a_region_of_a_land_only_source(tmp_path):
    lat, lon = np.arange(70.0, 29.9, -2), np.arange(-20.0, 40.1, 2)
    trend = np.linspace(0, 1, 365)[:, None, None]
    values = 280 + trend * np.ones((1, lat.size, lon.size))
    values[:, :, lon < 0] = np.nan  # sea
    path = write_era5(
        tmp_path / "2m_temperature_daily_mean.nc", {"t2m": values}, days_of(2003), lat, lon
    )
    grid = Grid(2.0, (-20, 30, 40, 70))
    found = prepared(tmp_path, [path], grid=grid, variables=["t2m"]).read(slice(None), slice(None))
    land = grid.lon > -2
    on_land = np.broadcast_to(6.85 + trend[..., None], found[:, :, land].shape)
    np.testing.assert_allclose(found[:, :, land], on_land, atol=2e-3)
    assert np.isnan(found[:, :, ~land]).all()


def test_exchanged_minimum_and_maximum_are_found(tmp_path):
    weather = np.random.default_rng(0).normal(size=(365, 1, 1))
    files = {"minimum": 290, "mean": 285, "maximum": 280}
    paths = [
        write_era5(tmp_path / f"2m_temperature_daily_{s}.nc", {"t2m": v + weather}, days_of(2003))
        for s, v in files.items()
    ]
    paths.append(write_era5(tmp_path / "d2m_daily_mean.nc", {"d2m": 270 + weather}, days_of(2003)))
    with pytest.raises(InputError, match="minimum of a temperature is above its maximum"):
        prepared(tmp_path, paths, variables=["vpd"])


def test_a_bad_value_late_in_the_year_leaves_nothing_behind(tmp_path, caplog):
    weather = np.random.default_rng(0).normal(size=(365, 1, 1))
    values = 285 + weather * np.ones((1, LAT.size, LON.size))
    values[300, 4, 4] = 400.0
    path = write_era5(tmp_path / "2m_temperature_daily_mean.nc", {"t2m": values}, days_of(2003))
    with pytest.raises(InputError, match="outside the valid range"):
        prepared(tmp_path, [path], variables=["t2m", "day_length"])
    assert not list((tmp_path / "out").iterdir())


def test_all_problems_are_logged_and_the_first_raised(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(era5_cube.log, "propagate", True)
    with pytest.raises(InputError, match="t2m"):
        prepared(tmp_path, [], variables=["t2m", "tp"])
    assert "variable: tp" in caplog.text
