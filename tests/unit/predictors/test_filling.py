"""Filling in time, against numpy and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamflux.predictors.cube import year_days
from tamflux.predictors.filling import fill_in_time, fill_series

DATES = np.arange("2003-01-01", "2004-01-01", 8, dtype="datetime64[D]")


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_filling_is_linear_interpolation_between_valid_composites(seed, share):
    rng = np.random.default_rng(seed)
    values = rng.random((2, len(DATES), 4), np.float32)
    values[:, rng.random((len(DATES), 4)) > share] = np.nan
    days = year_days(2003)
    daily, flag = fill_in_time(values, DATES, days)
    for cell in range(4):
        valid = np.isfinite(values[0, :, cell])
        if not valid.any():
            assert np.isnan(daily[:, :, cell]).all() and (flag[:, cell] == 2).all()
            continue
        for band in range(2):
            expected = np.interp(
                days.astype(float), DATES[valid].astype(float), values[band, valid, cell]
            )
            np.testing.assert_allclose(daily[band, :, cell], expected, atol=1e-6)
        for day, found in zip(days, flag[:, cell], strict=True):
            around = (DATES > day - 8) & (DATES < day + 8) if day not in DATES else DATES == day
            assert (found == 0) == (valid[around].all() and day <= DATES[-1])
        assert (flag[:, cell] != 2).all()


def test_one_composite_holds_for_the_whole_year():
    values = np.full((1, 1, 1), 0.3, np.float32)
    daily, flag = fill_in_time(values, DATES[5:6], year_days(2003))
    assert (daily == np.float32(0.3)).all() and (flag == 0).sum() == 1


def test_a_leap_year_has_its_day():
    values = np.array([[[0.1], [0.2]]], np.float32)
    dates = np.array(["2004-02-28", "2004-03-01"], "datetime64[D]")
    daily, _ = fill_in_time(values, dates, year_days(2004))
    assert daily.shape[1] == 366
    assert daily[0, 59, 0] == pytest.approx(0.15)  # 29 February


def dense(first, last):
    return np.arange(first, last, dtype="datetime64[D]")


def test_weekly_series_are_filled_linearly_and_not_flagged():
    dates = np.arange("2003-01-03", "2004-12-31", 7, dtype="datetime64[D]")
    days = dense("2003-01-01", "2005-01-01")
    values = np.arange(len(dates), dtype=np.float32)[:, None]
    daily, flag = fill_series(values, dates, days)
    inside = (days >= dates[0]) & (days <= dates[-1])
    expected = (days - dates[0]).astype(int)[inside] / 7
    np.testing.assert_allclose(daily[inside, 0], expected, rtol=1e-5)
    assert (flag[inside] == 0).all() and (flag[~inside] == 1).all()
    assert (daily[:2, 0] == 0).all()  # the first value is held


def test_a_gap_longer_than_usual_is_flagged_between_its_ends():
    dates = np.arange("2003-01-01", "2003-12-31", 10, dtype="datetime64[D]")
    values = np.ones((len(dates), 2), np.float32)
    values[5:8, 1] = np.nan  # none from day 50 to day 70
    days = year_days(2003)
    daily, flag = fill_series(values, dates, days)
    assert np.isfinite(daily).all()
    missing = (days > dates[4]) & (days < dates[8])
    end = days > dates[-1]
    np.testing.assert_array_equal(flag[:, 1] == 1, missing | end)
    np.testing.assert_array_equal(flag[:, 0] == 1, end)


def test_series_of_a_daily_table_with_their_own_dates():
    """Rows of all days; one series monthly, one never."""
    days = dense("2003-01-01", "2004-01-01")
    monthly = np.full(len(days), np.nan, np.float32)
    middle = np.array([f"2003-{month:02d}-16" for month in range(1, 13)], "datetime64[D]")
    monthly[np.isin(days, middle)] = np.arange(12)
    values = np.stack([monthly, np.full(len(days), np.nan, np.float32)], axis=1)
    daily, flag = fill_series(values, days, days)
    expected = np.interp(days.astype(int), middle.astype(int), np.arange(12))
    np.testing.assert_allclose(daily[:, 0], expected, atol=1e-5)
    assert np.isnan(daily[:, 1]).all() and (flag[:, 1] == 2).all()


def test_a_year_is_filled_from_itself_and_the_days_near_it():
    """One value in 2003: it serves 2003 and the January before; 2005 has no value nearby."""
    dates = np.array(["2003-01-20", "2003-11-15"], "datetime64[D]")
    days = dense("2002-01-01", "2006-01-01")
    daily, _ = fill_series(np.array([[1.0], [2.0]], np.float32), dates, days)
    year = days.astype("datetime64[Y]").astype(int) + 1970
    assert (daily[year == 2002] == 1).all()  # 20 January lies within 31 days after 2002
    assert (daily[year == 2004] == 2).all()  # 15 November lies within 64 days before 2004
    assert np.isnan(daily[year == 2005]).all()


def test_a_series_equals_the_cube_where_steps_are_regular():
    rng = np.random.default_rng(1)
    dates = np.arange("2002-11-01", "2004-01-31", 8, dtype="datetime64[D]")
    values = rng.random((len(dates), 3), np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    near = dates >= np.datetime64("2003-01-01") - 64
    cube, cube_flag = fill_in_time(values[None, near], dates[near], year_days(2003))
    daily, flag = fill_series(values, dates, year_days(2003))
    np.testing.assert_allclose(daily, cube[0], atol=1e-6)
    np.testing.assert_array_equal(flag, cube_flag)
