"""Copies of the product for ILAMB and as Zarr hold the same numbers."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from xarray.testing import assert_equal

from tamflux.errors import ContractError
from tamflux.product.ilamb import write_cells, write_flux
from tamflux.product.zarr_copy import CHUNKS, copy_to_zarr


@pytest.mark.parametrize("flux", ["gpp", "reco", "nee"])
def test_ilamb_files_hold_the_monthly_means(product, flux, tmp_path):
    write_flux([product.monthly], flux, tmp_path / f"{flux}.nc")
    copy, monthly = xr.open_dataset(tmp_path / f"{flux}.nc"), xr.open_dataset(product.monthly)
    assert copy[flux].attrs["units"] == "kg m-2 s-1"
    np.testing.assert_allclose(copy[flux] * 86400 * 1000, monthly[flux], rtol=1e-6)
    np.testing.assert_array_equal(copy["time_bnds"], monthly["time_bnds"])
    assert str(copy["time"].values[1])[:13] == "2004-02-15T12"  # middle of a February of 29 days
    assert sorted(copy.data_vars) == sorted([flux, "time_bnds", "lat_bnds", "lon_bnds"])


def test_ilamb_cells_give_the_land_area(product, tmp_path):
    write_cells(product.monthly, tmp_path / "areacella.nc", tmp_path / "sftlf.nc")
    area, land = (xr.open_dataset(tmp_path / f"{n}.nc")[n] for n in ("areacella", "sftlf"))
    monthly = xr.open_dataset(product.monthly)
    expected = float((monthly["cell_area"] * monthly["land_fraction"]).sum())
    assert float((area.astype(float) * land / 100).sum()) == pytest.approx(expected, rel=1e-6)


def test_years_that_do_not_adjoin_are_refused(product, tmp_path):
    later = tmp_path / "later.nc"
    later.write_bytes(product.monthly.read_bytes())
    with netCDF4.Dataset(later, "a") as file:
        file["time_bnds"][:] = file["time_bnds"][:] + (365 + 365 + 365 + 366)
    with pytest.raises(ContractError, match="do not follow one another"):
        write_flux([product.monthly, later], "gpp", tmp_path / "gpp.nc")
    assert not (tmp_path / "gpp.nc").exists()


def test_the_zarr_copy_equals_the_file(product, tmp_path):
    copy_to_zarr(product.daily, tmp_path / "daily.zarr")
    copy = xr.open_zarr(tmp_path / "daily.zarr", consolidated=True)
    daily = xr.open_dataset(product.daily)
    assert_equal(copy.load(), daily.load())
    assert copy.attrs.keys() == daily.attrs.keys()
    assert copy["nee"].attrs == daily["nee"].attrs
    gpp = zarr.open_group(tmp_path / "daily.zarr", mode="r")["gpp"]
    assert gpp.chunks == (366, min(CHUNKS["lat"], gpp.shape[1]), min(CHUNKS["lon"], gpp.shape[2]))
