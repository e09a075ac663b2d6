"""Series and climate of sites: gaps by hand, scaling by its properties and over real towers."""

import numpy as np
import pandas as pd
import pytest

from tamflux.samples.site_series import (
    CYCLES,
    annual_cycles,
    complete_days,
    describe_climate,
    fill_satellite,
)
from tamflux.samples.site_table import read_days, read_sites


def make_days(lai):
    """One day a month at each site; `lai` (site, month)."""
    date = pd.date_range("2001-01-15", periods=12, freq="30D")
    parts = [
        {"site_id": site, "date": date, "lai_clim": row, "t2m_clim": 10.0, "tp_clim": 2.0}
        for site, row in zip("ABC", np.asarray(lai, float), strict=True)
    ]
    return pd.concat(map(pd.DataFrame, parts), ignore_index=True)


def test_missing_months_and_sites():
    nan = np.nan
    winter = [nan, 1, 1, 1, 2, 3, 3, 3, 2, 1, 1, 2]  # January between December (2) and February (1)
    cycles = annual_cycles(make_days([winter, [nan] * 12, [4.0] * 12]), ["lai_clim"])
    assert cycles["lai_clim"].loc["A", 1] == 1.5
    assert cycles["lai_clim"].loc["B"].isna().all()  # absent, not invented
    assert cycles["lai_clim"].loc["C"].tolist() == [4.0] * 12


def features(lai, t2m, tp):
    """Features by site of monthly cycles (site, month)."""
    names, cycles = ("lai_clim", "t2m_clim", "tp_clim"), (lai, t2m, tp)
    tables = {n: pd.DataFrame(c) for n, c in zip(names, cycles, strict=True)}
    table = describe_climate(tables, pd.Series(range(len(lai))))
    return table.drop(columns="site_id").to_numpy(float)


def test_features_depend_on_the_mean_and_the_extreme_months_alone():
    random = np.random.default_rng(0)
    cycles = random.uniform(0.5, 5, (3, 1, 12))
    shuffled = [random.permutation(cycle[0])[None] for cycle in cycles]
    np.testing.assert_allclose(features(*cycles), features(*shuffled), rtol=1e-12)


def test_features_are_linear_but_for_the_logarithm_of_precipitation():
    random = np.random.default_rng(1)
    a, step = np.sort(random.uniform(1, 5, (3, 1, 12))), np.sort(random.uniform(0.1, 1, (3, 1, 12)))
    first, second, third = (features(*(a + k * step)) for k in range(3))
    logarithm = 6  # tp_mean
    linear = np.delete(third - 2 * second + first, logarithm)
    np.testing.assert_allclose(linear, 0, atol=1e-12)
    assert (np.delete(second - first, logarithm) > 0).all()
    wet = features(a[0], a[1], np.full((1, 12), 8.0))[0, logarithm]
    half, quarter = (features(a[0], a[1], np.full((1, 12), x))[0, logarithm] for x in (4.0, 2.0))
    assert wet - half == pytest.approx(half - quarter, rel=0.03)  # equal ratios, equal steps


@pytest.mark.realdata
def test_features_are_standardised_over_the_towers_of_fluxnet2015(shared_data):
    folder = shared_data / "fluxnet2015"
    sites = read_sites(folder / "sites.csv", 5)
    days = read_days(folder / "site_days.parquet", sites, need_fluxes=True)
    climate = describe_climate(annual_cycles(days, CYCLES), sites["site_id"])
    climate = climate.drop(columns="site_id")
    assert len(climate) == 163
    assert climate.mean().abs().max() < 0.3, climate.mean()
    assert climate.std().between(0.75, 1.25).all(), climate.std()


def days_from(start, n):
    return np.datetime64(start) + np.arange(n)


def test_sparse_observations_are_joined_by_lines():
    dates = days_from("2001-01-01", 100)
    truth = np.linspace(0, 2, 100, dtype=np.float32)[:, None]
    values = np.where((np.arange(100) % 33 == 0)[:, None], truth, np.float32(np.nan))
    filled, in_gap = fill_satellite(values, dates)
    np.testing.assert_allclose(filled, truth, atol=1e-5)
    assert not in_gap.any()


def test_beyond_a_long_gap_stands_the_mean_annual_cycle_of_the_site():
    dates = days_from("2001-01-01", 4 * 365)
    season = np.cos(2 * np.pi * pd.DatetimeIndex(dates).day_of_year.to_numpy() / 365)
    values = season.astype(np.float32)[:, None].copy()
    values[500:800] = values[1300:] = np.nan  # a gap, and an early end
    filled, in_gap = fill_satellite(values, dates)
    assert in_gap.sum() == 300 + (160 - 64)
    assert in_gap[500:800].all() and in_gap[-96:].all()
    np.testing.assert_allclose(filled[in_gap, 0], season[in_gap], atol=0.02)
    held = slice(1300, 1300 + 64)  # as the last composite of a cube
    np.testing.assert_allclose(filled[held, 0], values[1299, 0])
    nothing, in_gap = fill_satellite(np.full((50, 2), np.nan, np.float32), dates[:50])
    assert np.isnan(nothing).all() and not in_gap.any()


def test_bands_count_only_where_all_are_valid_and_give_the_indices():
    n = 40
    bands = {f"refl_b{band}": np.full(n, band / 10, np.float32) for band in range(1, 8)}
    bands["refl_b2"] = np.linspace(0.3, 0.5, n, dtype=np.float32)
    days = pd.DataFrame({"site_id": "A", "date": days_from("2001-01-01", n), "t2m": 1.0, **bands})
    days.loc[10:19, "refl_b1"] = np.nan
    days.loc[15, "refl_b2"] = 0.9  # no other band is valid on that day
    sites = pd.DataFrame({"site_id": ["A"], "lat": [10.0]})
    table = complete_days(days, sites, {})
    np.testing.assert_allclose(table["refl_b2"], bands["refl_b2"], atol=1e-6)
    red, nir = table["refl_b1"], table["refl_b2"]
    np.testing.assert_allclose(table["ndvi"], (nir - red) / (nir + red), atol=1e-6)
    assert {"evi", "nirv", "lswi"} < set(table) and not table["filled"].any()
