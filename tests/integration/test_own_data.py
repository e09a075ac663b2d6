"""docs/tutorial.md, step by step, on files as the providers deliver them, outside `results/`."""

import shutil

import numpy as np
import providers
import pytest
import xarray as xr
import yaml
from conftest import REPO, Run, check_out
from test_check_inputs import problems

from tamflux.demo_earth.layout import ERA5_FILES, composite_days
from tamflux.demo_earth.raw_era5 import simulate_era5
from tamflux.demo_earth.raw_modis import simulate_modis, write_koppen, write_landcover
from tamflux.demo_earth.raw_towers import simulate_towers

pytestmark = pytest.mark.slow

YEARS = [2014, 2015, 2018]
COARSE = """\
years: {train: [2015], product: [2018], lookback: [2014]}
grid: {resolution: 4.0, bbox: [-12, 34, 32, 74], tile_size: 5}
model: {hidden_size: 8, embedding_size: 4}
training: {members: 2, pretrain_epochs: 1, epochs: 1}
calibration: {folds: 2}
"""
"""The overlay of the tutorial, made coarse and small: another resolution, box and other years."""


@pytest.fixture(scope="module")
def user(tmp_path_factory) -> Run:
    """A checkout without any data."""
    folder = check_out(tmp_path_factory.mktemp("user"))
    (folder / "coarse.yaml").write_text(COARSE)
    return Run(folder)


def run(user, *args):
    overlays = ("workflow/config/europe.yaml", "coarse.yaml")
    return user.snakemake(*args, "--configfile", *overlays)


def test_1_check_says_what_is_missing_and_what_brings_it(user):
    result = run(user, "check")
    assert result.returncode != 0
    rows = problems(result)
    for name, year, rule in [
        *(("ERA5", year, "download_era5") for year in YEARS),
        *(("MODIS", year, "download_modis") for year in YEARS),
        ("land surface", "MCD12C1.A2018001.061.hdf", "download_landcover"),
    ]:
        ((row, text),) = (
            (row, text) for row, text in rows if row.startswith(f"{name} ") and f" {year} " in row
        )
        assert "WRONG" in row and f"(rule {rule})" in text
    assert any("figshare" in text for _, text in rows), "where Köppen classes are"
    assert any("data/towers/*.zip" in text and "data policy" in text for _, text in rows)
    assert "9 problems" in result.stdout and "snakemake --cores 2 download" in result.stdout


def test_2_a_dry_run_of_the_download_lists_its_jobs(user):
    result = run(user, "download", "-n", "--quiet", "rules")
    assert result.returncode == 0, result.stderr
    jobs = dict(line.split() for line in result.stdout.splitlines() if len(line.split()) == 2)
    assert jobs["download_era5"] == str(11 * len(YEARS))
    assert jobs["download_modis"] == str(len(YEARS)) and jobs["download_landcover"] == "1"


def test_3_files_are_put_where_the_overlay_says(user):
    data = user.folder / "data"
    for year in YEARS:
        era5 = {role: data / f"era5/{year}/{stem}_{year}.nc" for role, stem in ERA5_FILES.items()}
        simulate_era5(1, year, 4.0, era5)
        modis = {
            day: data / f"modis/{year}/MCD43C4.A{year}{day:03d}.061.2022{day:03d}120000.hdf"
            for day in composite_days(32)
        }
        simulate_modis(1, year, 4.0, 1, modis)
    write_landcover(data / "MCD12C1.A2018001.061.hdf")
    write_koppen(data / "Beck_KG_V1_present_0p083.tif")
    simulate_towers(1, 60, [2015, 2018], str(data / "towers"))
    result = run(user, "check")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ready to run" in result.stdout


def test_4_the_product_covers_the_box(user):
    result = run(user, "--quiet", "rules")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    product = user.folder / "results/product"
    with xr.open_dataset(product / "tamflux_daily_2018.nc") as daily:
        assert (daily.sizes["lat"], daily.sizes["lon"]) == (10, 11)
        assert daily.lat.values[[0, -1]].tolist() == [36, 72]
        assert daily.lon.values[[0, -1]].tolist() == [-10, 30]
        assert daily.sizes["time"] == 365 and str(daily.time.values[0])[:4] == "2018"
        land = daily.land_fraction > 0.5
        gpp = daily.gpp.where(land)
        assert float(gpp.notnull().mean(["time"]).where(land).mean()) > 0.95
        np.testing.assert_allclose(
            daily.nee.values, (daily.reco - daily.gpp).values, atol=1e-6, equal_nan=True
        )
    assert not (user.folder / "results/demo_earth").exists(), "nothing is simulated"
    assert (user.folder / "results/report.html").stat().st_size > 10_000


def test_5_nothing_is_done_twice_and_one_stage_can_be(user):
    overlays = ("--configfile", "workflow/config/europe.yaml", "coarse.yaml")
    assert user.rules(*overlays) == set()
    again = user.rules("-R", "aggregate_product", *overlays)
    assert "aggregate_product" in again and "train_member" not in again


def test_6_another_resolution_asks_for_the_grid_anew_alone(user):
    (user.folder / "coarse.yaml").write_text(COARSE.replace("resolution: 4.0", "resolution: 2.0"))
    rules = user.rules("--configfile", "workflow/config/europe.yaml", "coarse.yaml")
    assert {"prepare_era5", "train_member", "predict_tiles"} <= rules
    assert "harmonise_towers" not in rules and "download_era5" not in rules


def test_the_overlay_itself_is_accepted_once_files_are_there(user):
    overlay = yaml.safe_load((REPO / "workflow/config/europe.yaml").read_text())
    years = {year for use in overlay["years"].values() for year in use}
    data = user.folder / "data"
    for year in years - set(YEARS):
        for kind, name in {"era5": "t2m_daily_mean.nc", "modis": f"MCD43C4.A{year}001.hdf"}.items():
            (data / kind / str(year)).mkdir(parents=True)
            (data / kind / str(year) / name).touch()
    result = user.snakemake("-n", "--configfile", "workflow/config/europe.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rule_downloads_two_files_at_once_and_notices_what_vanished(user, monkeypatch):
    targets = [f"results/download/era5/{role}_2016.csv" for role in ("t2m", "d2m", "sp", "tp")]
    folder = user.folder / "data/era5/2016"
    shutil.rmtree(folder, ignore_errors=True)
    home = user.folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with providers.running(providers.DataStore) as store:
        store.folder, store.pause = user.folder / "store", 3.0
        url = f"http://127.0.0.1:{store.server_port}/api"
        (home / ".cdsapirc").write_text(f"url: {url}\nkey: {providers.KEY}\n")
        result = run(user, *targets, "--cores", "4")
        assert result.returncode == 0, result.stdout + result.stderr
        assert len(store.requests) == 4 and store.most <= 2
        assert {path.suffix for path in folder.iterdir()} == {".nc", ".sha256"}
        assert "Nothing to be done" in run(user, *targets).stderr
        next(folder.glob("2m_temperature*.nc")).unlink()
        run(user, *targets)
        assert len(store.requests) == 5 and len(list(folder.glob("*.nc"))) == 4
    seen = [p for p in user.folder.rglob("*") if p.is_file() and p.name != ".cdsapirc"]
    assert not any(providers.KEY.encode() in p.read_bytes() for p in seen if "results" in str(p))
