"""Means over calendar months, against pandas."""

import numpy as np
import pandas as pd
import pytest

from tamflux.predictors.monthly import monthly_means


@pytest.fixture
def days():
    dates = np.arange("2003-12-20", "2005-03-10", dtype="datetime64[D]")
    x = np.random.default_rng(0).normal(5, 3, (4, len(dates), 3)).astype(np.float32)
    x[1, 30:50, 1] = np.nan
    x[2, :, 1] = np.nan
    return dates, x


def test_every_day_gets_the_mean_of_its_month_and_missing_stays_missing(days):
    dates, x = days
    found = monthly_means(x, dates, [1])
    months = pd.PeriodIndex(dates.astype("datetime64[ns]"), freq="M")
    for cell in range(len(x)):
        series = pd.Series(x[cell, :, 1], dtype=float)
        expected = series.groupby(months).transform("mean").where(series.notna())
        np.testing.assert_allclose(found[cell, :, 1], expected, rtol=1e-6)
    np.testing.assert_array_equal(found[..., [0, 2]], x[..., [0, 2]])


def test_months_of_two_sites_do_not_mix(days):
    dates, x = days
    two = x[[0, 3]].reshape(-1, 3)
    found = monthly_means(two, np.tile(dates, 2), [0, 1], np.repeat([0, 1], len(dates)))
    expected = monthly_means(x[[0, 3]], dates, [0, 1]).reshape(-1, 3)
    np.testing.assert_array_equal(found, expected)
    # one day of one month of each: without the site they would be one month
    one_day = monthly_means(np.array([[1.0], [3.0]]), dates[[0, 0]], [0], np.array([0, 1]))
    assert one_day.ravel().tolist() == [1, 3]


def test_monthly_means_are_their_own_means(days):
    dates, x = days
    once = monthly_means(x, dates, [0, 1])
    np.testing.assert_array_equal(monthly_means(once, dates, [0, 1]), once)


def test_nothing_to_average_copies_nothing(days):
    dates, x = days
    assert monthly_means(x, dates, []) is x
