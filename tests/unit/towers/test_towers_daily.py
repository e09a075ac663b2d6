import csv
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamflux.readers.oneflux.archive import list_members
from tamflux.readers.oneflux.names import parse_name
from tamflux.readers.oneflux.tables import read_table
from tamflux.towers.daily import UMOL_TO_GRAMS, aggregate_days, daily_quality


def steps_frame(nee, flag=None, steps=48, start="2001-01-01", **more):
    time = pd.date_range(start, periods=len(nee), freq=f"{1440 // steps}min")
    nan = np.full(len(nee), np.nan)
    columns = {"gpp": nan, "reco": nan, "nee": nee, "flag": nan if flag is None else flag}
    return pd.DataFrame({"time": time, **columns, **more})


def test_the_unit_factor_against_its_definition():
    """1 umol CO2 m-2 s-1 is 12.011 ug C m-2 s-1; a day has 86400 s."""
    assert pytest.approx(12.011 * 86400 / 1e6, rel=1e-12) == UMOL_TO_GRAMS
    assert pytest.approx(1.03775, abs=1e-5) == UMOL_TO_GRAMS


values = st.one_of(st.none(), st.floats(-60, 60))


@settings(max_examples=60, deadline=None)
@given(
    nee=st.lists(st.tuples(values, st.integers(0, 3)), min_size=1, max_size=130),
    steps=st.sampled_from([24, 48]),
    coverage=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_days_against_a_plain_loop(nee, steps, coverage):
    frame = steps_frame(
        [math.nan if v is None else v for v, _ in nee], [flag for _, flag in nee], steps
    )
    days = aggregate_days(frame, steps, coverage)
    for day in range(math.ceil(len(nee) / steps)):
        part = nee[day * steps : (day + 1) * steps]
        present = [v for v, _ in part if v is not None]
        good = [v for v, flag in part if v is not None and flag <= 1]
        row = days.iloc[day]
        assert row["date"] == pd.Timestamp("2001-01-01") + pd.Timedelta(days=day)
        if len(present) >= coverage * steps and present:
            expected = sum(present) / len(present) * 12.011 * 86400 * 1e-6
            assert row["nee"] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        else:
            assert math.isnan(row["nee"])
        assert row["qc"] == pytest.approx(len(good) / steps)
        assert 0 <= row["qc"] <= 1


def test_balance_survives_aggregation():
    rng = np.random.default_rng(1)
    gpp, reco = rng.uniform(0, 9, 96), rng.uniform(0, 5, 96)
    frame = steps_frame(reco - gpp, np.zeros(96)).assign(gpp=gpp, reco=reco)
    days = aggregate_days(frame, 48, 0.8)
    np.testing.assert_allclose(days["nee"], days["reco"] - days["gpp"], rtol=1e-12)


def test_precipitation_is_a_sum_and_temperature_a_mean():
    frame = steps_frame(np.ones(48), np.zeros(48), tp=np.full(48, 0.5), t2m=np.full(48, 7.0))
    frame.loc[:3, "tp"] = np.nan
    row = aggregate_days(frame, 48, 0.8).iloc[0]
    assert row["tp"] == pytest.approx(24.0)
    assert row["t2m"] == pytest.approx(7.0)


def test_a_table_without_flags_counts_what_was_measured():
    nee = np.ones(48)
    nee[:12] = np.nan
    assert aggregate_days(steps_frame(nee), 48, 0.5)["qc"].tolist() == [0.75]


def test_midnight_belongs_to_the_day_that_begins():
    frame = steps_frame(np.r_[np.full(48, 1.0), np.full(48, 3.0)], np.zeros(96))
    days = aggregate_days(frame, 48, 1.0)
    np.testing.assert_allclose(days["nee"], [UMOL_TO_GRAMS, 3 * UMOL_TO_GRAMS])


def test_quality_of_japanflux_runs_the_other_way():
    flag = pd.Series([0.0, 1.5, 3.0])
    assert daily_quality(flag, "JapanFlux").tolist() == [1.0, 0.5, 0.0]
    assert daily_quality(flag / 3, "JapanFlux").tolist() == [0.0, 0.5, 1.0]  # a share already
    assert daily_quality(flag / 3, "FLUXNET2015").tolist() == [0.0, 0.5, 1.0]


@pytest.mark.realdata
def test_real_half_hours_by_hand(shared_data):
    """Two whole days of CH-Cha, aggregated with the csv module and a loop."""
    (path,) = (shared_data / "formats").glob("FLX_CH-Cha_*_HH_*.csv")
    table = read_table(list_members(path)[0], parse_name(path.name))
    days = aggregate_days(table.frame, table.steps_per_day, 0.8).set_index("date")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for date in ("20050101", "20050102"):
        own = [row for row in rows if row["TIMESTAMP_START"].startswith(date)]
        assert len(own) == 48
        day = days.loc[pd.Timestamp(date)]
        for name, column in {
            "nee": "NEE_VUT_USTAR50", "gpp": "GPP_NT_VUT_USTAR50", "reco": "RECO_NT_VUT_USTAR50"
        }.items():  # fmt: skip
            mean = sum(float(row[column]) for row in own) / 48
            assert day[name] == pytest.approx(mean * 1.0377504, rel=1e-6)
        good = sum(row["NEE_VUT_USTAR50_QC"] in ("0", "1") for row in own)
        assert day["qc"] == pytest.approx(good / 48)
        assert day["tp"] == pytest.approx(sum(float(row["P_F"]) for row in own))
    assert math.isnan(days.loc[pd.Timestamp("2005-01-03"), "nee"]), "3 of 48 half-hours"
