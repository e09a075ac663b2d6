"""Climate features of sites: gaps by hand, scaling by its properties and over real towers."""

import numpy as np
import pandas as pd
import pytest

from tamflux.samples.site_climate import annual_cycles, describe_climate
from tamflux.samples.site_table import read_days, read_sites

SITES = pd.DataFrame({"site_id": ["A", "B", "C"], "igbp": ["GRA", "GRA", None]})


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
    cycles = annual_cycles(make_days([winter, [nan] * 12, [4.0] * 12]), SITES)
    assert cycles["lai_clim"].loc["A", 1] == 1.5
    # B takes the cycle of A, of its class; C is of an open class
    assert cycles["lai_clim"].loc["B"].tolist() == cycles["lai_clim"].loc["A"].tolist()
    assert cycles["lai_clim"].loc["C"].tolist() == [4.0] * 12


def features(lai, t2m, tp):
    """Features by site of monthly cycles (site, month)."""
    names, cycles = ("lai_clim", "t2m_clim", "tp_clim"), (lai, t2m, tp)
    table = describe_climate({n: pd.DataFrame(c) for n, c in zip(names, cycles, strict=True)})
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
    climate = describe_climate(annual_cycles(days, sites)).drop(columns="site_id")
    assert len(climate) == 163
    assert climate.mean().abs().max() < 0.3, climate.mean()
    assert climate.std().between(0.75, 1.25).all(), climate.std()
