"""Totals of own regions over a finished product, and the message of each mistake."""

import shutil

import geopandas
import numpy as np
import pandas as pd
import pytest
from shapely import box

from tamflux.errors import ConfigError, ContractError, InputError
from tamflux.product.totals import sum_regions

SPREAD = [f"{flux}_{part}" for flux in ("gpp", "reco", "nee") for part in ("std", "pi90_halfwidth")]


@pytest.fixture
def own(tmp_path):
    """Two polygons, by name."""
    shapes = [box(-59, -14, -47, -8), box(21, 47, 24, 50)]
    frame = geopandas.GeoDataFrame({"name": ["Mato", "Dale"]}, geometry=shapes, crs="EPSG:4326")
    frame.to_file(tmp_path / "own.gpkg")
    return tmp_path / "own.gpkg"


def test_rows_are_those_that_the_tables_of_the_product_would_have(
    results, own, product, tabulate, tmp_path
):
    written = tmp_path / "a.csv", tmp_path / "a_monthly.csv"
    table = sum_regions(results, own, *written)
    assert table["region"].tolist() == ["Mato", "Dale"]
    files = (results / "product" / f"tamflux_{step}_2004.nc" for step in ("annual", "monthly"))
    totals = tabulate(product.source, *files, polygons=own)
    whole = totals, totals.with_name("totals_monthly.csv")
    for mine, of_product in zip(written, whole, strict=True):
        expected = pd.read_csv(of_product)
        expected = expected[expected["region_set"].isin(["box", "own"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.read_csv(mine), expected)
        assert expected[SPREAD].gt(0).all(axis=None)


def test_a_product_alone_gives_totals_without_spread(results, own, tmp_path):
    written = tmp_path / "a.csv", tmp_path / "a_monthly.csv"
    whole = sum_regions(results, own, *written)
    shutil.rmtree(results / "tiles")
    shutil.rmtree(results / "models")
    table = sum_regions(results, own, *written)
    assert table[SPREAD].isna().all(axis=None)
    np.testing.assert_array_equal(table[["gpp", "nee"]], whole[["gpp", "nee"]])


def test_mistakes_are_named_and_leave_no_file(results, own, tmp_path):
    written = tmp_path / "a.csv", tmp_path / "a_monthly.csv"
    with pytest.raises(ConfigError, match="no product yet"):
        sum_regions(tmp_path / "nowhere", own, *written)
    with pytest.raises(ConfigError, match="no product of these years") as caught:
        sum_regions(results, own, *written, years=[1999])
    assert "found: 1999" in str(caught.value)
    sea = geopandas.GeoDataFrame(
        {"name": ["sea"]}, geometry=[box(-40, 30, -35, 35)], crs="EPSG:4326"
    )
    sea.to_file(tmp_path / "sea.gpkg")
    with pytest.raises(InputError, match="no region has land inside the product"):
        sum_regions(results, tmp_path / "sea.gpkg", *written)
    (annual,) = (results / "product").glob("tamflux_annual_*.nc")
    annual.write_bytes(annual.read_bytes()[:3000])
    with pytest.raises(ContractError, match="cannot read a product file"):
        sum_regions(results, own, *written)
    assert not written[0].exists() and not written[1].exists()
