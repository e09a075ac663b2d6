import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.errors import ConfigError
from tamflux.grid import EARTH_RADIUS_M, Grid

resolutions = st.sampled_from([0.25, 0.5, 1.0, 2.5, 6.0])


def test_centres_are_those_of_the_modis_grid():
    grid = Grid(0.25)
    assert grid.shape == (720, 1440)
    assert grid.lat[0] == -89.875 and grid.lat[-1] == 89.875
    assert grid.lon[0] == -179.875 and grid.lon[-1] == 179.875


@given(resolutions)
def test_cells_cover_the_sphere(resolution):
    area = Grid(resolution).cell_area()
    assert area.sum() == pytest.approx(4 * np.pi * EARTH_RADIUS_M**2, rel=1e-12)


def test_equator_cell_has_the_published_area():
    # 772.77 km2 on a sphere of 6371.0 km; this sphere's radius is 7 m longer
    assert Grid(0.25).cell_area()[360, 0] / 1e6 == pytest.approx(772.77, abs=0.01)


@given(resolutions, st.floats(-90, 90), st.floats(-180, 359.99))
def test_a_point_lies_inside_the_cell_that_holds_it(resolution, lat, lon):
    grid = Grid(resolution)
    row, col = grid.locate(lat, lon)
    turned = (lon + 180) % 360 - 180
    assert grid.lat_edges[row] - 1e-6 <= lat <= grid.lat_edges[row + 1] + 1e-6
    assert grid.lon_edges[col] - 1e-6 <= turned <= grid.lon_edges[col + 1] + 1e-6


def test_points_outside_a_region_have_no_cell():
    grid = Grid(1.0, (-10, 35, 30, 70))
    assert grid.locate(50.5, 8.5) == (15, 18)
    assert grid.locate(50.5, 31) is None
    assert grid.locate(34.9, 0) is None


@given(st.sampled_from([1.0, 2.5, 6.0]), st.integers(1, 50))
def test_tiles_hold_every_cell_once(resolution, size):
    grid = Grid(resolution)
    seen = np.zeros(grid.shape, int)
    tiles = grid.tiles(size)
    for tile in tiles:
        seen[tile.rows, tile.cols] += 1
    assert (seen == 1).all()
    assert len({tile.id for tile in tiles}) == len(tiles)


@pytest.mark.parametrize(
    ("resolution", "bbox", "message"),
    [
        (0.7, (-180, -90, 180, 90), "grid.resolution does not fit"),
        (1.0, (-10.5, 35, 30, 70), "west does not fit"),
        (1.0, (30, 35, -10, 70), "not a west, south, east, north box"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(resolution, bbox, message):
    with pytest.raises(ConfigError, match=message):
        Grid(resolution, bbox)
