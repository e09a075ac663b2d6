"""Site-days against the sun, the climate and each other: what is said; real towers pass."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuzz.sites import write_sites

from tamflux.samples.site_check import find_site_problems
from tamflux.samples.site_table import read_days, read_sites

REAL = Path(__file__).parents[4] / "shared" / "data" / "fluxnet2015"


@pytest.fixture
def tables(tmp_path):
    write_sites(tmp_path)
    sites = read_sites(tmp_path / "sites.csv", 2)
    return read_days(tmp_path / "days.parquet", sites, need_fluxes=True), sites


def test_plausible_sites_have_no_problem(tables):
    assert find_site_problems(*tables) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(t2m=d["t2m"] + 20), "20 K warmer than the climate"),
        (lambda d: d.assign(ssrd=d["ssrd"] * 0.0864), "of that at the top of the atmosphere"),
        (lambda d: d.assign(ssrd=d["ssrd"] * 2.1), "exceeds that at the top of the atmosphere"),
        (lambda d: d.assign(t2m=np.roll(d["t2m"], 90)), "seasons"),
        (lambda d: d.assign(tp=d["tp"] * 30.4), "times that of the climatology"),
        (lambda d: d.assign(nee=-d["nee"]), "NEE and RECO - GPP"),
        (lambda d: d.assign(gpp=d["reco"], reco=d["gpp"]), "NEE and RECO - GPP"),
        (lambda d: d.assign(reco=d["reco"] / 1000), "another unit"),
    ],
)
def test_what_contradicts_is_said(tables, change, message):
    days, sites = tables
    assert any(message in problem for problem in find_site_problems(change(days), sites))


def test_carbon_dioxide_in_place_of_carbon_is_said(tables):
    days, sites = tables
    names = [f"{site}-{copy}" for copy in "ab" for site in sites["site_id"]]
    more = pd.concat([days.assign(site_id=days["site_id"] + f"-{copy}") for copy in "ab"])
    fluxes = more[["gpp", "reco", "nee"]]
    places = pd.concat([sites, sites]).assign(site_id=names)
    assert find_site_problems(more, places) == []
    for factor in (44 / 12, 12 / 44):
        problems = find_site_problems(more.assign(**fluxes * factor), places)
        assert any("(not CO2)" in problem for problem in problems)


def test_another_hemisphere_is_said(tables):
    days, sites = tables
    problems = find_site_problems(days, sites.assign(lat=-sites["lat"]))
    assert any(problem.startswith("AA-One") for problem in problems)


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.is_dir(), reason="no files of FLUXNET2015")
def test_hardly_any_real_tower_has_a_problem():
    sites = read_sites(REAL / "sites.csv", None)
    days = read_days(REAL / "site_days.parquet", sites, need_fluxes=True)
    assert days["site_id"].nunique() > 100
    found = find_site_problems(days, sites)
    assert len(found) <= 7 and all("the climate of the place supports" in text for text in found)
