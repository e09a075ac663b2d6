"""Land surface: fractions, classes and features against brute force and hand numbers."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from fuzz.land import write_geotiff
from hdf4_writer import write_hdf4

from tamflux.demo_earth.planet import igbp_percent, koppen_map
from tamflux.errors import ContractError, InputError
from tamflux.grid import Grid
from tamflux.predictors import land_surface
from tamflux.predictors.cell_means import cell_class, cell_mean
from tamflux.predictors.land_surface import MAX_FILL_KM, fill_classes, prepare_static
from tamflux.predictors.static import (
    IGBP_FRACTIONS,
    STATIC_FEATURES,
    open_static,
    static_features,
)
from tamflux.readers.raster import Raster
from tamflux.variables import IGBP_CLASSES, VEGETATED

GRID = Grid(30.0)
RNG = np.random.default_rng(0)


def write_land_cover(path, percent):
    return write_hdf4(path, {"Land_Cover_Type_1_Percent": np.asarray(percent, np.uint8)})


def write_koppen(path, codes):
    height, width = codes.shape
    transform = rasterio.transform.from_bounds(-180, -90, 180, 90, width, height)
    options = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, **options) as file:
        file.write(codes.astype(np.uint8), 1)
    return path


def random_percent(shape):
    parts = RNG.multinomial(100, np.full(17, 1 / 17), size=shape)
    parts[-1] = np.eye(17)[0] * 100  # the Southern Ocean
    return parts


@pytest.fixture
def raw(tmp_path):
    percent, codes = random_percent((12, 24)), RNG.integers(0, 31, (24, 48))
    land_cover = write_land_cover(tmp_path / "MCD12C1.A2019001.061.hdf", percent)
    return land_cover, write_koppen(tmp_path / "koppen.tif", codes), percent, codes


def area(n):
    return np.diff(np.sin(np.radians(np.linspace(-90, 90, n + 1))))


def test_fractions_and_classes_are_those_of_a_loop_over_cells(tmp_path, raw):
    land_cover, koppen, percent, codes = raw
    prepare_static(land_cover, koppen, None, GRID, tmp_path / "static.nc")
    data = open_static(tmp_path / "static.nc")
    percent, codes = percent[::-1], codes[::-1]
    for row, col in np.ndindex(GRID.shape):
        block = percent[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].reshape(-1, 17)
        weights = np.repeat(area(12)[2 * row : 2 * row + 2], 2)
        expected = np.average(block, axis=0, weights=weights) / 100
        found = [float(data[name][row, col]) for name in IGBP_FRACTIONS]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert float(data["land_fraction"][row, col]) == pytest.approx(1 - expected[0], abs=1e-6)
        vegetated = sum(expected[IGBP_CLASSES.index(name)] for name in VEGETATED)
        assert float(data["vegetated_fraction"][row, col]) == pytest.approx(vegetated, abs=1e-6)
        block = codes[4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
        weights = np.repeat(area(24)[4 * row : 4 * row + 4], 4)
        covered = np.bincount(block.ravel(), weights=weights, minlength=31)
        assert covered[1:].max() == pytest.approx(covered[int(data["koppen"][row, col])])
    assert data["koppen"].dtype == np.int8 and "elevation" not in data
    assert np.array_equal(data["lat"], GRID.lat) and np.array_equal(data["lon"], GRID.lon)


def test_a_box_is_the_same_part_of_the_globe(tmp_path, raw):
    land_cover, koppen, *_ = raw
    box = Grid(30.0, (-60, -30, 30, 60))
    prepare_static(land_cover, koppen, None, GRID, tmp_path / "globe.nc")
    prepare_static(land_cover, koppen, None, box, tmp_path / "box.nc")
    globe = open_static(tmp_path / "globe.nc").sel(lat=slice(-30, 60), lon=slice(-60, 30))
    xr.testing.assert_allclose(globe, open_static(tmp_path / "box.nc"))


def test_a_coarser_raster_gives_the_pixel_that_holds_the_centre():
    values = np.arange(6 * 12, dtype=np.float32).reshape(6, 12)
    raster = Raster(values, np.linspace(-90, 90, 7), np.linspace(-180, 180, 13))
    fine = cell_mean(raster, Grid(10.0))[..., 0]
    assert np.array_equal(fine, np.kron(values, np.ones((3, 3))))
    codes = Raster((values % 31).astype(np.int16), raster.lat_edges, raster.lon_edges)
    assert np.array_equal(cell_class(codes, Grid(10.0), 30), np.kron(values % 31, np.ones((3, 3))))


@pytest.mark.parametrize("pixels", [7, 13, 50])
def test_pixels_that_do_not_divide_the_cells_keep_a_constant(pixels):
    raster = Raster(
        np.full((pixels, 2 * pixels), 7.5),
        np.linspace(-90, 90, pixels + 1),
        np.linspace(-180, 180, 2 * pixels + 1),
    )
    np.testing.assert_allclose(cell_mean(raster, GRID)[..., 0], 7.5)


def test_a_field_of_its_own_coordinates_is_not_shifted():
    lat, lon = np.linspace(-90, 90, 181), np.linspace(-180, 180, 361)
    centres = np.meshgrid(lat[:-1] + 0.5, lon[:-1] + 0.5, indexing="ij")
    grid = Grid(2.0)
    east = cell_mean(Raster(centres[1], lat, lon), grid)[..., 0]
    np.testing.assert_allclose(east, np.broadcast_to(grid.lon, grid.shape), atol=1e-4)
    north = cell_mean(Raster(centres[0], lat, lon), grid)[..., 0]
    np.testing.assert_allclose(north[:, 0], grid.lat, atol=0.02 / np.cos(np.radians(89)) / 2)


def test_unclassified_pixels_are_left_out_and_an_unclassified_cell_is_water(tmp_path):
    percent = np.zeros((12, 24, 17))
    percent[..., 10] = 100  # grassland everywhere
    percent[0, 0] = 255
    percent[2:4, 2:4] = 255
    land_cover = write_land_cover(tmp_path / "lc.hdf", percent)
    koppen = write_koppen(tmp_path / "koppen.tif", np.full((6, 12), 15))
    prepare_static(land_cover, koppen, None, GRID, tmp_path / "static.nc")
    data = open_static(tmp_path / "static.nc")
    assert float(data["igbp_GRA"][5, 0]) == 1
    assert float(data["igbp_WAT"][4, 1]) == 1 and float(data["land_fraction"][4, 1]) == 0


def test_elevation_of_both_formats(tmp_path, raw):
    land_cover, koppen, *_ = raw
    lat, lon = np.arange(87.5, -90, -5), np.arange(2.5, 360, 5)
    height = 1000 + 10 * lat[:, None] + 0 * lon
    xr.Dataset(
        {"z": (("latitude", "longitude"), height, {"units": "m"})},
        {"latitude": lat, "longitude": lon},
    ).to_netcdf(tmp_path / "z.nc")
    prepare_static(land_cover, koppen, tmp_path / "z.nc", GRID, tmp_path / "a.nc")
    found = open_static(tmp_path / "a.nc")["elevation"]
    weights = area(36).reshape(6, 6)
    expected = np.average(height[::-1, 0].reshape(6, 6), axis=1, weights=weights)
    np.testing.assert_allclose(found[:, 3], expected, rtol=1e-5)
    write_koppen(tmp_path / "z.tif", np.full((18, 36), 200))
    prepare_static(land_cover, koppen, tmp_path / "z.tif", GRID, tmp_path / "b.nc")
    np.testing.assert_allclose(open_static(tmp_path / "b.nc")["elevation"], 200)


def test_an_elevation_of_another_region_is_refused(tmp_path, raw):
    land_cover, koppen, *_ = raw
    place = {"lat": np.arange(50.5, 54), "lon": np.arange(5.5, 9)}
    field = (("lat", "lon"), np.full((4, 4), 10.0), {"units": "m"})
    xr.Dataset({"z": field}, place).to_netcdf(tmp_path / "z.nc")
    with pytest.raises(InputError, match="most land cells have no elevation"):
        prepare_static(land_cover, koppen, tmp_path / "z.nc", GRID, tmp_path / "a.nc")
    assert not (tmp_path / "a.nc").exists()


def test_features_leave_water_out():
    table = pd.DataFrame(0.0, index=range(3), columns=list(IGBP_FRACTIONS))
    table.loc[0, ["igbp_WAT", "igbp_GRA", "igbp_ENF"]] = [0.5, 0.4, 0.1]
    table.loc[1, "igbp_WAT"] = 1.0
    table.loc[2, "igbp_BSV"] = 1.0
    table["koppen"] = [15, 0, 29]  # Cfb, none, ET
    x = static_features(table)
    assert x.dtype == np.float32 and x.shape == (3, len(STATIC_FEATURES))
    columns = dict(zip(STATIC_FEATURES, x.T, strict=True))
    np.testing.assert_allclose(columns["igbp_GRA"], [0.8, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(columns["igbp_WAT"], [0, 1, 0])
    np.testing.assert_allclose(x[:, :17].sum(axis=1), 1, rtol=1e-6)
    groups = x[:, 17:]
    assert groups.tolist() == [[0, 0, 1, 0, 0], [0] * 5, [0, 0, 0, 0, 1]]
    table["koppen"] = ["Cfb", "", "ET"]
    assert np.array_equal(static_features(table), x)


def test_features_of_a_dataset_come_in_the_order_of_cells(tmp_path, raw):
    land_cover, koppen, *_ = raw
    prepare_static(land_cover, koppen, None, GRID, tmp_path / "static.nc")
    data = open_static(tmp_path / "static.nc")
    frame = data.to_dataframe().reset_index()
    assert np.array_equal(static_features(data), static_features(frame))


def test_land_without_a_class_takes_that_of_the_nearest_cell(caplog):
    grid = Grid(1.0, (-20, 50, 20, 80))
    codes = RNG.integers(1, 31, grid.shape).astype(np.int8)
    codes[RNG.random(grid.shape) < 0.6] = 0
    codes[:, :12] = 0  # a region without any class
    land = RNG.random(grid.shape) < 0.5
    found, filled = fill_classes(codes, land, grid)
    lat, lon = np.radians(np.meshgrid(grid.lat, grid.lon, indexing="ij"))
    for row, col in np.argwhere(land & (codes == 0)):
        haversine = (
            np.sin((lat - lat[row, col]) / 2) ** 2
            + np.cos(lat) * np.cos(lat[row, col]) * np.sin((lon - lon[row, col]) / 2) ** 2
        )
        km = np.where(codes > 0, 2 * 6371.007 * np.arcsin(np.sqrt(haversine)), np.inf)
        near = codes[km <= km.min() + 1e-6]
        expected = {0} if km.min() > MAX_FILL_KM else {*near.tolist()}
        assert found[row, col] in expected
        assert filled[row, col] == (2 if km.min() > MAX_FILL_KM else 1)
    own = ~(land & (codes == 0))
    assert (found[own] == codes[own]).all() and (filled[own] == 0).all()
    assert f"{(filled == 1).sum()} cells" in caplog.text
    assert (filled == 2).any() and (filled == 1).any()


def test_the_origin_of_the_class_is_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(land_surface, "check_land_surface", lambda *fields: None)  # a toy planet
    percent = np.eye(17)[np.full((180, 360), 10)] * 100
    land_cover = write_land_cover(tmp_path / "lc.hdf", percent)
    codes = np.full((180, 360), 15)
    codes[100:102, 200:202] = 0
    codes[20:40, 20:60] = 0
    koppen = write_koppen(tmp_path / "koppen.tif", codes)
    prepare_static(land_cover, koppen, None, Grid(1.0), tmp_path / "static.nc")
    data = open_static(tmp_path / "static.nc")
    codes, filled = data["koppen"].to_numpy()[::-1], data["koppen_filled"].to_numpy()[::-1]
    assert (codes[100:102, 200:202] == 15).all() and (filled[100:102, 200:202] == 1).all()
    assert codes[30, 40] == 0 and filled[30, 40] == 2
    assert filled[60:90].max() == 0


def test_land_without_land_cover_is_counted_or_refused(tmp_path, caplog):
    percent = np.eye(17)[np.full((12, 24), 10)] * 100
    koppen = write_koppen(tmp_path / "koppen.tif", np.full((6, 12), 15))
    percent[:2, :2] = 255
    some = write_land_cover(tmp_path / "some.hdf", percent)
    prepare_static(some, koppen, None, GRID, tmp_path / "static.nc")
    assert "1 of 72 land cells have no land cover" in caplog.text
    percent[:10] = 255
    most = write_land_cover(tmp_path / "most.hdf", percent)
    with pytest.raises(InputError, match="most land cells have no land cover"):
        prepare_static(most, koppen, None, GRID, tmp_path / "b.nc")


def test_no_land_is_refused_and_leaves_nothing(tmp_path, raw):
    sea = write_land_cover(tmp_path / "sea.hdf", np.eye(17)[np.zeros((12, 24), int)] * 100)
    with pytest.raises(InputError, match="no land inside the grid"):
        prepare_static(sea, raw[1], None, GRID, tmp_path / "out" / "static.nc")
    assert not (tmp_path / "out" / "static.nc").exists()


def test_a_broken_static_file_breaks_the_contract(tmp_path, raw):
    with pytest.raises(ContractError, match="cannot open"):
        open_static(tmp_path / "none.nc")
    prepare_static(raw[0], raw[1], None, GRID, tmp_path / "static.nc")
    data = open_static(tmp_path / "static.nc")
    data.drop_vars("igbp_CRO").to_netcdf(tmp_path / "a.nc")
    with pytest.raises(ContractError, match="igbp_CRO"):
        open_static(tmp_path / "a.nc")
    data.assign(igbp_CRO=data["igbp_CRO"] / 2).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(ContractError, match="do not sum to 1"):
        open_static(tmp_path / "b.nc")


REGION = Grid(1.0, (-20, 0, 40, 60))


def turned(values):
    return values[::-1]


def rolled(values):
    return np.roll(values, 400, axis=1)


def raised_sea(values):
    return np.where(values < 0, 3000.0, values)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (None, None, None),
        ("cover", turned, "land cover contradicts"),
        ("cover", rolled, "no Köppen class"),
        ("cover", lambda values: np.roll(values, -1, axis=2), "land cover contradicts"),
        ("codes", turned, "Köppen raster contradicts|no Köppen class"),
        ("codes", lambda values: np.where(values > 0, 31 - values, 0), "Köppen raster contradicts"),
        ("height", turned, "elevation contradicts"),
        ("height", raised_sea, "elevation contradicts"),
    ],
)
def test_fields_that_contradict_the_shipped_map_are_refused(tmp_path, name, change, message):
    """The map itself, as other files give it, and turned, moved or coded otherwise."""
    percent = np.moveaxis(igbp_percent()[:, ::-1][:, ::2, ::2], 0, 2)
    fields = {
        "cover": percent, "codes": koppen_map()[::-2, ::2].astype(int),
        "height": np.where(percent[..., 0] > 99, -3000.0, 400.0),
    }  # fmt: skip
    if name:
        fields[name] = change(fields[name])
    cover = write_land_cover(tmp_path / "lc.hdf", np.ascontiguousarray(fields["cover"]))
    koppen = write_koppen(tmp_path / "koppen.tif", fields["codes"])
    write_geotiff(tmp_path / "height.tif", np.ascontiguousarray(fields["height"], np.float32))
    arguments = cover, koppen, tmp_path / "height.tif", REGION, tmp_path / "static.nc"
    if message is None:
        prepare_static(*arguments)
        return
    with pytest.raises(InputError, match=message):
        prepare_static(*arguments)
