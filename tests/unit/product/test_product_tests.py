"""The tests of a product refuse damaged products: silent fills, lost flags, invented means."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import netCDF4
import pytest
import zarr
from numpy import argwhere, nan

from tamflux.variables import FLUXES

TESTS = Path(__file__).parents[2] / "product"
NAMES = [f"{flux}{part}" for flux in FLUXES for part in ("", "_std", "_pi90_halfwidth")]
APPLICABLE = "missing_only or close or means or totals"  # the others need vegetation


@pytest.fixture(scope="module")
def gappy(make_tiles, assemble, aggregate, tabulate, tmp_path_factory):
    """A product that lacks 11 and 12 January, and July, in a cell; its folder and the cell."""
    folder = tmp_path_factory.mktemp("tested")
    source = make_tiles(folder, 2003)
    row, col = argwhere(source.land_fraction == 1)[9]
    store = zarr.open_group(source.tiles)
    store["quality"][row, col] |= 32
    for name in (f"{flux}{part}" for flux in FLUXES for part in ("", "_std")):
        for days in (slice(10, 12), slice(181, 212)):
            store[name][days, row, col] = nan
    paths = [folder / f"{step}.nc" for step in ("daily", "monthly", "annual")]
    assemble(source, paths[0])
    aggregate(source, *paths)
    tabulate(source, paths[2], paths[1])
    return folder, (row, col)


def intact(folder, row, col):
    pass


def lose_the_flag(folder, row, col):
    for step in ("daily", "monthly", "annual"):
        with netCDF4.Dataset(folder / f"{step}.nc", "a") as file:
            file["quality_flag"][row, col] &= ~32


def fill_the_days(folder, row, col):
    with netCDF4.Dataset(folder / "daily.nc", "a") as file:
        for name in NAMES:
            file[name][:, row, col] = file[name][5, row, col]


def fill_one_variable(folder, row, col):
    with netCDF4.Dataset(folder / "daily.nc", "a") as file:
        file["gpp_std"][11, row, col] = 1.0


def lose_a_day_elsewhere(folder, row, col):
    with netCDF4.Dataset(folder / "daily.nc", "a") as file:
        land = argwhere(file["land_fraction"][:] == 1)[20]
        for name in NAMES:
            file[name][100, land[0], land[1]] = -9999


def invent_a_mean(folder, row, col):
    with netCDF4.Dataset(folder / "monthly.nc", "a") as file:
        for name in NAMES:
            file[name][6, row, col] = 0.0


def break_the_closure(folder, row, col):
    with netCDF4.Dataset(folder / "annual.nc", "a") as file:
        land = argwhere(file["land_fraction"][:] == 1)[20]
        file["nee"][0, land[0], land[1]] += 1e-4


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        (intact, None),
        (lose_the_flag, "without a flag"),
        (fill_the_days, "lack no day"),
        (fill_one_variable, "gpp_std"),
        (lose_a_day_elsewhere, "without a flag"),
        (invent_a_mean, "test_means_of_the_daily_file"),
        (break_the_closure, "test_aggregates_close"),
    ],
)
def test_the_tests_of_a_product_notice(gappy, tmp_path, damage, failing):
    folder = tmp_path / "product"
    shutil.copytree(gappy[0], folder, ignore=shutil.ignore_patterns("*.zarr"))
    damage(folder, *gappy[1])
    names = {"DAILY": "daily.nc", "MONTHLY": "monthly.nc", "ANNUAL": "annual.nc",
             "TOTALS": "totals.csv", "STATIC": "static.nc"}  # fmt: skip
    paths = {f"TAMFLUX_{name}": str(folder / file) for name, file in names.items()}
    tests = [TESTS / "test_daily.py", TESTS / "test_aggregates.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", APPLICABLE]
    done = subprocess.run(
        [*command, *map(str, tests)], env=os.environ | paths, capture_output=True, text=True
    )
    assert done.returncode == (0 if failing is None else 1), done.stdout + done.stderr
    assert failing is None or failing in done.stdout
