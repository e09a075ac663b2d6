"""Series of a table of points from a finished product."""

import os

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamflux.errors import ContractError
from tamflux.product.browse import read_site, write_sites
from tamflux.product.zarr_copy import copy_to_zarr


@pytest.fixture
def points(product, tmp_path):
    """A point on land, one over water, one that is no place of a product of a region."""
    rows, cols = np.nonzero(product.source.land), np.nonzero(~product.source.land)
    grid = product.source.grid
    table = pd.DataFrame({
        "site_id": ["land", "sea"],
        "lat": grid.lat[[rows[0][0], cols[0][0]]] + 1, "lon": grid.lon[[rows[1][0], cols[1][0]]],
    })  # fmt: skip
    table.to_csv(tmp_path / "points.csv", index=False)
    return tmp_path / "points.csv"


def test_series_of_points_are_those_of_their_cells(results, points, product, tmp_path):
    write_sites(results, points, tmp_path / "sites")
    assert sorted(path.name for path in (tmp_path / "sites").iterdir()) == [
        "land.csv", "land.nc", "sites.csv",
    ]  # fmt: skip
    table = pd.read_csv(tmp_path / "sites" / "sites.csv", keep_default_na=False)
    assert table["problem"].tolist() == ["", "there is no land in this cell"]
    row, col = (index[0] for index in np.nonzero(product.source.land))
    assert float(table["cell_lat"][0]) == product.source.grid.lat[row]
    days = pd.read_csv(tmp_path / "sites" / "land.csv")
    with xr.open_dataset(product.daily) as daily:
        expected = daily["nee"][:, row, col].to_numpy()
    np.testing.assert_allclose(days["nee"], expected, rtol=1e-4)
    with xr.open_dataset(tmp_path / "sites" / "land.nc") as site:
        np.testing.assert_array_equal(site["nee"], expected)
        assert site.attrs["koppen"] == "Cfb"


def test_the_zarr_copy_serves_series_unless_it_is_older(results, product, tmp_path):
    (daily,) = (results / "product").glob("tamflux_daily_*.nc")
    row, col = (index[-1] for index in np.nonzero(product.source.land))
    point = product.source.grid.lat[row], product.source.grid.lon[col]
    expected = read_site(results, *point)
    copy_to_zarr(daily, daily.with_suffix(".zarr"))
    daily.write_bytes(daily.read_bytes()[:5000])
    os.utime(daily, (0, 0))
    xr.testing.assert_identical(read_site(results, *point), expected)
    os.utime(daily)
    os.utime(daily.with_suffix(".zarr"), (0, 0))
    with pytest.raises(ContractError, match="cannot read a product file"):
        read_site(results, *point)


def test_a_damaged_product_leaves_no_folder(results, points, tmp_path):
    (daily,) = (results / "product").glob("tamflux_daily_*.nc")
    daily.write_bytes(daily.read_bytes()[:5000])
    with pytest.raises(ContractError, match="cannot read a product file"):
        write_sites(results, points, tmp_path / "sites")
    assert not (tmp_path / "sites").exists()
