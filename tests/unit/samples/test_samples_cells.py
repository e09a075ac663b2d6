"""Cells between the towers: drawn by land area, read as samples, with the truth beside them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.grid import Grid
from tamflux.predictors.cube import create_store
from tamflux.predictors.static import open_static, static_features
from tamflux.samples.cells import draw_cells, extract_cells
from tamflux.samples.samples import load_samples
from tamflux.variables import FLUXES, IGBP_CLASSES, PREDICTORS, REFL_FILLED

GRID = Grid(10.0, (-180.0, -90.0, 180.0, 90.0))
VARIABLES = ("ssrd", "t2m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A planet with an ocean, bare ground, and meadows of all land fractions."""
    folder = tmp_path_factory.mktemp("planet")
    random = np.random.default_rng(0)
    water = random.uniform(0, 0.9, GRID.shape).astype(np.float32)
    water[:, :6] = 1
    bare = np.zeros(GRID.shape, np.float32)
    bare[:, 6:9] = 1 - water[:, 6:9]
    wood = np.where(random.random(GRID.shape) < 0.5, 0.3, 0.7).astype(np.float32)
    wood *= 1 - water - bare
    fractions = dict.fromkeys(IGBP_CLASSES, np.zeros(GRID.shape, np.float32))
    fractions |= {"WAT": water, "BSV": bare, "ENF": wood, "GRA": 1 - water - bare - wood}
    fields = {f"igbp_{name}": (("lat", "lon"), values) for name, values in fractions.items()}
    fields["land_fraction"] = (("lat", "lon"), 1 - water)
    fields["vegetated_fraction"] = (("lat", "lon"), np.maximum(1 - water - bare, 0))
    fields["koppen"] = (("lat", "lon"), random.integers(0, 31, GRID.shape).astype(np.int8))
    xr.Dataset(fields, {"lat": GRID.lat, "lon": GRID.lon}).to_netcdf(folder / "static.nc")
    catalogue = [*(PREDICTORS[name] for name in VARIABLES), REFL_FILLED]
    with create_store(folder / "2003.zarr", GRID, 2003, 5, catalogue) as store:
        for name in VARIABLES:
            store[name][:] = random.uniform(0, 1, store[name].shape).astype(np.float32)
        store["refl_filled"][:] = 0
    truth = zarr.open_group(folder / "truth.zarr", mode="w")
    for flux in FLUXES:
        values = random.normal(size=(365, *GRID.shape)).astype(np.float32)
        truth.create_array(flux, data=values, chunks=(365, 7, 5))
    draw_cells(folder / "static.nc", GRID, folder / "cells.csv", cells=60, seed=1)
    return folder


def test_every_cell_is_drawn_in_proportion_to_its_land(folder, tmp_path):
    """Over many seeds, the expected number of draws is n times the cell's share of the area."""
    with xr.open_dataset(folder / "static.nc") as surface:
        land = np.where(surface["vegetated_fraction"] > 0, surface["land_fraction"], 0)
    share = land * np.cos(np.radians(GRID.lat))[:, None]
    expected = 60 * share / share.sum()
    drawn = np.zeros(GRID.shape)
    seeds = 150
    for seed in range(seeds):
        draw_cells(folder / "static.nc", GRID, tmp_path / "cells.csv", cells=60, seed=seed)
        table = pd.read_csv(tmp_path / "cells.csv")
        assert table["weight"].sum() == 60
        drawn[table["row"], table["col"]] += table["weight"]
    assert (drawn[share == 0] == 0).all()
    # a cell is drawn or not (all shares are below one): binomial, five standard deviations
    assert expected.max() < 1
    limit = 5 * np.sqrt(expected * (1 - expected) / seeds) + 0.01
    assert (np.abs(drawn / seeds - expected) < limit).all()


def test_weights_stand_for_area_where_more_draws_than_cells(folder, tmp_path):
    draw_cells(folder / "static.nc", GRID, tmp_path / "cells.csv", cells=200_000, seed=0)
    table = pd.read_csv(tmp_path / "cells.csv")
    with xr.open_dataset(folder / "static.nc") as surface:
        land = np.where(surface["vegetated_fraction"] > 0, surface["land_fraction"], 0)
    area = land * GRID.cell_area()
    got = table["weight"] / table["weight"].sum()
    np.testing.assert_allclose(got, area[table["row"], table["col"]] / area.sum(), atol=6e-6)


def test_cells_are_samples_of_the_cube_and_the_truth(folder, tmp_path):
    extract_cells(
        folder / "2003.zarr", folder / "truth.zarr", folder / "cells.csv", tmp_path / "y.parquet"
    )
    samples = load_samples([tmp_path / "y.parquet"], folder / "cells.csv", ["t2m", "ssrd"])
    truth = zarr.open_group(folder / "truth.zarr", mode="r")
    cube = zarr.open_group(folder / "2003.zarr", mode="r")
    assert (samples.qc == 1).all() and len(samples.x) == 365 * len(samples.sites)
    for k, cell in samples.sites.iterrows():
        rows = samples.site == k
        for column, flux in enumerate(FLUXES):
            np.testing.assert_array_equal(
                samples.y[rows, column], truth[flux][:, cell["row"], cell["col"]]
            )
        np.testing.assert_array_equal(samples.x[rows, 0], cube["t2m"][:, cell["row"], cell["col"]])


def test_cells_have_the_static_features_of_their_place(folder):
    """What the product gives the model there, from the same file."""
    table = pd.read_csv(folder / "cells.csv", keep_default_na=False)
    whole = static_features(open_static(folder / "static.nc")).reshape(*GRID.shape, -1)
    np.testing.assert_allclose(static_features(table), whole[table["row"], table["col"]], atol=1e-6)
    assert set(table["igbp"]) == {"ENF", "GRA"}


def test_a_year_without_truth_is_history(folder, tmp_path):
    extract_cells(folder / "2003.zarr", None, folder / "cells.csv", tmp_path / "y.parquet")
    samples = load_samples([tmp_path / "y.parquet"], folder / "cells.csv")
    assert np.isnan(samples.y).all() and (samples.qc == 0).all() and np.isfinite(samples.x).all()


def test_another_grid_is_refused(folder, tmp_path):
    with pytest.raises(ContractError, match="no cells can be drawn"):
        draw_cells(folder / "static.nc", Grid(5.0, GRID.bbox), tmp_path / "c.csv", cells=9, seed=0)
    short = zarr.open_group(tmp_path / "truth.zarr", mode="w")
    short.create_array("gpp", data=np.zeros((2, *GRID.shape), np.float32))
    with pytest.raises(ContractError, match="grid and the days"):
        extract_cells(
            folder / "2003.zarr", tmp_path / "truth.zarr", folder / "cells.csv", tmp_path / "y.pq"
        )
    assert not (tmp_path / "c.csv").exists() and not (tmp_path / "y.pq").exists()
