"""The ERA5 reader: each delivery of the store, and each kind of bad file."""

import logging
import zipfile
from contextlib import closing

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_writer import LAT, LON, UNITS, days_of, write_daily_year, write_era5
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.cds_files import open_netcdf, read_axis, read_fields, read_times
from tamflux.readers.era5 import Era5Year
from tamflux.readers.era5_sample import inspect_era5

GRID = Grid(10.0)
YEAR = 2003
HOURS = np.arange("2003-01-01T00", "2004-01-01T01", dtype="datetime64[h]")


def open_year(tmp_path, paths, dataset_type, predictors, grid=GRID, year=YEAR):
    era5 = Era5Year(paths, dataset_type, year, grid, predictors, tmp_path)
    if era5.problems:
        raise era5.problems[0]
    return era5


def daily(tmp_path, values=280.0, name="t2m", days=None, file="2m_temperature_daily_mean.nc", **kw):
    days = days_of(YEAR) if days is None else days
    return write_era5(tmp_path / "raw" / file, {name: values}, days, **kw)


# --- meaning of timestamps ----------------------------------------------------------------------


def test_hourly_radiation_and_rain_belong_to_the_hour_that_ends_at_the_timestamp(tmp_path):
    values = np.random.default_rng(0).gamma(1, 1, len(HOURS))
    paths = [
        write_era5(tmp_path / "a.nc", {"ssrd": values[:, None, None] * 1e6}, HOURS),
        write_era5(tmp_path / "b.nc", {"tp": values[:, None, None] * 1e-4}, HOURS),
    ]
    era5 = open_year(tmp_path, paths, "hourly", ["ssrd", "tp"])
    series = xr.DataArray(values, {"time": HOURS - np.timedelta64(1, "h")}, ["time"])
    totals = series.resample(time="1D").sum().sel(time="2003").values
    found = era5.read("ssrd", slice(0, 365))
    assert found.shape == (365, 1, len(LAT), len(LON))
    np.testing.assert_allclose(found[:, 0, 3, 4], totals * 1e6 / 86400, rtol=1e-5)
    rain = era5.read("tp", slice(100, 130))[:, 0, 0, 0]
    np.testing.assert_allclose(rain, totals[100:130] * 0.1, rtol=1e-5)


def test_hourly_instants_are_the_24_hours_of_the_day(tmp_path):
    values = 280 + np.arange(len(HOURS)) % 24
    path = write_era5(tmp_path / "a.nc", {"t2m": values[:, None, None]}, HOURS)
    found = open_year(tmp_path, [path], "hourly", ["t2m"]).read("t2m", slice(3, 5))
    assert found.shape == (2, 24, len(LAT), len(LON))
    np.testing.assert_allclose(found[1, :, 0, 0], 6.85 + np.arange(24), atol=1e-4)


def test_land_hourly_radiation_is_the_total_at_the_next_midnight(tmp_path):
    hour = np.arange(len(HOURS)) % 24
    day = np.arange(len(HOURS)) // 24
    since_midnight = np.where(hour == 0, 24 * (day - 1), hour * day) * 3e3  # day number x hours
    path = write_era5(tmp_path / "a.nc", {"ssrd": since_midnight[:, None, None]}, HOURS)
    found = open_year(tmp_path, [path], "land_hourly", ["ssrd"]).read("ssrd", slice(0, 365))
    np.testing.assert_allclose(found[:, 0, 0, 0], np.arange(365) * 24 * 3e3 / 86400, rtol=1e-5)


def test_the_end_of_the_year_needs_the_first_hour_of_the_next(tmp_path):
    for dataset_type in ("hourly", "land_hourly"):
        rain = np.random.default_rng(0).gamma(1, 1e-4, (len(HOURS), 1, 1))
        if dataset_type == "land_hourly":  # since 00 UTC: 01 is the first hour, 00 the last
            rain[1:] = rain[1:].reshape(-1, 24).cumsum(axis=1).reshape(-1, 1, 1)
        path = write_era5(tmp_path / f"{dataset_type}.nc", {"tp": rain[:-1]}, HOURS[:-1])
        (problem,) = inspect_era5([path], dataset_type, YEAR, GRID, ["tp"])
        assert problem.what == "days are missing" and problem.details["variable"] == "tp"
        assert "2003-12-31" in problem.details["found"]
        assert "2004-01-01 00 UTC" in problem.details["fix"]
        next_year = write_era5(tmp_path / f"{dataset_type}_next.nc", {"tp": rain[-1:]}, HOURS[-1:])
        assert inspect_era5([path, next_year], dataset_type, YEAR, GRID, ["tp"]) == []


@pytest.mark.parametrize("given_by", ["history", "variable", "cell_methods", "member"])
def test_daily_statistics_are_distinguished(tmp_path, given_by):
    paths = []
    for number, (statistic, value) in enumerate({"mean": 285, "minimum": 280, "max": 290}.items()):
        folder, how = tmp_path / str(number), statistic[:4].removesuffix("i")
        name = f"t2m_{statistic}" if given_by == "variable" else "t2m"
        attrs = {name: {"cell_methods": f"time: {statistic}"}} if given_by == "cell_methods" else {}
        path = write_era5(
            folder / "x.nc", {name: float(value)}, days_of(YEAR), attrs=attrs,
            how=how if given_by in ("history", "member") else "",
        )  # fmt: skip
        if given_by == "member":
            with zipfile.ZipFile(folder / "download.nc", "w") as archive:
                archive.write(path, "x.nc")
            path = folder / "download.nc"
        paths.append(path)
    era5 = open_year(tmp_path, paths, "daily_statistics", ["t2m", "t2m_min", "t2m_max"])
    for variable, value in {"t2m": 285, "t2m_min": 280, "t2m_max": 290}.items():
        assert era5.read(variable, slice(0, 1)).mean() == pytest.approx(value - 273.15, abs=1e-4)


def test_daily_sums_and_daily_means_of_hourly_sums_give_the_same_flux(tmp_path):
    total = write_era5(
        tmp_path / "ssrd_daily_sum.nc", {"ssrd": 200 * 86400.0}, days_of(YEAR), how="sum"
    )
    mean = write_era5(
        tmp_path / "ssrd_daily_mean.nc", {"ssrd": 200 * 3600.0}, days_of(YEAR), how="mean"
    )
    for path in (total, mean):
        era5 = open_year(tmp_path, [path], "daily_statistics", ["ssrd"])
        np.testing.assert_allclose(era5.read("ssrd", slice(0, 9)), 200, rtol=1e-6)


# --- layouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lat", [LAT, LAT[::-1]])
@pytest.mark.parametrize("lon", [LON, LON - 180])
@pytest.mark.parametrize("time", ["valid_time", "time"])
def test_latitude_of_either_direction_and_longitude_of_either_convention(tmp_path, lat, lon, time):
    values = 250 + np.cos(np.radians(lat))[:, None] * 20 + np.cos(np.radians(lon)) * 5
    path = daily(tmp_path, values, lat=lat, lon=lon, time=time)
    era5 = open_year(tmp_path, [path], "daily_statistics", ["t2m"])
    north, east = era5.nodes("t2m")
    assert (np.diff(north) > 0).all() and (np.diff(east) > 0).all()
    own = 250 + np.cos(np.radians(north))[:, None] * 20 + np.cos(np.radians(east)) * 5 - 273.15
    np.testing.assert_allclose(era5.read("t2m", slice(5, 6))[0, 0], own, atol=1e-3)


def test_old_packed_file_with_final_and_preliminary_data(tmp_path, caplog, monkeypatch):
    path = tmp_path / "2m_temperature_daily_mean.nc"
    truth = 273.15 + 20 * np.random.default_rng(0).random((365, len(LAT), len(LON)))
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        file.history = "cdo daymean hours.nc days.nc"
        for name, size in {"time": 365, "expver": 2, "latitude": 19, "longitude": 36}.items():
            file.createDimension(name, size)
        axis = file.createVariable("time", "i4", ("time",))
        axis.units, axis.calendar = "hours since 1900-01-01 00:00:00.0", "gregorian"
        axis[:] = (days_of(YEAR) - np.datetime64("1900-01-01")).astype("i4") * 24
        file.createVariable("latitude", "f4", ("latitude",))[:] = LAT
        file.createVariable("longitude", "f4", ("longitude",))[:] = LON
        file.createVariable("expver", "i4", ("expver",))[:] = [1, 5]
        t2m = file.createVariable(
            "t2m", "i2", ("time", "expver", "latitude", "longitude"), fill_value=-32767
        )
        t2m.units, t2m.scale_factor, t2m.add_offset = "K", 0.001, 290.0
        t2m.set_auto_maskandscale(False)
        packed = np.full((365, 2, 19, 36), -32767, "i2")
        packed[:300, 0] = np.round((truth[:300] - 290) / 0.001)
        packed[300:, 1] = np.round((truth[300:] - 290) / 0.001)
        t2m[:] = packed
    monkeypatch.setattr(logging.getLogger("tamflux"), "propagate", True)
    era5 = open_year(tmp_path, [path], "daily_statistics", ["t2m"])
    assert "preliminary ERA5T" in caplog.text
    np.testing.assert_allclose(era5.read("t2m", slice(0, 365))[:, 0], truth[:, ::-1] - 273.15,
                               atol=6e-4)  # fmt: skip


def test_new_file_with_expver_beside_time(tmp_path, caplog, monkeypatch):
    path = daily(tmp_path)
    with netCDF4.Dataset(path, "a") as file:
        expver = file.createVariable("expver", str, ("valid_time",))
        expver[:] = np.array(["0001"] * 300 + ["0005"] * 65, object)
    monkeypatch.setattr(logging.getLogger("tamflux"), "propagate", True)
    era5 = open_year(tmp_path, [path], "daily_statistics", ["t2m"])
    assert "preliminary ERA5T" in caplog.text
    assert era5.read("t2m", slice(299, 301)).mean() == pytest.approx(6.85, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("t2m", "K", 300.0, 26.85),
        ("t2m", "degrees C", 26.85, 26.85),
        ("sp", "Pa", 98700.0, 987),
        ("sp", "hPa", 987.0, 987),
        ("ssrd", "J m-2", 8.64e6, 100),
        ("ssrd", "J m**-2", 8.64e6, 100),
        ("strd", "W m**-2", 300.0, 300),
        ("tp", "m", 0.004, 4),
        ("tp", "mm", 4.0, 4),
        ("tp", "kg m**-2 s**-1", 4 / 86400, 4),
        ("swvl1", "m**3 m**-3", 0.3, 0.3),
        ("u10", "m s**-1", -3.0, -3),
    ],
)
def test_units_are_converted(tmp_path, name, units, value, expected):
    how = "sum" if name in ("ssrd", "strd", "tp") else "mean"
    path = daily(tmp_path, value, name, file="x_2003.nc", units={name: units}, how=how)
    wanted = ["wind"] if name == "u10" else [name]
    era5 = Era5Year([path], "daily_statistics", YEAR, GRID, wanted, tmp_path)
    assert era5.read(name, slice(0, 1)).mean() == pytest.approx(expected, rel=1e-4)


def test_zip_under_a_netcdf_name_with_instants_and_accumulations(tmp_path):
    archive = tmp_path / "download.nc"
    with zipfile.ZipFile(archive, "w") as file:
        for member, values in {"instant": {"t2m": 280.0}, "accum": {"tp": 1e-4}}.items():
            name = f"data_stream-oper_stepType-{member}.nc"
            file.write(write_era5(tmp_path / name, values, HOURS), name)
    era5 = open_year(tmp_path, [archive], "hourly", ["t2m", "tp"])
    np.testing.assert_allclose(era5.read("tp", slice(0, 2)), 2.4, rtol=1e-5)
    assert era5.read("t2m", slice(0, 1)).max() == pytest.approx(6.85, abs=1e-4)


def test_months_in_any_order_and_files_of_other_years(tmp_path):
    values = 280 + np.arange(365 + 10)[:, None, None] * 0.01
    days = np.arange("2002-12-27", "2004-01-06", dtype="datetime64[D]")
    paths = [
        write_era5(tmp_path / f"t2m_daily_mean_{i}.nc", {"t2m": values[part]}, days[part])
        for i, part in enumerate(np.array_split(np.arange(len(days)), 13))
    ]
    era5 = open_year(tmp_path, paths[::-1], "daily_statistics", ["t2m"])
    found = era5.read("t2m", slice(0, 365))[:, 0, 0, 0]
    np.testing.assert_allclose(found, values[5:-5, 0, 0] - 273.15, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1950, 2030), st.data())
def test_every_day_of_any_year_is_asked_for(tmp_path_factory, year, data):
    folder = tmp_path_factory.mktemp("year")
    days = days_of(year)
    lost = data.draw(st.integers(0, len(days) - 1))
    file = {"t2m": 280.0}
    part = write_era5(folder / "t2m_daily_mean.nc", file, np.delete(days, lost))
    (problem,) = inspect_era5([part], "daily_statistics", year, GRID, ["t2m"])
    assert f"{len(days) - 1} of {len(days)}" in problem.details["found"]
    assert str(days[lost]) in problem.details["found"]


def test_rounding_below_zero_is_clipped(tmp_path):
    path = daily(tmp_path, -1e-8, "tp", file="tp_daily_sum.nc")
    found = open_year(tmp_path, [path], "daily_statistics", ["tp"]).read("tp", slice(0, 1))
    assert found.max() == 0 == found.min()


# --- bad input ----------------------------------------------------------------------------------


def message(tmp_path, paths, dataset_type="daily_statistics", predictors=("t2m",), grid=GRID):
    """The error that a year raises when it is opened and read."""
    with (
        pytest.raises(InputError) as caught,
        closing(open_year(tmp_path, paths, dataset_type, predictors, grid)) as era5,
    ):
        for variable in era5.raw_variables:
            era5.read(variable, slice(0, 365))
    assert caught.value.details["file"] and caught.value.details["fix"]
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "file is empty"),
        (b"<html>error</html>", "neither NetCDF nor a zip"),
        (b"GRIB\x00\x00", "file is GRIB"),
        (b"PK\x03\x04 not a zip", "zip is truncated or damaged"),
        (b"\x89HDF\r\n\x1a\n1234", "truncated or damaged"),
    ],
)
def test_files_that_are_not_netcdf(tmp_path, content, what):
    path = tmp_path / "t2m_daily_mean.nc"
    path.write_bytes(content)
    text = message(tmp_path, [path])
    assert what in text and str(path) in text


def test_truncated_netcdf(tmp_path):
    path = daily(tmp_path, 250 + 50 * np.random.default_rng(0).random((365, 19, 36)))
    path.write_bytes(path.read_bytes()[:-2000])
    assert "truncated or damaged" in message(tmp_path, [path])


@settings(max_examples=30, deadline=None)
@given(suffix=st.sampled_from([".nc", ".zip"]), cut=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_any_damage_is_an_input_error_or_harmless(tmp_path_factory, suffix, cut, seed):
    folder, rng = tmp_path_factory.mktemp("damage"), np.random.default_rng(seed)
    path = daily(folder, 280 + rng.random((365, 19, 36)))
    if suffix == ".zip":
        with zipfile.ZipFile(folder / "download.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, path.name)
        path = folder / "download.zip"
    content = bytearray(path.read_bytes())
    if cut:
        content = content[: rng.integers(0, len(content))]
    else:
        for place in rng.integers(0, len(content), 20):
            content[place] ^= 0xFF
    bad = path.with_name(f"bad{suffix}")
    bad.write_bytes(content)
    try:
        with closing(open_year(folder, [bad], "daily_statistics", ["t2m"])) as era5:
            era5.read("t2m", slice(0, 365))
    except InputError as error:
        assert str(bad) in str(error)


def test_a_shifted_netcdf(tmp_path):
    """One byte twice: the HDF5 library would search such a file for minutes."""
    path = daily(tmp_path, 250 + 50 * np.random.default_rng(0).random((365, 19, 36)))
    content = path.read_bytes()
    path.write_bytes(content[:9001] + content[9000:])
    assert f"it has {len(content) + 1} bytes" in message(tmp_path, [path])
    path.write_bytes(content[:40])
    assert "truncated or damaged" in message(tmp_path, [path])


def test_a_zip_with_a_piece_cut_out(tmp_path):
    """The offsets of its directory then point before its start."""
    path = daily(tmp_path, 250 + 50 * np.random.default_rng(0).random((365, 19, 36)))
    with zipfile.ZipFile(tmp_path / "cut.zip", "w") as archive:
        archive.write(path, path.name)
    content = (tmp_path / "cut.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[:500] + content[560:])
    assert "zip is truncated or damaged" in message(tmp_path, [tmp_path / "cut.zip"])


def test_missing_file(tmp_path):
    assert "file is missing" in message(tmp_path, [tmp_path / "none.nc"])


@pytest.mark.parametrize("entry", ["../evil.nc", "/etc/evil.nc", "a/../../evil.nc", "..\\evil.nc"])
def test_zip_that_escapes_its_folder(tmp_path, entry):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"x")
    text = message(tmp_path / "scratch", [path])
    assert "escapes its folder" in text and "evil.nc" in text
    assert not list(tmp_path.rglob("evil.nc"))


def test_zip_bomb_and_zip_without_netcdf(tmp_path):
    bomb, empty = tmp_path / "bomb.zip", tmp_path / "empty.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.nc", b"\0" * 20_000_000)
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", b"x")
    assert "implausible size" in message(tmp_path, [bomb])
    assert "holds no NetCDF" in message(tmp_path, [empty])


def test_wrong_variable(tmp_path):
    text = message(tmp_path, [daily(tmp_path, name="msl")])
    assert "no ERA5 variable that is used" in text and "msl" in text


def test_variable_that_is_needed_but_absent(tmp_path):
    paths = [p for p in write_daily_year(tmp_path) if "dewpoint" not in p.name]
    text = message(tmp_path, paths, predictors=["t2m", "vpd"])
    assert "no file holds a variable that is needed" in text and "d2m" in text


def test_missing_units_are_guessed(tmp_path):
    text = message(tmp_path, [daily(tmp_path, 288.0, units=None)])
    assert "has no units" in text and "look like K" in text


def test_unknown_units(tmp_path):
    text = message(tmp_path, [daily(tmp_path, 288.0, units={"t2m": "furlong"})])
    assert "unknown unit" in text and "furlong" in text and "K or degC" in text


def test_wrong_units_are_guessed(tmp_path):
    text = message(tmp_path, [daily(tmp_path, 15.0)])
    assert "outside the valid range" in text and "look like degC but say K" in text
    celsius = daily(tmp_path, 15.0, units={"t2m": "degC"})
    era5 = open_year(tmp_path, [celsius], "daily_statistics", ["t2m"])
    assert era5.read("t2m", slice(0, 1)).max() == 15


def test_missing_days(tmp_path):
    text = message(tmp_path, [daily(tmp_path, days=np.delete(days_of(YEAR), [58, 200]))])
    assert "days are missing" in text and "363 of 365" in text
    assert "2003-02-28, 2003-07-20" in text


def test_duplicate_days(tmp_path):
    one, two = daily(tmp_path), daily(tmp_path, file="t2m_daily_mean_copy.nc")
    text = message(tmp_path, [one, two])
    assert "more than once" in text and str(one) in text and str(two) in text


def test_hourly_files_given_as_daily(tmp_path):
    path = write_era5(tmp_path / "t2m.nc", {"t2m": 280.0}, HOURS)
    text = message(tmp_path, [path])
    assert "set inputs.era5.kind to hourly" in text and f"also in {path}" in text


@pytest.mark.parametrize("fill", [-9999.0, -32767.0, 9.969209968386869e36, 1e20])
def test_fill_value_that_is_not_masked(tmp_path, fill):
    values = np.full((365, 19, 36), 1e6)
    values[7, 3, 3] = fill
    text = message(tmp_path, [daily(tmp_path, values, "ssrd", file="ssrd_daily_sum.nc")],
                   predictors=["ssrd"])  # fmt: skip
    assert "fill value is not masked" in text and "_FillValue" in text


def test_wrong_grids(tmp_path):
    europe = daily(tmp_path, lat=np.arange(80.0, 20, -10), lon=np.arange(-30.0, 50, 10))
    text = message(tmp_path, [europe])
    assert "does not cover the region" in text and "grid.bbox" in text
    region = Grid(10.0, (-20, 30, 40, 70))
    assert open_year(tmp_path, [europe], "daily_statistics", ["t2m"], region).problems == []
    uneven = LAT.copy()
    uneven[3] += 4
    assert "latitude is not a regular axis" in message(tmp_path, [daily(tmp_path, lat=uneven)])


def test_a_meridian_that_comes_twice_is_read_once(tmp_path):
    lon = np.arange(0.0, 361, 10)
    path = daily(tmp_path, 250 + 20 * np.cos(np.radians(lon)), lon=lon)
    era5 = open_year(tmp_path, [path], "daily_statistics", ["t2m"])
    np.testing.assert_array_equal(era5.nodes("t2m")[1], lon[:-1])
    found = era5.read("t2m", slice(0, 1))[0, 0, 0]
    np.testing.assert_allclose(found, 250 + 20 * np.cos(np.radians(lon[:-1])) - 273.15, atol=1e-4)


def test_ensemble_members_are_refused(tmp_path):
    path = tmp_path / "t2m_daily_mean.nc"
    data = xr.DataArray(
        np.full((365, 10, 19, 36), 280.0, "f4"),
        {"valid_time": days_of(YEAR), "number": np.arange(10), "latitude": LAT, "longitude": LON},
        ["valid_time", "number", "latitude", "longitude"],
        attrs={"units": UNITS["t2m"]},
    )
    dataset = data.to_dataset(name="t2m").assign_attrs(history="cdo daymean in.nc out.nc")
    dataset.to_netcdf(path)
    assert "unexpected dimensions" in message(tmp_path, [path])


def test_all_problems_are_found_at_once(tmp_path):
    paths = write_daily_year(tmp_path)
    paths[0].write_bytes(b"")
    daily_sum = next(p for p in paths if "precipitation" in p.name)
    write_era5(daily_sum, {"tp": 0.0}, days_of(YEAR)[:-1])
    problems = inspect_era5(paths, "daily_statistics", YEAR, GRID)
    assert {p.what for p in problems} == {
        "file is empty", "no file holds a variable that is needed", "days are missing",
    }  # fmt: skip


# --- real files ---------------------------------------------------------------------------------


@pytest.mark.realdata
def test_real_file_of_the_converter(shared_data):
    path = shared_data / "era5" / "cds_grib_to_netcdf_sample.nc"
    expected = xr.open_dataset(path)
    with open_netcdf(path, str(path)) as file:
        time, timestamps = read_times(file, str(path))
        assert time == "valid_time" and timestamps[0] == expected.valid_time.values
        np.testing.assert_allclose(read_axis(file, "latitude", ""), expected.latitude)
        np.testing.assert_allclose(read_axis(file, "longitude", ""), expected.longitude)
        found, _ = read_fields(file, "t2m", time, slice(0, 1), str(path))
    np.testing.assert_array_equal(found[0], expected.t2m.values[::-1])


@pytest.mark.realdata
def test_real_file_is_described_before_any_work(shared_data):
    path = shared_data / "era5" / "cds_grib_to_netcdf_sample.nc"
    year = int(str(xr.open_dataset(path).valid_time.values)[:4])
    region = Grid(5.0, (-15, 40, 40, 65))
    (problem,) = inspect_era5([path], "hourly", year, region, ["t2m"])
    assert problem.what == "days are missing" and "1 of 87" in problem.details["found"]
    (problem, *_) = inspect_era5([path], "daily_statistics", year, Grid(5.0), ["t2m"])
    assert problem.what == "file does not cover the region"


@pytest.mark.realdata
def test_real_file_of_cities_is_not_a_grid(shared_data):
    path = shared_data / "era5" / "daily_surface_cancities_1990-1993.nc"
    problem, *_ = inspect_era5([path], "daily_statistics", 1990, Grid(10.0), ["t2m"])
    assert problem.what == "file holds no ERA5 variable that is used"
