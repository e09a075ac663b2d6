"""Days of time steps, by hand."""

import numpy as np
import pytest

from tamflux.readers.step_dates import step_dates


def stamps(*texts):
    return np.array(texts, "datetime64[s]")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["2003-01-01", "2003-02-01", "2003-04-01"], ["2003-01-16", "2003-02-15", "2003-04-16"]),
        (["2003-01-31", "2003-02-28", "2003-03-31"], ["2003-01-16", "2003-02-15", "2003-03-16"]),
        (["2003-01-16T12", "2003-02-15", "2003-03-16"], ["2003-01-16", "2003-02-15", "2003-03-16"]),
        (["2001-01-01", "2002-01-01", "2003-01-01"], ["2001-07-02", "2002-07-02", "2003-07-02"]),
        (["2003-01-01", "2003-01-09", "2003-01-17"], ["2003-01-01", "2003-01-09", "2003-01-17"]),
        (["2003-05-01"], ["2003-05-16"]),
        (["2003-05-03T18:30"], ["2003-05-03"]),
    ],
)
def test_days_of_timestamps_without_bounds(times, expected):
    assert step_dates([stamps(*times)], [None]).astype(str).tolist() == expected


def test_one_file_a_month_is_dated_with_the_others():
    times = [stamps("2003-01-01"), stamps("2003-01-09"), stamps("2003-02-01")]
    assert step_dates(times, [None] * 3)[2] == np.datetime64("2003-02-01")


def test_bounds_decide():
    times = [stamps("2003-01-01", "2003-01-09")]
    bounds = [np.array([["2003-01-01", "2003-01-09"], ["2003-01-09", "2003-01-17"]],
                       "datetime64[s]")]  # fmt: skip
    assert step_dates(times, bounds).astype(str).tolist() == ["2003-01-05", "2003-01-13"]


def test_no_file_no_step():
    assert len(step_dates([], [])) == 0
