"""The Robinson frame against the published table, a round trip and known cells."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.figures.maps import RobinsonMap, coastlines
from tamflux.figures.style import field_norm
from tamflux.grid import EARTH_RADIUS_M, Grid

GLOBE = RobinsonMap(Grid(5.0), width=300)


@pytest.mark.parametrize(
    ("lat", "length", "height"),
    # Robinson's table (Snyder, 1990): length of a parallel, its distance from the equator
    [(0, 1.0, 0.0), (30, 0.9600, 0.3720), (60, 0.7986, 0.7346), (90, 0.5322, 1.0)],
)
def test_projection_follows_robinsons_table(lat, length, height):
    x, y = GLOBE.project(90.0, lat)
    assert x == pytest.approx(0.8487 * EARTH_RADIUS_M * length * np.pi / 2, rel=1e-4)
    assert y == pytest.approx(1.3523 * EARTH_RADIUS_M * height, rel=1e-4, abs=1)


@given(st.floats(-179, 179), st.floats(-89, 89))
def test_projection_round_trip(lon, lat):
    x, y = GLOBE.project(lon, lat)
    back = GLOBE.transformer.transform(x, y, direction="INVERSE")
    assert back == pytest.approx((lon, lat), abs=1e-5)


def test_every_pixel_shows_the_cell_it_lies_in():
    frame = GLOBE
    shown = np.append(np.arange(36 * 72), -1)[frame._lookup]
    for lat, lon in [(-87.5, 2.5), (2.5, -177.5), (52.5, 12.5), (-32.5, 147.5), (2.5, 177.5)]:
        x, y = frame.project(lon, lat)
        column = int((x - frame.left) / (frame.right - frame.left) * frame.width)
        row = int((y - frame.bottom) / (frame.top - frame.bottom) * shown.shape[0])
        cell = frame.grid.locate(lat, lon)
        assert shown[row, column] == cell[0] * 72 + cell[1]


def test_frame_is_an_oval_for_the_globe_and_the_box_for_a_region():
    assert frame_corner(GLOBE) is False
    region = RobinsonMap(Grid(1.0, (-10.0, 35.0, 30.0, 60.0)), width=200)
    west, south = region.project(-10.0, 35.0)
    assert region.left == pytest.approx(west, abs=1e5)
    assert region.bottom == pytest.approx(south, abs=1e4)
    assert (region._lookup >= 0).mean() > 0.8


def frame_corner(frame):
    """Whether the upper left corner of the picture lies on the frame."""
    return bool(np.hypot(*(frame.ring - [frame.left, frame.top]).T).min() < 1e5)


@pytest.mark.parametrize(
    ("lat", "lon", "nearest"),
    [
        (-34.83, 20.00, 0.4),  # Cape Agulhas
        (35.99, -5.61, 0.4),  # Tarifa
        (8.09, 77.55, 0.4),  # Cape Comorin
        (66.08, -169.65, 0.6),  # Cape Dezhnev
    ],
)
def test_coastlines_pass_by_known_capes(lat, lon, nearest):
    found = np.concatenate([np.column_stack(line) for line in coastlines()])
    distance = np.hypot((found[:, 0] - lon) * np.cos(np.radians(lat)), found[:, 1] - lat)
    assert distance.min() < nearest


def test_no_coast_in_the_open_ocean_or_inland():
    found = np.concatenate([np.column_stack(line) for line in coastlines()])
    for lat, lon in [(0, -130), (35, -45), (-40, -110), (23, 20)]:
        assert np.hypot(found[:, 0] - lon, found[:, 1] - lat).min() > 4


def test_draw_returns_the_field_that_was_given():
    figure, ax = plt.subplots()
    image = GLOBE.draw(ax, np.full((36, 72), 3.0))
    assert np.unique(image.get_array().compressed()) == [3.0]
    plt.close(figure)


def test_norm_is_symmetric_for_diverging_fields_and_has_round_bounds():
    field = np.concatenate([np.linspace(-3, 9.4, 1000), [np.nan]])
    norm = field_norm([field], diverging=True)
    assert norm.vmin == -norm.vmax == -10
    assert field_norm([np.abs(field)]).vmin == 0
    assert field_norm([np.full(3, np.nan)]).vmax == 1
