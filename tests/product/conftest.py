"""The files of one product year, named by the environment (see rule `test_product`)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

ROWS = 60


def product_path(name: str) -> Path:
    """Path in the variable TAMFLUX_{NAME}; a test that needs it is skipped where it is not set."""
    variable = f"TAMFLUX_{name.upper()}"
    if variable not in os.environ:
        pytest.skip(f"no product to test: {variable} is not set (run rule test_product)")
    return Path(os.environ[variable])


def _dataset(name: str) -> Iterator[xr.Dataset]:
    with xr.open_dataset(product_path(name)) as dataset:
        yield dataset


@pytest.fixture(scope="session")
def daily():
    yield from _dataset("daily")


@pytest.fixture(scope="session")
def monthly():
    yield from _dataset("monthly")


@pytest.fixture(scope="session")
def annual():
    yield from _dataset("annual")


@pytest.fixture(scope="session")
def static():
    yield from _dataset("static")


@pytest.fixture(scope="session")
def totals():
    return pd.read_csv(product_path("totals"))


@pytest.fixture
def row_blocks(daily, static):
    """Function of names: those variables and the land (True or False) by row blocks, in memory."""
    land = static["land_fraction"] > 0

    def blocks(*names):
        fields = daily[[*names, "quality_flag", "cell_area", "land_fraction"]]
        for start in range(0, daily.sizes["lat"], ROWS):
            rows = slice(start, start + ROWS)
            yield fields.isel(lat=rows).load(), land.isel(lat=rows).to_numpy()

    return blocks
