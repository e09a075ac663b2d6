"""A product year that is not over, and one more year: the same command goes on."""

import shutil

import pytest
import xarray as xr
from conftest import Run

from tamflux.files import remove

pytestmark = pytest.mark.slow

OVERLAY = """
inputs:
  era5: {path: "raw/era5/{year}/*.nc"}
  modis: {path: "raw/modis/{year}/*.hdf"}
validation: {truth: null}
"""
PRODUCT = "results/product/tamflux_{}_2002.nc"
MODIS_STEP = 16  # days of the smoke configuration


@pytest.fixture
def growing(finished_run, tmp_path):
    """A copy of the run with raw files of its own, those of the product year month by month."""
    run = Run(tmp_path / "chain")
    shutil.copytree(finished_run.folder, run.folder)
    shutil.move(run.folder / "results/demo_earth/era5", run.folder / "raw/era5")
    shutil.move(run.folder / "results/demo_earth/modis", run.folder / "raw/modis")
    (run.folder / "overlay.yaml").write_text(OVERLAY)
    for path in sorted((run.folder / "raw/era5/2002").glob("*.nc")):
        with xr.open_dataset(path, decode_times=True, mask_and_scale=False) as year:
            months = year["valid_time"].dt.month
            for month in range(1, 6):
                name = path.name.replace("2002", f"2002_{month}")
                later = run.folder / "later" / str(month) / name
                later.parent.mkdir(parents=True, exist_ok=True)
                year.sel(valid_time=months == month).to_netcdf(later)
        path.unlink()
    for number, path in enumerate(sorted((run.folder / "raw/modis/2002").glob("*.hdf"))):
        month = number * MODIS_STEP // 30 + 1
        target = run.folder / "later" / str(month) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    return run


def arrive(run, month):
    for path in sorted((run.folder / "later" / str(month)).iterdir()):
        kind = "era5" if path.suffix == ".nc" else "modis"
        shutil.move(path, run.folder / "raw" / kind / "2002" / path.name)


def make(run):
    files = ("workflow/config/smoke.yaml", "overlay.yaml")
    result = run.snakemake("--configfile", *files, "--quiet", "progress")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return result.stdout + result.stderr


def test_a_new_month_extends_the_year_and_equals_a_run_from_scratch(growing):
    for month in range(1, 5):
        arrive(growing, month)
    make(growing)
    with xr.open_dataset(growing.folder / PRODUCT.format("monthly")) as monthly:
        assert monthly.sizes["time"] == 4 and "2002-04-30" in monthly.attrs["comment"]
    arrive(growing, 5)
    said = make(growing)
    assert "train_member" not in said and "calibrate" not in said
    log = (growing.folder / "results/logs/predictors/prepare_era5_2002.log").read_text()
    assert "151 days, 120 of them as before" in log
    steps = [growing.folder / PRODUCT.format(step) for step in ("daily", "annual")]
    found = {path: path.read_bytes() for path in steps}
    with xr.open_dataset(growing.folder / PRODUCT.format("daily")) as daily:
        assert daily.sizes["time"] == 151
    # of the year nothing is left, neither results nor what was kept for the next month
    for folder in ("predictors", "predictors/era5", "predictors/modis", "tiles", "product"):
        for path in (growing.folder / "results" / folder).glob("*2002*"):
            remove(path)
        for path in (growing.folder / "results" / folder).glob(".*2002*"):
            remove(path)
    make(growing)
    log = (growing.folder / "results/logs/predictors/prepare_era5_2002.log").read_text()
    assert "151 days, 0 of them as before" in log
    for path, content in found.items():
        assert path.read_bytes() == content


def test_one_more_year_trains_nothing_and_leaves_the_files_of_the_others(finished_run, tmp_path):
    run = Run(tmp_path / "chain")
    shutil.copytree(finished_run.folder, run.folder)
    kept = {
        path: path.read_bytes()
        for folder in ("product", "models", "samples", "towers")
        for path in (run.folder / "results" / folder).rglob("*")
        if path.suffix in (".nc", ".csv", ".parquet", ".safetensors", ".json")
        if path.name != "totals.csv"  # a table of all years
    }
    (run.folder / "overlay.yaml").write_text("years: {product: [2002, 2003]}")
    said = make(run)
    assert not {"train_member", "train_fold", "calibrate", "harmonise_towers"} & {*said.split()}
    assert len(kept) > 20
    assert [path for path, content in kept.items() if path.read_bytes() != content] == []
    with xr.open_dataset(run.folder / "results/product/tamflux_daily_2003.nc") as daily:
        assert daily.sizes["time"] == 365
