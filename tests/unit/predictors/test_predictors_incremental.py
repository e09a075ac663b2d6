"""A year that grows: a new month costs its own files, and gives what a run from scratch gives."""

import shutil
from collections import Counter

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_writer import write_daily_year, write_era5
from hdf4_writer import write_mcd43c4

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors import reflectance
from tamflux.predictors.cube import Cube
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.predictors.merge import assemble_cube
from tamflux.predictors.reflectance import prepare_modis
from tamflux.readers import era5_sample
from tamflux.readers.era5 import Era5Year

GRID = Grid(30.0)
WEATHER = ["t2m", "vpd", "tp", "day_length"]
GREEN = ["refl_b1", "ndvi"]
EVERYWHERE = (slice(None), slice(None))


@pytest.fixture(scope="module")
def raw_months(tmp_path_factory):
    """Daily statistics of 2003, a file a variable and month."""
    folder = tmp_path_factory.mktemp("era5")
    months = {month: [] for month in range(1, 13)}
    for path in write_daily_year(folder / "whole"):
        if path.name.startswith(("2m_", "total_")):
            with xr.open_dataset(path) as year:
                (name,) = [name for name in year.data_vars if year[name].ndim == 3]
                for month, files in months.items():
                    days = year.sel(valid_time=year["valid_time.month"] == month)
                    target = folder / f"{path.stem}_{month:02d}.nc"
                    fields, stamps = {name: days[name].values}, days["valid_time"].values
                    files.append(write_era5(target, fields, stamps))
    return months


@pytest.fixture
def decoded(monkeypatch):
    """How often each day's temperature was read, by day of the year from 0; the sample that is
    compared with climatology aside."""
    monkeypatch.setattr(era5_sample, "check_plausible", lambda source: None)
    counts, original = Counter(), Era5Year.read

    def read(self, role, days):
        if role == "t2m":
            counts.update(range(days.start, days.stop))
        return original(self, role, days)

    monkeypatch.setattr(Era5Year, "read", read)
    return counts


def era5(raw_months, months, target, changed=None):
    files = [file for month in range(1, months + 1) for file in raw_months[month]]
    if changed:
        files = [changed if file.name == changed.name else file for file in files]
    prepare_era5(files, "daily_statistics", 2003, GRID, 4, WEATHER, target, may_end_early=True)
    return Cube.open(target)


def test_a_new_month_of_era5_is_all_that_is_read(raw_months, decoded, tmp_path):
    target = tmp_path / "a" / "2003.zarr"
    april = era5(raw_months, 4, target)
    assert april.time[-1] == np.datetime64("2003-04-30") and not april.is_complete
    assert decoded == Counter(range(120))
    decoded.clear()
    shutil.rmtree(target)  # as Snakemake does before the job
    may = era5(raw_months, 5, target).read(*EVERYWHERE)
    assert decoded == Counter(range(120, 151))
    scratch = era5(raw_months, 5, tmp_path / "b" / "2003.zarr").read(*EVERYWHERE)
    assert may.shape[0] == 151 and np.isfinite(may).all()
    np.testing.assert_array_equal(may, scratch)


def test_a_changed_file_has_its_month_and_those_behind_it_read_again(raw_months, decoded, tmp_path):
    target = tmp_path / "a" / "2003.zarr"
    era5(raw_months, 4, target)
    february = next(file for file in raw_months[2] if "temperature_daily_mean" in file.name)
    changed = shutil.copy(february, tmp_path)
    with netCDF4.Dataset(changed, "r+") as file:
        file["t2m"][3] += 1
    decoded.clear()
    found = era5(raw_months, 4, target, tmp_path / february.name).read(*EVERYWHERE)
    assert decoded == Counter(range(31, 120))
    scratch = era5(raw_months, 4, tmp_path / "b" / "2003.zarr", tmp_path / february.name)
    np.testing.assert_array_equal(found, scratch.read(*EVERYWHERE))


def test_the_last_month_makes_the_year_whole_and_leaves_nothing_behind(
    raw_months, decoded, tmp_path
):
    target = tmp_path / "a" / "2003.zarr"
    era5(raw_months, 11, target)
    decoded.clear()
    year = era5(raw_months, 12, target)
    of_the_seasons = Counter([14, 195])  # in January and July the hemispheres are told apart
    assert decoded == Counter(range(334, 365)) + of_the_seasons and year.is_complete
    assert [path.name for path in target.parent.iterdir()] == ["2003.zarr"]
    scratch = era5(raw_months, 12, tmp_path / "b" / "2003.zarr")
    np.testing.assert_array_equal(year.read(*EVERYWHERE), scratch.read(*EVERYWHERE))


def test_a_kept_store_that_is_damaged_is_made_again(raw_months, decoded, tmp_path):
    target = tmp_path / "2003.zarr"
    expected = era5(raw_months, 2, target).read(*EVERYWHERE)
    shutil.rmtree(tmp_path / ".2003.cache" / "store.zarr" / "tp" / "c")
    decoded.clear()
    np.testing.assert_array_equal(era5(raw_months, 2, target).read(*EVERYWHERE), expected)
    assert decoded == Counter(range(59))


def test_a_variable_that_lags_behind_ends_the_year_and_a_hole_is_refused(raw_months, tmp_path):
    files = [file for month in (1, 2, 3, 4) for file in raw_months[month]]
    rain = [file for file in raw_months[4] if file.name.startswith("total_")]
    month = [file for file in raw_months[2] if file.name.startswith("total_")]
    arguments = ("daily_statistics", 2003, GRID, 4, WEATHER, tmp_path / "2003.zarr")
    late = [file for file in files if file not in rain]
    prepare_era5(late, *arguments, may_end_early=True)
    assert Cube.open(tmp_path / "2003.zarr").time[-1] == np.datetime64("2003-03-31")
    with pytest.raises(InputError, match="days are missing"):
        prepare_era5(late, *arguments)
    hole = [file for file in files if file not in month]
    with pytest.raises(InputError, match="days are missing") as error:
        prepare_era5(hole, *arguments, may_end_early=True)
    assert "2003-02-01" in str(error.value)


def composites(folder, first="2003-01-01", last="2004-01-01"):
    """Files every eight days; clouds hide the west from March to May."""
    random = np.random.default_rng(5)
    for day in np.arange(first, last, 8, dtype="datetime64[D]"):
        numbers = random.integers(500, 5000, (7, 12, 24))
        if "2003-03-01" <= str(day) < "2003-06-01":
            numbers[:, :, :8] = 32767
        write_mcd43c4(folder, day, numbers)
    return sorted(folder.iterdir())


@pytest.fixture
def opened(monkeypatch):
    """Names of the MODIS files that are decoded."""
    names, original = [], reflectance.read_composite

    def read_composite(path, *arguments):
        names.append(path.name)
        return original(path, *arguments)

    monkeypatch.setattr(reflectance, "read_composite", read_composite)
    return names


def modis(files, target):
    prepare_modis(files, "MCD43C4", 2003, GRID, 4, 0.1, GREEN, target, may_end_early=True)
    cube = Cube.open(target)
    return cube, cube.read(*EVERYWHERE), cube.read_flag(*EVERYWHERE)


def test_new_composites_alone_are_read_and_what_hung_on_them_changes(opened, tmp_path):
    files = composites(tmp_path / "raw")
    april, may, june = files[:15], files[:19], files[:23]  # until 23 April, 25 May, 26 June
    target = tmp_path / "a" / "2003.zarr"
    before, x, flag = modis(april, target)
    assert len(opened) == 15 and before.time[-1] == np.datetime64("2003-05-31")  # within 64 days
    assert (flag[113:] != 0).all()
    opened.clear()
    shutil.rmtree(target)
    modis(may, target)
    assert opened == [file.name for file in may[15:]]
    opened.clear()
    _, y, again = modis(june, target)
    assert opened == [file.name for file in june[19:]]
    _, scratch, flags = modis(june, tmp_path / "b" / "2003.zarr")
    np.testing.assert_array_equal(y, scratch)
    np.testing.assert_array_equal(again, flags)
    east, west = np.s_[:113, :, 4:], np.s_[:54, :, :4]
    np.testing.assert_array_equal(x[east], y[east])  # before the last composite nothing changes
    np.testing.assert_array_equal(x[west], y[west])
    assert (x[60:113, :, :4] != y[60:113, :, :4]).any()  # a gap that has found its end


def test_the_last_composites_leave_nothing_behind(opened, tmp_path):
    files = composites(tmp_path / "raw")
    target = tmp_path / "a" / "2003.zarr"
    modis(files[:40], target)
    opened.clear()
    whole, x, _ = modis(files, target)
    assert len(opened) == 6 and whole.is_complete
    assert [path.name for path in target.parent.iterdir()] == ["2003.zarr"]
    np.testing.assert_array_equal(x, modis(files, tmp_path / "b" / "2003.zarr")[1])


def test_the_cube_ends_with_the_shorter_of_both(raw_months, tmp_path):
    era5(raw_months, 4, tmp_path / "era5" / "2003.zarr")
    modis(composites(tmp_path / "raw")[:15], tmp_path / "modis" / "2003.zarr")
    parts = [tmp_path / "era5" / "2003.zarr", tmp_path / "modis" / "2003.zarr"]
    assemble_cube(parts, tmp_path / "2003.zarr", WEATHER + GREEN)
    cube = Cube.open(tmp_path / "2003.zarr")
    assert cube.time[-1] == np.datetime64("2003-04-30")
    assert cube.read_cells(np.array([2]), np.array([3])).shape == (1, 120, 6)
    assert cube.read_flag(*EVERYWHERE).shape[0] == 120
