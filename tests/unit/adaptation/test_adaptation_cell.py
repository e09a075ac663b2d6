"""A cell's series beside the file of a tower whose fluxes are known multiples of it."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from toy_planet import write_planet

from tamflux.adaptation.cell import adapt_cell, add_measured
from tamflux.adaptation.correction import Correction
from tamflux.adaptation.features import N_COEFFICIENTS
from tamflux.errors import ContractError, InputError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.training.checkpoint import ModelSpec
from tamflux.variables import FLUXES, PREDICTORS

NAMES = ("ssrd", "t2m", "evi")  # the planet has no evi
DAYS = pd.date_range("2004-01-01", "2004-12-31")
SPEC = ModelSpec(
    model="tamrl", hidden_size=4, embedding_size=2, trees=0, lookback_days=365,
    predictors=NAMES, units=tuple(PREDICTORS[name].units for name in NAMES),
    static_features=STATIC_FEATURES, optional=("evi",), mean=(150, 10, 0.3), sd=(90, 8, 0.2),
    flux_scale=(3, 2, 2), training_sites=("AA-One",),
)  # fmt: skip


@pytest.fixture(scope="module")
def planet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planet")
    write_planet(folder)
    return folder


def cell(days=DAYS):
    """A site as `read_site` gives it, whose gpp and reco follow the season."""
    season = 1 - np.cos(2 * np.pi * (days.day_of_year.to_numpy() - 15) / 366)
    fluxes = {"gpp": 3 * season + 0.5, "reco": 2 * season + 0.5}
    fluxes["nee"] = fluxes["reco"] - fluxes["gpp"]
    data = {name: ("time", values) for name, values in fluxes.items()}
    data |= {f"{name}_pi90_halfwidth": ("time", np.ones(len(days))) for name in fluxes}
    data["igbp_GRA"] = ((), 0.8)
    attrs = {"requested_lat": 37.4, "requested_lon": 22.6, "koppen": "Csa"}
    return xr.Dataset(data, {"time": days}, attrs)


def write_tower(folder, days, factor=1.5):
    """A daily table whose gpp and reco are `factor` times those of the cell; half is measured."""
    site = cell(days)
    table = pd.DataFrame({"TIMESTAMP": days.strftime("%Y%m%d"), "TA_F": 10.0})
    table["GPP_NT_VUT_REF"] = factor * site["gpp"].to_numpy()
    table["RECO_NT_VUT_REF"] = factor * site["reco"].to_numpy()
    table["NEE_VUT_REF"] = factor * site["nee"].to_numpy()
    table["NEE_VUT_REF_QC"] = np.where(np.arange(len(days)) % 2, 1.0, 0.3)
    path = folder / "FLX_FI-Tst_FLUXNET2015_SUBSET_DD_2004-2005_1-4.csv"
    table.to_csv(path, index=False)
    return path


def test_measured_days_stand_beside_the_cell(tmp_path):
    days = pd.date_range("2004-03-01", "2005-03-31")
    site_id, table = add_measured(cell(), [write_tower(tmp_path, days)])
    assert site_id == "FI-Tst" and table["date"].tolist() == list(DAYS)
    measured = table["date"] >= "2004-03-01"
    np.testing.assert_array_equal(table["gpp_observed"].notna(), measured)
    np.testing.assert_allclose(table["gpp_observed"][measured], 1.5 * table["gpp"][measured])
    assert table["used"].sum() == (measured & (table["qc"] == 1)).sum() == 153


def test_an_adapted_cell_follows_the_tower(planet, tmp_path):
    correction = Correction(
        np.zeros((3, N_COEFFICIENTS)), np.tile(0.2 * np.eye(N_COEFFICIENTS), (3, 1, 1)),
        np.full(3, 0.05),
    )  # fmt: skip
    _, table = add_measured(cell(), [write_tower(tmp_path, DAYS)])
    cubes = [planet / "2003.zarr", planet / "2004.zarr"]
    adapted = adapt_cell(table, cubes, 37.5, 22.5, correction, SPEC)
    pd.testing.assert_frame_equal(adapted[table.columns], table)
    unused = ~table["used"]  # not seen by the correction
    for flux in FLUXES:
        truth = table[f"{flux}_observed"][unused]
        error = (adapted[f"{flux}_adapted"][unused] - truth).abs().mean()
        assert error < 0.3 * (table[flux][unused] - truth).abs().mean()
        assert adapted[f"{flux}_adapted_pi90_halfwidth"].gt(0).all()
    balance = adapted["reco_adapted"] - adapted["gpp_adapted"]
    np.testing.assert_allclose(adapted["nee_adapted"], balance, atol=1e-6)
    with pytest.raises(ContractError, match="do not hold all days"):
        adapt_cell(table, cubes[:1], 37.5, 22.5, correction, SPEC)


def test_a_tower_of_other_years(tmp_path):
    path = write_tower(tmp_path, pd.date_range("2010-01-01", "2010-12-31"))
    with pytest.raises(InputError, match="no well measured day") as caught:
        add_measured(cell(), [path])
    assert "found: 2010-01-01 to 2010-12-31" in str(caught.value)
