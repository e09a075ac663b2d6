"""The daily file and its Zarr copy are read over a network in few requests; years join."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from tamflux.grid import Grid
from tamflux.product.netcdf import CHUNKS, create_product, row_blocks
from tamflux.product.zarr_copy import copy_to_zarr

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
remote = pytest.importorskip("remote", reason="h5netcdf or aiohttp is not installed")

GRID = Grid(1.0)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A daily file of noise in GPP, which deflates badly; and the noise."""
    path = tmp_path_factory.mktemp("noisy") / "daily.nc"
    random = np.random.default_rng(0)
    days, land = 128, np.ones(GRID.shape)
    gpp = random.integers(0, 2**12, (days, *GRID.shape), np.int16).astype(np.float32) / 1024
    edges = np.datetime64("2003-01-01") + np.arange(days + 1)
    quality = np.zeros(GRID.shape, np.int8)
    with create_product(path, GRID, edges, "daily", {"title": "noise"}, land, quality) as file:
        for rows in row_blocks(GRID):
            file.write("gpp", rows, gpp[:, rows])
    assert path.stat().st_size > 11_000_000  # far more than fsspec fetches at once
    return path, gpp


def test_a_map_is_one_stretch_of_the_file(noisy):
    """Chunks lie by days, whatever order row blocks are written in; the index lies in one place."""
    with h5py.File(noisy[0]) as file:
        gpp = file["gpp"].id
        chunks = [gpp.get_chunk_info(i) for i in range(gpp.get_num_chunks())]
    chunks.sort(key=lambda chunk: chunk.byte_offset)
    origins = [chunk.chunk_offset for chunk in chunks]
    assert origins == sorted(origins)
    starts = np.array([chunk.byte_offset for chunk in chunks])
    sizes = np.array([chunk.size for chunk in chunks])
    np.testing.assert_array_equal(starts[1:], starts[:-1] + sizes[:-1])
    assert len(chunks) == -(-len(noisy[1]) // CHUNKS[0]) * -(-GRID.shape[0] // CHUNKS[1])


def test_few_requests_open_the_file_and_read_a_map(noisy):
    path, gpp = noisy
    counted = remote.count_requests(path)
    assert counted["open"]["requests"] <= 10
    assert counted["map"]["requests"] <= 2
    with (
        remote.serve(path.parent) as (address, _),
        remote.open_remote(f"{address}/{path.name}") as data,
    ):
        np.testing.assert_array_equal(remote.read_map(data), gpp[remote.DAY])


def test_few_requests_read_the_year_of_a_cell_of_the_copy(noisy, tmp_path):
    path, gpp = noisy
    copy_to_zarr(path, tmp_path / "daily.zarr")
    counted = remote.count_requests(tmp_path / "daily.zarr")
    assert counted["open"]["requests"] <= 10
    assert counted["series"]["requests"] == 1
    with (
        remote.serve(tmp_path) as (address, _),
        remote.open_remote(f"{address}/daily.zarr") as data,
    ):
        series = remote.read_series(data)
        row, col = (int(np.searchsorted(GRID.lat, series["lat"])),
                    int(np.searchsorted(GRID.lon, series["lon"])))  # fmt: skip
        np.testing.assert_array_equal(series, gpp[:, row, col])


def test_the_files_of_two_years_open_as_one(product, make_tiles, assemble, tmp_path):
    source = make_tiles(tmp_path, 2003)
    assemble(source, tmp_path / "2003.nc")
    paths = [tmp_path / "2003.nc", product.daily]
    # fixed fields have no time: they stay so where the first file gives them
    with xr.open_mfdataset(paths, data_vars="minimal", coords="minimal", compat="override") as both:
        assert both.sizes["time"] == 365 + 366 and both.indexes["time"].is_monotonic_increasing
        assert both["land_fraction"].dims == ("lat", "lon")
        years = [xr.load_dataset(path)["gpp"] for path in paths]
        np.testing.assert_array_equal(both["gpp"], np.concatenate(years))
