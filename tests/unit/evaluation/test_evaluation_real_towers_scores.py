"""Which days are scored, on a table small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.evaluation.real_towers_scores import score_real_towers
from tamflux.samples.scored_days import scored_days

NAN = np.nan
SAMPLES = pd.DataFrame(
    {
        "site_id": ["A"] * 5 + ["B"] * 3,
        "date": pd.to_datetime(
            ["2000-02-23", "2000-02-24", "2000-02-25", "2000-02-26", "2000-02-27",
             "2005-01-01", "2005-01-02", "2005-01-03"]
        ),
        "qc": [1.0, 0.8, 0.79, 1.0, 0.9, 1.0, 1.0, 1.0],
        "gpp": [9.0, 1.0, 9.0, NAN, 3.0, 4.0, NAN, NAN],
        "reco": [9.0, 1.0, 9.0, 2.0, 2.0, 4.0, NAN, NAN],
        "nee": [9.0, 0.0, 9.0, NAN, -1.0, 0.0, NAN, 2.0],
    }
)  # fmt: skip
PREDICTIONS = SAMPLES[["site_id", "date"]].assign(fold=[0] * 5 + [1] * 3, gpp=2, reco=2, nee=0)


def test_the_days_of_the_protocol():
    days = scored_days(PREDICTIONS, SAMPLES, 0.8, "2000-02-24")
    scored = days["site_id"] + days["date"].dt.strftime(" %Y-%m-%d")
    assert scored.tolist() == [
        "A 2000-02-24", "A 2000-02-26", "A 2000-02-27", "B 2005-01-01", "B 2005-01-03",
    ]  # fmt: skip


def test_weather_that_a_site_lacks_altogether_costs_no_day():
    strd = [300.0, 300.0, 300.0, NAN, 300.0, NAN, NAN, NAN]  # a gap at A; B has no such instrument
    days = scored_days(PREDICTIONS, SAMPLES.assign(strd=strd), 0.8, "2000-02-24")
    scored = days["site_id"] + days["date"].dt.strftime(" %Y-%m-%d")
    assert scored.tolist() == ["A 2000-02-24", "A 2000-02-27", "B 2005-01-01", "B 2005-01-03"]


def test_scores_and_summary(tmp_path):
    further = SAMPLES[SAMPLES["site_id"] == "A"].assign(site_id="Z")
    zero_shot = PREDICTIONS[PREDICTIONS["site_id"] == "A"].assign(site_id="Z", fold=-1, gpp=3)
    pd.concat([PREDICTIONS, zero_shot]).to_parquet(tmp_path / "predictions.parquet")
    for name, table in {"first": SAMPLES, "second": further}.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
        ids = table["site_id"].unique()
        sites = pd.DataFrame({"site_id": ids, "fold": 0, "igbp": "GRA", "koppen": "Cfb"})
        sites = sites.assign(lat=range(len(ids)), lon=0)
        sites.to_csv(tmp_path / f"{name}.csv", index=False)
    score_real_towers(
        tmp_path / "predictions.parquet",
        [tmp_path / "first.parquet", tmp_path / "second.parquet"],
        [tmp_path / "first.csv", tmp_path / "second.csv"],
        [tmp_path / "scores.csv", tmp_path / "zero_shot_scores.csv"],
        tmp_path / "summary.csv",
        min_qc=0.8,
        first_day="2000-02-24",
        min_days=2,
    )
    scores = (
        pd.read_csv(tmp_path / "scores.csv")
        .query("scale == 'daily'")
        .set_index(["site_id", "flux"])
    )
    # A: gpp 1, 3 predicted 2, 2; reco 1, 2, 2; nee 0, -1. B: two days of nee alone
    assert scores["n"].to_dict() == {
        ("A", "gpp"): 2, ("A", "reco"): 3, ("A", "nee"): 2, ("B", "nee"): 2,
    }  # fmt: skip
    assert scores.loc[("A", "gpp"), "rmse"] == 1
    assert scores.loc[("A", "reco"), "rmse"] == pytest.approx(np.sqrt(1 / 3), rel=1e-4)
    assert scores.loc[("B", "nee"), "bias"] == -1
    zero = pd.read_csv(tmp_path / "zero_shot_scores.csv").query("scale == 'daily'")
    zero = zero.set_index(["site_id", "flux"])
    assert zero.loc[("Z", "gpp"), "rmse"] == pytest.approx(np.sqrt(2), rel=1e-4)
    summary = pd.read_csv(tmp_path / "summary.csv").query("group == 'all'")
    summary = summary.set_index(["protocol", "flux", "scale"])
    assert summary.loc[("folds", "nee", "daily"), "n_sites"] == 2
    # pooled nee errors: 0, 1, 0, -2
    pooled = summary.loc[("folds", "nee", "daily"), "rmse_pooled"]
    assert pooled == pytest.approx(np.sqrt(5 / 4), rel=1e-4)


def test_a_day_without_prediction_is_an_error():
    with pytest.raises(ContractError, match="no prediction") as caught:
        scored_days(PREDICTIONS.iloc[2:], SAMPLES, 0.8, "2000-02-24")
    assert "A 2000-02-24" in str(caught.value)


def test_a_second_table_without_fluxes_has_no_scores(tmp_path):
    no_flux = SAMPLES.assign(qc=NAN, gpp=NAN, reco=NAN, nee=NAN, site_id="Z")
    no_flux = no_flux.drop_duplicates(["site_id", "date"])
    zero_shot = PREDICTIONS.assign(site_id="Z", fold=-1)
    pd.concat([PREDICTIONS, zero_shot]).to_parquet(tmp_path / "predictions.parquet")
    for name, table in {"first": SAMPLES, "second": no_flux}.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
        sites = pd.DataFrame(
            {"site_id": table["site_id"].unique(), "fold": 0, "igbp": "", "koppen": ""}
        ).assign(lat=0, lon=0)
        sites.to_csv(tmp_path / f"{name}.csv", index=False)
    score_real_towers(
        tmp_path / "predictions.parquet",
        [tmp_path / "first.parquet", tmp_path / "second.parquet"],
        [tmp_path / "first.csv", tmp_path / "second.csv"],
        [tmp_path / "scores.csv", tmp_path / "zero_shot_scores.csv"],
        tmp_path / "summary.csv",
        min_qc=0.8,
        first_day="2000-02-24",
        min_days=2,
    )
    assert pd.read_csv(tmp_path / "zero_shot_scores.csv").empty
    assert pd.read_csv(tmp_path / "summary.csv")["protocol"].unique().tolist() == ["folds"]
