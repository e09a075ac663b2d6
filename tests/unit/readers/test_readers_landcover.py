"""Land cover, Köppen and elevation files: codes, orientation and bad input."""

import logging

import numpy as np
import pytest
import rasterio
import xarray as xr
from hdf4_writer import write_hdf4

from tamflux.errors import InputError
from tamflux.readers.landcover import (
    inspect_landcover,
    open_elevation,
    open_koppen,
    open_land_cover,
)


def write_majority(path, codes):
    return write_hdf4(path, {"Majority_Land_Cover_Type_1": np.asarray(codes, np.uint8)})


def write_percent(path, percent):
    return write_hdf4(path, {"Land_Cover_Type_1_Percent": np.asarray(percent, np.uint8)})


def write_geotiff(path, values, bounds=(-180, -90, 180, 90), crs="EPSG:4326", **options):
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype,
        crs=crs, transform=rasterio.transform.from_bounds(*bounds, width, height), **options,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


def read_all(open_raster, path):
    """All rows of a raster, and the raster."""
    with open_raster(path) as raster:
        return raster.data[:], raster


def refused(open_raster, path):
    with pytest.raises(InputError) as error:
        read_all(open_raster, path)
    message = str(error.value)
    assert path.name in message and "fix:" in message
    return message


def test_percentages_turn_south_first(tmp_path):
    percent = np.zeros((4, 8, 17))
    percent[..., 0] = 100
    percent[0, 0] = np.eye(17)[15] * 100  # snow at the north-west corner
    data, raster = read_all(open_land_cover, write_percent(tmp_path / "lc.hdf", percent))
    assert data[3, 0, 15] == 100 and data[:3, ..., 15].max() == 0
    assert (raster.lat_edges[[0, -1]] == [-90, 90]).all()


def test_majority_stands_in_for_percentages(tmp_path, caplog):
    codes = np.arange(32).reshape(4, 8) % 17
    codes[0, 0] = 255
    with caplog.at_level(logging.INFO, "tamflux"):
        data, _ = read_all(open_land_cover, write_majority(tmp_path / "lc.hdf", codes))
    assert "majority" in caplog.text
    found = data[::-1]
    assert (found[0, 0] == 255).all()
    assert np.array_equal(found.argmax(axis=2).ravel()[1:], codes.ravel()[1:])
    assert (found.sum(axis=2, dtype=int).ravel()[1:] == 100).all()


def test_code_17_is_water_where_there_is_no_code_0(tmp_path, caplog):
    codes = np.full((4, 8), 17)
    codes[0] = 5
    with caplog.at_level(logging.WARNING, "tamflux"):
        data, _ = read_all(open_land_cover, write_majority(tmp_path / "lc.hdf", codes))
    assert "17 for water" in caplog.text
    assert (data[0, :, 0] == 100).all() and (data[3, :, 5] == 100).all()
    codes[3] = 0
    assert "not IGBP codes" in refused(
        open_land_cover, write_majority(tmp_path / "both.hdf", codes)
    )


def test_bad_land_cover(tmp_path):
    path = tmp_path / "lc.hdf"
    path.write_bytes(b"")
    assert "is empty" in refused(open_land_cover, path)
    path.write_bytes(b"not HDF at all")
    assert "is not HDF4" in refused(open_land_cover, path)
    write_hdf4(path, {"LC_Type1": np.zeros((4, 8), np.uint8)})
    message = refused(open_land_cover, path)
    assert "Majority_Land_Cover_Type_1" in message and "LC_Type1" in message
    assert "global grid" in refused(open_land_cover, write_majority(path, np.zeros((4, 4))))
    assert "global grid" in refused(open_land_cover, write_percent(path, np.zeros((4, 8, 16))))
    assert "do not add up" in refused(open_land_cover, write_percent(path, np.zeros((4, 8, 17))))
    assert "missing everywhere" in refused(
        open_land_cover, write_percent(path, np.full((4, 8, 17), 255))
    )
    assert "codes [40]" in refused(open_land_cover, write_majority(path, np.full((4, 8), 40)))
    content = write_percent(path, np.full((40, 80, 17), 6)).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(open_land_cover, path)


@pytest.mark.parametrize("flip", [False, True])
def test_koppen_of_either_orientation(tmp_path, flip):
    codes = np.zeros((6, 12), np.uint8)
    codes[0] = 30  # the north
    path = tmp_path / "koppen.tif"
    if flip:
        write_geotiff(path, codes[::-1], (-180, 90, 180, -90))
    else:
        write_geotiff(path, codes)
    assert read_all(open_koppen, path)[0][:, 0].tolist() == [0, 0, 0, 0, 0, 30]


def test_bad_koppen(tmp_path):
    path = tmp_path / "koppen.tif"
    path.write_bytes(b"")
    assert "cannot be read" in refused(open_koppen, path)
    codes = np.full((6, 12), 31, np.uint8)
    assert "codes 31 to 31" in refused(open_koppen, write_geotiff(path, codes))
    assert "is empty" in refused(open_koppen, write_geotiff(path, codes * 0))
    projected = write_geotiff(path, codes, (0, 0, 1e6, 1e6), "EPSG:3857")
    assert "latitude-longitude" in refused(open_koppen, projected)
    content = write_geotiff(path, RNG_CODES).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(open_koppen, path)


RNG_CODES = np.random.default_rng(1).integers(0, 31, (300, 600)).astype(np.uint8)


def test_bad_elevation(tmp_path):
    path = tmp_path / "z.nc"
    path.write_bytes(b"CDF")
    assert "cannot be read" in refused(open_elevation, path)
    lat, lon = np.arange(-75, 90, 30.0), np.arange(-165, 180, 30.0)
    field = (("lat", "lon"), np.full((6, 12), -32768.0), {"units": "m"})
    coords = {"lat": lat, "lon": lon}
    xr.Dataset({"z": field}, coords).to_netcdf(tmp_path / "fill.nc")
    assert "out of range" in refused(open_elevation, tmp_path / "fill.nc")
    xr.Dataset({"a": field, "b": field}, coords).to_netcdf(tmp_path / "two.nc")
    assert "not one field" in refused(open_elevation, tmp_path / "two.nc")


@pytest.mark.parametrize(
    "units, value, lat, message",
    [
        ("ft", 500.0, (-75, 75), "the raster has another unit"),
        (None, 500.0, (-75, 75), "the raster has no units"),
        ("m", -9999.0, (-75, 75), "a fill value is not masked"),
        ("m", 500.0, (-150, 150), "not on a latitude-longitude grid"),
        ("m", 500.0, (np.nan, 75), "not on a latitude-longitude grid"),
    ],
)
def test_elevation_of_another_unit_fill_or_grid(tmp_path, units, value, lat, message):
    field = (("lat", "lon"), np.full((6, 12), value), {"units": units} if units else {})
    coords = {"lat": np.linspace(*lat, 6), "lon": np.arange(-165, 180, 30.0)}
    xr.Dataset({"z": field}, coords).to_netcdf(tmp_path / "z.nc")
    assert message in refused(open_elevation, tmp_path / "z.nc")


def test_koppen_codes_are_integers(tmp_path):
    path = write_geotiff(tmp_path / "k.tif", np.full((4, 8), 2.5, np.float32))
    assert "other codes" in refused(open_koppen, path)


def test_percentages_without_classes_are_refused(tmp_path):
    path = write_percent(tmp_path / "lc.hdf", np.full((4, 8), 100))
    assert "not on a global grid" in refused(open_land_cover, path)


def test_inspection_lists_every_problem(tmp_path):
    good = write_majority(tmp_path / "lc.hdf", np.ones((4, 8)))
    climate = write_geotiff(tmp_path / "k.tif", RNG_CODES)
    assert inspect_landcover(good, climate) == []
    bad = tmp_path / "bad"
    bad.write_bytes(b"?")
    problems = inspect_landcover(bad, bad, bad)
    assert [problem.what for problem in problems] == [
        "the file is not HDF4",
        "the file cannot be read",
        "the file cannot be read",
    ]
