"""A released model predicts where nobody trains: the chain without towers."""

import os
import shutil

import pytest
import xarray as xr
from conftest import Run

PRODUCT = "results/product/tamflux_daily_2002.nc"


@pytest.fixture(scope="module")
def released_run(finished_run, tmp_path_factory):
    """Files of ERA5, MODIS and the land surface, and the model of the finished run; no towers."""
    result = finished_run.snakemake("models/small")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    run = Run(tmp_path_factory.mktemp("released") / "chain")
    shutil.copytree(
        finished_run.folder, run.folder, ignore=shutil.ignore_patterns("results", ".snakemake")
    )
    for name in ("era5", "modis", "static"):
        folder = run.folder / "results/demo_earth" / name
        shutil.copytree(finished_run.folder / "results/demo_earth" / name, folder)
    (run.folder / "overlay.yaml").write_text(
        "inference: {model: models/small}\ninputs: {towers: {path: null}}\n"
    )
    return run


def overlays(*names):
    return "--configfile", "workflow/config/smoke.yaml", *names


def test_the_product_is_that_of_the_run_which_trained_the_model(finished_run, released_run):
    rules = released_run.rules(*overlays("overlay.yaml"))
    assert {"adopt_model", "predict_tiles", "assemble_product", "write_report"} <= rules
    of_towers = {rule for rule in rules if "train" in rule or "tower" in rule or "calib" in rule}
    assert of_towers == {"list_towers"}  # those that the released model names
    result = released_run.snakemake(*overlays("overlay.yaml"))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    with (
        xr.open_dataset(released_run.folder / PRODUCT) as found,
        xr.open_dataset(finished_run.folder / PRODUCT) as expected,
    ):
        xr.testing.assert_equal(found, expected)  # fluxes, intervals, flags
        assert found["gpp_pi90_halfwidth"].max() > 0 and found["dissimilarity_index"].max() > 0
        assert found.attrs["tamflux_training_sites"] == expected.attrs["tamflux_training_sites"]
        assert "SYNTHETIC" in found.attrs["source"]
    page = (released_run.folder / "results/report.html").read_text()
    assert "Released model" in page and "held-out towers" not in page
    assert (released_run.folder / "results/models/model_card.md").read_bytes() == (
        finished_run.folder / "models/small/model_card.md"
    ).read_bytes()
    assert released_run.rules(*overlays("overlay.yaml")) == set()


def test_check_names_what_the_model_needs_and_the_cube_lacks(released_run):
    (released_run.folder / "fewer.yaml").write_text("predictors: {variables: [t2m, ndvi]}")
    result = released_run.snakemake("check", *overlays("overlay.yaml", "fewer.yaml"))
    said = " ".join((result.stdout + result.stderr).split())
    assert result.returncode != 0
    assert "the model needs predictors that the cube lacks" in said and "ssrd" in said


def test_a_damaged_model_stops_before_any_flux(released_run):
    folder = released_run.folder / "models/damaged"
    shutil.copytree(released_run.folder / "models/small", folder)
    os.truncate(folder / "member_1.safetensors", 1000)
    (released_run.folder / "damaged.yaml").write_text("inference: {model: models/damaged}")
    files = overlays("overlay.yaml", "damaged.yaml")
    result = released_run.snakemake("results/models/calibration.json", *files)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "a file of the released model is damaged" in said and "member_1.safetensors" in said
