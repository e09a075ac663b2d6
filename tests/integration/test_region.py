"""A region of one's own, Iberia: 13 towers, two years, own files; and what its report says."""

import html
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import Run, check_out
from era5_writer import write_daily_year

from tamflux.demo_earth import raw_towers
from tamflux.demo_earth.layout import composite_days, read_towers
from tamflux.demo_earth.raw_modis import simulate_modis, write_koppen, write_landcover
from tamflux.variables import FLUXES

pytestmark = pytest.mark.slow

YEARS = [2014, 2015]
IBERIA = """\
years: {train: [2014, 2015], product: [2015]}
grid: {resolution: 1.0, bbox: [-10, 36, 4, 44], tile_size: 14}
inputs:
  era5: {path: "data/era5/{year}/*.nc"}
  modis: {path: "data/modis/{year}/*.hdf"}
  landcover: data/landcover.hdf
  koppen: data/koppen.tif
  towers: {path: "data/towers/*.zip"}
model: {hidden_size: 8, trees: 5}
training: {split: folds, members: 1, pretrain_epochs: 1, epochs: 2}
calibration: {folds: 3}
validation: {truth: null}
"""


def iberian_towers():
    """The eleven Iberian towers of the shipped table, and two of the user's own."""
    of_table = read_towers(1000)
    found = [tower for tower in of_table if tower["site_id"].startswith("ES-")]
    north = {"site_id": "ES-Ow1", "name": "Mine", "lat": "42.5", "lon": "-7.5", "igbp": "DBF"}
    west = {"site_id": "ES-Ow2", "name": "Yours", "lat": "40.2", "lon": "-4.1", "igbp": "GRA"}
    return [*found, *({**found[0], **own} for own in (north, west))]


@pytest.fixture(scope="module")
def iberia(tmp_path_factory) -> Run:
    """A checkout with the user's files in data/."""
    folder = check_out(tmp_path_factory.mktemp("iberia"))
    (folder / "iberia.yaml").write_text(IBERIA)
    data = folder / "data"
    lat, lon = np.arange(46.0, 33.5, -0.5), np.arange(-12.0, 6.5, 0.5)
    for year in YEARS:
        write_daily_year(data / f"era5/{year}", year, seed=year, lat=lat, lon=lon, rain=1.0)
        modis = {
            day: str(data / f"modis/{year}/MCD43C4.A{year}{day:03d}.061.2022{day:03d}120000.hdf")
            for day in composite_days(16)
        }
        simulate_modis(1, year, 1.0, 1, modis)
    write_landcover(str(data / "landcover.hdf"))
    write_koppen(str(data / "koppen.tif"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_towers, "read_towers", lambda count: iberian_towers())
        raw_towers.simulate_towers(1, 13, YEARS, str(data / "towers"))
    return Run(folder)


def run(iberia, *args):
    return iberia.snakemake(*args, "--configfile", "iberia.yaml")


@pytest.fixture(scope="module")
def results(iberia):
    """The folder of the finished product."""
    done = run(iberia, "--quiet", "rules")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return iberia.folder / "results"


@pytest.fixture(scope="module")
def page(results):
    """HTML of the report."""
    return (results / "report.html").read_text(encoding="utf-8")


def words(part):
    """Text of a part of the page, without the map's numbers."""
    part = re.sub(r"<script.*?</script>|<style.*?</style>", "", part, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())


def cards(page):
    return re.findall(r'<div class="card"><b>(.*?)</b><span>(.*?)</span>', page)


def test_check_counts_the_towers_and_warns_of_few(iberia):
    found = run(iberia, "check")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "13 sites, 13 train" in found.stdout and "ready to run" in found.stdout
    assert "too few" not in found.stdout
    (iberia.folder / "held.yaml").write_text("training: {split: igbp}")
    found = iberia.snakemake("check", "--configfile", "iberia.yaml", "held.yaml")
    text = " ".join(found.stdout.split())
    assert re.search(r"\d towers are held out: too few for headline scores, which need 10", text)


def test_the_product_is_that_of_all_towers_and_scores_are_out_of_fold(results):
    table = pd.read_parquet(results / "validation/site_predictions.parquet")
    by_model = table.groupby("model")["split"].unique()
    assert by_model["tamrl_cell"].tolist() == ["train"]  # the product's own members
    assert by_model["tamrl"].tolist() == by_model["msc"].tolist() == ["test"]
    assert table["site_id"].nunique() == 13
    scores = pd.read_csv(results / "validation/scores.csv").query("group == 'all'")
    assert set(scores["model"]) == {"tamrl", "lstm", "msc"}
    counted = pd.read_csv(results / "validation/site_scores.csv").groupby(["model", "flux"]).size()
    for row in scores.itertuples():
        assert row.n_sites == counted[row.model, row.flux] <= 13
    agreement = pd.read_csv(results / "validation/product_agreement.csv")
    assert agreement["max_abs_difference"].max() < 0.005


def test_one_member_has_no_standard_deviation(results, page):
    with xr.open_dataset(results / "product/tamflux_annual_2015.nc") as annual:
        assert annual["gpp_std"].isnull().all() and annual["gpp"].notnull().any()  # noqa: PD003, PD004
    totals = pd.read_csv(results / "product/totals.csv")
    assert totals[[f"{flux}_std" for flux in FLUXES]].isna().all(axis=None)
    assert not (results / "validation/figures/map_std.png").exists()
    assert "With one member there is no standard deviation" in words(page)
    assert "ensemble standard deviation" not in words(page).split("Configuration")[0]


def test_the_first_row_of_the_totals_names_the_box(results):
    totals = pd.read_csv(results / "product/totals.csv")
    assert totals.loc[0, ["region_set", "region"]].tolist() == ["box", "36N-44N 10W-4E"]
    assert set(totals.loc[totals["region_set"] == "latitude", "region"]) == {"30N-60N"}
    assert {"Spain", "Portugal"} <= set(totals["region"]) and (totals["land_area"] > 0).all()
    with xr.open_dataset(results / "product/tamflux_annual_2015.nc") as annual:
        land = (annual["cell_area"] * annual["land_fraction"]).to_numpy()
        for flux in FLUXES:
            sums = np.nansum(annual[flux].to_numpy()[0].astype(float) * land) * 365 / 1e15
            assert totals.loc[0, flux] == pytest.approx(sums, rel=1e-6)


def test_each_card_says_what_it_is(results, page):
    found = cards(page)
    totals = pd.read_csv(results / "product/totals.csv").iloc[0]
    assert [label for _, label in found[:3]] == [
        f"{flux.upper()} of the region, Tg C yr⁻¹" for flux in FLUXES
    ]
    for (value, _), flux in zip(found, FLUXES, strict=False):
        number = float(value.split(" ± ")[0].replace("−", "-"))
        assert number == pytest.approx(1000 * totals[flux], rel=5e-3)
        assert len(value.split(" ± ")[0].strip("−0").replace(".", "")) <= 3
    scores = pd.read_csv(results / "validation/scores.csv").query("group == 'all'")
    for (value, label), flux in zip(found[3:6], FLUXES, strict=True):
        row = scores.query("model == 'tamrl' and flux == @flux").iloc[0]
        assert value == f"{row['r2_q50']:.2f}".replace("-", "−")
        assert re.fullmatch(
            rf"median R² of {flux.upper()}, {row['n_sites']} held-out towers "
            r"\(90 %: −?\d+\.\d\d to −?\d+\.\d\d\)",
            label,
        )
    assert found[6] == ("13", "towers, each held out once") and len(found) == 7


def test_headings_and_captions_know_the_region(page):
    text = words(page).split("Configuration")[0]
    for word in ("Global", "global", "FLUXCOM", "truth", "demo Earth", "synthetic", "Pg C"):
        assert word not in text, word
    assert "36° N to 44° N, 10° W to 4° E, 1° and daily, upscaled from 13 eddy" in text
    assert "1 member of TAM-RL" in text and "Totals of the region" in text
    assert "All train the product; for the scores each is held out once" in text
    assert "Each tower is predicted by a model that was trained without it" in text
    figures = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(figures) >= 15 and all(words(each).endswith(".") for each in figures)
    held = pd.to_numeric(re.findall(r"which holds (\d+) % of the days at 1\d held-out", text))
    assert all(held < 80) and ("90 % prediction interval" in text) == (len(held) == 0)
