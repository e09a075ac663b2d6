"""Extra predictors on the grid: means, lines in time and refusals, by closed forms."""

import numpy as np
import pytest
import rasterio
import xarray as xr

from tamflux.errors import InputError
from tamflux.extra_predictors import ExtraPredictor
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube, year_days
from tamflux.predictors.extra import (
    inspect_extra,
    prepare_extra,
    prepare_static_extra,
    to_cells,
)
from tamflux.readers.raster import Raster

GRID = Grid(30.0)
LAT, LON = np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10)  # 3 x 3 pixels a cell, 0 to 360


def predictor(**changes):
    entry = {
        "name": "sif", "units": "mW m-2 nm-1 sr-1", "range": [-1, 1000], "long_name": "SIF",
        "path": "unused", "kind": "dynamic",
    } | changes  # fmt: skip
    return ExtraPredictor.from_config(entry)


def monthly(years=(2003,), values=None, **attrs):
    """Monthly means stamped on the first day; the value is the number of the month."""
    time = np.concatenate(
        [np.arange(f"{y}-01", f"{y + 1}-01", dtype="datetime64[M]") for y in years]
    ).astype("datetime64[ns]")
    if values is None:
        values = np.arange(len(time), dtype=np.float32)
    field = np.broadcast_to(values[:, None, None], (len(time), len(LAT), len(LON))).copy()
    coords = {"time": time, "lat": LAT, "lon": LON}
    return xr.Dataset({"SIF": (("time", "lat", "lon"), field, attrs)}, coords)


def make(tmp_path, data, year=2003, name="sif.nc", **changes):
    path = tmp_path / name
    if name.endswith(".zarr"):
        data.to_zarr(path)
    else:
        data.to_netcdf(path)
    extra = predictor(**changes)
    prepare_extra(extra, [path], year, GRID, 4, tmp_path / "store.zarr")
    return Cube.open(tmp_path / "store.zarr")


def middles(year):
    """Middle day of each month."""
    month = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]")
    first, following = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    return (first.astype(int) + following.astype(int)) // 2


@pytest.mark.parametrize("name", ["sif.nc", "sif.zarr"])
def test_months_are_joined_by_lines_and_ends_are_held(tmp_path, name):
    cube = make(tmp_path, monthly(), name=name)
    assert cube.variables == ("sif",) and cube.units == {"sif": "mW m-2 nm-1 sr-1"}
    expected = np.interp(year_days(2003).astype(int), middles(2003), np.arange(12))
    daily = cube.read(slice(None), slice(None))[..., 0]
    assert daily.shape == (365, 6, 12)
    np.testing.assert_allclose(daily, np.broadcast_to(expected[:, None, None], daily.shape),
                               rtol=3e-4, atol=1e-6)  # fmt: skip
    flag = xr.open_zarr(cube.path)["sif_filled"].to_numpy()
    outside = (year_days(2003).astype(int) < middles(2003)[0]) | (
        year_days(2003).astype(int) > middles(2003)[-1]
    )
    np.testing.assert_array_equal(flag[:, 0, 0], outside.astype(np.int8))


def test_the_months_beside_the_year_lead_over_its_ends(tmp_path):
    cube = make(tmp_path, monthly((2002, 2003, 2004)))
    days = year_days(2003).astype(int)
    dates = np.concatenate([middles(year) for year in (2002, 2003, 2004)])
    np.testing.assert_allclose(
        cube.read_cells([0], [0])[0, :, 0], np.interp(days, dates, np.arange(36)), rtol=3e-4
    )


def test_cells_are_means_of_their_pixels_and_missing_ones_stay_out(tmp_path):
    data = monthly()
    data["SIF"][:] = np.where(data["lon"] < 180, 2.0, 5.0)  # east, west
    data["SIF"][:, :3] = np.nan  # the southern row of cells
    data["SIF"][:, 3, 0] = np.nan  # one of the nine pixels of a cell
    data["SIF"][:, 4, 0] = 8.0
    cube = make(tmp_path, data)
    values = cube.read(slice(None), slice(None))[0, :, :, 0]
    assert np.isnan(values[0]).all()
    assert (values[1:, :6] == 5).all()  # columns 0 to 5 lie in the west
    weight = np.diff(np.sin(np.radians([-60, -50, -40, -30])))
    pixels = np.array([[np.nan, 2, 2], [8, 2, 2], [2, 2, 2]])
    known = np.isfinite(pixels)
    expected = (np.nan_to_num(pixels) * weight[:, None]).sum() / (known * weight[:, None]).sum()
    assert values[1, 6] == pytest.approx(expected, rel=3e-4)


def test_units_are_converted_and_a_series_without_a_map_serves_all_cells(tmp_path):
    time = np.arange("2002-07", "2005-07", 12, dtype="datetime64[M]").astype("datetime64[ns]")
    co2 = xr.Dataset({"co2": ("time", [3.7e-4, 3.8e-4, 3.9e-4], {"units": "1"})}, {"time": time})
    changes = {"name": "co2", "units": "umol mol-1", "range": [250, 500]}
    cube = make(tmp_path, co2, **changes)
    values = cube.read(slice(None), slice(None))[..., 0]
    assert (values == values[:, :1, :1]).all()
    middle = [np.datetime64(f"{y}-12-31").astype(int) for y in (2002, 2003, 2004)]  # July to June
    expected = np.interp(year_days(2003).astype(int), middle, [370, 380, 390])
    np.testing.assert_allclose(values[:, 0, 0], expected, rtol=3e-4)


def test_days_without_a_step_stay_missing_without_filling(tmp_path):
    time = np.array(["2003-01-03T12", "2003-06-10", "2004-01-02"], "datetime64[ns]")
    data = monthly().isel(time=slice(0, 3)).assign_coords(time=time)
    cube = make(tmp_path, data, fill="none")
    values = cube.read_cells([2], [2])[0, :, 0]
    assert np.flatnonzero(np.isfinite(values)).tolist() == [2, 160]


def refused(tmp_path, what, data, **changes):
    with pytest.raises(InputError, match=what) as caught:
        make(tmp_path, data, **changes)
    assert not list(tmp_path.glob("*store*"))  # nothing half-written
    (problem,) = inspect_extra(predictor(**changes), [tmp_path / "sif.nc"], 2003)
    assert problem.what == caught.value.what
    return str(caught.value)


def test_what_is_refused(tmp_path):
    refused(tmp_path, "a unit that cannot be converted", monthly(units="K"))
    assert "look like" not in refused(tmp_path, "out of its range", monthly(), range=[0, 5])
    scaled = monthly(values=np.full(12, 40000, np.float32))
    said = refused(tmp_path, "out of its range", scaled, units="1", range=[0, 12])
    assert "counts of 0.0001" in said
    refused(tmp_path, "several variables", monthly().assign(other=monthly()["SIF"]))
    refused(tmp_path, "not in the file", monthly(), variable="LAI")
    refused(tmp_path, "no time axis", monthly().isel(time=0, drop=True))
    refused(tmp_path, "steps of an extra predictor are missing", monthly((2006,)))
    refused(tmp_path, "steps .* are missing", monthly().isel(time=[0, 1, 2, 3, 9, 10, 11]))
    level = monthly().expand_dims(level=[1, 2])
    refused(tmp_path, "not on a latitude-longitude grid", level)
    other = monthly()
    other["time"].encoding["calendar"] = "360_day"
    other = other.isel(time=slice(0, 12)).convert_calendar("360_day", align_on="date")
    refused(tmp_path, "cannot be decoded", other)
    (tmp_path / "sif.nc").write_bytes(b"no file")
    (problem,) = inspect_extra(predictor(), [tmp_path / "sif.nc"], 2003)
    assert "cannot be read" in problem.what


def test_a_day_comes_once(tmp_path):
    monthly().to_netcdf(tmp_path / "a.nc")
    monthly().to_netcdf(tmp_path / "b.nc")
    (problem,) = inspect_extra(predictor(), [tmp_path / "a.nc", tmp_path / "b.nc"], 2003)
    assert "comes twice" in problem.what


def test_missing_values_alone_are_refused(tmp_path):
    with pytest.raises(InputError, match="no value inside the grid"):
        make(tmp_path, monthly(values=np.full(12, np.nan, np.float32)))


def write_tiff(path, values, nodata=None, unit=None):
    height, width = values.shape
    transform = rasterio.transform.from_bounds(-180, -90, 180, 90, width, height)
    options = {"driver": "GTiff", "height": height, "width": width, "count": 1,
               "dtype": values.dtype, "nodata": nodata}  # fmt: skip
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, **options) as file:
        file.write(values, 1)
        if unit:
            file.units = (unit,)
    return path


HEIGHT = {"name": "height", "units": "m", "range": [0, 80], "kind": "static"}


def test_a_raster_becomes_means_in_the_wanted_unit(tmp_path):
    values = np.arange(18 * 36, dtype=np.float32).reshape(18, 36)  # north first, 10 degrees
    values[:3] = -9999
    path = write_tiff(tmp_path / "h.tif", values, nodata=-9999, unit="cm")
    prepare_static_extra(predictor(**HEIGHT), path, GRID, tmp_path / "h.nc")
    field = xr.open_dataset(tmp_path / "h.nc")["extra_height"]
    assert field.attrs["units"] == "m" and np.isnan(field[-1]).all()
    block = values[::-1].reshape(6, 3, 12, 3)
    edges = np.sin(np.radians(np.linspace(-90, 90, 19)))
    weight = np.diff(edges).reshape(6, 3)
    expected = np.einsum("rkcl,rk->rc", block, weight) / (3 * weight.sum(axis=1))[:, None] / 100
    np.testing.assert_allclose(field[:-1], expected[:-1], rtol=1e-5)


def test_a_raster_in_netcdf_gives_the_same(tmp_path):
    values = np.arange(18 * 36, dtype=np.float32).reshape(18, 36) / 10
    write_tiff(tmp_path / "h.tif", values)
    lat = -np.arange(-85.0, 90, 10)
    xr.Dataset(
        {"h": (("lat", "lon"), values, {"units": "m"})},
        {"lat": lat, "lon": np.arange(-175.0, 180, 10)},
    ).to_netcdf(tmp_path / "source.nc")
    extra = predictor(**HEIGHT)
    for source in ("h.tif", "source.nc"):
        prepare_static_extra(extra, tmp_path / source, GRID, tmp_path / f"{source}.out.nc")
    fields = [xr.open_dataset(file)["extra_height"] for file in sorted(tmp_path.glob("*.out.nc"))]
    xr.testing.assert_identical(*fields)


def test_a_static_raster_is_checked(tmp_path):
    path = write_tiff(tmp_path / "h.tif", np.full((18, 36), -9999, np.float32))
    (problem,) = inspect_extra(predictor(**HEIGHT), [path], None)
    assert "out of its range" in problem.what
    path = write_tiff(tmp_path / "n.tif", np.full((18, 36), np.nan, np.float32))
    (problem,) = inspect_extra(predictor(**HEIGHT), [path], None)
    assert "no value" in problem.what
    path = write_tiff(tmp_path / "u.tif", np.ones((18, 36), np.float32), unit="kg")
    (problem,) = inspect_extra(predictor(**HEIGHT), [path], None)
    assert "cannot be converted" in problem.what


def test_bilinear_is_exact_for_a_plane_and_leaves_gaps_out():
    lat_edges, lon_edges = np.linspace(-90, 90, 7), np.linspace(0, 360, 13)  # 30 degrees
    lat, lon = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    raster = Raster(lat[:, None] + 0 * lon, lat_edges, lon_edges)
    fine = Grid(10.0)
    expected = np.broadcast_to(np.clip(fine.lat, -75, 75)[:, None], fine.shape)
    np.testing.assert_allclose(to_cells(raster, fine, "bilinear"), expected, atol=1e-5)
    across = Raster(np.where(lon < 180, 1.0, 3.0) + 0 * lat[:, None], lat_edges, lon_edges)
    field = to_cells(across, fine, "bilinear")
    # centres 5 and 355 lie 10 degrees from 15 (value 1) and from 345 (value 3), across the seam
    assert field[0, fine.locate(0, 5)[1]] == pytest.approx(1 + 2 / 3)
    assert field[0, fine.locate(0, 355)[1]] == pytest.approx(3 - 2 / 3)
    holed = np.array(across.data)
    holed[:, 0] = np.nan
    field = to_cells(Raster(holed, lat_edges, lon_edges), fine, "bilinear")
    assert np.isnan(field[0, fine.locate(0, 15)[1]])
    assert field[0, fine.locate(0, 355)[1]] == pytest.approx(3)
    # a regional raster leaves the cells beyond it missing
    region = Raster(np.ones((2, 2)), np.array([0.0, 30, 60]), np.array([0.0, 30, 60]))
    inside = np.isfinite(to_cells(region, fine, "bilinear"))
    assert inside.sum() == 36 and inside[9:15, 18:24].all()
