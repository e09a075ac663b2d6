"""Monthly and annual files are means of the daily one; the totals are sums over it."""

import numpy as np
import pytest

FLUXES = ("gpp", "reco", "nee")
MIN_DAYS_SHARE = 0.9  # of the days of a month, for its mean


def test_means_of_the_daily_file(row_blocks, monthly, annual):
    """Means of the days with fluxes, missing where too few of a month have them; their count."""
    for block, land in row_blocks(*FLUXES, "nee_std"):
        here = {"lat": block["lat"]}
        months = block["gpp"].groupby("time.month")
        length = block["time"].groupby("time.month").count()
        enough = months.count() >= MIN_DAYS_SHARE * length
        for name in (*FLUXES, "nee_std"):
            days = block[name].astype(np.float64)
            means = days.groupby("time.month").mean().where(enough)
            np.testing.assert_allclose(monthly[name].sel(here), means, atol=1e-4)
            year = days.mean("time").where(enough.all("month"))
            np.testing.assert_allclose(annual[name].sel(here)[0], year, atol=1e-4)
        for file, lacking in (
            (monthly, (length - months.count()).transpose("month", ...)),
            (annual, block["gpp"].isnull().sum("time").expand_dims("time")),
        ):
            found = file["missing_days"].sel(here).to_numpy()
            np.testing.assert_array_equal(found[:, land], lacking.to_numpy()[:, land])
            assert np.isnan(found[:, ~land]).all()


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


def test_totals_are_sums_over_cells_and_days(row_blocks, daily, annual, totals):
    """Mean of the days with fluxes times all days, in the cells that have an annual mean."""
    year = daily.indexes["time"][0].year
    sums, missing, total = dict.fromkeys(FLUXES, 0.0), 0.0, 0.0
    for block, _ in row_blocks(*FLUXES):
        complete = annual["gpp"].isel(time=0).sel(lat=block["lat"]).notnull()
        weight = block["cell_area"] * block["land_fraction"]
        for name in FLUXES:
            means = block[name].astype(float).mean("time").where(complete)
            sums[name] += float((means * weight).sum()) * daily.sizes["time"] / 1e15
        lost = block["gpp"].isnull().mean("time").where(complete, 1)
        missing, total = missing + float((lost * weight).sum()), total + float(weight.sum())
    row = totals[(totals["year"] == year) & (totals["region_set"] == "box")].iloc[0]
    for name in FLUXES:
        assert row[name] == pytest.approx(sums[name], rel=1e-4, abs=1e-4)
    assert row["nee"] == pytest.approx(row["reco"] - row["gpp"], abs=1e-3)
    assert row["missing_share"] == pytest.approx(missing / total, abs=1e-6)
    share = daily.attrs.get("era5_preliminary_share", np.nan)
    assert row["preliminary_share"] == pytest.approx(share, nan_ok=True)
