"""Scales against plain loops over dates, and their summary against the pooled values."""

import numpy as np
import pandas as pd
import pytest

from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.scales import SCALES, score_scales, summarise, values_at_scale

DATES = pd.date_range("2003-11-20", "2007-12-31")


def days_of(sites=("A", "B"), seed=0):
    """Season, years that differ, noise, and gaps of single days and of months."""
    random = np.random.default_rng(seed)
    tables = []
    for number, site in enumerate(sites):
        table = pd.DataFrame({"site_id": site, "date": DATES})
        season = np.cos(2 * np.pi * (DATES.day_of_year - 200) / 365)
        for flux in FLUX_NAMES:
            year = 0.3 * (DATES.year % 3)
            table[flux] = number + season + year + random.normal(0, 0.5, len(DATES))
            table[f"{flux}_pred"] = number / 2 + 0.8 * season + random.normal(0, 0.5, len(DATES))
        table = table[random.random(len(table)) < 0.6]
        gone = (table["date"] >= "2005-03-01") & (table["date"] < "2005-12-01")
        tables.append(table[~gone] if number else table)
    return pd.concat(tables, ignore_index=True)


def brute_force(days, scale):
    """Observed values of one site at a scale, by loops."""
    values = dict(zip(days["date"], days["gpp"], strict=True))
    if scale == "daily":
        return list(values.values())
    if scale == "site_mean":
        return [sum(values.values()) / len(values)]
    key, least = {
        "weekly": (lambda d: tuple(d.isocalendar()[:2]), 4),
        "monthly": (lambda d: (d.year, d.month), 15),
        "interannual": (lambda d: d.year, 183),
        "seasonal": (lambda d: d.day_of_year, 2),
        "anomaly": (lambda d: d.day_of_year, 2),
    }[scale]
    members = {}
    for date, value in values.items():
        members.setdefault(key(date), []).append(value)
    means = {k: sum(v) / len(v) for k, v in members.items() if len(v) >= least}
    if scale == "anomaly":
        return [value - means[key(d)] for d, value in values.items() if key(d) in means]
    if scale == "interannual":
        return [value - sum(means.values()) / len(means) for value in means.values()]
    return list(means.values())


@pytest.mark.parametrize("scale", SCALES)
def test_values_are_those_of_plain_loops(scale):
    days = days_of()[["site_id", "date", "gpp"]].sample(frac=1, random_state=1)
    found = values_at_scale(days, scale)
    for site in "AB":
        expected = brute_force(days[days["site_id"] == site], scale)
        of_site = found["gpp"][found["site_id"] == site]
        np.testing.assert_allclose(sorted(of_site), sorted(expected), atol=1e-10)
        assert len(expected) > 1 or scale == "site_mean"


def test_every_scale_is_scored_by_its_own_values():
    days = days_of()
    scores = score_scales(days, min_days=100).set_index(["site_id", "flux", "scale"])
    for scale in SCALES:
        values = values_at_scale(days[["site_id", "date", "nee", "nee_pred"]], scale)
        values = values[values["site_id"] == "A"]
        row, error = scores.loc[("A", "nee", scale)], values["nee_pred"] - values["nee"]
        assert row["n"] == len(values)
        np.testing.assert_allclose(row["rmse"], np.sqrt(np.mean(error**2)))
        np.testing.assert_allclose(row["bias"], error.mean(), atol=1e-12)
        if scale != "site_mean":
            np.testing.assert_allclose(row["r2"], 1 - np.mean(error**2) / np.var(values["nee"]))
    assert np.isnan(scores.loc[("A", "gpp", "site_mean"), "r2"])


def test_short_records_are_left_out_at_the_scales_that_need_more():
    days = days_of(("A",))
    first = days[days["date"] < "2004-10-01"]  # one season, hence no mean of two
    assert set(score_scales(first, 100)["scale"]) == {"daily", "weekly", "monthly", "site_mean"}
    assert score_scales(days, len(days) + 1).empty
    two = days[days["date"] < "2006-01-01"]
    assert "interannual" not in set(score_scales(two, 100)["scale"])
    assert "seasonal" in set(score_scales(days, 100)["scale"])


def test_one_prediction_is_scored_against_both_partitionings():
    days = days_of(("A",))
    days["gpp_dt"] = days["gpp"] + 1
    days.loc[days.index[:200], "gpp_dt"] = np.nan
    daily = score_scales(days, 100).query("scale == 'daily'").set_index("flux")
    assert list(daily.index) == ["gpp", "reco", "nee", "gpp_dt"]
    assert daily.loc["gpp_dt", "n"] == daily.loc["gpp", "n"] - 200
    later = days.iloc[200:]
    expected = (later["gpp_pred"] - later["gpp_dt"]).mean()
    np.testing.assert_allclose(daily.loc["gpp_dt", "bias"], expected)


def test_the_summary_is_over_sites_and_over_all_values():
    sites = [f"S{k}" for k in range(8)]
    days = days_of(sites, seed=3)
    scores = score_scales(days, 100).assign(
        model="tamrl", igbp=lambda t: np.where(t["site_id"] < "S3", "WET", "GRA"), koppen="C",
        wetland=lambda t: t["igbp"] == "WET", water=False,
    )  # fmt: skip
    summary = summarise(scores, ["model"])
    found = summary[summary["group"] == "all"].set_index(["flux", "scale"])
    for scale in SCALES:
        part = scores[(scores["flux"] == "gpp") & (scores["scale"] == scale)]
        row = found.loc[("gpp", scale)]
        assert row["n_sites"] == 8 and row["n"] == part["n"].sum()
        np.testing.assert_allclose(row["rmse_p90"], np.quantile(part["rmse"], 0.9))
        np.testing.assert_allclose(row["rmse_mean"], part["rmse"].mean())
        values = values_at_scale(days[["site_id", "date", "gpp", "gpp_pred"]], scale)
        error = values["gpp_pred"] - values["gpp"]
        np.testing.assert_allclose(row["rmse_pooled"], np.sqrt(np.mean(error**2)))
        np.testing.assert_allclose(row["r2_pooled"], 1 - np.mean(error**2) / np.var(values["gpp"]))
        np.testing.assert_allclose(row["bias_pooled"], error.mean(), atol=1e-12)
    groups = summary[(summary["group"] == "igbp") & (summary["flux"] == "nee")]
    assert groups.set_index("value")["n_sites"].to_dict() == {"WET": 3, "GRA": 5}
    assert set(summary.loc[summary["group"] != "all", "scale"]) == {"daily"}
    assert not (summary["group"] == "water").any()
