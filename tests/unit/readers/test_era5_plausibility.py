"""Believable but wrong ERA5: refused by climatology, radiation, or the run of the hours."""

import re

import numpy as np
import pytest
from era5_writer import UNITS, days_of, write_era5

from tamflux.climatology import climatology
from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.readers.era5_sample import inspect_era5
from tamflux.solar import potential_radiation

GRID = Grid(1.0, (0.0, 44.0, 10.0, 54.0))
LAT, LON = np.arange(54.5, 43.4, -0.5), np.arange(-0.5, 10.6, 0.5)
HOURS = np.arange("2003-01-01T00", "2004-01-01T01", dtype="datetime64[h]")


def real_year(name, seed=0, days=None):
    """(day, lat, lon) a year about the climatology, in catalogue units."""
    rng, days = np.random.default_rng(seed), days_of(2003) if days is None else days
    if name == "ssrd":
        clear = rng.uniform(0.2, 0.75, (len(days), 1, 1))
        return potential_radiation(LAT, days)[:, :, None] * clear * np.ones(LON.size)
    mean = climatology(name, LAT, LON, days)
    if name == "tp":
        return mean * rng.gamma(2, 1 / 2, (len(days), 1, 1))
    return mean + rng.normal(0, 4, (len(days), 1, 1))


def prepare(folder, paths, names, dataset_type="daily_statistics", grid=GRID):
    target = folder / "out" / "2003.zarr"
    prepare_era5(paths, dataset_type, 2003, grid, 10, names, target)
    return Cube.open(target).read(slice(None), slice(None))


def refused(folder, paths, names, dataset_type="daily_statistics"):
    """The message, which the check before any work gives too."""
    with pytest.raises(InputError) as error:
        prepare(folder, paths, names, dataset_type)
    (problem,) = inspect_era5(paths, dataset_type, 2003, GRID, names)
    assert str(problem) == str(error.value)
    return str(problem)


@pytest.mark.parametrize(
    ("how", "factor", "expected"),
    [
        ("sum", 1, None),
        ("mean", 1 / 24, None),
        ("sum", 1 / 24, "a mean over hours"),
        ("mean", 1, "a sum over the day is read as a mean over hours"),
        ("sum", 1 / 6, "4 of the 24 hours"),
    ],
)
def test_precipitation_of_another_statistic(tmp_path, how, factor, expected):
    values = real_year("tp") / 1000
    path = write_era5(tmp_path / "tp.nc", {"tp": values * factor}, days_of(2003), LAT, LON, how=how)
    if expected is None:
        found = prepare(tmp_path, [path], ["tp"])
        assert found.mean() == pytest.approx(1000 * values.mean(), rel=0.1)
    else:
        assert expected in refused(tmp_path, [path], ["tp"])


@pytest.mark.parametrize("factor", [0.26, 0.45, 1.5, 2.5])
def test_dry_and_wet_years_pass(tmp_path, factor):
    path = write_era5(tmp_path / "tp.nc", {"tp": factor * real_year("tp") / 1000}, days_of(2003),
                      LAT, LON, how="sum")  # fmt: skip
    assert inspect_era5([path], "daily_statistics", 2003, GRID, ["tp"]) == []


def test_a_desert_without_rain_passes(tmp_path):
    lat, lon = np.arange(28.5, 17.9, -0.5), np.arange(-0.5, 10.6, 0.5)
    rain = 1e-6 * np.random.default_rng(0).gamma(0.1, 1, (365, lat.size, lon.size))
    path = write_era5(tmp_path / "tp.nc", {"tp": rain}, days_of(2003), lat, lon, how="sum")
    region = Grid(1.0, (0.0, 19.0, 10.0, 28.0))
    assert inspect_era5([path], "daily_statistics", 2003, region, ["tp"]) == []


@pytest.mark.parametrize("shift", [-12.0, 12.0])
def test_temperature_ten_degrees_off(tmp_path, shift):
    for offset in (0.0, shift):
        values = real_year("t2m") + 273.15 + offset
        path = write_era5(tmp_path / "t2m.nc", {"t2m": values}, days_of(2003), LAT, LON, how="mean")
        if offset == 0:
            assert inspect_era5([path], "daily_statistics", 2003, GRID, ["t2m"]) == []
    assert "far from climatology" in refused(tmp_path, [path], ["t2m"])


@pytest.mark.parametrize(("factor", "good"), [(1, True), (1 / 6, False), (1 / 24, False),
                                              (12, False)])  # fmt: skip
def test_radiation_against_the_sun(tmp_path, factor, good):
    values = 86400 * factor * np.minimum(real_year("ssrd"), 500 / factor)
    path = write_era5(tmp_path / "s.nc", {"ssrd": values}, days_of(2003), LAT, LON, how="sum")
    if good:
        assert inspect_era5([path], "daily_statistics", 2003, GRID, ["ssrd"]) == []
    else:
        refused(tmp_path, [path], ["ssrd"])


def test_a_field_repeated_on_every_day_is_refused(tmp_path):
    values = np.broadcast_to(real_year("t2m")[200] + 270, (365, LAT.size, LON.size))
    path = write_era5(tmp_path / "t2m.nc", {"t2m": values}, days_of(2003), LAT, LON, how="mean")
    assert "the same on every day" in refused(tmp_path, [path], ["t2m"])


def hourly(name, kind):
    """(hour, 1, 1) J m-2 or m of single hours, or since 00 UTC."""
    hour = np.arange(len(HOURS)) % 24
    if name == "ssrd":
        day = (HOURS - np.timedelta64(1, "h")).astype("datetime64[D]")
        light = potential_radiation(np.array([49.0]), day)[:, 0]
        sun = np.maximum(0, np.sin((hour - 6.5) / 12 * np.pi))
        values = 86400 * 0.5 * light * sun / sun[:24].sum()
    else:
        rain = np.random.default_rng(1).gamma(0.08, 1, len(HOURS))
        values = rain * 0.002 * 365 / rain.sum()
    if kind == "land_hourly":
        values[1:] = values[1:].reshape(-1, 24).cumsum(axis=1).ravel()
    return values[:, None, None]


@pytest.mark.parametrize("said", ["hourly", "land_hourly"])
@pytest.mark.parametrize("of_ssrd", ["hourly", "land_hourly"])
@pytest.mark.parametrize("of_tp", ["hourly", "land_hourly"])
def test_accumulation_is_decided_for_each_variable(tmp_path, said, of_ssrd, of_tp):
    paths = [
        write_era5(tmp_path / f"{n}.nc", {n: hourly(n, kind)}, HOURS, LAT[::4], LON[::4])
        for n, kind in (("ssrd", of_ssrd), ("tp", of_tp))
    ]
    if said == of_ssrd == of_tp:
        found = prepare(tmp_path, paths, ["tp", "ssrd"], said, Grid(2.0, (0, 46, 8, 52)))
        assert found[..., 0].mean() == pytest.approx(2.0, rel=1e-3)
        return
    wrong = "ssrd" if of_ssrd != said else "tp"
    with pytest.raises(InputError, match="not of the dataset type") as error:
        prepare(tmp_path, paths, ["tp", "ssrd"], said, Grid(2.0, (0, 46, 8, 52)))
    assert f"{wrong}.nc" in str(error.value)


def test_one_file_of_the_other_accumulation_is_found(tmp_path):
    """From July on the precipitation of ERA5 is that of ERA5-Land."""
    half = int(np.flatnonzero(HOURS == np.datetime64("2003-07-01T01"))[0])
    parts = {"a": ("hourly", slice(None, half)), "b": ("land_hourly", slice(half, None))}
    paths = [
        write_era5(tmp_path / f"{n}.nc", {"tp": hourly("tp", kind)[at]}, HOURS[at], LAT, LON)
        for n, (kind, at) in parts.items()
    ]
    text = refused(tmp_path, paths, ["tp"], "hourly")
    assert "b.nc" in text and "not of the dataset type" in text


def test_totals_without_hours_are_judged_by_climatology(tmp_path):
    """Only 00 UTC was downloaded, as for ERA5-Land, but from ERA5: the last hour of each day."""
    path = write_era5(tmp_path / "tp.nc", {"tp": hourly("tp", "hourly")[24::24] * np.ones(
        (1, LAT.size, LON.size))}, HOURS[24::24], LAT, LON)  # fmt: skip
    assert "single hours are read as values since 00 UTC" in refused(
        tmp_path, [path], ["tp"], "land_hourly"
    ) or "a mean over hours, or a single hour" in refused(tmp_path, [path], ["tp"], "land_hourly")


def test_climatology_is_that_of_the_shipped_file():
    """Against the file's own node: London in July, and the mean over the globe in each month."""
    import netCDF4

    with netCDF4.Dataset("src/tamflux/data/climate.nc") as file:
        steps = np.asarray(file["t2m_step"][:])
        row, col = (int(np.abs(file[n][:] - v).argmin()) for n, v in (("lat", 51.5), ("lon", 0.0)))
    july = climatology("t2m", np.array([51.6]), np.array([359.9]), np.array(["2003-07-09"], "M8"))
    assert july[0, 0, 0] == pytest.approx(steps[:7, row, col].sum())
    assert 15 < july[0, 0, 0] < 20
    assert UNITS["t2m"] == "K"


EUROPE = Grid(10.0, (0.0, 30.0, 40.0, 70.0))
WIDE = np.arange(72.5, 27, -2.5), np.arange(-2.5, 43, 2.5)


def inspect(path, variable, grid=EUROPE, kind="daily_statistics"):
    """The problem of a file, "" if there is none."""
    return "; ".join(map(str, inspect_era5([path], kind, 2003, grid, [variable])))


@pytest.mark.parametrize(("factor", "good"), [(1, True), (1.8, True), (2.5, False), (1 / 6, False)])
def test_a_single_month_of_rain_over_a_continent(tmp_path, factor, good):
    days = days_of(2003)
    wet = np.random.default_rng(0).gamma(0.5, 2, (365, *(axis.size for axis in WIDE)))
    rain = climatology("tp", *WIDE, days) * wet / 1000
    rain[days.astype("datetime64[M]") == np.datetime64("2003-05")] *= factor
    path = write_era5(tmp_path / "tp.nc", {"tp": rain}, days, *WIDE, how="sum")
    problem = inspect(path, "tp")
    assert problem == "" if good else "in 2003-05 is far from climatology" in problem


@pytest.mark.parametrize(("shift", "good"), [(0, True), (20, True), (70, False), (-70, False)])
def test_temperature_of_another_season(tmp_path, shift, good):
    warm = np.roll(real_year("t2m"), shift, axis=0) + 273.15
    path = write_era5(tmp_path / "t2m.nc", {"t2m": warm}, days_of(2003), LAT, LON, how="mean")
    problem = inspect(path, "t2m", GRID)
    assert problem == "" if good else f"{'late' if shift > 0 else 'early'}" in problem


@pytest.mark.parametrize(("degrees", "good"), [(0, True), (90, False), (180, False)])
def test_temperature_over_other_longitudes(tmp_path, degrees, good):
    nodes, days = (np.arange(90.0, -91, -10), np.arange(0.0, 360, 10)), days_of(2003)
    weather = np.random.default_rng(0).normal(0, 4, (365, 19, 36))
    warm = np.roll(climatology("t2m", *nodes, days) + 273.15 + weather, degrees // 10, axis=2)
    path = write_era5(tmp_path / "t2m.nc", {"t2m": warm}, days, *nodes, how="mean")
    problem = inspect(path, "t2m", Grid(10.0))
    assert problem == "" if good else "other longitudes" in problem


@pytest.mark.parametrize("kind", ["hourly", "land_hourly"])
@pytest.mark.parametrize(("hours", "good"), [(0, True), (1, False), (-6, False)])
def test_hours_of_radiation_in_another_time_zone(tmp_path, kind, hours, good):
    light = np.roll(hourly("ssrd", "hourly"), hours, axis=0)
    if kind == "land_hourly":
        light[1:] = light[1:].reshape(-1, 24).cumsum(axis=1).reshape(-1, 1, 1)
    path = write_era5(tmp_path / "s.nc", {"ssrd": light}, HOURS, LAT[::4], LON[::4])
    problem = inspect(path, "ssrd", Grid(2.0, (0, 46, 8, 52)), kind)
    assert problem == "" if good else "against the sun" in problem, problem
    if not good:
        found = float(re.search(r"(-?[\d.]+) h", problem)[1])
        assert abs(abs(found) - abs(hours)) < 1, problem
