"""Means and totals against xarray's own, and closure of the means."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tamflux.errors import ContractError
from tamflux.product.aggregate import step_means
from tamflux.product.assemble import assemble_product
from tamflux.product.netcdf import open_product
from tamflux.product.regions import LATITUDES
from tamflux.variables import FLUXES


def test_monthly_means_equal_those_of_xarray(product):
    daily, monthly = xr.open_dataset(product.daily), xr.open_dataset(product.monthly)
    expected = daily[["gpp", "reco", "nee", "gpp_std"]].resample(time="MS").mean()
    for name, values in expected.items():
        np.testing.assert_allclose(monthly[name], values, atol=2e-6)
    assert monthly.sizes["time"] == 12
    assert monthly["time_bnds"].diff("bnds")[1].dt.days == 29  # 2004


def test_annual_mean_is_the_mean_over_days(product):
    daily, annual = xr.open_dataset(product.daily), xr.open_dataset(product.annual)
    np.testing.assert_allclose(annual["reco"][0], daily["reco"].mean("time"), atol=2e-6)
    np.testing.assert_array_equal(annual["nee"], annual["reco"] - annual["gpp"])


def test_half_widths_are_those_of_means_over_as_many_days(product):
    """Between 1, 30 and 365 days the ratio to the daily ones is linear in the log of the days."""
    daily, monthly, annual = map(xr.open_dataset, (product.daily, product.monthly, product.annual))
    for flux in FLUXES:
        name = f"{flux}_pi90_halfwidth"
        means = daily[name].resample(time="MS").mean().to_numpy()
        days = daily["time"].resample(time="MS").count().to_numpy()
        ratio = np.interp(np.log(days), np.log([1, 30, 365]), [1, 0.75, 0.25])
        np.testing.assert_allclose(monthly[name], means * ratio[:, None, None], rtol=1e-5)
        np.testing.assert_allclose(annual[name][0], 0.25 * daily[name].mean("time"), rtol=1e-5)
    assert "means over as many days" in annual["gpp_pi90_halfwidth"].attrs["comment"]


def test_aggregates_keep_the_origin(product):
    annual = xr.open_dataset(product.annual)
    assert annual.attrs["time_coverage_resolution"] == "P1Y"
    assert annual.attrs["tamflux_checkpoints"]
    assert "upper bound" in annual["gpp_std"].attrs["comment"]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_means_weighted_by_length_give_the_mean_of_all(lengths, seed):
    starts = np.cumsum([0, *lengths])
    days = np.random.default_rng(seed).normal(size=(starts[-1], 2, 3)).astype(np.float32)
    for gaps in (
        np.zeros((2, 3), bool),
        np.ones((2, 3), bool),
    ):  # cells that lack no day, either way
        means = step_means(days, starts, gaps)
        np.testing.assert_allclose(
            np.average(means, axis=0, weights=lengths), days.mean(axis=0), atol=1e-5
        )


@given(st.data())
def test_means_over_gaps_are_those_of_the_other_days(data):
    """By brute force, cell by cell; fewer than nine days of ten give no mean."""
    lengths = data.draw(st.lists(st.integers(5, 40), min_size=1, max_size=4))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    starts = np.cumsum([0, *lengths])
    days = random.normal(size=(starts[-1], 2, 4)).astype(np.float32)
    gaps = np.array([[True, True, False, False]] * 2)
    days[random.random(days.shape) < 0.08] = np.nan
    days[:, ~gaps] = 1.5
    means = step_means(days, starts, gaps)
    for step, (first, last) in enumerate(itertools.pairwise(starts)):
        for row, col in np.ndindex(2, 4):
            known = [float(x) for x in days[first:last, row, col] if not np.isnan(x)]
            mean = means[step, row, col]
            if 10 * len(known) < 9 * (last - first):
                assert np.isnan(mean)
            else:
                assert mean == pytest.approx(math.fsum(known) / len(known), abs=1e-6)


def test_the_standard_deviation_of_a_mean_is_at_most_the_mean_of_those_of_days():
    """The claim of the comment of the aggregated standard deviation."""
    members = np.random.default_rng(0).normal(size=(5, 365, 200))
    assert (members.mean(axis=1).std(axis=0) <= members.std(axis=0).mean(axis=0)).all()


def test_totals_equal_a_sum_over_all_days_and_cells(product):
    daily = xr.open_dataset(product.daily).astype(float)
    mass = (daily[list(FLUXES)] * daily["cell_area"] * daily["land_fraction"]).sum(["time", "lon"])
    table = pd.read_csv(product.totals).set_index("region")
    assert table.index[0] == "global" and table["region_set"].iloc[0] == "box"
    assert (table["year"] == 2004).all()
    for flux in FLUXES:
        zonal = mass[flux].to_series() / 1e15
        for region, (south, north) in {"global": (-90, 90), **LATITUDES}.items():
            expected = zonal[(zonal.index > south) & (zonal.index < north)].sum()
            assert table.loc[region, flux] == pytest.approx(expected, rel=2e-5)


def test_zones_and_climates_add_up_to_the_globe(product):
    table = pd.read_csv(product.totals).set_index("region")[["land_area", *FLUXES]]
    zones = [region for region in LATITUDES if region[0].isdigit()]
    climates = ["southern extratropics", "tropics", "northern extratropics"]
    for parts in (zones, climates):
        np.testing.assert_allclose(table.loc[parts].sum(), table.loc["global"], rtol=1e-4)


def test_a_file_without_a_complete_year_is_refused(product, aggregate, tmp_path):
    xr.open_dataset(product.daily, mask_and_scale=False).isel(time=slice(0, 40)).to_netcdf(
        tmp_path / "short.nc"
    )
    with (
        pytest.raises(ContractError, match="or complete months from its start"),
        open_product(tmp_path / "short.nc"),
    ):
        pass
    with pytest.raises(ContractError, match="40 time steps"):
        aggregate(product.source, *(tmp_path / name for name in ("short.nc", "m.nc", "a.nc")))
    assert not list(tmp_path.glob("*[ma].nc"))


def test_a_year_that_is_not_over_says_so_and_ends_with_its_last_month(
    source, tmp_path, config, aggregate, tabulate
):
    tiles = xr.open_zarr(source.tiles, consolidated=False)
    tiles = tiles.isel(time=slice(0, 120), month=slice(0, 4)).load()
    for values in tiles.variables.values():
        values.encoding = {}
    tiles.to_zarr(tmp_path / "april.zarr", zarr_format=3, consolidated=False)
    paths = [tmp_path / f"{step}.nc" for step in ("daily", "monthly", "annual")]
    given = (tmp_path / "april.zarr", source.static, source.calibration, paths[0])
    assemble_product(*given, inputs=source.inputs, config=config)
    aggregate(source, *paths)
    daily, monthly, annual = map(xr.open_dataset, paths)
    assert (daily.sizes["time"], monthly.sizes["time"], annual.sizes["time"]) == (120, 4, 1)
    np.testing.assert_allclose(annual["gpp"][0], daily["gpp"].mean("time"), atol=2e-6)
    np.testing.assert_array_equal(
        annual["time_bnds"][0], np.array(["2003-01-01", "2003-05-01"], "datetime64[ns]")
    )
    for file in (daily, monthly, annual):
        assert "INCOMPLETE YEAR: it ends with 2003-04-30" in file.attrs["comment"]
        assert file.attrs["time_coverage_duration"] == "P4M"
    source.tiles = tmp_path / "april.zarr"
    tabulate(source, paths[2], paths[1])
    row = pd.read_csv(tmp_path / "totals.csv").set_index("region").loc["global"]
    mass = (daily["gpp"].astype(float) * daily["cell_area"] * daily["land_fraction"]).sum() / 1e15
    assert row["days"] == 120 and row["gpp"] == pytest.approx(float(mass), rel=2e-5)
