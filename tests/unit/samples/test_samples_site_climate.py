"""Climate features of sites, by hand."""

import numpy as np
import pandas as pd
import pytest

from tamflux.samples.site_climate import annual_cycles, describe_climate

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


def test_features_of_a_flat_climate():
    climate = describe_climate(annual_cycles(make_days(np.full((3, 12), 1.6)), SITES))
    first = climate.set_index("site_id").loc["A"]
    assert first["climate_lai_mean"] == pytest.approx(0)
    assert first["climate_t2m_mean"] == pytest.approx(0)
    assert first["climate_tp_max"] == pytest.approx((2 - 4) / 3)
    assert first["climate_tp_mean"] == pytest.approx((np.log(2.05) - 0.6) / 0.6)
    assert np.isfinite(first.to_numpy(float)).all()
