"""What a finished run answers: other folders, series of points, another version."""

import shutil

import pandas as pd
import pytest
import xarray as xr
from conftest import Run

SMOKE = "workflow/config/smoke.yaml"


@pytest.fixture(scope="module")
def moved(finished_run, tmp_path_factory) -> Run:
    """The finished run in another place, under another name."""
    run = Run(tmp_path_factory.mktemp("elsewhere") / "new name")
    shutil.copytree(finished_run.folder, run.folder)
    return run


def test_a_moved_folder_has_nothing_to_do(moved):
    assert moved.rules() == set()


@pytest.mark.slow
def test_a_second_configuration_has_a_folder_of_its_own(moved):
    """The path of the configuration counts from the first folder, the results from the second."""
    static = moved.folder / "results/predictors/static.nc"
    before = static.read_bytes()
    (moved.folder / "iberia.yaml").write_text("grid: {bbox: [-24, 30, 12, 54], tile_size: 2}\n")
    said = moved.snakemake(
        "results/predictors/static.nc", "--directory", "../iberia",
        "--configfile", SMOKE, "iberia.yaml",
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    with xr.open_dataset(moved.folder / "../iberia/results/predictors/static.nc") as file:
        assert -24 < file["lon"].min() and file["lat"].max() < 54
    assert static.read_bytes() == before
    (moved.folder / "iberia.yaml").unlink()
    assert moved.rules() == set()


def test_series_of_a_table_of_points(moved):
    towers = pd.read_csv(moved.folder / "results/product/towers.csv")
    assert {"licence", "doi", "citation"} <= {*towers} and len(towers) > 2
    towers[["site_id", "lat", "lon"]].head(2).to_csv(moved.folder / "points.csv", index=False)
    (moved.folder / "points.yaml").write_text("product: {sites: points.csv}\n")
    overlay = ["--configfile", SMOKE, "points.yaml"]
    assert moved.rules(*overlay) == {"all", "write_report", "write_sites"}  # it names the keys
    said = moved.snakemake("results/product/sites", *overlay)
    assert said.returncode == 0, said.stdout + said.stderr
    folder = moved.folder / "results/product/sites"
    sites = pd.read_csv(folder / "sites.csv", keep_default_na=False)
    assert len(sites) == 2 and sites["nearest_towers"].str.startswith(sites["site_id"][0]).any()
    for site_id in sites["site_id"][sites["problem"] == ""]:
        assert len(pd.read_csv(folder / f"{site_id}.csv")) == 365


@pytest.mark.slow
def test_two_versions_are_compared(moved, finished_run):
    said = moved.snakemake("compare_versions")
    assert said.returncode != 0
    assert "there is no other version to compare with" in said.stdout + said.stderr
    old = finished_run.folder / "results"
    said = moved.snakemake("compare_versions", "--config", f"previous_results={old}")
    assert said.returncode == 0, said.stdout + said.stderr
    folder = moved.folder / "results/versions"
    assert pd.read_csv(folder / "provenance.csv").empty
    totals = pd.read_csv(folder / "totals.csv", keep_default_na=False)
    assert len(totals) > 10 and (totals["gpp_difference"] == 0).all()
    assert (folder / "differences.png").is_file()
