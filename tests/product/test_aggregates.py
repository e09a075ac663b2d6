"""Monthly and annual files are means of the daily one; the totals are sums over it."""

import numpy as np
import pytest

FLUXES = ("gpp", "reco", "nee")


def test_means_of_the_daily_file(row_blocks, monthly, annual):
    for block, _ in row_blocks:
        for name in (*FLUXES, "nee_std"):
            days = block[name].astype(np.float64)
            here = {"lat": block["lat"]}
            np.testing.assert_allclose(
                monthly[name].sel(here), days.groupby("time.month").mean(), atol=1e-4
            )
            np.testing.assert_allclose(annual[name].sel(here)[0], days.mean("time"), atol=1e-4)


def test_aggregates_close(monthly, annual):
    for file in (monthly, annual):
        difference = (file["reco"] - file["gpp"]).to_numpy()
        assert difference.dtype == np.float32
        np.testing.assert_array_equal(file["nee"].to_numpy(), difference)


def test_the_area_of_the_land(daily, static):
    step = np.radians(np.diff(daily["lon"])[0])
    edges = np.sin(np.radians(daily["lat_bnds"].values))
    area = 6371007.181**2 * step * (edges[:, 1] - edges[:, 0])
    np.testing.assert_allclose(daily["cell_area"][:, 0], area, rtol=1e-9)
    np.testing.assert_allclose(daily["land_fraction"], static["land_fraction"])


def test_totals_are_sums_over_cells_and_days(row_blocks, daily, totals):
    year = daily.indexes["time"][0].year
    sums = dict.fromkeys(FLUXES, 0.0)
    for block, _ in row_blocks:
        weight = block["cell_area"] * block["land_fraction"]
        for name in FLUXES:
            sums[name] += float((block[name].astype(float) * weight).sum()) / 1e15
    row = totals[(totals["year"] == year) & (totals["region"] == "global")].iloc[0]
    for name in FLUXES:
        assert row[name] == pytest.approx(sums[name], rel=1e-4, abs=1e-4)
    assert row["nee"] == pytest.approx(row["reco"] - row["gpp"], abs=1e-3)
