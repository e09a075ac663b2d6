"""Statements of ERA5 files: believed where they are understood, refused where they contradict."""

import logging
import zipfile

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_writer import days_of, write_era5

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.readers.cds_files import read_fields
from tamflux.readers.era5 import Era5Year

GRID, YEAR = Grid(45.0), 2003
LAT, LON = np.arange(90.0, -91, -45), np.arange(0.0, 360, 45)
HOURS = np.arange("2003-01-01T00", "2004-01-01T01", dtype="datetime64[h]")


@pytest.fixture
def logged(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tamflux"), "propagate", True)
    return caplog


def write(folder, name, value, file="era5.nc", days=None, **attributes):
    """A daily file without any statement, but for attributes `global_`, `of_` and `time_`."""
    path = write_era5(
        folder / file, {name: value}, days_of(YEAR) if days is None else days, LAT, LON, how=""
    )
    with netCDF4.Dataset(path, "a") as opened:
        for key, text in attributes.items():
            scope, _, attribute = key.partition("_")
            target = {"global": opened, "of": opened[name], "time": opened["valid_time"]}[scope]
            target.setncattr(attribute, text)
    return path


def opened(tmp_path, path, name, dataset_type="daily_statistics", **kw):
    paths = path if isinstance(path, list) else [path]
    era5 = Era5Year(paths, dataset_type, YEAR, GRID, [name], tmp_path, **kw)
    if era5.problems:
        raise era5.problems[0]
    return era5


def cds(how, hours=0):
    return f"earthkit.transforms.aggregate.temporal.daily_reduce(x, how={how}, **{{'time_shift': {{'hours': {hours}}}}})"  # noqa: E501


# --- statistic ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["total_precipitation_0_daily-sum.nc", "era5_tp_2003.nc"])
@pytest.mark.parametrize(
    ("statement", "seconds"),
    [
        ({"global_history": cds("mean", -1)}, 3600),
        ({"global_history": cds("sum", -1)}, 86400),
        ({"global_history": "x.temporal.daily_sum(tp)"}, 86400),
        ({"global_history": "Mon: cdo daymean in.nc out.nc"}, 3600),
        ({"of_cell_methods": "time: sum within days"}, 86400),
        ({"of_cell_methods": "area: mean time: mean (interval: 1 hour)"}, 3600),
    ],
)
def test_precipitation_is_what_the_file_states_whatever_its_name(
    tmp_path, name, statement, seconds
):
    path = write(tmp_path, "tp", 0.005 * seconds / 86400, name, **statement)
    found = opened(tmp_path, path, "tp").read("tp", slice(0, 9))
    np.testing.assert_allclose(found, 5.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["tp", "ssrd", "strd", "t2m"])
def test_a_statistic_that_only_the_file_name_gives_is_refused(tmp_path, name):
    path = write(tmp_path, name, 300.0, f"{name}_daily_sum_2003.nc")
    with pytest.raises(InputError, match="nothing in the file gives its daily statistic"):
        opened(tmp_path, path, name)


@pytest.mark.parametrize("name", ["sp", "swvl1"])
def test_variables_of_which_only_means_are_used_need_no_statement(tmp_path, name):
    path = write(tmp_path, name, {"sp": 1e5, "swvl1": 0.3}[name])
    assert opened(tmp_path, path, name).read(name, slice(0, 1)).max() > 0


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("tp", {"global_history": cds("mean", -1), "of_cell_methods": "time: sum"}),
        ("tp", {"global_history": cds("std", -1)}),
        ("t2m", {"global_history": cds("sum")}),
        ("t2m", {"of_cell_methods": "time: maximum within days time: mean over days"}),
    ],
)
def test_statements_that_contradict_or_are_of_no_use(tmp_path, name, attributes):
    path = write(tmp_path, name, 0.005 if name == "tp" else 290.0, **attributes)
    with pytest.raises(InputError, match="contradictory or not one that is used"):
        opened(tmp_path, path, name)


# --- hours and days -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    [
        {"global_history": cds("sum", -1) + " frequency='6_hourly'"},
        {"global_history": cds("sum", -1), "global_frequency": "6hourly"},
        {"of_cell_methods": "time: sum (interval: 3 hours)"},
    ],
)
def test_a_sum_over_some_hours_is_no_daily_sum(tmp_path, attributes):
    with pytest.raises(InputError, match="not made of all 24 hours"):
        opened(tmp_path, write(tmp_path, "tp", 0.005, **attributes), "tp")


def test_a_mean_over_some_hours_is_read_and_logged(tmp_path, logged):
    path = write(tmp_path, "sp", 1e5, global_history=cds("mean") + " frequency: 6_hourly")
    opened(tmp_path, path, "sp")
    assert "every 6th hour" in logged.text


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("t2m", {"global_history": cds("mean", 5)}),
        ("t2m", {"global_history": cds("mean", -1)}),
        ("t2m", {"global_history": cds("mean", 5).replace("'", '"')}),
        ("t2m", {"global_history": cds("mean", 5).replace("hours", "moons")}),
        ("tp", {"global_history": cds("sum", 8)}),
        ("t2m", {"global_history": cds("mean"), "time_time_shift": "0 days 09:00:00"}),
        ("t2m", {"time_units": "days since 2003-01-01 00:00:00 +5:30",
                 "global_history": cds("mean")}),
    ],
)  # fmt: skip
def test_days_of_another_time_zone_are_refused(tmp_path, name, attributes):
    path = write(tmp_path, name, 0.005 if name == "tp" else 290.0)
    with netCDF4.Dataset(path, "a") as file:
        file["valid_time"][:] = np.arange(365)
        file["valid_time"].units = "days since 2003-01-01 00:00:00"
        for key, text in attributes.items():
            scope, _, attribute = key.partition("_")
            (file if scope == "global" else file["valid_time"]).setncattr(attribute, text)
    with pytest.raises(InputError, match="not UTC days"):
        opened(tmp_path, path, name)


@pytest.mark.parametrize(("shift", "warned"), [(-1, False), (0, True)])
def test_the_shift_of_accumulated_hours_is_understood(tmp_path, logged, shift, warned):
    path = write(tmp_path, "tp", 0.005, global_history=cds("sum", shift),
                 time_time_shift=f"{shift} hours")  # fmt: skip
    assert opened(tmp_path, path, "tp").read("tp", slice(0, 1)).max() == pytest.approx(5)
    assert ("end at 23 UTC" in logged.text) == warned


def with_bounds(path, start, end):
    """Add bounds, in hours from the timestamps, to the time axis of a file."""
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("two", 2)
        axis = file["valid_time"]
        axis.bounds = "time_bnds"
        bounds = file.createVariable("time_bnds", "i8", ("valid_time", "two"))
        bounds[:] = axis[:][:, None] + 3600 * np.array([start, end])
    return path


def test_bounds_decide_the_day_of_a_timestamp(tmp_path):
    """Days stamped at their end are dated by their start."""
    stamps = days_of(YEAR) + 1
    values = 280 + np.arange(365)[:, None, None] * 0.01
    path = write(tmp_path, "t2m", values, days=stamps, of_cell_methods="time: mean")
    era5 = opened(tmp_path, with_bounds(path, -24, 0), "t2m")
    found = era5.read("t2m", slice(0, 365))[:, 0, 0, 0]
    np.testing.assert_allclose(found, values[:, 0, 0] - 273.15, atol=1e-4)
    local = write(tmp_path / "b", "t2m", values, days=days_of(YEAR), of_cell_methods="time: mean")
    with pytest.raises(InputError, match="bounds of the time axis are not UTC days"):
        opened(tmp_path, with_bounds(local, -6, 18), "t2m")


def test_hours_must_end_at_full_hours(tmp_path):
    half = HOURS.astype("datetime64[m]") + 30
    path = write_era5(tmp_path / "half.nc", {"t2m": 280.0}, half, LAT, LON)
    with pytest.raises(InputError, match="do not mark the end of full hours"):
        opened(tmp_path, path, "t2m", "hourly")
    path = with_bounds(write_era5(tmp_path / "tp.nc", {"tp": 1e-4}, HOURS, LAT, LON), 0, 1)
    with pytest.raises(InputError, match="do not mark the end of full hours"):
        opened(tmp_path, path, "tp", "hourly")
    path = with_bounds(write_era5(tmp_path / "ok.nc", {"tp": 1e-4}, HOURS, LAT, LON), -1, 0)
    assert opened(tmp_path, path, "tp", "hourly").problems == []


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "365_day", "julian"])
def test_other_calendars_are_refused(tmp_path, calendar):
    path = write(tmp_path, "sp", 1e5, time_calendar=calendar)
    with pytest.raises(InputError, match="time axis cannot be decoded"):
        opened(tmp_path, path, "sp")


def test_axes_in_radians_are_refused(tmp_path):
    path = write(tmp_path, "sp", 1e5)
    with netCDF4.Dataset(path, "a") as file:
        file["latitude"].units = "radians"
    with pytest.raises(InputError, match="latitude is not a regular axis"):
        opened(tmp_path, path, "sp")


# --- experiment version -------------------------------------------------------------------------


@pytest.mark.parametrize("versions", [(1, 5), (5, 1)])
def test_final_values_are_taken_by_the_value_of_expver_not_its_position(tmp_path, versions):
    """Both versions of the first 300 days are there, and only the preliminary one of the others."""
    truth = 1e5 + np.random.default_rng(0).normal(0, 100, (365, LAT.size, LON.size))
    both = {1: truth.copy(), 5: truth + 50}
    both[1][300:] = np.nan
    data = xr.DataArray(
        np.stack([both[v] for v in versions], axis=1).astype("f4"),
        {"valid_time": days_of(YEAR), "expver": list(versions), "latitude": LAT, "longitude": LON},
        ["valid_time", "expver", "latitude", "longitude"], attrs={"units": "Pa"},
    )  # fmt: skip
    data.to_dataset(name="sp").to_netcdf(tmp_path / "sp.nc")
    era5 = opened(tmp_path, tmp_path / "sp.nc", "sp")
    found = era5.read("sp", slice(0, 365))[:, 0, ::-1]
    expected = np.concatenate([truth[:300], truth[300:] + 50]) / 100
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert era5.preliminary_days == [str(day) for day in days_of(YEAR)[300:]]


def test_versions_along_time_give_the_preliminary_days(tmp_path):
    path = write(tmp_path, "sp", 1e5)
    with netCDF4.Dataset(path, "a") as file:
        version = file.createVariable("expver", str, ("valid_time",))
        version[:] = np.array(["0001"] * 360 + ["0005"] * 5, object)
    era5 = opened(tmp_path, path, "sp")
    era5.read("sp", slice(0, 362))
    assert era5.preliminary_days == ["2003-12-27", "2003-12-28"]
    era5.read("sp", slice(0, 365))
    assert len(era5.preliminary_days) == 5


@pytest.mark.parametrize("version", ["0114", "none"])
def test_unknown_versions_are_refused(tmp_path, version):
    path = write(tmp_path, "sp", 1e5)
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("expver", str, ())[...] = version
    with pytest.raises(InputError, match="experiment versions are unknown"):
        opened(tmp_path, path, "sp")


# --- layout -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 1, 0), (0, 2, 1)])
def test_axes_in_any_order(tmp_path, order):
    values = 1e5 + np.random.default_rng(0).normal(0, 100, (365, LAT.size, LON.size))
    names = ["valid_time", "latitude", "longitude"]
    axes = dict(zip(names, (days_of(YEAR), LAT, LON), strict=True))
    data = xr.DataArray(values, axes, names, attrs={"units": "Pa"})
    data.transpose(*(names[i] for i in order)).to_dataset(name="sp").to_netcdf(tmp_path / "sp.nc")
    found = opened(tmp_path, tmp_path / "sp.nc", "sp").read("sp", slice(0, 365))[:, 0, ::-1]
    np.testing.assert_allclose(found, values / 100, rtol=1e-6)


@pytest.mark.parametrize("name", ["swvl1", "sp", "t2m", "strd"])
def test_zeros_over_sea_are_missing(tmp_path, name):
    value = {"swvl1": 0.3, "sp": 9e4, "t2m": 285.0, "strd": 2.5e7}[name]
    fields = np.full((365, LAT.size, LON.size), value)
    fields[:, :, 4:] = 0
    path = write(tmp_path, name, fields,
                 of_cell_methods="time: sum" if name == "strd" else "time: mean")  # fmt: skip
    found = opened(tmp_path, path, name).read(name, slice(0, 3))
    assert np.isnan(found[..., 4:]).all() and np.isfinite(found[..., :4]).all()


@pytest.mark.parametrize("name", ["tp", "ssrd", "u10"])
def test_zeros_that_may_be_weather_stay(tmp_path, name):
    path = write(tmp_path, name, 0.0, of_cell_methods="time: mean")
    found = opened(tmp_path, path, "wind" if name == "u10" else name) if name != "u10" else None
    assert found is None or (found.read(name, slice(0, 3)) == 0).all()


# --- zips ---------------------------------------------------------------------------------------


def zipped(folder, members):
    path = folder / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                archive.write(content, name)
    return path


def test_members_of_other_streams_are_left_out_and_logged(tmp_path, logged):
    good = write_era5(tmp_path / "a.nc", {"t2m": 280.0}, HOURS, LAT, LON)
    wave = write_era5(tmp_path / "b.nc", {"swh": 1.0}, HOURS, LAT[::2], LON[::2])
    monthly = write_era5(tmp_path / "c.nc", {"t2m": 270.0}, HOURS[:1], LAT, LON,
                         attrs={"t2m": {"GRIB_stepType": "avgua"}})  # fmt: skip
    members = xr.open_dataset(good).expand_dims(number=range(10)).isel(valid_time=slice(0, 24))
    members.to_netcdf(tmp_path / "d.nc")
    path = zipped(tmp_path, {
        "data_stream-oper_stepType-instant.nc": good, "data_stream-wave_stepType-instant.nc": wave,
        "data_stream-moda_stepType-avgua.nc": monthly, "data_stream-enda.nc": tmp_path / "d.nc",
        "readme.txt": b"of the store", "wave.grib": b"GRIB0000",
    })  # fmt: skip
    era5 = opened(tmp_path, path, "t2m", "hourly")
    assert era5.read("t2m", slice(0, 2)).max() == pytest.approx(6.85, abs=1e-4)
    for left_out in ("stream-wave", "stream-moda", "stream-enda", "readme.txt", "wave.grib"):
        assert left_out in logged.text


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"t2m_00:00.grib": b"GRIB0000"}, 'download with "data_format": "netcdf", or convert'),
        ({"readme.txt": b"text"}, "zip holds no NetCDF file"),
    ],
)
def test_zips_without_netcdf_name_the_remedy(tmp_path, members, what):
    with pytest.raises(InputError) as error:
        opened(tmp_path, zipped(tmp_path, members), "t2m", "hourly")
    assert what in str(error.value)


def test_a_zip_of_other_streams_alone_is_refused(tmp_path):
    wave = write_era5(tmp_path / "b.nc", {"swh": 1.0}, HOURS, LAT, LON)
    with pytest.raises(InputError, match="no ERA5 variable that is used"):
        opened(tmp_path, zipped(tmp_path, {"wave.nc": wave}), "t2m", "hourly")


# --- real files ---------------------------------------------------------------------------------

CHANNEL = Grid(0.25, (-1.0, 48.75, 3.0, 50.25))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "name", "predictor", "factor", "offset"),
    [
        ("2m_temperature_0_daily-mean.nc", "t2m", "t2m", 1, -273.15),
        ("total_precipitation_0_daily-mean.nc", "tp", "tp", 24000, 0),
    ],
)
def test_real_daily_statistics_have_the_values_of_the_file(
    shared_data, tmp_path, file, name, predictor, factor, offset
):
    path = shared_data / "era5" / file
    renamed = tmp_path / "era5_2024_10.nc"
    renamed.write_bytes(path.read_bytes())
    era5 = Era5Year([renamed], "daily_statistics", 2024, CHANNEL, [predictor], tmp_path)
    (problem,) = era5.problems
    assert problem.what == "days are missing" and "31 of 366" in problem.details["found"]
    october = slice(274, 305)
    found = era5.read(name, october)[:, 0, ::-1]
    expected = xr.open_dataset(path)[name].values * factor + offset
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    if name == "tp":
        assert 1 < found.mean() < 10  # mm d-1 over the Channel, and not a 24th of it


@pytest.mark.realdata
def test_real_wind_of_the_store(shared_data, tmp_path):
    paths = [
        shared_data / "era5" / f
        for f in (
            "10m_u_component_of_wind_stream-oper_daily-mean.nc",
            "10m_v_component_of_wind_0_daily-mean.nc",
        )
    ]
    era5 = Era5Year(paths, "daily_statistics", 2024, CHANNEL, ["wind"], tmp_path)
    assert {p.what for p in era5.problems} == {"days are missing"}
    for path, name in zip(paths, ("u10", "v10"), strict=True):
        expected = xr.open_dataset(path)[name].values
        np.testing.assert_allclose(era5.read(name, slice(274, 305))[:, 0, ::-1], expected)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("ERA5_UK_mixed_multi_netcdf.zip", ("t2m", "tp")),
        ("ERA5_t2m_UK_single_netcdf.zip", ("t2m",)),
        ("ERA5_t2m_UK_multi_netcdf_no_time_dim.zip", ("t2m",)),
    ],
)
def test_real_zips_of_several_files(shared_data, tmp_path, file, names):
    """Names with colons, one hour a file, with and without a dimension of time."""
    path = shared_data / "era5" / file
    region = Grid(0.25, (-14.0, 51.0, 4.0, 69.0))
    era5 = Era5Year([path], "hourly", 2022, region, names, tmp_path / "scratch")
    assert {p.what for p in era5.problems} <= {"days are missing"}
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "own")
    for own in sorted((tmp_path / "own").rglob("*.nc")):
        dataset = xr.open_dataset(own)
        name = next(n for n in names if n in dataset)
        hour = dataset.valid_time.values if "valid_time" in dataset else dataset.time.values[0]
        parts = [p for p in era5._file_variables[name] if p.timestamps[0] == hour.astype("M8[h]")]
        assert len(parts) == 1
        with netCDF4.Dataset(parts[0].path) as opened_file:
            opened_file.set_auto_maskandscale(False)
            found, _ = read_fields(opened_file, name, parts[0].time, slice(0, 1), "")
        np.testing.assert_allclose(found[0], np.squeeze(dataset[name].values)[::-1], rtol=1e-6)


@pytest.mark.realdata
def test_real_grib_is_refused_with_a_remedy(shared_data, tmp_path):
    for file in ("era5-single-level-scalar-time.grib", "ERA5_t2m_UK_multi_grib.zip"):
        era5 = Era5Year([shared_data / "era5" / file], "hourly", 2022, GRID, ["t2m"], tmp_path)
        assert '"data_format": "netcdf"' in str(era5.problems[0])


@pytest.mark.realdata
def test_real_land_files_without_units_are_refused(shared_data, tmp_path):
    """Their axes are longitude, latitude, time; without units nothing is believed."""
    path = shared_data / "era5" / "era5-land_air_temperature_1996-1.nc"
    region = Grid(0.1, (-108.9, 37.1, -107.2, 38.8))
    era5 = Era5Year([path], "land_hourly", 1996, region, ["t2m"], tmp_path)
    assert era5.problems[0].what == "variable has no units"
    assert "look like K" in era5.problems[0].details["fix"]
