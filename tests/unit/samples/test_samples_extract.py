"""Samples at the towers: the numbers of the cube, every day, and no tower lost in silence."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.grid import Grid
from tamflux.predictors.cube import Cube, create_store
from tamflux.samples.extract import describe_by_own_class, extract_samples, write_sample_sites
from tamflux.samples.samples import load_samples
from tamflux.variables import IGBP_CLASSES, PREDICTORS, REFL_FILLED

GRID = Grid(10.0, (-20.0, 30.0, 30.0, 70.0))  # 4 x 5 cells; row 0 is ocean
VARIABLES = ("ssrd", "t2m", "ndvi")  # an order of its own
TOWERS = {  # site: (lat, lon, row, col); the cell worked out by hand from the edges
    "DD-Fou": (69.9, 29.9, 3, 4),
    "AA-One": (45.0, -12.0, 1, 0),
    "CC-Thr": (50.0, 10.0, 2, 3),  # on a corner: the cell north and east of it
    "EE-Out": (10.0, 0.0, None, None),
    "FF-Sea": (35.0, 5.0, 0, 2),
}
USED = ["AA-One", "CC-Thr", "DD-Fou"]


@pytest.fixture
def paths(tmp_path):
    """A cube of a leap year, static fields, towers and fluxes that do not cover the year."""
    random = np.random.default_rng(0)
    catalogue = [*(PREDICTORS[name] for name in VARIABLES), REFL_FILLED]
    with create_store(tmp_path / "2004.zarr", GRID, 2004, 3, catalogue) as store:
        for name in VARIABLES:
            store[name][:] = random.uniform(0, 1, store[name].shape).astype(np.float32)
        store["ndvi"][:, 1, 0] = np.nan
        store["refl_filled"][:] = 0
    water = np.zeros(GRID.shape, np.float32)
    water[0], water[2, 3], water[3, 4] = 1, 0.25, 0.625
    fractions = dict.fromkeys(IGBP_CLASSES, np.zeros(GRID.shape, np.float32))
    fractions |= {"WAT": water, "GRA": 1 - water}
    fields = {f"igbp_{name}": (("lat", "lon"), values) for name, values in fractions.items()}
    fields["land_fraction"] = fields["vegetated_fraction"] = (("lat", "lon"), 1 - water)
    fields["koppen"] = (("lat", "lon"), np.full(GRID.shape, 15, np.int8))  # Cfb
    xr.Dataset(fields, {"lat": GRID.lat, "lon": GRID.lon}).to_netcdf(tmp_path / "static.nc")
    write_towers(tmp_path, TOWERS)
    days = pd.to_datetime(["2003-12-31", "2004-02-29", "2004-12-31"])
    flux = pd.DataFrame({"date": days, "gpp": [1.0, 2, 3], "reco": 1.0, "nee": -1.0, "qc": 0.9})
    fluxes = pd.concat([flux.assign(site_id=site) for site in ("CC-Thr", "AA-One", "EE-Out")])
    fluxes.to_parquet(tmp_path / "fluxes.parquet")
    return tmp_path


def write_towers(folder, towers):
    rows = [(site, lat, lon, "ENF", "Dfc") for site, (lat, lon, _, _) in towers.items()]
    table = pd.DataFrame(rows, columns=["site_id", "lat", "lon", "igbp", "koppen"])
    table.to_csv(folder / "towers.csv", index=False)


def describe(paths):
    target, dropped = paths / "sites.csv", paths / "dropped.csv"
    write_sample_sites(paths / "towers.csv", paths / "static.nc", target, dropped, seed=1)
    return pd.read_csv(target), pd.read_csv(dropped)


def test_towers_find_their_pixel_and_the_others_are_listed(paths):
    sites, dropped = describe(paths)
    assert sites["site_id"].tolist() == USED
    found = list(zip(sites["row"], sites["col"], strict=True))
    assert found == [TOWERS[site][2:] for site in USED]
    assert dict(dropped.to_numpy()) == {
        "EE-Out": "outside the grid",
        "FF-Sea": "its grid cell is all water",
    }
    # the tower's own class, the grid cell's land and climate
    assert (sites["igbp"] == "ENF").all() and (sites["koppen"] == "Cfb").all()
    assert (sites["igbp_GRA"] == 0).all() and (sites["igbp_ENF"] == 1).all()
    assert sites["land_fraction"].tolist() == [1, 0.75, 0.375]
    assert sites["mostly_water"].tolist() == [0, 0, 1]


def test_samples_are_the_numbers_of_the_cube_on_every_day(paths):
    describe(paths)
    target = paths / "2004.parquet"
    extract_samples(paths / "2004.zarr", paths / "sites.csv", paths / "fluxes.parquet", target)
    samples = load_samples([target], paths / "sites.csv", VARIABLES)
    assert len(samples.date) == 3 * 366 and samples.sites["site_id"].tolist() == USED
    cube = Cube.open(paths / "2004.zarr").read(slice(None), slice(None), VARIABLES)
    for number, site in enumerate(USED):
        row, col = TOWERS[site][2:]
        np.testing.assert_array_equal(samples.x[samples.site == number], cube[:, row, col])
    observed = np.isfinite(samples.y[:, 0])
    assert samples.date[observed].astype(str).tolist() == ["2004-02-29", "2004-12-31"] * 2
    assert samples.y[observed, 0].tolist() == [2, 3, 2, 3]
    assert set(samples.site[observed]) == {0, 1}  # DD-Fou has no flux, and all of its days


def test_no_tower_on_land_is_an_error_and_leaves_nothing(paths):
    write_towers(paths, {site: TOWERS[site] for site in ("EE-Out", "FF-Sea")})
    with pytest.raises(ContractError, match=r"no tower lies in a land cell(.|\n)*towers.csv"):
        describe(paths)
    assert not (paths / "sites.csv").exists() and not (paths / "dropped.csv").exists()


def test_a_tower_of_unknown_class_keeps_the_fractions_of_its_pixel():
    sites = pd.DataFrame({"igbp": ["CRO", None]})
    for name in IGBP_CLASSES:
        sites[f"igbp_{name}"] = {"GRA": 0.7, "CRO": 0.3}.get(name, 0.0)
    told = describe_by_own_class(sites)
    assert told[["igbp_CRO", "igbp_GRA"]].to_numpy().tolist() == [[1, 0], [0.3, 0.7]]


def test_weather_of_local_days_comes_from_two_utc_days(paths):
    towers = pd.read_csv(paths / "towers.csv")
    towers.assign(day_offset=[0.0, -8.0, 10.0, np.nan, 0.0]).to_csv(
        paths / "towers.csv", index=False
    )
    sites, _ = describe(paths)
    offset = sites.set_index("site_id")["day_offset"]
    assert offset["AA-One"] == -8 and offset["CC-Thr"] == 10 and offset["DD-Fou"] == 0
    target = paths / "2004.parquet"
    extract_samples(paths / "2004.zarr", paths / "sites.csv", paths / "fluxes.parquet", target)
    table = pd.read_parquet(target)
    cube = Cube.open(paths / "2004.zarr").read(slice(None), slice(None), VARIABLES)
    t2m, ndvi = VARIABLES.index("t2m"), VARIABLES.index("ndvi")
    for site, other in {"AA-One": 1, "CC-Thr": -1, "DD-Fou": 0}.items():
        own = cube[:, *TOWERS[site][2:]]
        hours = abs(offset[site])
        expected = (1 - hours / 24) * own[:, t2m] + hours / 24 * np.roll(own[:, t2m], -other)
        edge = slice(1, None) if other < 0 else slice(None, -1 if other else None)
        found = table[table["site_id"] == site]
        np.testing.assert_allclose(found["t2m"].to_numpy()[edge], expected[edge], rtol=1e-5)
        np.testing.assert_array_equal(found["ndvi"], own[:, ndvi])  # no weather
    # at UTC-8 the local 31 December reaches into a year that is not there: its flux is left out
    dates = table[table["gpp"].notna()].groupby("site_id")["date"].agg(list)
    assert [str(d.date()) for d in dates["AA-One"]] == ["2004-02-29"]
    assert [str(d.date()) for d in dates["CC-Thr"]] == ["2004-02-29", "2004-12-31"]


def test_missing_weather_stays_missing_and_is_counted(paths):
    group = zarr.open_group(paths / "2004.zarr", mode="r+")
    row, col = TOWERS["CC-Thr"][2:]
    group["t2m"][40:71, row, col] = np.nan  # a month
    target, dropped = paths / "sites.csv", paths / "dropped.csv"
    cubes = [paths / "2004.zarr"]
    write_sample_sites(
        paths / "towers.csv", paths / "static.nc", target, dropped, seed=1, cubes=cubes
    )
    share = pd.read_csv(target).set_index("site_id")["filled_share"]
    assert share["CC-Thr"] == pytest.approx(31 / 366, abs=1e-4)
    assert share["AA-One"] == share["DD-Fou"] == 0
    out = paths / "2004.parquet"
    extract_samples(paths / "2004.zarr", target, paths / "fluxes.parquet", out)
    table = pd.read_parquet(out)
    filled = table["weather_filled"] == 3
    assert filled.sum() == 31 and (table["site_id"][filled] == "CC-Thr").all()
    assert table["t2m"][filled].isna().all() and table["t2m"][~filled].notna().all()
