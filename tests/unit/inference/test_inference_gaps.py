"""Weather missing over a block of cells: fluxes are missing there, nothing else gets surer."""

import numpy as np
import pytest
import xarray as xr
import zarr
from calibrations import make_calibration
from test_inference_real_model import FEATURES, write_members
from toy_planet import write_feature_space, write_planet

from tamflux.inference.predict import predict_tiles
from tamflux.predictors.cube import consolidate
from tamflux.training.gaps import gap_memory
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS

MONTH = slice(182, 213)  # July of 2004
BLOCK = slice(6, 10), slice(6, 10)  # with coast and barren land
FLUXES = ["gpp", "reco", "nee"]
RUN = {"workers": 2, "batch_cells": 40}


@pytest.fixture(scope="module")
def planets(tmp_path_factory):
    """Tiles by the name of the change of the cubes: none, a gap, a filled month, and more."""

    def make(name, *changes):
        folder = tmp_path_factory.mktemp(name)
        planet = write_planet(folder)
        planet["checkpoints"] = write_members(folder)
        planet["feature_space"] = write_feature_space(folder, **FEATURES)
        for cube, change in changes:
            change(zarr.open_group(planet[cube], mode="r+", use_consolidated=False))
            consolidate(planet[cube])
        predict_tiles(**planet, output=folder / "t_2004.zarr", **RUN)
        return xr.open_zarr(folder / "t_2004.zarr").load()

    return {
        "data": make("data"),
        "gap": make("gap", ("cube", remove("t2m", MONTH))),
        "flagged": make("flagged", ("cube", flag(3, MONTH))),
        "filled": make("filled", ("cube", flag(1, MONTH)), ("lookback", flag(2, MONTH))),
        "before": make("before", ("lookback", remove("t2m", MONTH))),
        "unknown": make("unknown", ("lookback", remove("ssrd", slice(0, 200)))),
        "dark": make("dark", ("cube", remove("ndvi", MONTH))),
    }


def remove(name, days):
    def change(group):
        group[name][days, *BLOCK] = np.nan

    return change


def flag(value, days):
    """A cube with the variable `weather_filled`."""

    def change(group):
        like = group["refl_filled"]
        array = group.create_array("weather_filled", shape=like.shape, chunks=like.chunks,
                                   dtype="int8", fill_value=0,
                                   dimension_names=("time", "lat", "lon"))  # fmt: skip
        array[days, *BLOCK] = value
        array.attrs.update(units="1", tiles_written=array.nchunks_initialized)

    return change


@pytest.fixture(scope="module")
def inside():
    mask = np.zeros((12, 24), bool)
    mask[BLOCK] = True
    return xr.DataArray(mask, dims=("lat", "lon"))


def half_width(tiles, flux):
    """Of an interval that widens with the flux up to the last knot."""
    intervals = make_calibration(np.linspace(0.2, 3, len(GROSS_FLUX_KNOTS)))
    gpp, reco, memory = (tiles[name].values for name in ("gpp", "reco", "gap_memory"))
    return intervals.half_width(flux, gpp, reco, gap_memory=memory)


@pytest.mark.parametrize("name", ["gap", "flagged", "filled", "before", "unknown", "dark"])
def test_cells_elsewhere_are_the_same_to_the_bit(planets, inside, name):
    data, found = planets["data"], planets[name]
    xr.testing.assert_equal(found.where(~inside), data.where(~inside))
    assert not found["gap_memory"].where(~inside, 0).any()


@pytest.mark.parametrize("name", ["gap", "flagged"])
def test_fluxes_are_missing_where_weather_is_and_only_there(planets, inside, name):
    data, found = planets["data"], planets[name]
    vegetated = (data["quality"] & 2) == 0
    without = (inside & vegetated & found["time"].isin(found["time"][MONTH])).transpose(
        "time", "lat", "lon"
    )
    for flux in [*FLUXES, "gpp_std", "reco_std", "nee_std"]:
        np.testing.assert_array_equal(np.isnan(found[flux]), np.isnan(data[flux]) | without)
    assert (found["quality"].values[BLOCK] & 32 > 0).sum() == 15  # all but the barren cell
    assert (found["quality"].where(~inside, 0) & 32 == 0).all()


def test_barren_land_has_no_flux_whatever_the_weather(planets):
    gap = planets["gap"]
    assert (gap["gpp"][:, 7, 7] == 0).all() and gap["quality"][7, 7] == 2


@pytest.mark.parametrize("name", ["gap", "filled", "before"])
@pytest.mark.parametrize("flux", FLUXES)
def test_half_widths_are_nowhere_smaller_than_with_data(planets, name, flux):
    with_data, with_gap = (half_width(planets[n], flux) for n in ("data", name))
    known = np.isfinite(with_gap)
    assert (with_gap[known] >= with_data[known]).all()
    assert (with_gap[known] > with_data[known]).any()


def test_days_after_the_gap_go_on_and_the_gap_wears_off(planets):
    data, gap = (planets[name]["gpp"].values[:, *BLOCK] for name in ("data", "gap"))
    error = np.abs(gap - data).mean(axis=(1, 2))
    assert (error[:182] == 0).all() and np.isnan(error[MONTH]).all()
    assert 0 < error[300:].mean() < 0.1 * error[213:218].mean()


@pytest.mark.parametrize("name", ["gap", "filled", "before", "unknown"])
def test_no_cell_looks_more_similar_to_the_towers(planets, name):
    with_data, found = (planets[n]["dissimilarity_index"] for n in ("data", name))
    assert (found >= with_data).where(np.isfinite(found), True).all()
    if name in ("filled", "before"):
        assert (found > with_data).values[8:10, 6:10].all()


def test_filled_weather_is_flagged_and_its_fluxes_are_those_of_the_filled_values(planets):
    filled, data = planets["filled"], planets["data"]
    quality = filled["quality"].values[BLOCK]
    assert (quality & 16 > 0).sum() == 15 and (quality & 32 == 0).all()
    for flux in FLUXES:
        np.testing.assert_array_equal(filled[flux], data[flux])
    assert (filled["gap_memory"].values[MONTH, 8, 8] == 1).all()
    assert (planets["before"]["quality"].values[8, 8] & 48) == 16


def test_a_cell_without_most_of_its_look_back_window_is_missing(planets):
    unknown = planets["unknown"]
    assert np.isnan(unknown["gpp"].values[:, 8, 6:10]).all()
    assert np.isnan(unknown["dissimilarity_index"].values[8, 6:10]).all()
    assert (unknown["quality"].values[8, 6:10] & 32 > 0).all()


def test_missing_reflectance_is_no_missing_weather(planets):
    dark = planets["dark"]
    assert np.isfinite(dark["gpp"].values[:, *BLOCK]).all()
    assert (dark["quality"].values & 48 == 0).all()


def test_the_flag_and_the_memory_agree(planets):
    filled = np.zeros((1, 365 + 366), bool)
    filled[0, 365 + 182 : 365 + 213] = True
    found = planets["gap"]["gap_memory"].values[:, 8, 8]
    np.testing.assert_array_equal(found, gap_memory(filled, 365)[0])


def test_cells_without_a_climate_class_have_no_flux(planets, inside, tmp_path):
    """The model was trained with a Köppen class at every site."""
    planet = write_planet(tmp_path)
    planet["checkpoints"] = write_members(tmp_path)
    planet["feature_space"] = write_feature_space(tmp_path, **FEATURES)
    static = xr.open_dataset(planet["static"]).load()
    static.close()
    static["koppen"][BLOCK] = 0
    static.to_netcdf(planet["static"], mode="w")
    predict_tiles(**planet, output=tmp_path / "t_2004.zarr", **RUN)
    found, data = xr.open_zarr(tmp_path / "t_2004.zarr").load(), planets["data"]
    xr.testing.assert_equal(found.where(~inside), data.where(~inside))
    vegetated = (data["quality"] & 2) == 0
    assert found["gpp"].where(inside & vegetated).isnull().all()
    assert (found["quality"].values[BLOCK] & 32 > 0).sum() == 15
