"""The site table: what is refused and how, and what a gap becomes."""

import numpy as np
import pandas as pd
import pytest

from tamflux.errors import InputError
from tamflux.extra_predictors import ExtraPredictor
from tamflux.samples.samples import load_samples
from tamflux.samples.site_table import ALIASES, convert_site_table

SITE_PREDICTORS = (
    *("t2m", "t2m_min", "t2m_max", "vpd", "ssrd", "tp", "ssrd_pot", "day_length"),
    *("lai_clim", "t2m_clim", "tp_clim"),
)


def make_sites(**columns):
    table = {
        "site_id": ["BB-Two", "AA-One"],
        "lat": [10.0, 60.0],
        "lon": [5.0, -120.0],
        "IGBP": ["ENF", "GRA"],
        "koppen": ["Aw", "Dfc"],
        "fold": [1, 0],
    }
    return pd.DataFrame(table | columns)


def make_days(sites=("AA-One", "BB-Two"), n=400):
    date = pd.date_range("2001-01-01", periods=n)
    month = date.month.to_numpy()
    one = pd.DataFrame(
        {
            "date": date,
            "GPP_NT": 3.0,
            "RECO_NT": 2.0,
            "NEE": -1.0,
            "NEE_QC": 0.9,
            "TA": np.arange(n) % 30.0,
            "TA_MIN": 5.0,
            "TA_MAX": 15.0,
            "SW_IN": 200.0,
            "VPD": 6.0,
            "P_MONTH": 2.0,
            "LAI_CLIM": month / 4.0,
            "T2M_CLIM": 10.0,
            "TP_CLIM": 60.875,
        }
    )
    return pd.concat([one.assign(site_id=site) for site in sites], ignore_index=True)


def convert(tmp_path, days=None, sites=None, n_folds=2, predictors=None, extra=()):
    (make_days() if days is None else days).to_parquet(tmp_path / "days.parquet")
    (make_sites() if sites is None else sites).to_csv(tmp_path / "sites.csv", index=False)
    out = tmp_path / "samples.parquet", tmp_path / "samples_sites.csv"
    convert_site_table(
        tmp_path / "days.parquet", tmp_path / "sites.csv", *out,
        n_folds=n_folds, predictors=predictors,
        extra=[ExtraPredictor.from_config(entry) for entry in extra],
    )  # fmt: skip
    return pd.read_parquet(out[0]), pd.read_csv(out[1])


def refused(tmp_path, match, **tables):
    with pytest.raises(InputError, match=match) as caught:
        convert(tmp_path, **tables)
    assert not (tmp_path / "samples.parquet").exists()
    return str(caught.value)


def test_names_units_and_order(tmp_path):
    samples, sites = convert(tmp_path)
    assert samples["site_id"].unique().tolist() == ["AA-One", "BB-Two"]
    assert sites["site_id"].tolist() == ["AA-One", "BB-Two"]
    assert sites["fold"].tolist() == [0, 1]
    assert sites["igbp_GRA"].tolist() == [1, 0] and sites["igbp_ENF"].tolist() == [0, 1]
    assert set(SITE_PREDICTORS) < set(samples)
    assert samples["tp_clim"].to_numpy() == pytest.approx(2.0)  # 60.875 mm in 30.4375 days
    assert (samples[["gpp", "reco", "nee"]].iloc[0] == [3, 2, -1]).all()
    assert not samples["filled"].any()
    # the longest day is in June at 60 N, and about 18.5 h of sun
    north = samples[samples["site_id"] == "AA-One"].set_index("date")["day_length"]
    assert north.idxmax().month == 6 and 18 < north.max() < 19


def test_annual_cycle_meets_the_months_in_their_middle(tmp_path):
    samples, _ = convert(tmp_path)
    cycle = samples.set_index("date")["lai_clim"]
    for day, month in {"2001-02-14": 2, "2001-07-16": 7}.items():
        assert cycle[day].iloc[0] == pytest.approx(month / 4, abs=0.01)
    assert cycle["2001-01-01"].iloc[0] == pytest.approx((1 + 12) / 8, abs=0.1)


def test_gaps_become_whole_days_that_say_so(tmp_path):
    days = make_days()
    days.loc[days["site_id"] == "AA-One", "TA"] = 10.0
    gap = days["date"].between("2001-03-01", "2001-03-03") & (days["site_id"] == "AA-One")
    days = days[~gap]
    days.loc[days["date"] == "2001-05-05", "P_MONTH"] = np.nan
    samples, _ = convert(tmp_path, days=days)
    one = samples[samples["site_id"] == "AA-One"].set_index("date")
    assert len(one) == 400 and not one[list(SITE_PREDICTORS)].isna().any(axis=None)
    assert one["filled"].sum() == 4 and one.loc["2001-03-01":"2001-03-03", "filled"].all()
    assert one.loc["2001-03-02", "t2m"] == 10
    assert np.isnan(one.loc["2001-03-02", "gpp"]) and one["gpp"].notna().sum() == 397
    assert one.loc["2001-05-05", "tp"] == pytest.approx(2.0)


def test_long_gaps_of_the_weather_stay_missing_and_are_counted(tmp_path, caplog):
    days = make_days()
    one = days["site_id"] == "AA-One"
    days.loc[one & days["date"].between("2001-03-01", "2001-03-20"), ["TA", "VPD"]] = np.nan
    days.loc[one & days["date"].between("2001-06-01", "2001-06-05"), "SW_IN"] = np.nan
    days.loc[one & (days["date"] < "2001-01-04"), "TA_MIN"] = np.nan  # nothing before to go by
    days.loc[~one & (days["date"].dt.year == 2001), "NEE"] = 6.0
    samples, sites = convert(tmp_path, days=days)
    table = samples[samples["site_id"] == "AA-One"].set_index("date")
    gap = table.loc["2001-03-01":"2001-03-20"]
    assert gap[["t2m", "vpd"]].isna().all(axis=None) and gap["ssrd"].notna().all()
    assert table.loc["2001-06-01":"2001-06-05", "ssrd"].eq(200).all()
    assert table.loc[:"2001-01-03", "t2m_min"].isna().all()
    assert table["filled"].sum() == 28
    assert sites.set_index("site_id")["filled_share"].to_dict() == {"AA-One": 0.07, "BB-Two": 0}
    assert "BB-Two: nee of 2001 sums to 2190 g C m-2" in caplog.text  # warned about, not cut
    assert samples["nee"].notna().all()


def test_open_class_and_missing_climatology(tmp_path):
    days = make_days()
    days.loc[days["site_id"] == "AA-One", "LAI_CLIM"] = np.nan
    samples, sites = convert(tmp_path, days=days, sites=make_sites(IGBP=["ENF", None]))
    shares = sites.filter(like="igbp_").loc[0]
    assert shares.sum() == pytest.approx(1) and shares["igbp_WAT"] == 0 and shares.max() < 0.1
    lacking = samples["site_id"] == "AA-One"
    assert samples["lai_clim"][lacking].isna().all() and samples["lai_clim"][~lacking].notna().all()


def test_any_variable_of_the_catalogue_by_its_name_or_that_of_fluxnet2015(tmp_path):
    days = make_days()
    named = days.rename(columns={**ALIASES, "TP_CLIM": "TP_CLIM"})
    assert {"t2m", "gpp", "qc"} < set(named)
    refused(tmp_path, "given twice", days=days.assign(vpd=6.0))
    by_name, _ = convert(tmp_path, days=named)
    by_alias, _ = convert(tmp_path, days=days)
    pd.testing.assert_frame_equal(by_name, by_alias)
    sparse = np.where(days["date"].dt.day == 15, 0.4, np.nan)
    more = days.assign(lai=sparse, strd=300.0, gpp_dt=2.9, something_else=1.0)
    more.loc[more["site_id"] == "BB-Two", "lai"] = np.nan
    samples, _ = convert(tmp_path, days=more)
    one = samples["site_id"] == "AA-One"
    np.testing.assert_allclose(samples["lai"][one], 0.4, rtol=1e-6)
    assert samples["lai"][~one].isna().all() and not samples["filled"].any()
    assert samples["gpp_dt"].eq(np.float32(2.9)).all() and "something_else" not in samples


def test_predictors_of_the_configuration(tmp_path):
    wanted = ["ssrd", "t2m", "t2m_min", "t2m_max", "vpd", "day_length"]
    samples, sites = convert(tmp_path, predictors=wanted)
    assert list(samples) == ["site_id", "date", *wanted, "gpp", "reco", "nee", "qc", "filled"]
    assert not any(name.startswith("climate_") for name in sites)
    with pytest.raises(InputError, match="not in the table") as caught:
        convert(tmp_path, predictors=[*wanted, "evi", "swvl1"])
    assert "evi, swvl1" in str(caught.value)
    days = make_days().assign(evi=np.nan)  # to be predicted: the model copes with it
    samples, _ = convert(tmp_path, days=days, n_folds=None, predictors=[*wanted, "evi"])
    assert "evi" not in samples


SIF = {"name": "sif", "units": "mW m-2 nm-1 sr-1", "range": [-1, 10], "long_name": "SIF",
       "kind": "dynamic"}  # fmt: skip
HEIGHT = {"name": "height", "units": "m", "range": [0, 80], "long_name": "h", "kind": "static"}


def test_extra_predictors_are_columns_of_days_and_sites(tmp_path):
    days, middle = make_days(), make_days()["date"].dt.day == 15
    days["sif"] = np.where(middle, 0.5, np.nan)
    sites = make_sites(height=[12.5, None])
    samples, described = convert(tmp_path, days=days, sites=sites, extra=[SIF, HEIGHT])
    assert (samples["sif"] == 0.5).all() and samples.attrs["units"]["sif"] == SIF["units"]
    assert described["extra_height"].fillna(-1).tolist() == [-1, 12.5]  # the table had B first
    loaded = load_samples([tmp_path / "samples.parquet"], tmp_path / "samples_sites.csv")
    assert loaded.units[loaded.predictors.index("sif")] == SIF["units"]
    assert "sif" in loaded.optional and "extra_height" in loaded.static_features
    number = loaded.static_features.index("extra_height")
    np.testing.assert_array_equal(loaded.static[:, number], [np.nan, 12.5])
    as_they_are, _ = convert(tmp_path, days=days, sites=sites, extra=[{**SIF, "fill": "none"}])
    assert as_they_are["sif"].notna().sum() == middle.sum()
    absent, described = convert(tmp_path, extra=[SIF, HEIGHT])
    assert "sif" not in absent and "extra_height" not in described
    (tmp_path / "samples.parquet").unlink()
    refused(tmp_path, "out of their physical range", days=days.assign(sif=50.0), extra=[SIF])
    refused(tmp_path, "out of its range", sites=make_sites(height=[12.5, 300]), extra=[HEIGHT])
    refused(tmp_path, "does not hold numbers", sites=make_sites(height=["a", 3]), extra=[HEIGHT])


def test_sites_to_predict_need_neither_fluxes_nor_folds(tmp_path):
    days = make_days().drop(columns=["GPP_NT", "RECO_NT", "NEE", "NEE_QC"])
    samples, sites = convert(
        tmp_path, days=days, sites=make_sites().drop(columns="fold"), n_folds=None
    )
    assert sites["fold"].tolist() == [-1, -1]
    assert samples[["gpp", "reco", "nee"]].isna().all(axis=None)


def test_missing_columns(tmp_path):
    text = refused(tmp_path, "columns are missing", days=make_days().drop(columns=["VPD", "NEE"]))
    assert "vpd or VPD, nee or NEE" in text
    refused(tmp_path, "columns are missing", sites=make_sites().drop(columns="fold"))


def test_repeated_days_and_sites(tmp_path):
    days = make_days()
    text = refused(tmp_path, "site-day is repeated", days=pd.concat([days, days.iloc[[3]]]))
    assert "AA-One 2001-01-04" in text
    text = refused(tmp_path, "listed twice", sites=make_sites(site_id=["AA-One", "AA-One"]))
    assert "AA-One" in text


def test_days_without_their_site(tmp_path):
    text = refused(tmp_path, "does not list", days=make_days(sites=("AA-One", "XX-New")))
    assert "XX-New" in text


def test_sites_without_days(tmp_path):
    assert "BB-Two" in refused(tmp_path, "without site-days", days=make_days(sites=("AA-One",)))


@pytest.mark.parametrize("column", ["date", "site_id"])
def test_days_without_a_date_or_a_site(tmp_path, column):
    days = make_days()
    days.loc[7, column] = None
    refused(tmp_path, "no site or no date", days=days)
    refused(tmp_path, "there is no site-day", days=days.iloc[:0])


def test_a_date_far_away(tmp_path):
    days = make_days()
    days.loc[7, "date"] = pd.Timestamp("2261-01-01")
    refused(tmp_path, "outside the period of flux measurements", days=days)


def test_site_ids_that_are_numbers(tmp_path):
    refused(tmp_path, "does not list", days=make_days().assign(site_id=7))


def test_unknown_classes(tmp_path):
    text = refused(tmp_path, "unknown class", sites=make_sites(IGBP=["Forest", "GRA"]))
    assert "Forest at BB-Two" in text
    assert "Q" in refused(tmp_path, "unknown class", sites=make_sites(koppen=["Q", "Dfc"]))


def test_site_without_coordinates(tmp_path):
    assert "AA-One" in refused(tmp_path, "no valid coordinates", sites=make_sites(lat=[1.0, None]))
    refused(tmp_path, "no valid coordinates", sites=make_sites(lon=[361.0, 0.0]))


def test_wrong_units_and_marks_of_missing_values(tmp_path):
    days = make_days()
    text = refused(tmp_path, "physical range", days=days.assign(TA=days["TA"] + 273.15))
    assert "variable: TA" in text and "degC" in text and "fix:" in text
    refused(tmp_path, "physical range", days=days.assign(NEE=-9999.0))
    refused(tmp_path, "physical range", days=days.assign(NEE_QC=3.0))
    refused(tmp_path, "does not hold numbers", days=days.assign(VPD="high"))
    refused(tmp_path, "missing on every day", days=days.assign(SW_IN=np.nan))


def test_a_few_values_out_of_range_are_missing_values(tmp_path):
    days = make_days()
    days.loc[[3, 4], "NEE"] = -9999.0
    days.loc[7, "SW_IN"] = -5.0
    samples, _ = convert(tmp_path, days=days)
    assert samples["nee"].isna().sum() == 2 and samples["nee"].min() == -1
    assert samples["ssrd"].iloc[7] == 200 and samples["filled"].iloc[7]


def test_folds_that_are_not_those_of_the_config(tmp_path):
    assert "0 to 2" in refused(tmp_path, "folds", n_folds=3)


def test_files_that_are_not_what_they_should_be(tmp_path):
    days, sites = tmp_path / "days.parquet", tmp_path / "sites.csv"
    with pytest.raises(InputError, match="does not exist"):
        convert_site_table(days, sites, tmp_path / "a", tmp_path / "b", n_folds=2)
    make_sites().to_csv(sites, index=False)
    days.write_bytes(b"PAR1 cut short")
    with pytest.raises(InputError, match="not a Parquet file"):
        convert_site_table(days, sites, tmp_path / "a", tmp_path / "b", n_folds=2)
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


@pytest.mark.realdata
def test_fluxnet2015_table(shared_data, tmp_path):
    folder = shared_data / "fluxnet2015"
    out = tmp_path / "samples.parquet", tmp_path / "sites.csv"
    convert_site_table(folder / "site_days.parquet", folder / "sites.csv", *out, n_folds=5)
    samples = pd.read_parquet(out[0]).set_index(["site_id", "date"])
    raw = pd.read_parquet(folder / "site_days.parquet").set_index(["site_id", "date"])
    raw = raw.reindex(samples.index)
    for column, name in {"TA": "t2m", "SW_IN": "ssrd", "GPP_NT": "gpp", "NEE_QC": "qc"}.items():
        np.testing.assert_allclose(samples[name], raw[column], rtol=1e-6)
    balance = (samples["reco"] - samples["gpp"] - samples["nee"]).dropna()
    assert len(balance) > 400_000 and balance.abs().max() < 1e-4
    for name in SITE_PREDICTORS:  # complete, or absent at a site altogether (rain before 2001)
        known = samples[name].notna().groupby("site_id").mean()
        assert known.isin([0, 1]).all() and known.mean() > 0.9, name
    # tower radiation does not exceed that at the top of the atmosphere, bar noise at low sun
    assert (samples["ssrd"] > 1.1 * samples["ssrd_pot"] + 10).mean() < 0.001
