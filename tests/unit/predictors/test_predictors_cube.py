"""The cube: what is written is read, and every breach of the contract is named."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.errors import ContractError
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube, create_store, lookback_window, prepend_lookback, year_days
from tamflux.predictors.merge import assemble_cube
from tamflux.variables import METEOROLOGY, REFL_FILLED, REFLECTANCE

GRID = Grid(10.0, (-60, -40, 60, 50))
WEATHER = [METEOROLOGY["t2m"], METEOROLOGY["tp"]]


def values_of(variable, year, grid=GRID):
    rng = np.random.default_rng([year, *variable.encode()])
    return rng.random((len(year_days(year)), *grid.shape), np.float32)


def make(path, year=2003, tile=4, variables=WEATHER, grid=GRID):
    with create_store(path, grid, year, tile, variables) as store:
        for variable in variables:
            block = values_of(variable.name, year, grid)
            if variable.name == "refl_filled":
                block = (block > 0.5).astype("int8")
            for tile_ in grid.tiles(tile):
                window = (slice(None), tile_.rows, tile_.cols)
                store[variable.name][window] = block[window]
    return path


def test_written_is_read(tmp_path):
    cube = Cube.open(make(tmp_path / "2004.zarr", 2004))
    assert (cube.year, cube.grid, cube.tile_size) == (2004, GRID, 4)
    assert cube.variables == ("t2m", "tp")
    assert cube.time[0] == np.datetime64("2004-01-01") and len(cube.time) == 366
    block = cube.read(slice(2, 7), slice(3, 9))
    assert block.shape == (366, 5, 6, 2) and block.dtype == np.float32
    np.testing.assert_array_equal(block[..., 1], values_of("tp", 2004)[:, 2:7, 3:9])
    only = cube.read(slice(2, 7), slice(3, 9), ["tp"])
    np.testing.assert_array_equal(only[..., 0], block[..., 1])


def test_xarray_reads_the_same(tmp_path):
    data = xr.open_zarr(make(tmp_path / "2003.zarr"))
    np.testing.assert_array_equal(data.t2m, values_of("t2m", 2003))
    assert data.t2m.attrs["units"] == "degC" and data.lat.values.tolist() == GRID.lat.tolist()
    assert str(data.time.values[-1])[:10] == "2003-12-31"
    assert data.t2m.encoding["chunks"] == (365, 4, 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Cube.open(make(tmp_path_factory.mktemp("cube") / "2003.zarr"))


@settings(max_examples=20, deadline=None)
@given(cells=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 11)), max_size=12))
def test_cells_equal_the_block(whole, cells):
    rows, cols = np.array(cells, int).reshape(-1, 2).T
    block = whole.read(slice(None), slice(None))
    np.testing.assert_array_equal(
        whole.read_cells(rows, cols), np.moveaxis(block[:, rows, cols], 0, 1)
    )


def test_a_cube_travels_to_another_process(whole):
    again = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(
        again.read(slice(0, 2), slice(0, 2)), whole.read(slice(0, 2), slice(0, 2))
    )


@pytest.mark.parametrize(("year", "before"), [(2003, 2002), (2005, 2004), (2004, 2003)])
def test_lookback_window_is_the_last_365_days_of_the_year_before(year, before):
    now, then = (year_days(y)[None, :, None].astype(float) for y in (year, before))
    joined = prepend_lookback(now, then)[0, :, 0]
    np.testing.assert_array_equal(np.diff(joined), 1)
    assert len(joined) == 365 + now.shape[1]
    alone = prepend_lookback(now, None)[0, :, 0]
    np.testing.assert_array_equal(alone[:365], now[0, :365, 0])
    np.testing.assert_array_equal(alone[365:], now[0, :, 0])


def test_a_window_longer_than_its_year_repeats_the_year():
    days = np.arange(92)[:, None]
    np.testing.assert_array_equal(lookback_window(days, None), np.resize(days, (365, 1)))
    np.testing.assert_array_equal(lookback_window(days, days + 100, 30), days[-30:] + 100)


def test_look_back_window_of_a_part_of_a_year_is_refused():
    with pytest.raises(ContractError, match="look-back window is too short"):
        prepend_lookback(np.zeros((365, 1)), np.zeros((100, 1)))


def test_the_union_holds_both_and_copies_nothing(tmp_path):
    era5 = make(tmp_path / "era5" / "2003.zarr")
    modis = make(tmp_path / "modis" / "2003.zarr", variables=[REFLECTANCE["ndvi"], REFL_FILLED])
    assemble_cube([era5, modis], tmp_path / "2003.zarr", ["ndvi", "tp"])
    cube = Cube.open(tmp_path / "2003.zarr")
    assert cube.variables == ("ndvi", "tp")
    block = cube.read(slice(None), slice(None))
    np.testing.assert_array_equal(block[..., 0], values_of("ndvi", 2003))
    np.testing.assert_array_equal(block[..., 1], values_of("tp", 2003))
    flag = (values_of("refl_filled", 2003) > 0.5).astype("int8")
    np.testing.assert_array_equal(cube.read_flag(slice(None), slice(None)), flag)
    assert os.stat(cube.path / "tp/c/0/0/0").st_ino == os.stat(era5 / "tp/c/0/0/0").st_ino
    shutil.rmtree(era5)
    np.testing.assert_array_equal(cube.read(slice(None), slice(None)), block)


def test_the_union_refuses_what_does_not_fit(tmp_path):
    era5 = make(tmp_path / "era5.zarr")
    other = make(tmp_path / "modis.zarr", 2004, variables=[REFLECTANCE["ndvi"]])
    with pytest.raises(ContractError, match="different grids or years"):
        assemble_cube([era5, other], tmp_path / "cube.zarr", ["t2m", "ndvi"])
    with pytest.raises(ContractError, match="evi"):
        assemble_cube([era5], tmp_path / "cube.zarr", ["t2m", "evi"])
    assert not (tmp_path / "cube.zarr").exists()


def test_what_was_never_written_is_missing(tmp_path):
    variables = [WEATHER[0], REFL_FILLED]
    with create_store(tmp_path / "2003.zarr", GRID, 2003, 4, variables) as store:
        store["t2m"][:, :4, :4] = 1.0
    cube = Cube.open(tmp_path / "2003.zarr")
    assert np.isnan(cube.read(slice(4, 8), slice(0, 4))).all()
    assert (cube.read_flag(slice(None), slice(None)) == 2).all()


def test_an_interrupted_store_is_not_there(tmp_path):
    with (
        pytest.raises(RuntimeError),
        create_store(tmp_path / "2003.zarr", GRID, 2003, 4, WEATHER) as store,
    ):
        store["t2m"][:, :4, :4] = 1.0
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def edit(path, change):
    """Change the JSON metadata of a store: of the group and its consolidated copy alike."""
    for file in path.rglob("zarr.json"):
        content = json.loads(file.read_text())
        change(content, file.parent.name)
        for name, array in (
            content.get("consolidated_metadata", {}).get("metadata", {}).items()
            if content.get("consolidated_metadata")
            else ()
        ):
            change(array, name)
        file.write_text(json.dumps(content))


def set_attr(array, key, value):
    def change(content, name):
        if name == array:
            content["attributes"][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (set_attr("t2m", "units", "K"), "wrong unit"),
        (set_attr("time", "units", "days since 2003-02-01"), "not days of a year"),
        (set_attr("time", "units", "days since 2004-01-01"), "days are missing"),
        (set_attr("2003.zarr", "bbox", [-60, -40, 60, 40]), "not the grid"),
        (set_attr("2003.zarr", "resolution", 7.0), "grid is not a grid"),
        (set_attr("2003.zarr", "variables", ["t2m", "vpd"]), "arrays are missing"),
        (lambda content, name: name == "tp" and content.update(
            dimension_names=["lat", "lon", "time"]), "wrong dimensions"),
        (lambda content, name: name == "2003.zarr" and content.update(attributes={}),
         "no description of its grid"),
    ],
)  # fmt: skip
def test_a_breach_of_the_contract_is_named(tmp_path, change, what):
    path = make(tmp_path / "2003.zarr")
    edit(path, change)
    with pytest.raises(ContractError, match=what) as caught:
        Cube.open(path)
    assert str(path) in str(caught.value) and "snakemake" in str(caught.value)


def test_a_lost_tile_is_not_taken_for_missing_data(tmp_path):
    path = make(tmp_path / "2003.zarr")
    (path / "tp" / "c" / "0" / "1" / "1").unlink()
    with pytest.raises(ContractError, match="tiles are lost") as caught:
        Cube.open(path)
    assert "variable: tp" in str(caught.value)


def test_a_variable_without_any_value_is_refused(tmp_path):
    with create_store(tmp_path / "2003.zarr", GRID, 2003, 4, WEATHER) as store:
        store["t2m"][:, :4] = 1.0
    with pytest.raises(ContractError, match="missing everywhere"):
        Cube.open(tmp_path / "2003.zarr")


def test_no_store_and_descending_latitude(tmp_path):
    with pytest.raises(ContractError, match="cannot open"):
        Cube.open(tmp_path / "none.zarr")
    path = make(tmp_path / "2003.zarr")
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    group["lat"][:] = GRID.lat[::-1]
    with pytest.raises(ContractError, match="lat is not the grid"):
        Cube.open(path)


def test_unknown_predictor_and_flag_that_is_not_there(whole):
    with pytest.raises(ContractError, match="not in the cube"):
        whole.read(slice(0, 1), slice(0, 1), ["ndvi"])
    with pytest.raises(ContractError, match="no reflectance flag"):
        whole.read_flag(slice(0, 1), slice(0, 1))
