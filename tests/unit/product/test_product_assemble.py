"""The daily file holds what the tiles hold, closes exactly, and is the same bytes each time."""

import hashlib
import json

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from tamflux.errors import ContractError
from tamflux.product.metadata import QUANTUM
from tamflux.uncertainty.calibration import Calibration
from tamflux.variables import FLUXES


def test_daily_equals_tiles_to_the_stated_precision(product):
    daily, tiles = xr.open_dataset(product.daily), product.source.data
    assert daily.sizes["time"] == 366
    assert daily.indexes["time"].equals(tiles.indexes["time"])
    for name in (n for flux in FLUXES for n in (flux, f"{flux}_std")):
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


def test_a_filled_koppen_class_is_flagged(source, assemble, tmp_path):
    filled = np.zeros(source.grid.shape, np.int8)
    filled[tuple(np.argwhere(source.land)[3])] = 1
    filled[tuple(np.argwhere(source.land)[50])] = 2
    filled[tuple(np.argwhere(~source.land)[5])] = 1  # water has no flag
    static = xr.load_dataset(source.static).assign(koppen_filled=(("lat", "lon"), filled))
    source.static = tmp_path / "filled.nc"
    static.to_netcdf(source.static)
    assemble(source, tmp_path / "daily.nc")
    flag = xr.load_dataset(tmp_path / "daily.nc")["quality_flag"].fillna(0).astype(int)
    np.testing.assert_array_equal(flag & 64, np.where((filled > 0) & source.land, 64, 0))
    np.testing.assert_array_equal(flag & 63, source.data["quality"])


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
    assert daily.attrs["input_era5"] == "hourly: {year}.nc"
    assert daily.attrs["input_towers"] == "*.zip"
    assert daily.attrs["tamflux_training_sites"].split()[:2] == ["XX-000", "XX-001"]
    assert json.loads(daily.attrs["tamflux_config"]) == {"seed": 7}
    table = product.source.inputs
    assert (
        daily.attrs["tamflux_inputs"]
        == f"land: 1 files, {product.source.static.stat().st_size} bytes"
    )
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert daily.attrs["tamflux_inputs_table"] == f"inputs.csv, sha256 {digest}"


def test_no_path_of_the_machine_is_in_the_file(product):
    with netCDF4.Dataset(product.daily) as file:
        attributes = {name: str(file.getncattr(name)) for name in file.ncattrs()}
    for text in attributes.values():
        assert "/home" not in text and str(product.daily.parent) not in text


def test_the_environment_leaves_no_trace_in_the_file(product, assemble, tmp_path, monkeypatch):
    for name in ("HOME", "USER", "LOGNAME", "HOSTNAME", "LANG"):
        monkeypatch.setenv(name, "/secret/elsewhere")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.chdir(tmp_path)
    assemble(product.source, tmp_path / "moved.nc")
    assert (tmp_path / "moved.nc").read_bytes() == product.daily.read_bytes()


def test_a_published_product_names_its_doi(product, assemble, aggregate, config, tmp_path):
    published = {"date": "2026-11-25", "doi": "10.5281/zenodo.1", "url": "https://example.org",
                 "email": "a@example.org"}  # fmt: skip
    assemble(
        product.source, tmp_path / "daily.nc", config | {"product": config["product"] | published}
    )
    aggregate(product.source, *(tmp_path / f"{s}.nc" for s in ("daily", "monthly", "annual")))
    for step in ("daily", "monthly"):
        attrs = xr.open_dataset(tmp_path / f"{step}.nc").attrs
        assert (attrs["id"], attrs["naming_authority"]) == ("10.5281/zenodo.1", "org.doi")
        assert attrs["references"].startswith("https://doi.org/10.5281/zenodo.1")
        assert attrs["date_created"] == "2026-11-25"
        assert attrs["creator_email"] == attrs["publisher_email"] == "a@example.org"
    assert "naming_authority" not in xr.open_dataset(product.daily).attrs


@pytest.mark.parametrize("threads", [1, 3])
def test_same_inputs_give_the_same_bytes(product, assemble, tmp_path, threads):
    assemble(product.source, tmp_path / "again.nc", threads=threads)
    assert (tmp_path / "again.nc").read_bytes() == product.daily.read_bytes()


def test_a_hole_in_the_land_is_refused_and_nothing_is_left(source, assemble, tmp_path):
    row, col = np.argwhere(source.land)[7]
    zarr.open_group(source.tiles)["reco"][100, row, col] = np.nan
    with pytest.raises(ContractError, match="do not cover the land") as error:
        assemble(source, tmp_path / "daily.nc")
    assert error.value.details["variable"] == "reco"
    assert not list(tmp_path.glob("*daily*"))


def test_fluxes_that_do_not_close_are_refused(source, assemble, tmp_path):
    row, col = np.argwhere(source.land)[7]
    zarr.open_group(source.tiles)["nee"][100, row, col] += 0.5
    with pytest.raises(ContractError, match="nee is not reco - gpp"):
        assemble(source, tmp_path / "daily.nc")


def test_static_fields_of_another_grid_are_refused(source, assemble, tmp_path):
    xr.open_dataset(source.static).isel(lat=slice(2, None)).to_netcdf(tmp_path / "other.nc")
    source.static = tmp_path / "other.nc"
    with pytest.raises(ContractError, match="another grid"):
        assemble(source, tmp_path / "daily.nc")


def test_uncertainty_and_applicability_follow_the_calibration(product):
    daily, calibration = (
        xr.open_dataset(product.daily),
        Calibration.load(product.source.calibration),
    )
    row, col = np.argwhere(product.source.land_fraction == 1)[3]
    cell = daily.isel(lat=row, lon=col)
    of_class = 1 + 0.5 * product.source.forest[row, col]
    for name in FLUXES:
        knots = of_class * 2.0 * np.array(calibration.difficulty[name])
        expected = np.interp(cell["gpp"] + cell["reco"], calibration.gross_flux_knots, knots)
        np.testing.assert_allclose(cell[f"{name}_pi90_halfwidth"], expected, atol=QUANTUM)
    distance = float(product.source.data["dissimilarity_index"][row, col])
    error = np.sqrt(float((cell["gpp"] + cell["reco"]).mean())) * (0.1 + 0.05 * min(distance, 3))
    assert float(cell["applicability"]) == pytest.approx(np.exp(-error), rel=1e-4)
    assert float(cell["dissimilarity_index"]) == pytest.approx(distance)
    unknown = np.isnan(product.source.data["dissimilarity_index"].values)
    np.testing.assert_array_equal(np.isnan(daily["applicability"]), unknown)


def test_a_damaged_calibration_is_refused(source, assemble, tmp_path):
    source.calibration.write_text("{}")
    with pytest.raises(ContractError, match="cannot read the calibration"):
        assemble(source, tmp_path / "daily.nc")
