"""Intervals hold at new sites, of days and of means; towers have equal weight; few widen."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.uncertainty.calibration import LEVELS
from tamflux.uncertainty.conformal import (
    average,
    fit_difficulty,
    fit_intervals,
    pool_quantiles,
    smooth_errors,
)
from tamflux.variables import IGBP_CLASSES

START = np.datetime64("2001-01-01")


def classes(numbers):
    igbp = np.zeros((len(numbers), len(IGBP_CLASSES)))
    igbp[np.arange(len(numbers)), numbers] = 1
    return igbp


def draw(sites, days, seed):
    """Errors that grow with gross flux: a bias of the site, of the month, and of days."""
    random = np.random.default_rng(seed)
    date = np.tile(START + np.arange(days), sites)
    site = np.repeat(np.arange(sites), days)
    month = date.astype("datetime64[M]").astype(int) - 372
    gross = random.uniform(0, 16, len(site))
    group = np.arange(sites) % 4  # errors of the fourth class are larger
    size = np.where(group == 3, 1.5, 1.0)[site] * (0.2 + 0.1 * gross)
    slow = random.normal(0, 0.5, sites)[site] + random.normal(0, 0.5, (sites, 40))[site, month]
    # days err in threes, so that a mean over three days is like a day
    fast = random.normal(0, 1, (sites, days // 3 + 1))[site, (date - START).astype(int) // 3]
    error = size[:, None] * (slow + fast)[:, None] * np.ones(3)
    predicted = np.stack([gross, 0 * gross, -gross], axis=1)
    return site, date, predicted, error, classes([1, 4, 10, 12])[group]


def test_new_sites_are_covered_at_every_scale_and_level_and_in_every_class():
    intervals = fit_intervals(*draw(120, 730, seed=1))
    site, date, predicted, error, igbp = draw(120, 730, seed=2)
    difficulty = intervals.difficulty_estimate("nee", predicted[:, 0], predicted[:, 1])
    for scale, tolerance in {"day": 0.03, "month": 0.03, "year": 0.06, "site": 0.06}.items():
        number, days, means = average(scale, site, date, np.stack([error[:, 2], difficulty], 1))
        for level in LEVELS[3:]:
            width = means[:, 1] * intervals.quantile("nee", igbp[number], days, level)
            inside = np.abs(means[:, 0]) <= width
            assert inside.mean() == pytest.approx(level, abs=tolerance)
            for group in range(4) if scale in ("day", "month") and level == 0.9 else ():
                of_class = inside[number % 4 == group]
                assert of_class.mean() == pytest.approx(level, abs=0.07)
    length = [float(intervals.quantile("nee", igbp[0], days)) for days in (1, 30, 365, 730)]
    assert length == sorted(length, reverse=True) and length[1] < 0.95 * length[0]


def test_a_site_counts_once_however_long_it_measured():
    random = np.random.default_rng(3)
    site = np.repeat(np.arange(60), 50)
    score = random.gamma(2, 1 + site / 60)
    longer = np.repeat(np.arange(len(site)), np.where(site < 3, 40, 1))
    igbp = classes(np.full(60, 10))
    once, often = (pool_quantiles(score[i], site[i], igbp) for i in (slice(None), longer))
    np.testing.assert_allclose(often["GRA"], once["GRA"], rtol=1e-6)
    gross = random.uniform(0, 16, len(site))
    curves = [fit_difficulty(score[i], gross[i], site[i]) for i in (slice(None), longer)]
    np.testing.assert_allclose(*curves, rtol=1e-6)


def test_one_score_per_tower_gives_the_conformal_quantile():
    """Of 159 towers, the 0.9 quantile is the 144th score: ceil(160 x 0.9)."""
    score = np.random.default_rng(0).permutation(np.arange(1.0, 160))
    unknown = np.zeros((159, len(IGBP_CLASSES)))
    found = pool_quantiles(score, np.arange(159), unknown)["unknown"][LEVELS.index(0.9)]
    # all towers count as `PRIOR_SITES` towers of a class without any: 0.9 x 21 / 20 of 159
    assert found == np.ceil(0.9 * 21 / 20 * 159)
    igbp = classes(np.full(159, 10))
    found = pool_quantiles(score, np.arange(159), igbp)["GRA"][LEVELS.index(0.9)]
    assert found == 144


def test_few_towers_in_a_class_widen_its_intervals():
    random = np.random.default_rng(1)
    site = np.arange(400)
    score = random.exponential(size=400)
    widths = {}
    for few in (2, 20, 200):
        igbp = classes(np.where(site < few, 10, 1))
        widths[few] = np.mean([
            pool_quantiles(random.permutation(score), site, igbp)["GRA"][4] for _ in range(60)
        ])  # fmt: skip
    assert widths[2] > widths[20] > widths[200]


def test_a_class_takes_its_own_scores_the_more_towers_it_has():
    site = np.repeat(np.arange(300), 40)
    for few, low, high in ((4, 1.0, 1.6), (40, 2.0, 3.0), (150, 2.6, 3.0)):
        factor = np.where(site < few, 3.0, 1.0)
        score = factor * np.tile(np.linspace(0.025, 1, 40), 300)
        found = pool_quantiles(score, site, classes(np.where(np.arange(300) < few, 10, 1)))
        assert low <= found["GRA"][4] / 0.9 <= high
        assert found["GRA"][4] > found["ENF"][4]


def test_difficulty_never_falls_with_activity_and_never_vanishes():
    random = np.random.default_rng(0)
    falling = np.abs(random.normal(0, 1, 5000))
    gross = random.uniform(0, 16, 5000)
    curve = fit_difficulty(falling * (17 - gross), gross, np.arange(5000) % 20)
    assert (np.diff(curve) >= 0).all()
    assert min(fit_difficulty(np.zeros(10), np.full(10, 3.0), np.arange(10))) > 0


def test_running_means_are_those_of_pandas():
    random = np.random.default_rng(0)
    error, observed = random.normal(size=(4, 60)), random.random((4, 60)) < 0.7
    site, day = np.nonzero(observed)
    found = smooth_errors(site, START + day, error[observed])
    for number in range(4):
        series = pd.Series(np.where(observed, error, np.nan)[number])
        expected = series.rolling(3, center=True, min_periods=2).mean()[observed[number]]
        np.testing.assert_allclose(found[site == number], expected, atol=1e-12)


@pytest.mark.parametrize(("scale", "rule"), [("month", "M"), ("year", "Y"), ("site", None)])
def test_averages_are_those_of_pandas(scale, rule):
    random = np.random.default_rng(0)
    site, day = np.nonzero(random.random((3, 800)) < 0.5)
    frame = pd.DataFrame({"site": site, "date": pd.to_datetime(START + day)})
    frame["value"] = random.normal(size=len(frame))
    order = random.permutation(len(frame))
    number, days, means = average(
        scale, site[order], (START + day)[order], frame[["value"]].to_numpy()[order]
    )
    keys = ["site"] if rule is None else ["site", frame["date"].dt.to_period(rule)]
    expected = frame.groupby(keys)["value"].agg(["size", "mean"])
    assert number.tolist() == expected.index.get_level_values(0).tolist()
    assert days.tolist() == expected["size"].tolist()
    np.testing.assert_allclose(means[:, 0], expected["mean"])


def test_no_day_at_all_is_refused():
    nothing = np.empty((0, 3))
    with pytest.raises(ContractError, match="no out-of-fold error"):
        fit_intervals(
            np.empty(0, int), np.empty(0, "datetime64[D]"), nothing, nothing, classes([1])
        )
