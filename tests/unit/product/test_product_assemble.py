"""The daily file holds what the tiles hold, closes exactly, and is the same bytes each time."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.product.assemble import assemble_product
from tamflux.product.metadata import QUANTUM
from tamflux.uncertainty.calibration import Calibration
from tamflux.variables import FLUXES


def test_daily_equals_tiles_to_the_stated_precision(product):
    daily, tiles = xr.open_dataset(product.daily), product.source.data
    assert daily.sizes["time"] == 366
    assert daily.indexes["time"].equals(tiles.indexes["time"])
    for name in (n for flux in FLUXES for n in (flux, f"{flux}_spread")):
        bound = QUANTUM if name == "nee" else QUANTUM / 2  # nee: two roundings
        gap = np.abs(daily[name].values - tiles[name].values)
        assert np.nanmax(gap) <= bound + 1e-6
        np.testing.assert_array_equal(np.isnan(gap), np.isnan(tiles[name].values))


def test_fluxes_close_exactly(product):
    daily = xr.open_dataset(product.daily)
    np.testing.assert_array_equal(daily["nee"], daily["reco"] - daily["gpp"])


def test_water_is_filled_in_the_file(product):
    with netCDF4.Dataset(product.daily) as file:
        file.set_auto_mask(False)
        water = ~product.source.land
        assert (file["gpp"][:][:, water] == -9999).all()
        assert (file["quality_flag"][:][water] == -1).all()


def test_static_fields(product):
    daily = xr.open_dataset(product.daily)
    np.testing.assert_allclose(daily["cell_area"].sum(), 4 * np.pi * 6371007.181**2, rtol=1e-9)
    np.testing.assert_array_equal(daily["land_fraction"], product.source.land_fraction)
    np.testing.assert_array_equal(
        daily["quality_flag"].fillna(0), product.source.data["quality"].values
    )


def test_attributes_name_units_signs_and_origin(product):
    daily = xr.open_dataset(product.daily)
    assert daily["nee"].attrs["units"] == "g m-2 d-1"
    assert "expressed as carbon" in daily["reco"].attrs["long_name"]
    assert "positive upward" in daily["nee"].attrs["long_name"]
    assert "standard_name" not in daily["nee"].attrs
    assert daily.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    assert "1" * 16 in daily.attrs["tamflux_checkpoints"]
    assert "3 members, trained at 40" in daily.attrs["source"]
    assert '"seed": 2' in daily.attrs["tamflux_training"]
    assert daily.attrs["input_era5"] == "hourly: era5/{year}.nc"


def test_same_inputs_give_the_same_bytes(product, config, tmp_path):
    assemble_product(
        product.source.tiles,
        product.source.static,
        product.source.calibration,
        tmp_path / "again.nc",
        **config,
    )
    assert (tmp_path / "again.nc").read_bytes() == product.daily.read_bytes()


def test_a_hole_in_the_land_is_refused_and_nothing_is_left(source, config, tmp_path):
    row, col = np.argwhere(source.land)[7]
    zarr.open_group(source.tiles)["reco"][100, row, col] = np.nan
    with pytest.raises(ContractError, match="do not cover the land") as error:
        assemble_product(
            source.tiles, source.static, source.calibration, tmp_path / "daily.nc", **config
        )
    assert error.value.details["variable"] == "reco"
    assert not list(tmp_path.glob("*daily*"))


def test_fluxes_that_do_not_close_are_refused(source, config, tmp_path):
    row, col = np.argwhere(source.land)[7]
    zarr.open_group(source.tiles)["nee"][100, row, col] += 0.5
    with pytest.raises(ContractError, match="nee is not reco - gpp"):
        assemble_product(
            source.tiles, source.static, source.calibration, tmp_path / "daily.nc", **config
        )


def test_static_fields_of_another_grid_are_refused(source, config, tmp_path):
    xr.open_dataset(source.static).isel(lat=slice(2, None)).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(ContractError, match="another grid"):
        assemble_product(
            source.tiles, tmp_path / "other.nc", source.calibration, tmp_path / "daily.nc", **config
        )


def test_uncertainty_and_applicability_follow_the_calibration(product):
    daily, calibration = (
        xr.open_dataset(product.daily),
        Calibration.load(product.source.calibration),
    )
    row, col = np.argwhere(product.source.land_fraction == 1)[3]
    cell = daily.isel(lat=row, lon=col)
    for name in FLUXES:
        knots = 2.0 * np.array(calibration.scale[name])
        expected = np.interp(cell["gpp"] + cell["reco"], calibration.activity, knots)
        np.testing.assert_allclose(cell[f"{name}_uncertainty"], expected, atol=QUANTUM)
    distance = float(product.source.data["distance"][row, col])
    error = np.sqrt(float((cell["gpp"] + cell["reco"]).mean())) * (0.1 + 0.05 * min(distance, 3))
    assert float(cell["applicability"]) == pytest.approx(np.exp(-error), rel=1e-4)
    assert float(cell["training_distance"]) == pytest.approx(distance)
    unknown = np.isnan(product.source.data["distance"].values)
    np.testing.assert_array_equal(np.isnan(daily["applicability"]), unknown)


def test_a_damaged_calibration_is_refused(source, config, tmp_path):
    source.calibration.write_text("{}")
    with pytest.raises(ContractError, match="cannot read the calibration"):
        assemble_product(
            source.tiles, source.static, source.calibration, tmp_path / "daily.nc", **config
        )
