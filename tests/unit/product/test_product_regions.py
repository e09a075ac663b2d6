"""Regions and their totals against shares of cells that are cut out one by one."""

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely import box, union_all

from tamflux.errors import InputError
from tamflux.grid import Grid
from tamflux.product.members import write_members
from tamflux.product.regions import (
    LATITUDES,
    RegionSet,
    box_name,
    countries,
    region_sets,
)
from tamflux.readers.polygons import read_polygons
from tamflux.variables import FLUXES, IGBP_CLASSES

INLAND = box(-59, -14, -47, -8)
"""In cells of 7.5 degrees that are all land."""

DALE = box(10, 50, 12, 52)
SQUARE = box(21.5, 47.25, 24.0, 50.5)  # all land, at home in no cell of 2 degrees


def sets_of(grid, polygons=None) -> dict[str, RegionSet]:
    """Region sets of a grid that is grassland with a tenth of water, of one climate."""
    igbp = np.zeros((len(IGBP_CLASSES), *grid.shape))
    igbp[0], igbp[IGBP_CLASSES.index("GRA")] = 0.1, 0.9
    found = region_sets(grid, igbp, np.full(grid.shape, 15), polygons)
    return {each.name: each for each in found}


def write(path, names=("hill", "dale"), shapes=(SQUARE, DALE), crs="EPSG:4326"):
    frame = geopandas.GeoDataFrame({"Name": names, "geometry": shapes}, crs="EPSG:4326")
    frame.to_crs(crs).to_file(path)
    return path


def cut(shape, grid):
    """Share of each cell that a shape covers, by intersecting cell by cell."""
    half = grid.resolution / 2
    cells = [box(x - half, y - half, x + half, y + half) for y in grid.lat for x in grid.lon]
    return np.array([cell.intersection(shape).area / cell.area for cell in cells])


def test_polygons_share_cells_by_their_overlap(tmp_path):
    grid = Grid(2.0, (0, 40, 40, 60))
    sets = sets_of(grid, write(tmp_path / "valleys.gpkg"))
    own = sets["valleys"]
    share = own.share.toarray()
    np.testing.assert_allclose(share[own.regions.index("hill")], cut(SQUARE, grid), atol=1e-6)
    assert own.regions == ("hill", "dale") and own.inside_share.tolist() == [1, 1]
    assert set(sets["country"].regions) >= {"Ukraine", "Poland", "Germany"}
    germany = sets["country"].share.toarray()[sets["country"].regions.index("Germany")]
    shape = countries().set_index("country").loc["Germany", "geometry"]
    land = cut(union_all(countries().clip(grid.bbox)["geometry"].to_numpy()), grid)
    np.testing.assert_allclose(germany * np.where(land > 0, land, 1), cut(shape, grid), atol=1e-5)


def test_cells_of_land_are_shared_out_among_countries():
    """A country has all land of a cell at the coast, whatever the two coastlines say."""
    grid = Grid(1.0, (-11, 35, 5, 45))
    sets = sets_of(grid)
    for name in ("country", "continent"):
        shared = sets[name].share.sum(axis=0)
        assert (shared < 1 + 1e-5).all() and (shared[shared > 0] > 1 - 1e-5).mean() > 0.99
    inside = dict(zip(sets["country"].regions, sets["country"].inside_share, strict=True))
    assert 0.9 < inside["Spain"] < 1 and 0 < inside["France"] < 0.2  # Canary Islands; the north


def test_the_box_is_named_by_its_edges():
    assert box_name(Grid(1.0)) == "global"
    assert box_name(Grid(0.5, (-10, 36, 4, 44))) == "36N-44N 10W-4E"
    assert box_name(Grid(5.0, (-10, -20, 0, 0))) == "20S-0 10W-0"


def test_continents_hold_the_land_that_lies_on_them():
    by_continent = countries().set_index(["country", "continent"])["geometry"]
    siberia, russia = by_continent["Russia", "Asia"], by_continent["Russia", "Europe"]
    assert siberia.contains(box(90, 60, 91, 61)) and not russia.intersects(box(90, 60, 91, 61))
    guiana = by_continent["France", "South America"]
    assert guiana.contains(box(-53.1, 4, -53, 4.1))
    assert len(countries()["continent"].unique()) == 8 and countries().is_valid.all()


@pytest.mark.parametrize("kind", ["gpkg", "shp", "geojson"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035"])
def test_every_format_and_projection_gives_the_same_regions(tmp_path, kind, crs):
    if kind == "geojson" and crs != "EPSG:4326":
        pytest.skip("GeoJSON is in longitude and latitude")
    polygons = read_polygons(write(tmp_path / f"own.{kind}", crs=crs))
    assert list(polygons.index) == ["hill", "dale"]
    assert polygons["hill"].symmetric_difference(SQUARE).area < 1e-6


def test_files_that_are_no_regions_are_refused(tmp_path):
    (tmp_path / "text.gpkg").write_text("no")
    write(tmp_path / "points.gpkg", shapes=[SQUARE.centroid, SQUARE.centroid])
    frame = geopandas.GeoDataFrame({"size": [1.5]}, geometry=[SQUARE], crs="EPSG:4326")
    frame.to_file(tmp_path / "nameless.gpkg")
    frame.assign(name="a").set_crs(None, allow_override=True).to_file(tmp_path / "lost.shp")
    for name, words in {
        "absent.gpkg": "cannot read", "text.gpkg": "cannot read", "points.gpkg": "not polygons",
        "nameless.gpkg": "no names", "lost.shp": "no reference system",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=words):
            read_polygons(tmp_path / name)


def test_totals_of_five_regions_equal_an_independent_sum(product, tabulate, tmp_path):
    """xarray with masks made by hand, to six digits: box, zone, class, climate and polygon."""
    polygons = write(tmp_path / "shapes.gpkg", shapes=(INLAND, SQUARE))
    tabulate(product.source, product.annual, product.monthly, polygons=polygons)
    table = pd.read_csv(product.totals, keep_default_na=False)
    months = pd.read_csv(product.totals.with_name("totals_monthly.csv"), keep_default_na=False)
    annual, monthly = xr.open_dataset(product.annual), xr.open_dataset(product.monthly)
    static = xr.open_dataset(product.source.static)
    grid = product.source.grid
    inland = cut(INLAND, grid).reshape(grid.shape)
    south, north = LATITUDES["30N-60N"]
    land = annual["cell_area"] * annual["land_fraction"]
    lat = annual["lat"]
    masks = {
        ("box", "global"): xr.ones_like(land),
        ("latitude", "30N-60N"): ((lat >= south) & (lat < north)) * xr.ones_like(land),
        ("igbp", "ENF"): (static["igbp_ENF"] / static["land_fraction"]).fillna(0),
        ("koppen", "Cfb"): (static["koppen"] == 15).astype(float),
        ("shapes", "hill"): xr.zeros_like(land) + inland,
    }
    days = (monthly["time_bnds"][:, 1] - monthly["time_bnds"][:, 0]).dt.days
    for (name, region), mask in masks.items():
        found = table[(table["region_set"] == name) & (table["region"] == region)]
        (row,) = found.to_dict("records")
        part = months[(months["region_set"] == name) & (months["region"] == region)]
        assert part["month"].tolist() == list(range(1, 13))
        for flux in FLUXES:
            expected = float((annual[flux][0].astype(float) * land * mask).sum()) * 366 / 1e15
            assert row[flux] == pytest.approx(expected, rel=1e-6)
            by_month = (monthly[flux].astype(float) * land * mask).sum(["lat", "lon"]) * days / 1e15
            np.testing.assert_allclose(part[flux].astype(float), by_month, rtol=1e-6)
        spread = np.std([0.9, 1, 1.1])  # of the members of the tiles, whose mean is the product
        assert float(row["gpp_std"]) == pytest.approx(row["gpp"] * spread, rel=1e-3)
        assert float(row["gpp_pi90_halfwidth"]) > 0


def test_one_member_has_no_standard_deviation(source, assemble, aggregate, tabulate, tmp_path):
    tiles = xr.open_zarr(source.tiles, consolidated=False).isel(member=[0]).load()
    for values in tiles.variables.values():
        values.encoding = {}
    tiles.attrs["members"] = tiles.attrs["members"][:1]
    source.tiles = tmp_path / "one.zarr"
    tiles.to_zarr(source.tiles, zarr_format=3, consolidated=False)
    paths = [tmp_path / f"{step}.nc" for step in ("daily", "monthly", "annual")]
    assemble(source, paths[0])
    aggregate(source, *paths)
    for path in paths:
        with xr.open_dataset(path) as file:
            assert file["gpp_std"].isnull().all() and file["gpp"].notnull().any()  # noqa: PD003, PD004
    assert pd.read_csv(tabulate(source, paths[2], paths[1]))["nee_std"].isna().all()


def test_the_annual_file_has_the_classes(product):
    with (
        xr.open_dataset(product.annual) as annual,
        xr.open_dataset(product.source.static) as static,
    ):
        meanings = annual["igbp"].attrs["flag_meanings"].split()
        assert meanings == list(IGBP_CLASSES)
        for name in ("ENF", "GRA", "WAT"):
            found = annual["igbp_fraction"].sel(igbp=meanings.index(name))
            np.testing.assert_array_equal(found, static[f"igbp_{name}"])
        np.testing.assert_array_equal(annual["koppen"], static["koppen"])


def test_members_are_kept_on_request(product, tmp_path):
    write_members(product.monthly, product.source.tiles, tmp_path / "members.nc")
    with (
        xr.open_dataset(tmp_path / "members.nc") as members,
        xr.open_dataset(product.monthly) as months,
    ):
        assert members["gpp"].dims == ("time", "member", "lat", "lon")
        for flux in FLUXES:
            np.testing.assert_allclose(members[flux].mean("member"), months[flux], atol=1e-3)
        np.testing.assert_allclose(members["gpp"][:, 0], 0.9 * months["gpp"], atol=1e-3)
        assert members.indexes["time"].equals(months.indexes["time"])
