"""Every land cell and day has a plausible flux, no water cell has one, and NEE = RECO - GPP."""

import numpy as np
import pandas as pd

FLUXES = ("gpp", "reco", "nee")
UNCERTAINTIES = tuple(f"{name}_{part}" for name in FLUXES for part in ("std", "pi90_halfwidth"))
ONE_MEMBER = "ensemble of 1 members"  # which has no standard deviation


def test_grid_and_time_are_complete(daily, static):
    assert daily["gpp"].dims == ("time", "lat", "lon")
    for name in ("lat", "lon"):
        np.testing.assert_allclose(daily[name], static[name])
        assert (np.diff(daily[name]) > 0).all()
    year = daily.indexes["time"][0].year
    last = daily.indexes["time"][-1]
    assert last.is_month_end and last.year == year  # December, but for a year that is not over
    assert ("INCOMPLETE" in daily.attrs.get("comment", "")) == (last.month < 12)
    assert daily.indexes["time"].equals(pd.date_range(f"{year}-01-01", last))
    length = daily["time_bnds"][:, 1] - daily["time_bnds"][:, 0]
    assert (length == np.timedelta64(1, "D")).all()
    np.testing.assert_array_equal(daily["time_bnds"][:, 0], daily["time"])


def test_fluxes_are_missing_only_over_water_and_where_flagged(row_blocks):
    """A cell lacks days if and only if it is flagged, and then all variables lack the same days."""
    for block, land in row_blocks(*FLUXES, *UNCERTAINTIES):
        gaps = land & ((block["quality_flag"].fillna(0).astype(int) & 32) > 0).to_numpy()
        missing = np.isnan(block["gpp"].to_numpy())
        assert missing[:, gaps].any(axis=0).all(), "cells are flagged and lack no day"
        for name in (*FLUXES, *UNCERTAINTIES):
            if name.endswith("_std") and ONE_MEMBER in block.attrs["source"]:
                assert block[name].isna().all()
                continue
            finite = np.isfinite(block[name].to_numpy())
            assert finite[:, land & ~gaps].all(), f"{name}: days are missing without a flag"
            assert not finite[:, ~land].any(), f"{name}: values over water"
            np.testing.assert_array_equal(finite[:, gaps], ~missing[:, gaps], err_msg=name)


def test_fluxes_close_and_lie_in_range(row_blocks):
    for block, _ in row_blocks(*FLUXES, *UNCERTAINTIES):
        nee, difference = block["nee"].to_numpy(), (block["reco"] - block["gpp"]).to_numpy()
        assert nee.dtype == difference.dtype == np.float32
        np.testing.assert_array_equal(nee, difference)  # exact: multiples of 2**-10 (ADR 8)
        for name in ("gpp", "reco", *UNCERTAINTIES):
            assert not (block[name] < 0).any(), f"{name} is negative"
            assert not (block[name] > 80).any(), f"{name} is above 80 g m-2 d-1"


def test_quality_flag_agrees_with_fluxes(daily, static, row_blocks):
    flag = daily["quality_flag"].fillna(0).astype(int)
    land = static["land_fraction"].to_numpy()
    np.testing.assert_array_equal((flag & 1) > 0, (land > 0) & (land < 0.5))
    if "koppen_filled" in static:
        filled = (static["koppen_filled"].to_numpy() > 0) & (land > 0)
        np.testing.assert_array_equal((flag & 64) > 0, filled)
    bare = ((flag & 2) > 0).to_numpy()
    np.testing.assert_array_equal(bare, (land > 0) & (static["vegetated_fraction"].to_numpy() <= 0))
    for block, _ in row_blocks("gpp", "reco"):
        here = bare[np.searchsorted(daily["lat"], block["lat"])]
        for name in ("gpp", "reco"):
            values = block[name].to_numpy()[:, here]
            assert (np.nan_to_num(values) == 0).all()


def test_dissimilarity_and_applicability_cover_the_vegetated_land(daily, monthly, static):
    vegetated = (static["vegetated_fraction"] > 0) & (static["land_fraction"] > 0)
    flux = np.isfinite(daily["gpp"]).any("time")  # none where the weather is missing all year
    for name in ("applicability", "dissimilarity_index"):
        np.testing.assert_array_equal(np.isfinite(daily[name]) & flux, vegetated & flux)
        assert not np.isfinite(daily[name]).where(~vegetated, False).any()
        np.testing.assert_array_equal(daily[name], monthly[name])
        assert float(daily[name].min()) >= 0
    assert float(daily["applicability"].max()) <= 1
    assert float(daily["applicability"].std()) > 0


def test_the_land_is_alive(daily, annual):
    """Fluxes differ between cells and between days: no constant field passes."""
    gpp = annual["gpp"].isel(time=0)
    assert float(gpp.max()) > 0.1 and float(gpp.std()) > 0.01
    row, col = np.unravel_index(np.nanargmax(gpp), gpp.shape)
    assert float(daily["gpp"][:, row, col].std()) > 0


def test_attributes(daily):
    assert daily.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    for name in ("title", "summary", "source", "institution", "license", "tamflux_checkpoints"):
        assert daily.attrs[name]
    for name in FLUXES:
        attrs = daily[name].attrs
        assert attrs["units"] == "g m-2 d-1"
        assert "expressed as carbon" in attrs["long_name"] and "positive" in attrs["long_name"]
        assert {f"{name}_std", f"{name}_pi90_halfwidth"} <= set(
            attrs["ancillary_variables"].split()
        )
        assert attrs["cell_measures"] == "area: cell_area"
    assert daily.attrs["era5_preliminary_days"]
    assert {"cell_area", "land_fraction", "quality_flag", "crs"} <= set(daily.variables)
