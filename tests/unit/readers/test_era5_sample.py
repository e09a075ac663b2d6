"""Kinds and units that only the values of ERA5 tell, through the stage that reads them."""

import zipfile

import netCDF4
import numpy as np
import pytest
from era5_writer import UNITS, days_of, write_era5

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.era5_cube import prepare_era5

HOURS = np.arange("2003-01-01T00", "2004-01-01T01", dtype="datetime64[h]")
LAT, LON = np.arange(90.0, -91, -45), np.arange(0.0, 360, 45)


def prepare(folder, paths, dataset_type, *variables):
    target = folder / "out" / "2003.zarr"
    try:
        prepare_era5(paths, dataset_type, 2003, Grid(45.0), 4, variables, target)
    finally:
        left = sorted(path.name for path in (folder / "out").iterdir())
        assert left in ([], ["2003.zarr"])
    return target


def radiation(dataset_type):
    """(hour, 1, lon) J m-2: the sun over each meridian, of single hours or since 00 UTC."""
    angle = 2 * np.pi * (np.arange(len(HOURS))[:, None] / 24 + LON / 360 - 0.5)
    hourly = 3600 * 800 * np.maximum(np.cos(angle), 0)
    if dataset_type == "land_hourly":  # the timestamp 01 begins a day, 00 ends it
        days = hourly[1:].reshape(-1, 24, LON.size).cumsum(axis=1)
        hourly[1:] = days.reshape(-1, LON.size)
    return hourly[:, None]


@pytest.mark.parametrize("dataset_type", ["hourly", "land_hourly"])
@pytest.mark.parametrize("said", ["hourly", "land_hourly"])
def test_hourly_dataset_types_are_distinguished(tmp_path, dataset_type, said):
    path = write_era5(tmp_path / "ssrd.nc", {"ssrd": radiation(dataset_type)}, HOURS, LAT, LON)
    if dataset_type == said:
        assert prepare(tmp_path, [path], said, "ssrd").is_dir()
        return
    with pytest.raises(InputError) as error:
        prepare(tmp_path, [path], said, "ssrd")
    message = str(error.value)
    assert all(
        word in message for word in ("ssrd.nc", f"set inputs.era5.kind to {dataset_type}", said)
    )


@pytest.mark.parametrize(
    "name, value, units, message",
    [
        ("t2m", 12.0, "K", "look like degC but say K"),
        ("t2m", 285.0, "degC", "look like K but say degC"),
        ("tp", 8.0, "m", "look like mm or kg m-2 but say m"),
        ("tp", 0.008, "mm", "look like m or kg m-2 s-1 but say mm"),
        ("ssrd", 250.0, "J m**-2", "look like W m-2 but say J"),
        ("ssrd", 250.0 * 86400, "W m**-2", "look like J m-2 but say W"),
        ("ssrd", 0.0, "J m**-2", "values are far too small"),
        ("sp", 1000.0, "Pa", "look like hPa but say Pa"),
    ],
)
def test_values_of_another_unit_are_refused_with_the_guess(tmp_path, name, value, units, message):
    file = (
        tmp_path / f"{name}_daily_sum.nc"
        if name in ("tp", "ssrd")
        else tmp_path / f"{name}_daily_mean.nc"
    )
    path = write_era5(file, {name: value}, days_of(2003), LAT, LON, units=UNITS | {name: units})
    with pytest.raises(InputError) as error:
        prepare(tmp_path, [path], "daily_statistics", name)
    assert message in str(error.value) and file.name in str(error.value)


@pytest.mark.parametrize("key, text", [("missing_value", "none"), ("scale_factor", "big")])
def test_packing_attributes_that_are_no_numbers(tmp_path, key, text):
    path = tmp_path / "t2m_daily_mean.nc"
    write_era5(path, {"t2m": 280.0}, days_of(2003), LAT, LON)
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].setncattr(key, text)
    with pytest.raises(InputError, match="packing attributes are not numbers"):
        prepare(tmp_path, [path], "daily_statistics", "t2m")


def test_latitude_beyond_the_poles(tmp_path):
    path = tmp_path / "t2m_daily_mean.nc"
    write_era5(path, {"t2m": 280.0}, days_of(2003), LAT + 20, LON)
    with pytest.raises(InputError, match="latitude is not a regular axis"):
        prepare(tmp_path, [path], "daily_statistics", "t2m")


def test_zips_with_too_many_or_with_finder_entries(tmp_path):
    warm = 285 + np.random.default_rng(0).normal(size=(365, 1, 1))
    good = write_era5(tmp_path / "t2m_daily_mean.nc", {"t2m": warm}, days_of(2003), LAT, LON)
    many, finder = tmp_path / "many.zip", tmp_path / "finder.zip"
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.nc", b"")
    with pytest.raises(InputError, match="more files than the store delivers"):
        prepare(tmp_path, [many], "daily_statistics", "t2m")
    with zipfile.ZipFile(finder, "w") as archive:
        archive.write(good, good.name)
        archive.writestr(f"__MACOSX/._{good.name}", b"finder")
    assert prepare(tmp_path, [finder], "daily_statistics", "t2m").is_dir()
