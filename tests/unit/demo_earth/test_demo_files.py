import csv
import io
import zipfile
from fnmatch import fnmatch

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml
from pyhdf.SD import SD

from tamflux.demo_earth import layout
from tamflux.demo_earth.planet import igbp_fractions
from tamflux.demo_earth.raw_era5 import simulate_era5
from tamflux.demo_earth.raw_modis import simulate_modis, write_koppen, write_landcover
from tamflux.demo_earth.raw_towers import badm, local_days, measure, simulate_towers
from tamflux.demo_earth.true_fluxes import simulate_truth
from tamflux.demo_earth.weather import simulate_weather
from tamflux.grid import Grid

REPO_CONFIG = "config.yaml"
SEED, YEAR, RESOLUTION = 42, 2004, 10.0


@pytest.fixture(scope="module")
def config(request):
    with open(request.config.rootpath / REPO_CONFIG) as file:
        return yaml.safe_load(file)


@pytest.fixture(scope="module")
def era5(tmp_path_factory):
    folder = tmp_path_factory.mktemp("era5")
    targets = {role: str(folder / file) for role, file in layout.demo_era5_files(YEAR).items()}
    simulate_era5(SEED, YEAR, RESOLUTION, targets)
    return {role: xr.open_dataset(path) for role, path in targets.items()}


@pytest.fixture(scope="module")
def modis(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modis")
    targets = {day: str(folder / file) for day, file in layout.demo_modis_files(YEAR, 32).items()}
    simulate_modis(SEED, YEAR, RESOLUTION, 2, targets)
    return targets


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    simulate_towers(SEED, 45, [2003, 2004], str(folder))
    return folder


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    path = tmp_path_factory.mktemp("truth") / f"{YEAR}.zarr"
    simulate_truth(SEED, YEAR, Grid(5.0), str(path))
    return xr.open_zarr(path, consolidated=False).load()


def test_layout_matches_the_inputs_of_the_config(config):
    files, inputs = layout.demo_files(config), config["inputs"]
    assert len(files) == len(set(files))
    patterns = [inputs["landcover"], inputs["koppen"], inputs["towers"]["path"]]
    for year in layout.simulated_years(config):
        patterns += [inputs[k]["path"].replace("{year}", str(year)) for k in ("era5", "modis")]
    matched = {p: [f for f in files if fnmatch(f, p)] for p in patterns}
    assert all(matched.values())
    assert sum(map(len, matched.values())) == len(files)


def test_a_further_product_year_leaves_the_towers_as_they_are():
    def tower_years(train, product):
        return layout.tower_years({"years": {"train": train, "product": product}})

    assert tower_years([2001, 2002], [2003]) == [2001, 2002, 2003]
    assert tower_years([2001, 2002], [2003, 2004]) == [2001, 2002, 2003]
    assert tower_years([2001, 2002], [2001, 2002]) == [2001, 2002]


def test_the_year_may_be_a_wildcard():
    for files in (layout.demo_era5_files, lambda year: layout.demo_modis_files(year, 8)):
        assert [f.replace("{year}", "2003") for f in files("{year}").values()] == list(
            files(2003).values()
        )


def test_the_network_is_rich_in_classes_and_has_every_naming():
    towers = layout.read_towers(150)
    assert len({t["igbp"] for t in towers}) >= 13
    networks = {n for t in towers for n in t["network"].split(";")}
    assert networks == {"FLUXNET2015", "AmeriFlux", "FLUXNET2026", "ICOS", "JapanFlux"}
    assert len({t["site_id"] for t in towers}) == 150


def test_era5_files_are_as_the_store_delivers_them(era5):
    for role, data in era5.items():
        name = role.split("_")[0]
        assert data[name].dims == ("valid_time", "latitude", "longitude")
        assert data[name].dtype == np.float32 and np.isfinite(data[name]).all()
        assert data.sizes["valid_time"] == 366
        np.testing.assert_array_equal(data["latitude"], np.arange(90, -91, -10))
        np.testing.assert_array_equal(data["longitude"], np.arange(0, 360, 10))
    units = {role: d[role.split("_")[0]].attrs["units"] for role, d in era5.items()}
    assert units["t2m"] == "K" and units["ssrd"] == "J m**-2" and units["tp"] == "m"


def test_era5_holds_the_weather_of_its_nodes(era5):
    """Node (50 N, 350 E) is the place (50, -10), within the rounding of the file."""
    weather = simulate_weather(SEED, YEAR, np.array([50.0]), np.array([-10.0])).tail(366)
    for role, value in {
        "t2m_max": weather.t2m_max + 273.15,
        "ssrd": weather.ssrd * 86400,
        "tp": weather.tp / 1000,
        "sp": weather.sp * 100,
    }.items():
        found = era5[role][role.split("_")[0]].sel(latitude=50, longitude=350)
        np.testing.assert_allclose(found, value[:, 0], rtol=1e-3, atol=1e-6)


def test_a_pole_is_one_place(era5):
    pole = era5["t2m"]["t2m"].sel(latitude=90)
    assert float(pole.std("longitude").max()) < 0.6


def test_mcd43c4_has_the_real_data_sets(modis):
    file = SD(modis[1])
    names = [f"Nadir_Reflectance_Band{b}" for b in range(1, 8)]
    assert {*names, "BRDF_Quality", "Percent_Snow", "Local_Solar_Noon"} <= set(file.datasets())
    band = file.select(names[0])
    attributes = band.attributes()
    assert attributes["scale_factor"] == 0.0001 and attributes["_FillValue"] == 32767
    assert band[:].shape == (36, 72) and band[:].dtype == np.int16
    assert (band[:3] == 32767).all()  # polar night in January
    quality = file.select("BRDF_Quality")[:]
    assert set(np.unique(quality)) <= {0, 1, 2, 3, 4, 255}
    np.testing.assert_array_equal(quality == 255, band[:] == 32767)
    valid = band[:][quality < 255]
    assert 0 < valid.size < 0.5 * 36 * 72 and 0 < valid.min() and valid.max() <= 16000


def test_the_amazon_is_green_and_the_sahara_is_not(modis):
    rows = {"amazon": (-4, -62), "sahara": (23, 12)}
    found = {place: [] for place in rows}
    for path in modis.values():
        file = SD(path)
        red, nir = (file.select(f"Nadir_Reflectance_Band{b}")[:].astype(float) for b in (1, 2))
        for place, (lat, lon) in rows.items():
            cell = int((90 - lat) / 5), int((lon + 180) / 5)
            if red[cell] != 32767:
                found[place].append((nir[cell] - red[cell]) / (nir[cell] + red[cell]))
    assert np.median(found["amazon"]) > 0.65 and np.median(found["sahara"]) < 0.2


def test_land_cover_and_koppen(tmp_path):
    write_landcover(str(tmp_path / "cover.hdf"))
    file = SD(str(tmp_path / "cover.hdf"))
    percent = file.select("Land_Cover_Type_1_Percent")[:]
    assert percent.shape == (720, 1440, 17) and (percent.sum(2) == 100).all()
    majority = file.select("Majority_Land_Cover_Type_1")[:]
    assert majority[((90 + 4) * 4), ((180 - 64) * 4)] == 2  # Amazonia, evergreen broadleaf
    write_koppen(str(tmp_path / "koppen.tif"))
    with rasterio.open(tmp_path / "koppen.tif") as raster:
        codes = [int(v[0]) for v in raster.sample([(-60, -3), (10, 23), (13.4, 52.5)])]
    assert codes[0] in (1, 2) and codes[1] == 4 and codes[2] in (15, 26)


def test_truth_closes_and_is_of_the_known_size(truth):
    """Global GPP 100-140 Pg C a year (Beer et al. 2010: 123), a small sink, NEE = RECO - GPP."""
    np.testing.assert_array_equal(truth["nee"], truth["reco"] - truth["gpp"])
    assert truth.sizes["time"] == 366
    assert float(truth["gpp"].min()) >= 0 and float(truth["reco"].min()) >= 0
    grid = Grid(5.0)
    lat, lon = np.repeat(grid.lat, 72), np.tile(grid.lon, 36)
    land = (1 - igbp_fractions(lat, lon, 5.0)[0]).reshape(36, 72) * grid.cell_area()
    total = {name: float((truth[name].sum("time") * land).sum()) / 1e15 for name in truth}
    assert 100 < total["gpp"] < 140
    assert -15 < total["nee"] < 2
    assert np.array_equal(np.isnan(truth["gpp"][0]), land == 0)


def test_every_tower_archive_is_there_and_reads(towers):
    expected = [f.rsplit("/", 1)[1] for f in layout.demo_tower_files(45, [2003, 2004])]
    assert sorted(p.name for p in towers.iterdir()) == sorted(expected)
    for path in towers.iterdir():
        with zipfile.ZipFile(path) as file:
            data, metadata = sorted(file.namelist(), key=lambda n: "_DD_" not in n)
            table = pd.read_csv(file.open(data), na_values=-9999)
            assert file.read(metadata).startswith(b"SITE_ID,")
        assert len(table) == 731 and table["TIMESTAMP"].iloc[-1] == 20041231
        names = {c.upper() for c in table}
        if "SUBSET" in data:
            assert "NEE_VUT_50" in names and not any("USTAR50" in n for n in names)
        elif "JapanFLUX" in data:
            assert {"NEE_VUT", "NEE_VUT_QC"} <= names
            assert set(table["NEE_vUT_QC"].dropna()) <= {0, 1, 2, 3}
        else:
            closure = table["RECO_NT_VUT_USTAR50"] - table["GPP_NT_VUT_USTAR50"]
            np.testing.assert_allclose(table["NEE_VUT_USTAR50"], closure, atol=2e-4)
            assert table["NEE_VUT_USTAR50_QC"].dropna().between(0, 1).all()


def test_towers_are_the_same_at_every_run(towers, tmp_path):
    simulate_towers(SEED, 2, [2003, 2004], str(tmp_path))
    for path in tmp_path.iterdir():
        with zipfile.ZipFile(path) as again, zipfile.ZipFile(towers / path.name) as first:
            for name in again.namelist():
                if "_DD_" in name:
                    a, b = (pd.read_csv(z.open(name)) for z in (again, first))
                    np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-3)


def test_local_days_take_their_share_of_the_neighbours():
    """Six hours ahead: a quarter of the local day is of the UTC day before."""
    field = np.array([[0.0, 0.0], [4.0, 4.0], [8.0, 8.0], [8.0, 8.0]])
    shifted = local_days(field, np.array([6.0, -12.0]))
    np.testing.assert_allclose(shifted, [[3.0, 6.0], [7.0, 8.0]])


def test_random_error_grows_with_the_flux():
    days = np.arange(np.datetime64("1900-01-01"), np.datetime64("2000-01-01"))
    n = len(days)
    fields = ("t2m", "ssrd", "strd", "vpd", "sp", "tp", "u10", "v10", "reco", "gpp")
    calm = {name: np.zeros(n) for name in fields}
    strong = calm | {"gpp": np.full(n, 10.0)}
    spread = []
    for record, truth in ((calm, 0), (strong, -10)):
        table = measure(record, days, np.random.default_rng(3))
        error = table["NEE_VUT_USTAR50"] - truth
        assert error.mean() == pytest.approx(0, abs=0.05)
        spread.append(error.std())
        assert 0.005 < table["NEE_VUT_REF"].isna().mean() < 0.6
    assert spread[1] > 4 * spread[0]


def test_metadata_leaves_out_what_is_unknown():
    tower = dict(site_id="XX-Abc", name="A, b", lat="1", lon="2", elevation="", igbp="CRO",
                 utc_offset="1", koppen="Af")  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(badm(tower))))
    values = {r["VARIABLE"]: r["DATAVALUE"] for r in rows}
    assert values["SITE_NAME"] == "A, b" and "LOCATION_ELEV" not in values
