"""Which days adapt a held-out site, and which are scored."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from test_adaptation_correction import make_sites

from tamflux.adaptation.correction import Correction
from tamflux.adaptation.curve import SCORED_AFTER, site_scores
from tamflux.adaptation.record import Record, aligned_fluxes, measured_well
from tamflux.adaptation.series import held_out_series
from tamflux.variables import FLUXES


def make_record(days_without=()):
    """Sites of 400 days of `make_sites`; those of `days_without` of each site have no gpp."""
    fluxes, observed, conditions, site, _ = make_sites(sites=12)
    day = np.tile(np.arange(400), 12)
    observed[np.isin(day, days_without), 0] = np.nan
    t2m = 10 - 10 * np.cos(2 * np.pi * day / 365)
    samples = SimpleNamespace(
        sites=pd.DataFrame({"site_id": [f"S{i:02d}" for i in range(12)]}), site=site,
        date=np.datetime64("2001-01-01") + day, x=t2m[:, None], predictors=("t2m",),
    )  # fmt: skip
    return Record(samples, fluxes, observed, conditions)


def test_the_first_half_of_the_good_days_adapts_and_nothing_else():
    record = make_record(days_without=range(0, 400, 2))
    prior = record.learn(np.arange(12) != 3)
    table = held_out_series(record, 3, prior)
    good = table[[f"{flux}_observed" for flux in FLUXES]].notna().all(axis=1)
    assert good.sum() == 200 and table["used"].sum() == 100
    assert table.index[table["used"]].tolist() == list(range(1, 200, 2))
    # other values of the days after them change nothing
    later = record.observed.copy()
    later[3 * 400 + 200 : 4 * 400] += 5
    again = held_out_series(record._replace(observed=later), 3, prior)
    np.testing.assert_array_equal(again[list(FLUXES)], table[list(FLUXES)])
    before = (table["gpp_zero_shot"] - table["gpp_observed"])[200:].abs().mean()
    assert (table["gpp"] - table["gpp_observed"])[200:].abs().mean() < before


def test_sites_with_few_good_days_do_not_teach():
    record = make_record()
    record.observed[5 * 400 + 99 : 6 * 400] = np.nan
    everywhere = np.ones(12, bool)
    assert record.teaching(everywhere).tolist() == [i != 5 for i in range(12)]
    without = record.learn(np.arange(12) != 5)
    np.testing.assert_array_equal(record.learn(everywhere).covariance, without.covariance)
    assert isinstance(without, Correction)


def test_a_method_gets_the_drawn_days_and_is_scored_after_the_first_year():
    record = make_record()
    asked = []

    def method(used, scored):
        asked.append((used, scored))
        return record.observed[scored] + 2, np.full((len(scored), 3), 1.9)

    rows = record.rows_of_sites()[2]
    scores = site_scores(record.samples, record.observed, rows, {"m": method}, [0, 30, 365], seed=1)
    table = pd.DataFrame(scores)
    assert (table["rmse"].round(9) == 2).all() and (table["inside"] == 0).all()
    assert set(table["site_id"]) == {"S02"} and (table["n"] == 400 - SCORED_AFTER).all()
    found = table[["draw", "days"]].drop_duplicates().itertuples(index=False)
    assert list(map(tuple, found)) == [
        ("first", 0), ("first", 30), ("first", 365), ("random", 30), ("random", 365),
        ("winter", 30),
    ]  # fmt: skip
    assert all((scored == rows[SCORED_AFTER:]).all() for _, scored in asked)
    np.testing.assert_array_equal(asked[1][0], rows[:30])
    assert len(set(asked[3][0])) == 30 and set(asked[3][0]) <= set(rows[:SCORED_AFTER])
    months = record.samples.date[asked[5][0]].astype("datetime64[M]").astype(int) % 12
    assert set(months) <= {11, 0, 1}
    assert site_scores(record.samples, record.observed, rows[:394], {"m": method}, [0], 1) == []


def test_days_of_low_quality_and_early_days_are_not_measured():
    samples = SimpleNamespace(
        qc=np.array([0.9, 0.7, 0.9]), y=np.ones((3, 3), np.float32),
        date=np.array(["2000-12-31", "2001-01-01", "2001-01-02"], "datetime64[D]"),
        site=np.zeros(3, int), sites=pd.DataFrame({"site_id": ["A"]}),
    )  # fmt: skip
    assert np.isnan(measured_well(samples, 0.8, "2001-01-01")[:, 0]).tolist() == [True, True, False]
    assert np.isnan(measured_well(samples, 0.8)[:, 0]).tolist() == [False, True, False]
    days = pd.to_datetime(["2001-01-02", "2000-12-31"])
    predictions = pd.DataFrame({"site_id": "A", "date": days, "gpp": [3.0, 1.0], "reco": 2.0})
    fluxes = aligned_fluxes(samples, predictions.assign(nee=0.0))
    assert fluxes[0, 0] == 1 and np.isnan(fluxes[1]).all() and fluxes[2, 0] == 3
