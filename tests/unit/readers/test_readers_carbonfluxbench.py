"""CarbonFluxBench: files of its schema are read and refused; its splits equal scikit-learn's."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tamflux.errors import InputError
from tamflux.readers.carbonfluxbench import read_carbonfluxbench, split_benchmark, stratified_test

ERA5 = {
    "temperature_2m": 283.15,
    "total_precipitation_sum": 0.002,
    "surface_net_solar_radiation_sum": 86400 * 150.0,
    "total_evaporation_sum": -0.003,
    "leaf_area_index_high_vegetation": 4.0,
    "leaf_area_index_low_vegetation": 1.5,
}
BANDS = [f"sur_refl_b0{band}" for band in range(1, 8)]


@pytest.fixture
def folder(tmp_path):
    days = pd.date_range("2000-02-20", periods=20)
    key = {"site": np.repeat(["FLX_AA-One", "AMF_BB-Two"], 20), "date": [*days, *days]}
    target = pd.DataFrame(key | {"lat": 50.0, "lon": 8.0, "IGBP": "GRA"})
    target["TIMESTAMP"] = target.pop("date").dt.strftime("%Y%m%d").astype(int)
    target[["GPP_NT_VUT_USTAR50", "RECO_NT_VUT_USTAR50", "NEE_VUT_USTAR50"]] = 3.0, 2.0, -1.0
    target["NEE_VUT_USTAR50_QC"] = 1.0
    target.loc[10, "GPP_NT_VUT_USTAR50"] = -9999
    date = [f"{day:%Y-%m-%d}" for day in key["date"]]
    modis = pd.DataFrame(key | dict.fromkeys(BANDS, 0.3) | {"date": date, "clouds": 0.0})
    modis.loc[5, "clouds"] = 0.25
    era5 = pd.DataFrame(key | ERA5 | {"date": date})
    target.to_parquet(tmp_path / "target_fluxes.parquet")
    modis.to_parquet(tmp_path / "MOD09GA.parquet")
    era5.to_parquet(tmp_path / "ERA5.parquet")
    for name, value in {"koppen_sites": "C", "koppen_sites_short": "Cfb"}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(dict.fromkeys(key["site"], value)))
    return tmp_path


def test_units_days_and_clouds(folder):
    days, sites = read_carbonfluxbench(folder)
    assert list(sites["site_id"]) == ["AMF_BB-Two", "FLX_AA-One"]
    assert sites["koppen"].eq("Cfb").all() and sites["koppen_group"].eq("C").all()
    assert len(days) == 2 * 16  # from 24 February
    without_gpp = days["nee"].isna()  # the benchmark keeps no day without all three fluxes
    assert days[without_gpp]["date"].to_list() == [pd.Timestamp("2000-03-01")]
    assert days["date"].min() == pd.Timestamp("2000-02-24")
    weather = days[["t2m", "tp", "ssr", "evaporation", "lai_high", "lai_low"]]
    np.testing.assert_allclose(weather, [[10, 2, 150, 3, 4, 1.5]] * 32, rtol=1e-6)
    cloudy = days["refl_b2"].isna()
    assert days[cloudy][["site_id", "date"]].to_numpy().tolist() == [
        ["FLX_AA-One", pd.Timestamp("2000-02-25")]
    ]


def test_timestamps_may_be_dates(folder):
    numbers, _ = read_carbonfluxbench(folder)
    change(
        folder,
        "target_fluxes.parquet",
        lambda t: t.assign(
            TIMESTAMP=pd.to_datetime(t["TIMESTAMP"].astype(str), format="%Y%m%d").dt.date
        ),
    )
    pd.testing.assert_frame_equal(read_carbonfluxbench(folder)[0], numbers)


def change(folder, name, edit):
    table = pd.read_parquet(folder / name)
    edit(table).to_parquet(folder / name)


@pytest.mark.parametrize(
    ("name", "edit", "match"),
    [
        ("ERA5.parquet", lambda t: t.drop(columns="temperature_2m"), "temperature_2m"),
        ("ERA5.parquet", lambda t: t.assign(temperature_2m=10.0), "another unit"),
        ("ERA5.parquet", lambda t: t.assign(total_precipitation_sum=3.0), "another unit"),
        ("ERA5.parquet", lambda t: pd.concat([t, t[:1]]), "is repeated"),
        ("MOD09GA.parquet", lambda t: t.assign(**dict.fromkeys(BANDS, 3000.0)), "another unit"),
        ("ERA5.parquet", lambda t: t.assign(temperature_2m=np.nan), "missing or far too small"),
        ("ERA5.parquet", lambda t: t.assign(temperature_2m="warm"), "does not hold numbers"),
        (
            "ERA5.parquet",
            lambda t: t.assign(surface_net_solar_radiation_sum=150.0),
            "missing or far too small",
        ),
        ("MOD09GA.parquet", lambda t: t.assign(clouds="none"), "does not hold numbers"),
        ("MOD09GA.parquet", lambda t: t.drop(columns="clouds"), "clouds"),
        ("MOD09GA.parquet", lambda t: pd.concat([t, t[:1]]), "comes twice"),
        ("target_fluxes.parquet", lambda t: t.assign(IGBP="Grass"), "class is unknown"),
        ("target_fluxes.parquet", lambda t: pd.concat([t, t[-1:]]), "is repeated"),
        ("target_fluxes.parquet", lambda t: t.assign(TIMESTAMP="soon"), "date"),
        ("target_fluxes.parquet", lambda t: t.assign(TIMESTAMP=22610101), "lies in the future"),
    ],
)
def test_wrong_tables_are_refused(folder, name, edit, match):
    change(folder, name, edit)
    with pytest.raises(InputError, match=match) as caught:
        read_carbonfluxbench(folder)
    assert name in str(caught.value) and "fix:" in str(caught.value)


def test_stray_values_are_missing(folder, caplog):
    def edit(table):
        others = [table.assign(site=f"X{number}") for number in range(9)]
        table.loc[table.index[-1], "NEE_VUT_USTAR50"] = np.inf
        return pd.concat([table, *others])

    before = len(read_carbonfluxbench(folder)[0].dropna(subset="nee"))
    change(folder, "target_fluxes.parquet", edit)
    after = read_carbonfluxbench(folder)[0]
    assert np.isfinite(after["nee"].dropna()).all()
    assert len(after.dropna(subset="nee")) == before - 1
    assert "values out of range are missing" in caplog.text


def test_damaged_metadata_of_a_table(folder):
    path = folder / "ERA5.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"pandas": b"{}"}), path)
    with pytest.raises(InputError, match="ERA5"):
        read_carbonfluxbench(folder)


def test_json_that_nests_for_ever_and_no_day_left(folder):
    change(folder, "target_fluxes.parquet", lambda t: t.assign(TIMESTAMP=19000101))
    with pytest.raises(InputError, match="no day can be used"):
        read_carbonfluxbench(folder)
    (folder / "koppen_sites.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="not JSON"):
        read_carbonfluxbench(folder)


@pytest.mark.parametrize(
    "name", ["target_fluxes.parquet", "MOD09GA.parquet", "ERA5.parquet", "koppen_sites.json"]
)
def test_missing_and_damaged_files_are_refused(folder, name):
    (folder / name).write_bytes(b"cut off")
    with pytest.raises(InputError, match=name):
        read_carbonfluxbench(folder)
    (folder / name).unlink()
    with pytest.raises(InputError):
        read_carbonfluxbench(folder)


def many_sites():
    """474 sites in classes about as large as the benchmark's."""
    igbp = {"CRO": 58, "CSH": 7, "CVM": 4, "DBF": 71, "DNF": 12, "EBF": 20, "ENF": 95, "GRA": 76,
            "MF": 19, "OSH": 30, "SAV": 12, "SNO": 2, "URB": 2, "WAT": 2, "WET": 56, "WSA": 8,
            }  # fmt: skip
    koppen = {"D": 235, "C": 160, "B": 49, "A": 19, "E": 11}
    random = np.random.default_rng(3)
    sites = pd.DataFrame({"igbp": random.permutation(np.repeat(list(igbp), list(igbp.values())))})
    sites["koppen_group"] = random.permutation(np.repeat(list(koppen), list(koppen.values())))
    sites["site_id"] = [f"S{number:03d}" for number in range(len(sites))]
    return sites.sample(frac=1, random_state=1)


def test_strata_are_drawn_as_by_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    random = np.random.default_rng(0)
    for n in (40, 57, 111, 474, 563):
        strata = random.choice(list("ABCDE"), n, p=[0.1, 0.1, 0.2, 0.5, 0.1])
        strata[:10] = list("AABBCCDDEE")
        expected = selection.train_test_split(
            np.arange(n), test_size=0.2, stratify=strata, random_state=56
        )[1]
        assert sorted(stratified_test(strata)) == sorted(expected)


def test_small_classes_give_half_of_their_sites_and_order_does_not_matter():
    sites = many_sites()
    splits = split_benchmark(sites)
    assert (splits["split_koppen"] == "test").sum() == int(np.ceil(0.2 * len(sites)))
    igbp = sites.merge(splits)
    held = igbp[igbp["split_igbp"] == "test"]["igbp"].value_counts()
    assert {name: held[name] for name in ("CSH", "CVM", "SNO", "WSA")} == {
        "CSH": 3, "CVM": 2, "SNO": 1, "WSA": 4,
    }  # fmt: skip
    pd.testing.assert_frame_equal(splits, split_benchmark(sites[::-1]))
