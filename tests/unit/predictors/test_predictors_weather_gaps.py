"""Missing weather: filled from near nodes, interpolated over short gaps, flagged, else refused."""

import numpy as np
import pytest
import xarray as xr
from era5_writer import days_of, write_daily_year, write_era5
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.errors import InputError
from tamflux.grid import EARTH_RADIUS_M, Grid
from tamflux.predictors.cube import Cube, create_store
from tamflux.predictors.era5_cube import prepare_era5
from tamflux.predictors.merge import assemble_cube
from tamflux.predictors.weather_gaps import MAX_FILL_KM, MAX_GAP_DAYS, interpolate_gaps
from tamflux.variables import REFLECTANCE

GRID = Grid(0.5, (0.0, 44.0, 8.0, 50.0))
LAT, LON = np.arange(51.0, 43.4, -0.25), np.arange(-1.0, 9.1, 0.25)
NAMES = ["t2m", "tp"]


def write_year(folder, missing=None, days=None, expver=None):
    """t2m and tp of a region with weather, NaN at `missing` (day, lat, lon)."""
    rng = np.random.default_rng(0)
    shape = (365, LAT.size, LON.size)
    fields = {"t2m": 284 + rng.normal(size=(365, 1, 1)) + LAT[:, None] / 50 + LON / 50,
              "tp": 1e-3 * rng.gamma(1, 2.5, shape)}  # fmt: skip
    paths = []
    for name, values in fields.items():
        values = np.array(np.broadcast_to(values, shape))
        if missing is not None:
            values[np.broadcast_to(missing, shape)] = np.nan
        how = {"t2m": "mean", "tp": "sum"}[name]
        keep = slice(None) if days is None else days
        path = folder / f"{name}.nc"
        paths.append(write_era5(path, {name: values[keep]}, days_of(2003)[keep], LAT, LON, how=how))
    return paths


def prepared(folder, paths, **kw):
    target = folder / "out" / "2003.zarr"
    prepare_era5(paths, "daily_statistics", 2003, GRID, 5, NAMES, target, **kw)
    cube = Cube.open(target)
    every = slice(None), slice(None)
    return cube.read(*every), cube.read_weather_flag(*every)


def box(south, north, west, east):
    return ((LAT >= south) & (LAT <= north))[:, None] & ((LON >= west) & (LON <= east))


def days_at(first, last):
    here = np.zeros((365, 1, 1), bool)
    here[first:last] = True
    return here


def distance_km(lat, lon, lats, lons):
    """Haversine."""
    phi, phis = np.radians(lat), np.radians(lats)
    a = np.sin((phis - phi) / 2) ** 2
    a = a + np.cos(phi) * np.cos(phis) * np.sin(np.radians(lons - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M / 1000 * np.arcsin(np.sqrt(a))


def test_a_sea_is_filled_near_its_coast_and_missing_beyond(tmp_path):
    """Brute force: the value of the nearest node with data by haversine, within the distance."""
    sea = box(44.5, 51, 2, 6)
    paths = write_year(tmp_path, missing=sea)
    found, flag = prepared(tmp_path, paths)
    raw = xr.open_dataset(paths[0]).t2m.values[7] - 273.15
    lats, lons = np.meshgrid(LAT, LON, indexing="ij")
    kinds = set()
    for row, lat in enumerate(GRID.lat):
        for col, lon in enumerate(GRID.lon):
            near = (abs(lats - lat) <= 0.26) & (abs(lons - lon) <= 0.26)
            if (~sea[near]).any():  # the mean of its nodes with data; filled where they are few
                few = (~sea[near]).mean() < 0.5
                assert flag[7, row, col] <= 1 and (flag[7, row, col] == 1 or not few)
                assert np.isfinite(found[7, row, col]).all()
                continue
            far = np.where(sea, np.inf, distance_km(lat, lon, lats, lons))
            kinds.add(bool(far.min() <= MAX_FILL_KM))
            if far.min() <= MAX_FILL_KM:
                assert (flag[:, row, col] == 1).all()
                tied = np.isclose(far, far.min(), rtol=1e-6)
                assert np.isclose(found[7, row, col, 0], raw[tied], rtol=2.0**-12).any()
            else:
                assert (flag[:, row, col] == 3).all() and np.isnan(found[:, row, col]).all()
    assert kinds == {True, False}


def test_cells_with_data_are_the_same_with_and_without_the_gap(tmp_path):
    whole, none = prepared(tmp_path / "a", write_year(tmp_path / "a"))
    found, flag = prepared(tmp_path / "b", write_year(tmp_path / "b", missing=box(44, 51, 2, 6)))
    assert not none.any() and (flag > 0).any()
    north_east = slice(None), slice(None), GRID.lon > 6.6
    np.testing.assert_array_equal(found[north_east], whole[north_east])


@pytest.mark.parametrize("n_days", [1, MAX_GAP_DAYS])
def test_a_short_gap_is_a_straight_line_between_its_neighbours(tmp_path, n_days):
    paths = write_year(tmp_path / "b", missing=days_at(100, 100 + n_days))
    found, flag = prepared(tmp_path / "b", paths)
    gap = slice(100, 100 + n_days)
    assert (flag[gap] == 2).all() and not flag[:100].any() and not flag[100 + n_days :].any()
    for n in range(1, n_days + 1):
        share = n / (n_days + 1)
        line = (1 - share) * found[99] + share * found[100 + n_days]
        np.testing.assert_allclose(found[99 + n], line, rtol=2.0**-11)


def test_a_long_gap_stops_the_run_and_says_where(tmp_path):
    """A region, for a month."""
    paths = write_year(tmp_path, missing=box(43.5, 51, 3, 9) & days_at(181, 212))
    with pytest.raises(InputError, match="weather is missing for too many days") as error:
        prepared(tmp_path, paths)
    text = str(error.value)
    for word in (paths[0].name, "t2m", "2003-07-01 to 2003-07-31", " N, ", "allow_gaps: true"):
        assert word in text
    assert not list((tmp_path / "out").iterdir())


def test_allowed_gaps_stay_missing_and_change_nothing_else(tmp_path):
    whole, _ = prepared(tmp_path / "a", write_year(tmp_path / "a"))
    paths = write_year(tmp_path / "b", missing=box(43.5, 51, 3, 9) & days_at(181, 212))
    found, flag = prepared(tmp_path / "b", paths, allow_gaps=True)
    inside = flag == 3
    assert inside[181:212].any() and not inside[:181].any() and not inside[212:].any()
    assert np.isnan(found[inside]).all() and np.isfinite(found[~inside]).all()
    other_days, west = np.r_[0:181, 212:365], GRID.lon < 2.5
    np.testing.assert_array_equal(found[other_days], whole[other_days])
    np.testing.assert_array_equal(found[:, :, west], whole[:, :, west])
    assert not flag[:, :, west].any()
    assert set(np.unique(flag)) == {0, 1, 3}


def test_days_that_no_file_has(tmp_path):
    """They are refused, unless gaps are allowed: then short ones are interpolated."""
    keep = np.delete(np.arange(365), [50, 200, 201, 202, 203, 204])
    paths = write_year(tmp_path, days=keep)
    with pytest.raises(InputError, match="days are missing"):
        prepared(tmp_path, paths)
    found, flag = prepared(tmp_path, paths, allow_gaps=True)
    assert (flag[50] == 2).all() and (flag[200:205] == 3).all()
    np.testing.assert_allclose(found[50], (found[49] + found[51]) / 2, rtol=2.0**-11)


def test_a_variable_without_any_value_is_refused(tmp_path):
    with pytest.raises(InputError, match="missing everywhere"):
        prepared(tmp_path, write_year(tmp_path, missing=days_at(0, 365)))


def test_soil_moisture_of_a_coast_is_not_dried_by_the_zeros_of_the_sea(tmp_path):
    season = 0.3 + 0.05 * np.cos(np.arange(365) / 58)[:, None, None]
    values = np.where(box(43, 52, -2, 3.1), 0.0, season)
    path = write_era5(tmp_path / "sm.nc", {"swvl1": values}, days_of(2003), LAT, LON, how="mean")
    target = tmp_path / "out" / "2003.zarr"
    prepare_era5([path], "daily_statistics", 2003, GRID, 5, ["swvl1"], target)
    found = Cube.open(target).read(slice(None), slice(None))[..., 0]
    expected = np.broadcast_to(season, found.shape)
    there = np.isfinite(found)
    assert there.any() and not there.all()
    np.testing.assert_allclose(found[there], expected[there], rtol=2.0**-12)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_interpolation_equals_a_loop_over_runs(data):
    n_days = data.draw(st.integers(1, 14))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n_days, max_size=n_days)))
    rng = np.random.default_rng(n_days)
    values = rng.normal(size=(n_days, 1, 1)).astype(np.float32)
    values[mask] = np.nan
    expected, state = values[:, 0, 0].copy(), np.where(mask, 3, 0)
    day = 0
    while day < n_days and not mask.all():
        if not mask[day]:
            day += 1
            continue
        end = day
        while end < n_days and mask[end]:
            end += 1
        if end - day <= MAX_GAP_DAYS:
            known = [d for d in (day - 1, end) if 0 <= d < n_days]
            expected[day:end] = np.interp(range(day, end), known, values[known, 0, 0])
            state[day:end] = 2
        day = end
    gaps = interpolate_gaps(values)
    if gaps is None:
        assert not mask.any()
        return
    np.testing.assert_allclose(values[:, 0, 0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(gaps[0][:, 0, 0], state)
    np.testing.assert_array_equal(gaps[1][:, 0, 0], (state == 3) & ~mask.all())


def test_flag_and_preliminary_days_reach_the_cube(tmp_path):
    paths = write_year(tmp_path, missing=days_at(10, 12))
    import netCDF4

    with netCDF4.Dataset(paths[0], "a") as file:
        version = file.createVariable("expver", str, ("valid_time",))
        version[:] = np.array(["0001"] * 363 + ["0005"] * 2, object)
    _, flag = prepared(tmp_path, paths)
    modis = tmp_path / "modis.zarr"
    with create_store(modis, GRID, 2003, 5, [REFLECTANCE["ndvi"]]) as store:
        store["ndvi"][:] = 0.5
    target = tmp_path / "cube.zarr"
    assemble_cube([tmp_path / "out" / "2003.zarr", modis], target, [*NAMES, "ndvi"])
    cube = Cube.open(target)
    np.testing.assert_array_equal(cube.read_weather_flag(slice(None), slice(None)), flag)
    assert cube.preliminary_days == ("2003-12-30", "2003-12-31")
    assert cube.variables == (*NAMES, "ndvi")


def test_a_partial_year_is_the_same_from_its_cache_and_anew(tmp_path):
    """A gap that spans the end of the cached months is filled anew when its other side comes."""
    from test_predictors_incremental import GRID as COARSE

    paths = write_daily_year(tmp_path / "raw")
    months = {}
    for path in paths:
        dataset = xr.open_dataset(path)
        name = next(n for n in dataset if dataset[n].ndim == 3)
        values = dataset[name].values.copy()
        values[58:60] = np.nan  # 28 February and 1 March
        for end in (59, 90):
            first = 0 if end == 59 else 59
            target = tmp_path / str(end) / path.name
            attrs = {name: dict(dataset[name].attrs)}
            write_era5(target, {name: values[first:end]}, days_of(2003)[first:end], attrs=attrs)
            months.setdefault(end, []).append(target)
    kw = {"may_end_early": True}
    one = tmp_path / "out" / "2003.zarr"
    arguments = ("daily_statistics", 2003, COARSE, 4, ["t2m", "tp"])
    prepare_era5(months[59], *arguments, one, **kw)
    prepare_era5([*months[59], *months[90]], *arguments, one, **kw)
    two = tmp_path / "anew" / "2003.zarr"
    prepare_era5([*months[59], *months[90]], *arguments, two, **kw)
    every = slice(None), slice(None)
    for read in (Cube.read, Cube.read_weather_flag):
        np.testing.assert_array_equal(read(Cube.open(one), *every), read(Cube.open(two), *every))
    assert (Cube.open(one).read_weather_flag(*every)[58:60] == 2).all()


def test_cells_that_lose_some_of_their_nodes_are_flagged(tmp_path):
    """The others keep their values to the bit, and nodes that are always missing change no flag."""
    sea = box(44, 45, 5, 9)
    hole = days_at(180, 200) & box(47, 48, 2, 4)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, usual = prepared(tmp_path / "a", write_year(tmp_path / "a", sea))
    values, flag = prepared(tmp_path / "b", write_year(tmp_path / "b", sea | hole), allow_gaps=True)
    lost = ~np.isclose(values, whole, equal_nan=True).all(axis=-1)
    assert lost[180:200].any() and not lost[:180].any() and not lost[200:].any()
    assert (flag[lost] > 0).all() and {*np.unique(flag[lost])} <= {1, 3}
    around = (flag != usual)[180:200]
    assert (around == (flag != usual)[180]).all()
    rows, cols = np.nonzero(around[0])
    assert GRID.lat[rows].min() == 46.75 and GRID.lat[rows].max() == 48.25
    assert GRID.lon[cols].min() == 1.75 and GRID.lon[cols].max() == 4.25
    np.testing.assert_array_equal(
        values[:, flag[190] == usual[190]], whole[:, flag[190] == usual[190]]
    )
