"""Skill in the seasonal cycle and in the anomalies."""

import numpy as np
import pandas as pd

from tamflux.evaluation.metrics import score_sites
from tamflux.evaluation.season_anomaly import YEAR, score_seasons

DAYS = pd.date_range("2001-01-01", "2004-12-31")
ANGLE = 2 * np.pi * np.arange(len(DAYS)) / YEAR
CYCLE = 5 + 3 * np.cos(ANGLE - 1) + np.sin(2 * ANGLE)


def frame(observed, predicted, site="AA-One"):
    return pd.DataFrame({"site_id": site, "date": DAYS, "gpp": observed, "gpp_pred": predicted})


def score(*args):
    return score_seasons(frame(*args), ["gpp"]).iloc[0]


def noise(seed):
    return np.random.default_rng(seed).normal(size=len(DAYS))


def test_the_right_cycle_without_weather_is_all_season():
    row = score(CYCLE + noise(0), CYCLE)
    assert row["season_r2"] > 0.99
    np.testing.assert_allclose(row["anomaly_r2"], 0, atol=1e-2)


def test_the_right_weather_without_a_cycle_is_all_anomaly():
    row = score(CYCLE + noise(0), 5 + noise(0))
    np.testing.assert_allclose(row["season_r2"], 0, atol=0.06)  # the noise has waves too
    np.testing.assert_allclose(row["anomaly_r2"], 1, atol=1e-9)


def test_squared_errors_of_both_add_up_to_those_of_the_days():
    """With gaps and a bias: 1 - R² weighted by the variances of the parts."""
    table = frame(CYCLE + noise(1), 0.8 * CYCLE + 0.5 * noise(1) + noise(2))
    table.loc[table["date"].dt.month.isin([1, 2, 7]), "gpp"] = np.nan
    row, total = score_seasons(table, ["gpp"]).iloc[0], score_sites(table, ["gpp"]).iloc[0]
    used = table.dropna()
    t = ANGLE[used.index]
    design = np.stack([t**0, *(f(k * t) for k in (1, 2) for f in (np.sin, np.cos))], axis=1)
    fitted = design @ np.linalg.lstsq(design, used["gpp"], rcond=None)[0]
    season, anomaly = np.var(fitted), np.var(used["gpp"] - fitted)
    both = (1 - row["season_r2"]) * season + (1 - row["anomaly_r2"]) * anomaly
    np.testing.assert_allclose(both, (1 - total["r2"]) * (season + anomaly), rtol=1e-9)
    np.testing.assert_allclose(row["mean"], used["gpp"].mean())


def test_sites_do_not_mix_and_constants_have_no_score():
    one, flat = frame(CYCLE + noise(0), CYCLE), frame(4.0, CYCLE, "BB-Two")
    scores = score_seasons(pd.concat([flat, one]).sample(frac=1, random_state=0), ["gpp"])
    scores = scores.set_index("site_id")
    np.testing.assert_allclose(
        scores.loc["AA-One", "season_r2"], score(CYCLE + noise(0), CYCLE)["season_r2"]
    )
    assert scores.loc["BB-Two", ["season_r2", "anomaly_r2"]].isna().all()
