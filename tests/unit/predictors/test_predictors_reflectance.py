"""Aggregation, filling in time and indices, against brute force and closed forms."""

import numpy as np
import pytest
import zarr
from hdf4_writer import write_mcd43c4
from hypothesis import given
from hypothesis import strategies as st

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube
from tamflux.predictors.reflectance import (
    aggregate,
    compute_indices,
    needed_bands,
    prepare_modis,
)
from tamflux.readers.modis import Composite
from tamflux.variables import REFLECTANCE

GRID = Grid(30.0)
SHAPE = (12, 24)
ALL = tuple(REFLECTANCE)


def brute_mean(numbers, valid, factor, grid, least):
    edges = np.radians(np.linspace(grid.bbox[1], grid.bbox[3], numbers.shape[0] + 1))
    weight = np.broadcast_to(np.diff(np.sin(edges))[:, None], numbers.shape)
    mean, pixels = np.full(grid.shape, np.nan), np.zeros(grid.shape, int)
    for row, col in np.ndindex(grid.shape):
        block = np.s_[row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
        good = valid[block]
        pixels[row, col] = good.sum()
        if good.sum() and good.sum() >= least * factor**2:
            mean[row, col] = np.average(numbers[block][good], weights=weight[block][good]) * 1e-4
    return mean, pixels


@given(
    seed=st.integers(0, 10_000),
    factor=st.integers(1, 5),
    share=st.floats(0, 1),
    least=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    bbox=st.sampled_from([(-180, -90, 180, 90), (-30, 30, 60, 90), (0, -60, 30, -30)]),
)
def test_means_are_those_of_a_loop_over_cells(seed, factor, share, least, bbox):
    rng, grid = np.random.default_rng(seed), Grid(30.0, bbox)
    shape = tuple(n * factor for n in grid.shape)
    numbers = rng.integers(-100, 16000, shape).astype(np.int16)
    valid = rng.random(shape) < share
    means, pixels = aggregate(Composite({2: numbers}, valid), factor, grid, least)
    expected, expected_pixels = brute_mean(numbers, valid, factor, grid, least)
    np.testing.assert_allclose(means[0], expected, rtol=2e-5, atol=1e-6)
    assert np.array_equal(pixels, expected_pixels)


def test_polar_pixels_weigh_by_their_area():
    grid = Grid(30.0, (0, 60, 30, 90))
    numbers = np.array([[1000, 1000], [5000, 5000]], np.int16)  # 60-75 N, 75-90 N
    means, _ = aggregate(Composite({1: numbers}, np.ones((2, 2), bool)), 2, grid, 0.1)
    south, north = np.sin(np.radians(75)) - np.sin(np.radians(60)), 1 - np.sin(np.radians(75))
    assert means[0, 0, 0] == pytest.approx((0.1 * south + 0.5 * north) / (south + north), rel=1e-6)


DATES = np.arange("2003-01-01", "2004-01-01", 8, dtype="datetime64[D]")


def test_indices_of_hand_numbers():
    bands = {1: 0.05, 2: 0.40, 3: 0.03, 6: 0.20}
    found = compute_indices(
        {b: np.array([v], np.float32) for b, v in bands.items()}, ["ndvi", "evi", "nirv", "lswi"]
    )
    assert found["ndvi"][0] == pytest.approx(0.35 / 0.45, rel=1e-5)
    assert found["nirv"][0] == pytest.approx(0.4 * 0.35 / 0.45, rel=1e-5)
    assert found["evi"][0] == pytest.approx(2.5 * 0.35 / (0.4 + 0.3 - 0.225 + 1), rel=1e-5)
    assert found["lswi"][0] == pytest.approx(0.2 / 0.6, rel=1e-5)


def test_indices_of_dark_and_bright_ground():
    red, nir = np.float32([0.0, -0.01, 0.9, 0.85]), np.float32([0.2, 0.1, 0.88, 0.8])
    blue = np.float32([0.02, 0.02, 0.95, 0.99])
    found = compute_indices({1: red, 2: nir, 3: blue}, ["ndvi", "evi", "nirv"])
    assert np.isnan([found[name][:2] for name in found]).all()
    assert (np.abs(found["evi"][2:]) < 0.1).all()  # snow: EVI itself would be at -0.3 and beyond


@given(seed=st.integers(0, 10_000))
def test_indices_stay_in_the_catalogues_range(seed):
    rng = np.random.default_rng(seed)
    bands = {b: rng.uniform(-0.02, 1.6, 500).astype(np.float32) for b in range(1, 8)}
    for name, values in compute_indices(bands, ["ndvi", "evi", "nirv", "lswi"]).items():
        finite = values[np.isfinite(values)]
        low, high = REFLECTANCE[name].valid_min, REFLECTANCE[name].valid_max
        limit = high if name != "nirv" else 1.6  # NIRv of a reflectance above 1
        assert finite.min() >= low and finite.max() <= limit


def test_only_needed_bands_are_read():
    assert needed_bands(["t2m", "refl_b7", "evi"]) == (1, 2, 3, 7)
    assert needed_bands(["lswi"]) == (2, 6)


def seasonal_files(folder, first="2001-01-01", last="2003-01-01"):
    """Files every eight days whose reflectance is linear in time, higher towards the east."""
    files = []
    for year in range(int(first[:4]), int(last[:4])):
        for day in np.arange(f"{year}-01-01", f"{year + 1}-01-01", 8, dtype="datetime64[D]"):
            elapsed = (day - np.datetime64(first)).astype(int)
            numbers = np.tile(1000 + 4 * elapsed + 10 * np.arange(SHAPE[1]), (SHAPE[0], 1))
            numbers = np.stack([numbers + 100 * band for band in range(7)])
            numbers[:, :2] = 32767  # no data in the north
            files.append(write_mcd43c4(folder, day, numbers))
    return files


def prepare(files, year, target, variables=ALL, grid=GRID, tile_size=4, least=0.1):
    prepare_modis(files, "MCD43C4", year, grid, tile_size, least, variables, target)
    return Cube.open(target)


def test_a_year_from_files_to_store(tmp_path):
    files = seasonal_files(tmp_path)
    cube = prepare(files, 2002, tmp_path / "2002.zarr", ("t2m", *ALL))
    assert cube.variables == ALL
    x = cube.read(slice(None), slice(None))
    assert x.shape == (365, 6, 12, len(ALL))
    assert np.isnan(x[:, 5]).all() and np.isfinite(x[:, :5]).all()
    elapsed = np.arange(365)[:, None] + 365
    east = 10 * (2 * np.arange(12) + 0.5)
    inside = slice(0, 361)  # the last file is of 27 December
    for band in range(7):
        expected = (1000 + 4 * elapsed + east + 100 * band)[inside] * 1e-4
        np.testing.assert_allclose(x[inside, 0, :, band], expected, rtol=2.0**-12, atol=2e-6)
    red, nir = x[..., 0], x[..., 1]
    np.testing.assert_allclose(x[..., ALL.index("ndvi")], (nir - red) / (nir + red), atol=2.0**-11)
    flag = cube.read_flag(slice(None), slice(None))
    assert (flag[:, 5] == 2).all()
    assert np.flatnonzero(flag[:, 0, 0] == 0).tolist() == list(range(361))
    store = zarr.open_group(tmp_path / "2002.zarr", mode="r")
    assert store["valid_pixels"].shape == (store["composite"].size, 6, 12)
    assert store["valid_pixels"][:, 0].min() == 4 and store["valid_pixels"][:, 5].max() == 0


def test_years_join_without_a_step(tmp_path):
    files = seasonal_files(tmp_path)
    cells = slice(0, 1), slice(None)
    first, second = (
        prepare(files, year, tmp_path / f"{year}.zarr", ("refl_b1",)).read(*cells)
        for year in (2001, 2002)
    )
    steps = np.diff(np.concatenate([first[-20:], second[:20]]), axis=0)
    np.testing.assert_allclose(steps, 0.0004, atol=2 * 0.3 * 2.0**-12)


def test_a_year_never_wraps_round_to_its_own_other_end(tmp_path):
    files = [file for file in seasonal_files(tmp_path) if "A2001" in file.name]
    x = prepare(files, 2001, tmp_path / "2001.zarr", ("refl_b1",)).read(slice(0, 1), slice(0, 1))
    last = 8 * 45
    assert np.ptp(x[last:]) == 0 and x[-1] > x[0]


def test_the_store_does_not_depend_on_tiles_and_boxes(tmp_path):
    files = [file for file in seasonal_files(tmp_path) if "A2001" in file.name]
    whole = prepare(files, 2001, tmp_path / "a.zarr", ("refl_b2", "evi"))
    tiled = prepare(files, 2001, tmp_path / "b.zarr", ("refl_b2", "evi"), tile_size=5)
    part = prepare(
        files, 2001, tmp_path / "c.zarr", ("refl_b2", "evi"), Grid(30.0, (-30, -30, 90, 60))
    )
    everything = slice(None), slice(None)
    x = whole.read(*everything)
    assert np.array_equal(x, tiled.read(*everything), equal_nan=True)
    assert np.array_equal(x[:, 2:5, 5:9], part.read(*everything), equal_nan=True)


def test_a_year_without_a_valid_pixel_is_refused_and_leaves_nothing(tmp_path):
    days = np.arange("2001-01-01", "2002-01-01", 60, dtype="datetime64[D]")
    bad = np.full(SHAPE, 5)
    files = [write_mcd43c4(tmp_path / "raw", day, np.full(SHAPE, 900), bad) for day in days]
    with pytest.raises(InputError, match="no MODIS pixel is valid"):
        prepare(files, 2001, tmp_path / "out" / "2001.zarr")
    assert not list((tmp_path / "out").glob("*"))


def test_a_damaged_file_stops_the_year_and_leaves_nothing(tmp_path):
    files = [file for file in seasonal_files(tmp_path / "raw") if "A2001" in file.name]
    files[7].write_bytes(files[7].read_bytes()[:900])
    with pytest.raises(InputError, match=files[7].name):
        prepare(files, 2001, tmp_path / "out" / "2001.zarr")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("value", [0, -50])
def test_zeros_in_place_of_the_fill_value_are_refused(tmp_path, value):
    """Or values below: indices of them would be missing without a word."""
    numbers = np.where(np.arange(36 * 72).reshape(36, 72) % 3, value, 2000)
    path = write_mcd43c4(tmp_path, "2003-01-01", numbers)
    target = tmp_path / "out" / "2003.zarr"
    with pytest.raises(InputError, match="most reflectances are zero or below"):
        prepare_modis([path, *(write_mcd43c4(tmp_path, np.datetime64("2003-01-01") + 60 * n, 2000
                       + np.zeros((36, 72))) for n in range(1, 7))],
                      "MCD43C4", 2003, Grid(30.0), 3, 0.1, ["refl_b1"], target)  # fmt: skip
    assert list(target.parent.iterdir()) == []
