"""Regridding: nothing shifted, the global mean kept, weights equal to brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.grid import Grid
from tamflux.predictors.regrid import regrid, regrid_weights


def nodes(spacing):
    """Global ERA5-like nodes: both poles, 0..360."""
    return np.arange(-90, 90 + spacing / 2, spacing), np.arange(0, 360 - spacing / 2, spacing)


def node_area(lat, spacing):
    edges = np.clip(np.append(lat - spacing / 2, lat[-1] + spacing / 2), -90, 90)
    return np.diff(np.sin(np.radians(edges)))


@pytest.mark.parametrize("turn", [0, -180])
@pytest.mark.parametrize(("source", "target"), [(1, 1), (0.5, 1), (2, 5), (2.5, 2.5), (5, 3)])
@pytest.mark.parametrize("conservative", [True, False])
def test_a_cell_of_a_coordinate_field_holds_its_own_coordinate(source, target, conservative, turn):
    lat, lon = nodes(source)
    grid = Grid(target)
    weights = regrid_weights(lat, lon + turn, grid, conservative)
    # longitude as a unit vector: continuous over the dateline
    angle = np.radians(lon + turn)
    fields = np.stack(
        [
            np.repeat(lat[:, None], len(lon), axis=1),
            np.repeat(np.cos(angle)[None], len(lat), axis=0),
            np.repeat(np.sin(angle)[None], len(lat), axis=0),
        ]
    )
    found = regrid(fields, weights)
    own_lon = np.degrees(np.arctan2(found[2], found[1]))
    difference = (own_lon - grid.lon + 180) % 360 - 180
    # a relabelled grid would be off by source / 2 everywhere; a finer grid cannot be resolved
    fine = conservative and target < source
    np.testing.assert_allclose(difference, 0, atol=source * (0.4 if fine else 0.13))
    np.testing.assert_allclose(difference.mean(), 0, atol=1e-3)
    interior = np.abs(grid.lat) < 90 - 2 * max(source, target)
    np.testing.assert_allclose(
        found[0][interior] - grid.lat[interior, None],
        0,
        atol=(0.5 if fine else 0.13) * max(source, target),
    )
    assert (np.diff(found[0], axis=0) > 0).all() and found[0][0].max() < -90 + target
    assert found[0][-1].min() > 90 - target


def test_equal_resolution_takes_the_four_corners():
    lat, lon = nodes(1.0)
    grid = Grid(1.0)
    field = np.random.default_rng(0).normal(size=(1, 181, 360))
    found = regrid(field, regrid_weights(lat, lon, grid, conservative=False))[0]
    row, col = grid.locate(45.5, -0.5)  # between 0 and 359 degrees east
    corners = field[0][135:137][:, [359, 0]]
    assert found[row, col] == pytest.approx(corners.mean(), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1.5, 2, 2.5, 3, 4.5, 5, 7.5, 9, 10]),
    st.sampled_from([2, 3, 4, 5, 6, 7.5, 10, 15]),
    st.integers(0, 2**32 - 1),
)
def test_conservative_weights_keep_the_global_mean(source, target, seed):
    lat, lon = nodes(source)
    grid = Grid(target)
    field = np.random.default_rng(seed).gamma(0.5, 10.0, size=(1, len(lat), len(lon)))
    found = regrid(field, regrid_weights(lat, lon, grid, conservative=True))[0]
    before = np.average(field[0].mean(axis=1), weights=node_area(lat, source))
    after = np.average(found.astype(float), weights=grid.cell_area())
    assert after == pytest.approx(before, rel=1e-6)


def test_weights_equal_brute_force_integration():
    lat, lon = nodes(4.5)
    grid = Grid(6.0)
    field = np.random.default_rng(1).normal(size=(len(lat), len(lon)))
    found = regrid(field[None], regrid_weights(lat, lon, grid, conservative=True))[0]
    step = 0.05
    fine_lat, fine_lon = np.arange(-90 + step / 2, 90, step), np.arange(-180 + step / 2, 180, step)
    nearest_lat = np.clip(np.round((fine_lat + 90) / 4.5), 0, len(lat) - 1).astype(int)
    nearest_lon = np.round((fine_lon % 360) / 4.5).astype(int) % len(lon)
    fine = field[nearest_lat][:, nearest_lon]
    weight = np.cos(np.radians(fine_lat))[:, None] * np.ones_like(fine_lon)
    cells = (30, 120, 60, 120)
    brute = (fine * weight).reshape(cells).sum(axis=(1, 3)) / weight.reshape(cells).sum(axis=(1, 3))
    np.testing.assert_allclose(found, brute, atol=0.02)


@pytest.mark.parametrize("conservative", [True, False])
@pytest.mark.parametrize("bbox", [(-10, 35, 30, 70), (140, -40, 180, -10), (-180, -90, -150, 0)])
def test_a_region_equals_its_part_of_the_globe(bbox, conservative):
    lat, lon = nodes(1.0)
    field = np.random.default_rng(2).normal(size=(1, 181, 360))
    whole, part = Grid(1.0), Grid(1.0, bbox)
    everywhere = regrid(field, regrid_weights(lat, lon, whole, conservative))[0]
    row, col = whole.locate(part.lat[0], part.lon[0])
    rows, cols = slice(row, row + part.shape[0]), slice(col, col + part.shape[1])
    found = regrid(field, regrid_weights(lat, lon, part, conservative))[0]
    np.testing.assert_allclose(found, everywhere[rows, cols], atol=1e-6)
    # and from a source that holds the region alone, with one node around it
    keep_lat = (lat >= bbox[1] - 1) & (lat <= bbox[3] + 1)
    region_lon = np.arange(bbox[0] - 1, bbox[2] + 1.5)
    columns = np.round(region_lon % 360).astype(int)
    regional = field[:, keep_lat][:, :, columns]
    found = regrid(regional, regrid_weights(lat[keep_lat], region_lon, part, conservative))[0]
    np.testing.assert_allclose(found, everywhere[rows, cols], atol=1e-5)


def test_missing_sea_does_not_leak_into_land():
    lat, lon = nodes(1.0)
    field = np.full((1, 181, 360), 7.0)
    field[0, :, 100:] = np.nan
    found = regrid(field, regrid_weights(lat, lon, Grid(5.0), conservative=True))[0]
    assert set(np.unique(found[~np.isnan(found)])) == {7.0}
    assert np.isnan(found[:, Grid(5.0).locate(0, 150.0)[1]]).all()
    assert not np.isnan(found[:, Grid(5.0).locate(0, 50.0)[1]]).any()
