"""A month of weather missing over a continent: refused, or missing and nowhere narrower."""

import shutil

import netCDF4
import numpy as np
import pytest
import xarray as xr
from conftest import Run

from tamflux.checksums import record_checksums

pytestmark = pytest.mark.slow

JULY = slice(181, 212)
AFRICA = {"lat": (-35, 37), "lon": (-18, 52)}
SMOKE = ("--configfile", "workflow/config/smoke.yaml")
TARGET = ("--", "results/product/totals.csv")


@pytest.fixture
def gappy(finished_run, tmp_path) -> Run:
    """A copy of the finished run whose mean temperature lacks a July over Africa."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    path = folder / "results/demo_earth/era5/2002/2m_temperature_daily_mean_2002.nc"
    with netCDF4.Dataset(path, "r+") as file:
        places = {"lat": file["latitude"][:], "lon": (file["longitude"][:] + 180) % 360 - 180}
        inside = [(places[n] > low) & (places[n] < high) for n, (low, high) in AFRICA.items()]
        values = np.ma.filled(file["t2m"][JULY].astype(np.float32), np.nan)
        values[:, inside[0][:, None] & inside[1]] = np.nan
        file["t2m"][JULY] = values
    record_checksums(path)  # as if the provider's file were so
    return Run(folder)


def daily(run):
    return xr.load_dataset(run.folder / "results/product/tamflux_daily_2002.nc")


def test_it_is_refused_and_the_old_product_is_not_taken_for_new(gappy):
    before = daily(gappy)
    result = gappy.snakemake(*SMOKE, *TARGET)
    said = result.stdout + result.stderr
    assert result.returncode != 0 and "weather is missing for too many days" in said
    assert "2002-07-01 to 2002-07-31" in said and "predictors.allow_gaps" in said
    xr.testing.assert_identical(daily(gappy), before)
    assert {"prepare_era5", "assemble_cube", "predict_tiles"} <= gappy.rules(*SMOKE, *TARGET)


def test_with_allow_gaps_it_is_missing_and_nothing_else_changes(finished_run, gappy):
    """Dates alone count, not the setting: the trained model stays as it is."""
    (gappy.folder / "gaps.yaml").write_text("predictors: {allow_gaps: true}\n")
    arguments = ("--rerun-triggers", "mtime", *SMOKE, "gaps.yaml", *TARGET)
    rules = gappy.rules(*arguments)
    assert "predict_tiles" in rules and not any(rule.startswith("train") for rule in rules)
    result = gappy.snakemake(*arguments)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    compare(daily(finished_run), daily(gappy))


def compare(whole, found):
    """Assert what a product with a gap has to be, given the product without."""
    land = whole["gpp"].notnull().any("time")
    lost = found["gpp"].isnull() & whole["gpp"].notnull()
    cells = lost.any("time")
    at = cells.where(cells, drop=True)
    for name, (low, high) in AFRICA.items():
        assert (at[name] > low).all() and (at[name] < high).all()
    days = lost.values[:, cells.values]
    assert int(cells.sum()) > 10 and days[JULY].all() and days.sum() == 31 * int(cells.sum())
    touched = (found["quality_flag"] != whole["quality_flag"]) & land
    assert bool(touched.where(cells, True).all())
    for name in (name for name, values in whole.items() if "lat" in values.dims):
        xr.testing.assert_equal(found[name].where(~touched), whole[name].where(~touched))
    for flux in ("gpp", "reco", "nee"):
        name = f"{flux}_pi90_halfwidth"
        assert not (found[name] < whole[name]).any()
        later = slice(JULY.stop, JULY.stop + 31)
        of_cells = [product[name][later].where(cells).mean() for product in (found, whole)]
        assert float(of_cells[0]) > float(of_cells[1])
    assert not (found["dissimilarity_index"] < whole["dissimilarity_index"]).any()
    assert not (found["applicability"] > whole["applicability"]).any()
