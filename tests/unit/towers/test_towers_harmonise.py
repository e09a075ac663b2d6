import csv
import zipfile

import numpy as np
import pandas as pd
import pytest
from tower_files import badm_text, daily_frame, half_hourly_frame, write_zip

from tamflux.errors import InputError
from tamflux.grid import Grid, great_circle_km
from tamflux.towers.harmonise import harmonise_towers
from tamflux.towers.inspection import find_usable_sites, inspect_towers


def harmonise(folder, paths=None, site_table=None, **limits):
    limits = {"min_coverage": 0.8, "min_days": 60, "max_abs_flux": 50} | limits
    out = [folder / "out" / name for name in ("fluxes.parquet", "sites.csv", "rejected.csv")]
    files = sorted(folder.glob("*.zip")) + sorted(folder.glob("*.csv")) if paths is None else paths
    harmonise_towers(files, *out, site_table=site_table, **limits)
    sites = pd.read_csv(out[1], keep_default_na=False).set_index("site_id")
    return pd.read_parquet(out[0]), sites, pd.read_csv(out[2], keep_default_na=False)


def reasons(rejected, what, site_id=None):
    selected = rejected[rejected["what"] == what]
    if site_id:
        selected = selected[selected["site_id"] == site_id]
    return dict(zip(selected["reason"], selected["n"], strict=True))


@pytest.mark.parametrize(
    "network", ["FLUXNET2026", "ICOS", "AmeriFlux", "JapanFlux", "FLUXNET2015"]
)
def test_each_network_is_read_from_its_zip(tmp_path, network):
    japan = network == "JapanFlux"  # mean flags 0 to 3 in place of a share
    frame = daily_frame(qc=np.linspace(2.1, 0, 90) if japan else 0.3)
    write_zip(tmp_path, network, "US-Ha1", {"DD": frame, "MM": "TIMESTAMP\n200101\n"})
    fluxes, sites, rejected = harmonise(tmp_path)
    for name, column in {"nee": "NEE_", "gpp": "GPP_NT_", "reco": "RECO_NT_"}.items():
        np.testing.assert_allclose(fluxes[name], frame[f"{column}VUT_REF"])
    assert fluxes["qc"].iloc[0] == pytest.approx(0.3)
    assert fluxes["date"].dtype == "datetime64[ns]"
    row = sites.loc["US-Ha1"]
    assert (row.network, row.igbp, row.lat, row.lon) == (network, "DBF", 42.5, -72.2)
    assert (row["first"], row["last"], row.n_days) == ("2001-01-01", "2001-03-31", 90)
    assert (row.variant, row.utc_offset) == ("VUT_REF", -5)
    assert rejected.empty


def test_columns_of_the_contract(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()})
    fluxes, sites, rejected = harmonise(tmp_path)
    assert list(fluxes) == [
        "site_id", "date", "gpp", "reco", "nee", "qc", "t2m", "vpd", "ssrd", "tp",
    ]  # fmt: skip
    assert list(sites.reset_index()) == [
        "site_id", "site_name", "lat", "lon", "elevation", "igbp", "koppen", "utc_offset",
        "network", "first", "last", "n_days", "n_gpp", "n_reco", "n_nee", "mean_qc", "variant",
        "source_files", "day_offset", "doi", "citation",
    ]  # fmt: skip
    assert list(rejected) == ["site_id", "file", "what", "reason", "n"]


def test_days_go_before_half_hours_in_one_zip(tmp_path):
    frame = daily_frame()
    tables = {"HH": half_hourly_frame(days=90), "DD": frame}
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", tables)
    fluxes, sites, _ = harmonise(tmp_path)
    np.testing.assert_allclose(fluxes["nee"], frame["NEE_VUT_REF"])
    assert "_DD_" in sites.loc["US-Ha1", "source_files"]


@pytest.mark.parametrize(("resolution", "steps"), [("HH", 48), ("HR", 24)])
def test_half_hours_and_hours_become_days(tmp_path, resolution, steps):
    frame = half_hourly_frame(days=4, steps=steps)
    frame.loc[: steps // 3, "NEE_VUT_REF"] = -9999  # a third of the first day
    write_zip(
        tmp_path, "FLUXNET2015", "US-Ha1", {resolution: frame}, badm_text("US-Ha1", UTC_OFFSET=0)
    )
    fluxes, _, rejected = harmonise(tmp_path, min_days=2)
    expected = frame["NEE_VUT_REF"].to_numpy().reshape(4, steps).mean(1) * 1.0377504
    np.testing.assert_allclose(fluxes["nee"].iloc[1:], expected[1:], rtol=1e-6)
    assert np.isnan(fluxes["nee"].iloc[0])
    assert reasons(rejected, "day") == {"NEE on less than 80% of the day (towers.min_coverage)": 1}


@pytest.mark.parametrize("offset", [-8, -5, 0, 5.5, 10])
def test_half_hours_become_utc_days_exactly(tmp_path, offset):
    frame = half_hourly_frame(days=6)
    write_zip(
        tmp_path, "FLUXNET2015", "US-Ha1", {"HH": frame}, badm_text("US-Ha1", UTC_OFFSET=offset)
    )
    fluxes, sites, _ = harmonise(tmp_path, min_days=2, min_coverage=1.0)
    start = pd.to_datetime(frame["TIMESTAMP_START"], format="%Y%m%d%H%M")
    utc = (start - pd.Timedelta(hours=offset)).dt.date
    complete = utc.map(utc.value_counts()) == 48
    nee = frame["NEE_VUT_REF"][complete].groupby(utc[complete]).mean() * 1.0377504
    measured = fluxes[fluxes["nee"].notna()]
    assert measured["date"].dt.date.tolist() == nee.index.tolist()
    np.testing.assert_allclose(measured["nee"], nee, rtol=1e-6)
    assert sites.loc["US-Ha1", "day_offset"] == 0


def test_days_stay_local_where_a_daily_table_or_no_offset_leaves_no_choice(tmp_path):
    steps = half_hourly_frame(days=5)
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"HH": steps})
    write_zip(tmp_path, "ICOS", "US-Ha1", {"DD": daily_frame(start="2002-01-01")})
    write_zip(tmp_path, "ICOS", "FR-Bil", {"HH": steps}, badm_text("FR-Bil", UTC_OFFSET=None))
    fluxes, sites, rejected = harmonise(tmp_path, min_days=2)
    assert pd.to_numeric(sites["day_offset"])["US-Ha1"] == -5
    assert sites.loc["FR-Bil", "day_offset"] == ""
    expected = steps["NEE_VUT_REF"].to_numpy().reshape(5, 48).mean(1) * 1.0377504
    for site in ("US-Ha1", "FR-Bil"):
        nee = fluxes.loc[fluxes["site_id"] == site].set_index("date")["nee"]["2001"]
        np.testing.assert_allclose(nee, expected, rtol=1e-6)
    assert list(reasons(rejected, "value", "FR-Bil")) == [
        "no UTC offset: local days are matched to the UTC days of the same date"
    ]


def test_negative_gpp_is_kept(tmp_path):
    frame = daily_frame(shift=-2)
    assert (frame["GPP_NT_VUT_REF"] < 0).any()
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    fluxes, _, rejected = harmonise(tmp_path)
    np.testing.assert_allclose(fluxes["gpp"], frame["GPP_NT_VUT_REF"])
    assert rejected.empty


def test_what_cannot_be_true_is_rejected_and_listed(tmp_path):
    frame = daily_frame(n=100)
    frame.loc[3, "NEE_VUT_REF"] = 51
    frame.loc[4, "GPP_NT_VUT_REF"] = -99999  # a fill value that is not -9999
    frame.loc[5, "NEE_VUT_REF_QC"] = 1.5
    frame.loc[6, "NEE_VUT_REF_QC"] = -9999
    frame.loc[7, "TA_F"] = 99
    frame.loc[8, ["NEE_VUT_REF", "GPP_NT_VUT_REF", "RECO_NT_VUT_REF"]] = -9999
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    fluxes, sites, rejected = harmonise(tmp_path)
    assert reasons(rejected, "value") == {
        "nee beyond towers.max_abs_flux (50 g m-2 d-1)": 1,
        "gpp beyond towers.max_abs_flux (50 g m-2 d-1)": 1,
        "t2m outside -95 to 65 degC": 1,
    }
    assert reasons(rejected, "day") == {
        "quality flag of NEE outside its range": 1,
        "fluxes without a quality flag of NEE": 1,
    }
    assert len(fluxes) == 97
    by_date = fluxes.set_index(fluxes["date"].dt.strftime("%Y%m%d"))
    assert np.isnan(by_date.loc["20010104", "nee"])
    assert by_date.loc["20010104", "gpp"] == frame.loc[3, "GPP_NT_VUT_REF"]
    assert np.isnan(by_date.loc["20010105", "gpp"])
    assert np.isnan(by_date.loc["20010108", "t2m"])
    assert (sites.loc["FR-Bil", "n_nee"], sites.loc["FR-Bil", "n_gpp"]) == (96, 96)


def test_infinite_and_absent_fluxes_are_listed(tmp_path):
    frame = daily_frame(n=100).drop(columns="GPP_NT_VUT_REF")
    frame.loc[3, "NEE_VUT_REF"] = np.inf
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    fluxes, _, rejected = harmonise(tmp_path)
    assert reasons(rejected, "value") == {
        "nee beyond towers.max_abs_flux (50 g m-2 d-1)": 1,
        "gpp missing on every day": 100,
    }
    assert fluxes["gpp"].isna().all() and np.isfinite(fluxes["nee"]).sum() == 99


def test_metadata_that_are_left_out_are_listed(tmp_path):
    badm = badm_text("FR-Bil", LOCATION_ELEV=340000, CLIMATE_KOEPPEN="warm")
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()}, badm=badm)
    _, sites, rejected = harmonise(tmp_path)
    assert list(reasons(rejected, "value")) == [
        "elevation '340000' is left out, expected -500 to 9000 m",
        "koppen 'warm' is left out, expected a Köppen class such as Dfb",
    ]
    assert sites.loc["FR-Bil", "elevation"] == "" and sites.loc["FR-Bil", "utc_offset"] == -5


def test_duplicated_time_stamps(tmp_path):
    frame = daily_frame(n=80)
    other = frame.iloc[[10]].assign(NEE_VUT_REF=3.3)
    frame = pd.concat([frame, frame.iloc[[5]], other])
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    fluxes, _, rejected = harmonise(tmp_path)
    assert reasons(rejected, "day") == {
        "timestamp repeated with the same values": 1,
        "timestamp repeated with different values": 2,
    }
    dates = fluxes["date"].dt.strftime("%Y%m%d").tolist()
    assert dates.count("20010106") == 1
    assert "20010111" not in dates
    assert len(dates) == 79


def test_a_repeated_half_hour_does_not_count_twice(tmp_path):
    frame = half_hourly_frame(days=3)
    frame = pd.concat([frame, frame.iloc[:20]])
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"HH": frame}, badm_text("US-Ha1", UTC_OFFSET=0))
    fluxes, _, rejected = harmonise(tmp_path, min_days=1)
    assert reasons(rejected, "value") == {"timestamp repeated with the same values": 20}
    mean = frame["NEE_VUT_REF"].iloc[:48].mean() * 1.0377504
    assert fluxes["nee"].iloc[0] == pytest.approx(mean, rel=1e-6)


def test_a_turned_sign_is_found(tmp_path):
    frame = daily_frame()
    frame["NEE_VUT_REF"] *= -1
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    write_zip(tmp_path, "ICOS", "FR-Gri", {"DD": daily_frame()})
    _, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["FR-Gri"]
    (reason,) = reasons(rejected, "file", "FR-Bil")
    assert "correlation -1.00" in reason
    assert "check the signs and units" in reason


def test_newest_processing_wins_day_by_day(tmp_path):
    old = daily_frame(n=100, seed=1, qc=1.0)
    new = daily_frame(n=70, seed=2, start="2001-02-01", qc=0.1)
    new.loc[9, ["NEE_VUT_REF", "GPP_NT_VUT_REF", "RECO_NT_VUT_REF"]] = -9999
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"DD": old})
    write_zip(tmp_path, "FLUXNET2026", "US-Ha1", {"DD": new})
    fluxes, sites, rejected = harmonise(tmp_path)
    assert not fluxes["date"].duplicated().any()
    expected = {**dict(zip(old["TIMESTAMP"], old["NEE_VUT_REF"], strict=True)),
                **dict(zip(new["TIMESTAMP"], new["NEE_VUT_REF"], strict=True))}  # fmt: skip
    expected["20010210"] = old.set_index("TIMESTAMP").loc["20010210", "NEE_VUT_REF"]
    got = dict(zip(fluxes["date"].dt.strftime("%Y%m%d"), fluxes["nee"], strict=True))
    assert got == pytest.approx(expected)
    assert sites.loc["US-Ha1", "network"] == "FLUXNET2026; FLUXNET2015"
    (entry,) = rejected.itertuples()
    overlap = set(old["TIMESTAMP"]) & set(new["TIMESTAMP"]) - {"20010210"}
    assert (entry.what, entry.n) == ("day", len(overlap))
    assert "FLX_US-Ha1" in entry.file
    assert entry.reason.startswith("set aside: the same day is taken from AMF_US-Ha1_FLUXNET_2001")


def test_within_a_network_the_higher_quality_wins(tmp_path):
    name = "FLX_US-Ha1_FLUXNET2015_{}_DD_2001-2002_1-4.csv"
    good, poor = daily_frame(seed=1, qc=0.9), daily_frame(seed=2, qc=0.2)
    good.to_csv(tmp_path / name.format("SUBSET"), index=False)
    poor.to_csv(tmp_path / name.format("FULLSET"), index=False)
    (tmp_path / "FLX_AA-Flx_BIF_LATEST.csv").write_text(badm_text("US-Ha1"))
    fluxes, _, _ = harmonise(tmp_path)
    np.testing.assert_allclose(fluxes["nee"], good["NEE_VUT_REF"])


def test_one_file_a_year_makes_one_record(tmp_path):
    (tmp_path / "FLX_AA-Flx_BIF_LATEST.csv").write_text(badm_text("JP-Tak"))
    for year in (2001, 2002):
        frame = daily_frame(start=f"{year}-05-01", n=50)
        frame.to_csv(tmp_path / f"JP-Tak_COREVARS_DD_{year}-{year}.csv", index=False)
    fluxes, _, rejected = harmonise(tmp_path)
    assert len(fluxes) == 100
    assert rejected.empty


def test_a_site_id_used_twice(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()})
    write_zip(tmp_path, "AmeriFlux", "US-Ha1", {"DD": daily_frame()})
    far = badm_text("US-Ha1", lat=43.5)
    write_zip(tmp_path, "FLUXNET2026", "US-Ha1", {"DD": daily_frame()}, badm=far)
    fluxes, _, rejected = harmonise(tmp_path)
    assert set(fluxes["site_id"]) == {"FR-Bil"}
    (reason,) = reasons(rejected, "site", "US-Ha1")
    assert reason.startswith("site id used twice")
    assert "111 km apart (at most 5 km)" in reason
    table = tmp_path / "table.txt"
    table.write_text("site_id,lat,lon,igbp\nUS-Ha1,42.5,-72.2,DBF\n")
    _, sites, _ = harmonise(tmp_path, site_table=table)
    assert "US-Ha1" in sites.index, "the user's word ends the doubt"


def test_a_site_without_coordinates_is_listed_and_does_not_stop_the_others(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()}, badm=False)
    no_class = badm_text("FR-Gri", igbp="rainforest")
    write_zip(tmp_path, "ICOS", "FR-Gri", {"DD": daily_frame()}, badm=no_class)
    write_zip(tmp_path, "ICOS", "FR-Pue", {"DD": daily_frame()})
    _, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["FR-Pue"]
    (reason,) = reasons(rejected, "site", "FR-Bil")
    assert "no usable coordinates (lat missing, lon missing)" in reason
    (reason,) = reasons(rejected, "site", "FR-Gri")
    assert "unknown IGBP class 'rainforest'" in reason
    table = tmp_path / "table.txt"
    table.write_text("site_id,lat,lon,igbp,site_name\nFR-Bil,44.5,-0.9,ENF,Bilos\n")
    _, sites, _ = harmonise(tmp_path, site_table=table)
    assert sites.loc["FR-Bil", "site_name"] == "Bilos"


def test_damaged_files_are_listed_and_do_not_stop_the_others(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Pue", {"DD": daily_frame()})
    (tmp_path / "ICOSETC_FR-Bil_ARCHIVE_L2.zip").write_bytes(b"no zip")
    write_zip(tmp_path, "ICOS", "FR-Gri", {"DD": ""})
    write_zip(tmp_path, "ICOS", "FR-Fon", {"MM": "TIMESTAMP\n200101\n"}, badm=False)
    write_zip(tmp_path, "ICOS", "FR-Hes", {"DD": daily_frame()}, badm="nonsense\n1\n")
    _, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["FR-Pue"]
    files = rejected[rejected["what"] == "file"].set_index("site_id")["reason"]
    assert "not a zip archive" in files["FR-Bil"]
    assert "the file is empty" in files["FR-Gri"]
    assert "no daily, half-hourly or hourly flux table" in files["FR-Fon"]
    assert "the metadata file lacks columns" in files["FR-Hes"]


def test_too_few_days(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Pue", {"DD": daily_frame()})
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame(n=59)})
    _, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["FR-Pue"]
    assert reasons(rejected, "site") == {"59 days with NEE, towers.min_days is 60": 1}


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="there is no tower file") as info:
        harmonise(tmp_path, paths=[])
    assert "correct inputs.towers.path" in str(info.value)


def test_no_site_left_writes_nothing(tmp_path):
    (tmp_path / "ICOSETC_FR-Bil_ARCHIVE_L2.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="no site is left of 1 tower files") as info:
        harmonise(tmp_path)
    assert "not a zip archive" in str(info.value)
    assert not (tmp_path / "out").exists()


def test_the_result_does_not_depend_on_the_order_of_the_files(tmp_path):
    paths = [
        write_zip(tmp_path, "ICOS", "FR-Pue", {"DD": daily_frame(seed=1)}),
        write_zip(tmp_path, "FLUXNET2015", "FR-Pue", {"DD": daily_frame(n=120, seed=2)}),
        write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame(seed=3)}),
    ]
    first, second = harmonise(tmp_path, paths), harmonise(tmp_path, paths[::-1])
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)
    order = first[0][["site_id", "date"]]
    assert order.equals(order.sort_values(["site_id", "date"], ignore_index=True))


def base_files(folder, pi_days, days=365):
    """AmeriFlux BASE: NEE_PI on the first days, FC on all; TA and SW_IN have one value."""
    time = pd.date_range("2011-01-01", periods=48 * days, freq="30min")
    hour = time.hour + time.minute / 60
    season = 0.5 + 0.5 * np.sin(time.dayofyear / 365 * 2 * np.pi)
    light = np.maximum(0, np.sin((hour - 6) / 12 * np.pi))
    nee = (2 - 8 * light * season + np.random.default_rng(0).normal(0, 1, len(time))).round(3)
    frame = pd.DataFrame({
        "TIMESTAMP_START": time.strftime("%Y%m%d%H%M"), "FC": nee, "TA": 10.0, "SW_IN": 200.0,
        "NEE_PI": np.where(np.arange(len(time)) < 48 * pi_days, nee - 0.5, -9999),
    })  # fmt: skip
    path = folder / "AMF_US-CRT_BASE_HH_2-5.csv"
    path.write_text("# Site: US-CRT\n# Version: 2-5\n" + frame.to_csv(index=False))
    table = folder / "table.txt"
    table.write_text("site_id,lat,lon,igbp,utc_offset\nUS-CRT,41.6285,-83.3471,CRO,0\n")
    return [path], table, nee.to_numpy().reshape(days, 48).mean(1) * 1.0377504


@pytest.mark.parametrize("pi_days", [0, 5, 70, 365])
def test_a_few_values_of_nee_pi_do_not_hide_fc(tmp_path, pi_days):
    paths, table, nee = base_files(tmp_path, pi_days)
    fluxes, sites, rejected = harmonise(tmp_path, paths, table)
    assert sites.loc["US-CRT", "n_nee"] == 365
    expected = nee - 0.5 * 1.0377504 * (np.arange(365) < pi_days)
    np.testing.assert_allclose(fluxes["nee"], expected, rtol=1e-9)
    listed = reasons(rejected, "value")
    assert listed.get("FC not used where NEE_PI has a value", 0) == 48 * pi_days
    for name in ("t2m", "ssrd"):
        assert listed[f"{name} has one value on more than 10 days in a row"] == 365
    variants = {0: "FC", 365: "NEE_PI"}
    assert sites.loc["US-CRT", "variant"] == variants.get(pi_days, "NEE_PI + FC")


def test_years_with_impossible_sums_are_set_aside_or_allowed(tmp_path):
    frame = daily_frame(n=730, start="2001-01-01")
    frame.loc[:364, ["NEE_VUT_REF", "RECO_NT_VUT_REF"]] -= 6.0  # 2001: a sink of 2,700 g m-2
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": frame})
    fluxes, _, rejected = harmonise(tmp_path)
    assert fluxes["date"].dt.year.unique().tolist() == [2002]
    (reason,) = reasons(rejected, "day")
    assert (
        reason.startswith("nee of 2001 sums to -") and "towers.allow_years: 'FR-Bil 2001'" in reason
    )
    for allow in ("FR-Bil 2001", "FR-Bil"):
        fluxes, _, rejected = harmonise(tmp_path, allow_years=[allow])
        assert len(fluxes) == 730 and rejected.empty
    fluxes, _, _ = harmonise(tmp_path, allow_years=["FR-Bil 2002", "FR-Gri"])
    assert len(fluxes) == 365


def test_sites_outside_the_grid_are_listed(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()}, badm_text("FR-Bil", 44.5, -0.9))
    write_zip(tmp_path, "ICOS", "FR-Gri", {"DD": daily_frame()}, badm_text("FR-Gri", 48.8, 1.9))
    _, sites, rejected = harmonise(tmp_path, grid=Grid(1.0, (0, 40, 10, 50)))
    assert list(sites.index) == ["FR-Gri"]
    (reason,) = reasons(rejected, "site", "FR-Bil")
    assert reason == "outside the grid (lat 44.5, lon -0.9; grid.bbox)"


def test_small_contradictions_of_releases_are_listed(tmp_path):
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()})
    other = badm_text("FR-Bil", lat=42.52, igbp="ENF", UTC_OFFSET=1)
    write_zip(tmp_path, "FLUXNET2015", "FR-Bil", {"DD": daily_frame(start="1999-01-01")}, other)
    _, sites, rejected = harmonise(tmp_path)
    assert (sites.loc["FR-Bil", "lat"], sites.loc["FR-Bil", "igbp"]) == (42.5, "DBF")
    assert list(reasons(rejected, "value")) == [
        "releases give igbp DBF and ENF; DBF is used",
        "releases give utc_offset -5 and 1; -5 is used",
        "releases place the site 2.2 km apart; the newest processing is used",
    ]


def test_shared_metadata_of_several_networks_are_merged(tmp_path):
    daily_frame().to_csv(tmp_path / "FLX_FI-Ken_2018-2020_FULLSET_DD.csv", index=False)
    position = badm_text("FI-Ken", 67.9, 24.2, igbp=None, UTC_OFFSET=None)
    (tmp_path / "AMF_AA-Flx_BIF_20240101.csv").write_text(position)
    rest = badm_text("FI-Ken", lat=None, lon=None, igbp="ENF", UTC_OFFSET=2)
    (tmp_path / "FLX_AA-Flx_BIF_LATEST.csv").write_text(rest)
    _, sites, rejected = harmonise(tmp_path)
    row = sites.loc["FI-Ken"]
    assert (row.lat, row.lon, row.igbp, row.utc_offset, row.network) == (
        67.9, pytest.approx(24.2), "ENF", 2, "ONEFlux",
    )  # fmt: skip
    assert rejected.empty


def varinfo(site_id, **units):
    lines = ["SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE"]
    for number, (name, unit) in enumerate(units.items()):
        lines.append(f"{site_id},{number},GRP_VAR_INFO,VAR_INFO_VARNAME,{name}")
        lines.append(f"{site_id},{number},GRP_VAR_INFO,VAR_INFO_UNIT,{unit}")
    return "\n".join(lines)


def test_declared_units_are_believed_or_refused(tmp_path):
    for site, nee, air in (("FR-Bil", "gC m-2 d-1", "deg C"), ("FR-Gri", "gC m-2 d-1", "K"),
                           ("FR-Pue", "mgC m-2 d-1", "deg C")):  # fmt: skip
        path = write_zip(tmp_path, "FLUXNET2026", site, {"DD": daily_frame()})
        with zipfile.ZipFile(path, "a") as archive:
            name = f"AMF_{site}_FLUXNET_BIFVARINFO_DD_2001-2002_v1.3_r1.csv"
            archive.writestr(name, varinfo(site, NEE_VUT_REF=nee, TA_F=air))
    fluxes, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["FR-Bil", "FR-Gri"]
    (reason,) = reasons(rejected, "file", "FR-Pue")
    assert "a flux has another unit; variable NEE_VUT_REF; found mgC m-2 d-1" in reason
    assert reasons(rejected, "value", "FR-Gri") == {"TA_F is in K, expected degC": 90}
    with_air = fluxes.groupby("site_id")["t2m"].count()
    assert with_air.to_dict() == {"FR-Bil": 90, "FR-Gri": 0}


@pytest.mark.realdata
def test_recent_files_and_the_metadata_of_ameriflux(tmp_path, shared_data):
    files = sorted((shared_data / "oneflux_recent").glob("*.csv"))
    paths = [*files, *(shared_data / "badm").glob("*.xlsx")]
    info = pd.read_csv(shared_data / "sites" / "fdk_site_info.csv").set_index("sitename")
    info = info[["lat", "lon", "igbp_land_use"]].set_axis(["lat", "lon", "igbp"], axis=1)
    info.loc["FI-Ken"] = [67.98721, 24.24301, "ENF"]
    table = tmp_path / "table.txt"
    info.loc[[path.name.split("_")[1] for path in files]].rename_axis("site_id").to_csv(table)
    fluxes, sites, rejected = harmonise(tmp_path, paths, table)
    assert list(sites.index) == ["FI-Ken"] and len(fluxes) == 1096
    refused = rejected[rejected["what"] == "file"]
    assert len(refused) == 9 and refused["reason"].str.startswith("the table has no NEE").all()
    own = pd.read_csv(next(path for path in paths if "FI-Ken" in path.name), na_values=-9999)
    np.testing.assert_allclose(fluxes["nee"], own["NEE_VUT_USTAR50"], rtol=1e-6)


def test_distance_of_one_degree():
    assert great_circle_km(0, 0, 0, 1) == pytest.approx(111.195, abs=0.01)
    assert great_circle_km(60, 179.5, 60, -179.5) == pytest.approx(55.6, abs=0.1)


def test_inspection_reads_headers_alone(tmp_path):
    write_zip(tmp_path, "FLUXNET2026", "US-Ha1", {"DD": daily_frame()})
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame()}, badm=False)
    write_zip(tmp_path, "AmeriFlux", "US-Var", {"DD": "TIMESTAMP,LE_F_MDS\n20010101,1\n"})
    (tmp_path / "ICOSETC_FR-Pue_ARCHIVE_L2.zip").write_bytes(b"no zip")
    rows = {row["site_id"]: row for row in inspect_towers(sorted(tmp_path.iterdir()))}
    assert list(rows) == ["FR-Bil", "FR-Pue", "US-Ha1", "US-Var"]
    good = rows["US-Ha1"]
    assert (good["network"], good["resolution"]) == ("FLUXNET2026", "DD")
    assert (good["first"], good["last"], good["problems"]) == ("2001-01-01", "2002", "")
    assert "no usable coordinates" in rows["FR-Bil"]["problems"]
    assert "not a zip archive" in rows["FR-Pue"]["problems"]
    assert "the table has no NEE" in rows["US-Var"]["problems"]


def test_usable_sites_are_those_of_the_run_with_their_training_days(tmp_path):
    good = daily_frame(n=730, start="2001-01-01", qc=0.9)
    good.loc[:99, "NEE_VUT_REF_QC"] = 0.3  # 100 days of 2001 do not train
    write_zip(tmp_path, "ICOS", "FR-Pue", {"DD": good})
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame(n=59)})
    write_zip(tmp_path, "ICOS", "FR-Gri", {"DD": daily_frame()}, badm_text("FR-Gri", lat=-20))
    paths = sorted(tmp_path.glob("*.zip"))
    grid = Grid(1.0, (-80, 30, 0, 60))
    limits = {"min_coverage": 0.8, "min_days": 60, "max_abs_flux": 50, "allow_years": []}
    sites, rejected = find_usable_sites(paths, None, grid, [2001], 0.5, **limits)
    _, expected, listed = harmonise(tmp_path, grid=grid)
    assert sites["site_id"].tolist() == list(expected.index) == ["FR-Pue"]
    assert sites["n_train"].tolist() == [265]
    pd.testing.assert_frame_equal(rejected.fillna(""), listed, check_dtype=False)
    none, rejected = find_usable_sites(paths[:1], None, grid, [2001], 0.5, **limits)
    assert none.empty and len(rejected) == 1


@pytest.mark.realdata
def test_real_files_against_days_made_from_their_half_hours(tmp_path, shared_data):
    """Days of SUBSET against days that another program made from the half-hours of FULLSET.

    The two agree where the provider's reference threshold is the same at both time steps (it is
    chosen for each), and closely elsewhere.
    """
    paths = [*(shared_data / "oneflux").glob("*.csv"), *(shared_data / "formats").glob("*BIF*.csv")]
    fluxes, sites, _ = harmonise(tmp_path, paths)
    assert len(sites) == 12
    columns = ["site_id", "date", "NEE", "GPP_NT", "NEE_QC", "TA", "SW_IN", "VPD"]
    table = pd.read_parquet(shared_data / "fluxnet2015" / "site_days.parquet", columns=columns)
    both = fluxes.merge(table, on=["site_id", "date"])
    assert both["site_id"].nunique() == 12
    assert len(both) > 40_000
    for name, column, equal_sites in [
        ("nee", "NEE", 5), ("gpp", "GPP_NT", 4), ("qc", "NEE_QC", 5),
        ("t2m", "TA", 11), ("vpd", "VPD", 11), ("ssrd", "SW_IN", 11),
    ]:  # fmt: skip
        assert both[name].corr(both[column]) > 0.998, name
        difference = (both[name] - both[column]).abs()
        worst = difference.groupby(both["site_id"]).quantile(0.95)
        assert (worst < 5e-3).sum() >= equal_sites, name
    known = pd.read_csv(shared_data / "fluxnet2015" / "sites.csv").set_index("site_id")
    for site_id, row in sites.iterrows():
        there = known.loc[site_id]
        assert great_circle_km(row.lat, row.lon, there.lat, there.lon) < 1
        assert row.igbp == there.IGBP


@pytest.mark.realdata
def test_real_half_hourly_files_of_two_networks(tmp_path, shared_data):
    paths = sorted((shared_data / "formats").glob("*.csv"))
    table = tmp_path / "table.txt"
    table.write_text("site_id,lat,lon,igbp,utc_offset\nUS-CRT,41.6285,-83.3471,CRO,0\n")
    fluxes, sites, rejected = harmonise(
        tmp_path, paths, site_table=table, min_coverage=0.3, min_days=1
    )
    assert sites.loc["CH-Cha", "variant"] == "VUT_USTAR50"
    base = fluxes[fluxes["site_id"] == "US-CRT"]
    with next(path for path in paths if "US-CRT" in path.name).open(newline="") as file:
        own = [row for row in csv.reader(file) if row[0].startswith("20110102")]
    measured = [float(row[5]) for row in own if float(row[5]) != -9999]  # NEE_PI
    assert base["date"].tolist() == [pd.Timestamp("2011-01-02")], "9 of 48 on the first day"
    assert base["nee"].tolist() == pytest.approx([sum(measured) / len(measured) * 1.0377504])
    assert base["qc"].tolist() == pytest.approx([29 / 48])
    assert base["gpp"].isna().all()
    assert fluxes["site_id"].value_counts()["CH-Cha"] == 2
    assert "_MM_" in "".join(rejected["file"]), "monthly values are no days"


def set_times(start, **step):
    def change(frame):
        times = pd.date_range(start, periods=len(frame), **step)
        return frame.assign(TIMESTAMP=times.strftime("%Y%m%d"))

    return change


@pytest.mark.parametrize(
    "resolution, frame, reason",
    [
        ("DD", set_times("2150-01-01")(daily_frame()), "outside the years of flux measurements"),
        ("DD", set_times("2001-01-01", freq="7D")(daily_frame()), "the time step is not the one"),
        ("HR", half_hourly_frame(70), "the time step is not the one"),
        ("HH", half_hourly_frame(70, steps=24), "the time step is not the one"),
        ("DD", daily_frame().set_index(["TIMESTAMP", "TA_F"]).div(1000).reset_index()
         .assign(NEE_VUT_REF_QC=1), "NEE hardly varies"),
    ],
)  # fmt: skip
def test_other_time_steps_and_units_are_listed(tmp_path, resolution, frame, reason):
    write_zip(tmp_path, "ICOS", "US-Ok1", {"DD": daily_frame()})
    write_zip(tmp_path, "FLUXNET2015", "US-Bad", {resolution: frame})
    _, sites, rejected = harmonise(tmp_path)
    assert list(sites.index) == ["US-Ok1"]
    assert any(reason in found for found in reasons(rejected, "file", "US-Bad"))


def test_a_place_at_zero_zero_is_unset(tmp_path):
    write_zip(tmp_path, "ICOS", "US-Ok1", {"DD": daily_frame()})
    badm = badm_text("US-Bad", lat=0, lon=0)
    write_zip(tmp_path, "FLUXNET2015", "US-Bad", {"DD": daily_frame()}, badm)
    _, _, rejected = harmonise(tmp_path)
    assert any("no usable coordinates" in found for found in reasons(rejected, "site", "US-Bad"))


def test_a_site_table_with_a_column_twice_is_refused(tmp_path):
    write_zip(tmp_path, "ICOS", "US-Ok1", {"DD": daily_frame()})
    table = tmp_path / "table.txt"
    table.write_text("site_id,lat,Lat,lon,igbp\nUS-Ok1,1,2,3,DBF\n")
    with pytest.raises(InputError, match="has a column twice"):
        harmonise(tmp_path, site_table=table)


@pytest.mark.realdata
def test_a_real_monthly_file_is_listed_as_monthly(tmp_path, shared_data):
    write_zip(tmp_path, "ICOS", "US-Ok1", {"DD": daily_frame()})
    paths = [*tmp_path.glob("*.zip"), *(shared_data / "formats").glob("FLX_FR-Pue_*_MM_*.csv")]
    _, _, rejected = harmonise(tmp_path, paths)
    assert any("weekly, monthly or yearly" in r for r in reasons(rejected, "file", "FR-Pue"))


@pytest.mark.realdata
def test_real_daily_files_equal_a_direct_reading(tmp_path, shared_data):
    """A folder of daily files and a table of sites: every flux and its quality as pandas reads it.

    Days that the harmonisation rejects (listed, with their number) are all that may be missing.
    """
    folder = shared_data / "oneflux"
    known = pd.read_csv(shared_data / "fluxnet2015" / "sites.csv")
    table = tmp_path / "table.csv"
    known.rename(columns={"IGBP": "igbp"})[["site_id", "lat", "lon", "igbp"]].to_csv(
        table, index=False
    )
    fluxes, sites, rejected = harmonise(tmp_path, sorted(folder.glob("*.csv")), table)
    assert len(sites) == 12
    n_missing = 0
    for path in folder.glob("*.csv"):
        site_id = path.name.split("_")[1]
        raw = pd.read_csv(path, na_values=-9999, dtype={"TIMESTAMP": str})
        raw.index = pd.to_datetime(raw["TIMESTAMP"], format="%Y%m%d")
        ours = fluxes[fluxes["site_id"] == site_id].set_index("date")
        variant = sites.loc[site_id, "variant"]
        assert variant == "VUT_REF"
        for name, column in {"nee": f"NEE_{variant}", "gpp": f"GPP_NT_{variant}",
                             "reco": f"RECO_NT_{variant}", "t2m": "TA_F"}.items():  # fmt: skip
            direct = raw[column].reindex(ours.index)
            both = ours[name].notna() & direct.notna()
            np.testing.assert_allclose(ours[name][both], direct[both], rtol=1e-5, atol=1e-5)
            assert not (ours[name].notna() & direct.isna()).any(), "nothing is made up"
            if name != "t2m":
                n_missing += int(raw[column].notna().sum() - both.sum())
        quality = raw[f"NEE_{variant}_QC"].reindex(ours.index)
        given = ours["qc"].notna()
        np.testing.assert_allclose(ours["qc"][given], quality[given], atol=1e-5)
    listed = rejected[rejected["what"].isin(["day", "value"])]["n"].sum()
    (year,) = rejected.loc[rejected["what"] == "day", "reason"]
    assert year.startswith("nee of 1996 sums to -2530 g C m-2") and "IT-Col 1996" in year
    assert n_missing <= 3 * listed and len(fluxes) > 40_000
