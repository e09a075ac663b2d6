import numpy as np
import pandas as pd
import pytest

from tamflux.errors import ContractError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.samples import LOOKBACK_DAYS, PAD, load_samples, make_windows


def write(folder, spans, extra=()):
    """Samples whose predictor t2m is the day's number since 1970, one file; sites beside it."""
    frames = []
    for site_id, first, last in spans:
        date = pd.date_range(first, last)
        number = (date - pd.Timestamp("1970-01-01")).days.to_numpy(float)
        frames.append(pd.DataFrame({
            "site_id": site_id, "date": date, "t2m": number, "vpd": 1.0, "gpp": 1.0, "reco": 2.0,
            "nee": 1.0, "qc": 1.0,
        }))  # fmt: skip
    table = pd.concat([*frames, *extra], ignore_index=True)
    table.sample(frac=1, random_state=0).to_parquet(folder / "samples.parquet")
    sites = pd.DataFrame({"site_id": [span[0] for span in spans], "koppen": "Dfb"})
    for name in STATIC_FEATURES:
        if name.startswith("igbp_"):
            sites[name] = float(name == "igbp_GRA")
    sites.to_csv(folder / "sites.csv", index=False)
    return [folder / "samples.parquet"], folder / "sites.csv"


def test_the_lookback_window_is_the_year_before_or_else_the_year_itself(tmp_path):
    samples = load_samples(*write(tmp_path, [("AA-Aaa", "2001-01-01", "2002-12-31")]))
    windows = make_windows(samples)
    day = samples.x[windows.rows, 0]
    origin = (np.datetime64("2001-01-01") - np.datetime64("1970-01-01")).astype(int)
    assert list(windows.year) == [2001, 2002]
    # 2001 repeats itself, 2002 follows it day by day
    np.testing.assert_array_equal(day[0, :LOOKBACK_DAYS], origin + np.arange(365))
    np.testing.assert_array_equal(day[1, :730], origin + np.arange(730))
    assert (windows.rows[:, 730] == PAD).all()


def test_a_leap_year_has_all_its_days(tmp_path):
    samples = load_samples(*write(tmp_path, [("AA-Aaa", "2003-01-01", "2004-12-31")]))
    rows = make_windows(samples).rows[1]
    assert (rows != PAD).all()
    dates = samples.date[rows]
    assert dates[0] == np.datetime64("2003-01-01") and dates[-1] == np.datetime64("2004-12-31")
    assert np.datetime64("2004-02-29") in dates[LOOKBACK_DAYS:]


def test_a_gap_of_years_or_another_site_is_no_lookback_window(tmp_path):
    spans = [("AA-Aaa", "2001-01-01", "2001-12-31"), ("AA-Bbb", "2002-01-01", "2002-12-31")]
    extra = pd.DataFrame({"site_id": "AA-Aaa", "date": pd.date_range("2005-01-01", "2005-12-31")})
    extra = extra.assign(t2m=0.0, vpd=1.0, gpp=1.0, reco=2.0, nee=1.0, qc=1.0)
    samples = load_samples(*write(tmp_path, spans, [extra]))
    windows = make_windows(samples)
    for window in range(len(windows.rows)):
        own = windows.rows[window, LOOKBACK_DAYS : LOOKBACK_DAYS + 365]
        np.testing.assert_array_equal(windows.rows[window, :LOOKBACK_DAYS], own)


def test_a_part_of_a_year_is_repeated_to_fill_its_lookback_window(tmp_path):
    samples = load_samples(*write(tmp_path, [("AA-Aaa", "2001-06-01", "2001-08-31")]))
    rows = make_windows(samples).rows[0]
    np.testing.assert_array_equal(rows[:LOOKBACK_DAYS], np.resize(np.arange(92), 365))
    assert (rows[LOOKBACK_DAYS + 92 :] == PAD).all()


def test_predictors_come_in_the_order_asked_for(tmp_path):
    paths = write(tmp_path, [("AA-Aaa", "2001-01-01", "2001-12-31")])
    samples = load_samples(*paths, predictors=["vpd", "t2m"])
    assert samples.predictors == ("vpd", "t2m") and (samples.x[:, 0] == 1).all()


def test_only_fluxes_of_the_training_years_may_train(tmp_path):
    paths = write(tmp_path, [("AA-Aaa", "2001-07-01", "2003-06-30")])
    samples = load_samples(*paths, train_years=[2002])
    inside = (samples.date >= np.datetime64("2002-01-01")) & (
        samples.date <= np.datetime64("2002-12-31")
    )
    np.testing.assert_array_equal(samples.may_train, inside)
    assert (samples.qc == 1).all()  # what was measured stays as it was
    assert load_samples(*paths).may_train.all()


def test_a_repeated_day_and_a_missing_column_are_refused(tmp_path):
    spans = [("AA-Aaa", "2001-01-01", "2001-12-31")]
    paths = write(tmp_path, spans)
    with pytest.raises(ContractError, match="lack columns") as error:
        load_samples(*paths, predictors=["t2m", "ndvi"])
    assert "ndvi" in str(error.value)
    twice = pd.read_parquet(paths[0][0]).iloc[:1]
    with pytest.raises(ContractError, match="a site-day comes twice"):
        load_samples(*write(tmp_path, spans, [twice]))


def test_a_site_that_is_not_described_is_refused(tmp_path):
    paths, sites = write(tmp_path, [("AA-Aaa", "2001-01-01", "2001-12-31")])
    table = pd.read_csv(sites).assign(site_id="AA-Bbb")
    table.to_csv(sites, index=False)
    with pytest.raises(ContractError, match="not described"):
        load_samples(paths, sites)
