"""Two products that differ in known ways."""

import json
import shutil

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamflux.errors import ConfigError, ContractError
from tamflux.figures.version_figures import plot_version_differences
from tamflux.product.versions import compare_versions
from tamflux.variables import FLUXES

OUT = ("maps.nc", "totals.csv", "provenance.csv")


@pytest.fixture
def versions(results, tabulate, product, tmp_path):
    """Results of an old and a new version: other GPP, a setting, a tower and a raw file."""
    files = (results / "product" / f"tamflux_{step}_2004.nc" for step in ("annual", "monthly"))
    tabulate(product.source, *files)
    new = tmp_path / "new"
    shutil.copytree(results, new)
    annual = new / "product" / "tamflux_annual_2004.nc"
    with netCDF4.Dataset(annual, "a") as file:
        file["gpp"][:] = file["gpp"][:] + 0.5
        settings = json.loads(file.tamflux_config)
        file.tamflux_config = json.dumps(settings | {"seed": 8})
        file.tamflux_training_sites = file.tamflux_training_sites.replace("XX-001", "YY-001")
    inputs = pd.read_csv(new / "product" / "inputs_2004.csv")
    inputs.assign(sha256="f" * 64).to_csv(new / "product" / "inputs_2004.csv", index=False)
    totals = pd.read_csv(new / "product" / "totals.csv")
    totals.assign(gpp=totals["gpp"] + 1).to_csv(new / "product" / "totals.csv", index=False)
    return results, new


def test_what_differs_is_listed_and_nothing_else(versions, product, tmp_path):
    out = [tmp_path / name for name in OUT]
    compare_versions(*versions, *out)
    with xr.open_dataset(out[0]) as maps:
        land = product.source.land
        np.testing.assert_allclose(maps["gpp"][0].to_numpy()[land], 0.5, atol=1e-5)
        assert np.isnan(maps["gpp"][0].to_numpy()[~land]).all()
        assert (maps["nee"][0].to_numpy()[land] == 0).all()
        assert maps["gpp"].attrs["units"] == "g m-2 d-1"
    totals = pd.read_csv(out[1])
    np.testing.assert_allclose(totals["gpp_difference"], 1, rtol=1e-4)
    assert (totals["nee_difference"] == 0).all() and totals["gpp_pi90_halfwidth"].gt(0).all()
    changes = pd.read_csv(out[2], keep_default_na=False).to_dict("records")
    found = {(row["kind"], row["name"]): (row["old"], row["new"]) for row in changes}
    file = next(name for kind, name in found if kind == "file")
    assert file == "land static.nc" and found["file", file][1] == "f" * 16
    assert found["setting", "config.seed"] == ("7", "8")
    assert found["tower", "XX-001"] == ("trains", "") and found["tower", "YY-001"][1] == "trains"
    assert len(found) == 4
    plot_version_differences(out[0], tmp_path / "maps.png")
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")


def test_equal_products_differ_in_nothing(results, tabulate, product, tmp_path):
    files = (results / "product" / f"tamflux_{step}_2004.nc" for step in ("annual", "monthly"))
    tabulate(product.source, *files)
    out = [tmp_path / name for name in OUT]
    compare_versions(results, results, *out)
    assert pd.read_csv(out[2]).empty
    assert (pd.read_csv(out[1])[[f"{flux}_difference" for flux in FLUXES]] == 0).all(axis=None)


def test_products_that_cannot_be_compared(versions, tmp_path):
    old, new = versions
    out = [tmp_path / name for name in OUT]
    with pytest.raises(ConfigError, match="no product yet"):
        compare_versions(tmp_path / "nowhere", new, *out)
    annual = old / "product" / "tamflux_annual_2004.nc"
    with xr.open_dataset(annual) as file:
        half = file.isel(lat=slice(0, 10)).load()
    half.to_netcdf(annual)
    with pytest.raises(ContractError, match="different grids") as caught:
        compare_versions(old, new, *out)
    assert "10 cells" in str(caught.value)
    annual.rename(annual.with_name("tamflux_annual_1999.nc"))
    with pytest.raises(ContractError, match="no year in common"):
        compare_versions(old, new, *out)
    assert not any(path.exists() for path in out)
