"""What a notebook uses: `import tamflux` and nothing below it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import zarr
from toy_planet import ToyEnsemble, toy_fluxes, write_planet

import tamflux
from tamflux.errors import ContractError
from tamflux.inference import predict, tiles
from tamflux.training.checkpoint import ModelSpec, save_checkpoint


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_neither_torch_nor_matplotlib():
    modules = run("import sys, tamflux; tamflux.TamfluxError; print(*sys.modules)").split()
    assert "tamflux.errors" in modules
    assert not {"torch", "matplotlib", "pandas", "numpy"} & set(modules)


def test_help_shows_every_public_name():
    text = run("import pydoc, tamflux; print(pydoc.plain(pydoc.render_doc(tamflux)))")
    for name in tamflux.__all__:
        assert f"`{name}`" in text.split("PACKAGE CONTENTS")[0]  # the table
        assert f"    {name}(" in text or f"class {name}(" in text  # its own help


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'predict_everything'"):
        _ = tamflux.predict_everything


@pytest.fixture(scope="module")
def planet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planet")
    return write_planet(folder)


@pytest.fixture
def opened(planet):
    cube, lookback = tamflux.open_cube(planet["cube"]), tamflux.open_cube(planet["lookback"])
    return ToyEnsemble(), cube, tamflux.open_static(planet["static"]), lookback


def test_a_cell_is_predicted_as_by_the_closed_form(opened):
    ensemble, cube, static, lookback = opened
    lat, lon = float(cube.grid.lat[6]) + 3, float(cube.grid.lon[10]) - 3  # inside the cell
    found = tamflux.predict_cells(ensemble, cube, static, lat, lon, lookback=lookback)
    names = ["ndvi", "t2m"]
    x = np.concatenate([lookback.read_cells([6], [10], names)[:, -365:],
                        cube.read_cells([6], [10], names)], axis=1)  # fmt: skip
    share = static[["igbp_ENF", "igbp_GRA"]].isel(lat=6, lon=10).to_array().to_numpy()
    expected = toy_fluxes(x, share[None] / float(static["land_fraction"][6, 10]))[0]
    for number, flux in enumerate(("gpp", "reco", "nee")):
        np.testing.assert_allclose(found[flux][0], expected[:, number], rtol=1e-5, atol=1e-6)
    assert found["gpp"].attrs["units"] == "g m-2 d-1" and found.sizes["time"] == 366
    assert (float(found["lat"][0]), float(found["lon"][0])) == (cube.grid.lat[6], cube.grid.lon[10])


def test_a_box_equals_the_tiles_of_the_workflow(opened, planet, tmp_path, monkeypatch):
    """Ocean, coast, barren and vegetated cells: the same values by the workflow's own path."""
    ensemble, cube, static, lookback = opened
    tiles._open_inputs.cache_clear()
    for module in (predict, tiles):
        monkeypatch.setattr(module, "Ensemble", ToyEnsemble, raising=False)
    predict.predict_tiles(**planet, output=tmp_path / "tiles.zarr", workers=1, batch_cells=99)
    tiles._open_inputs.cache_clear()
    box = tamflux.predict_box(ensemble, cube, static, (-180, -90, 180, 90), lookback=lookback)
    stored = zarr.open_group(tmp_path / "tiles.zarr", mode="r")
    for name in box.data_vars:
        np.testing.assert_allclose(box[name], stored[name][:], rtol=1e-6, atol=1e-6)
    assert np.isnan(box["gpp"]).any() and (box["gpp"] == 0).any() and (box["gpp"] > 0).any()
    part = tamflux.predict_box(ensemble, cube, static, (0, 0, 45, 30), lookback=lookback)
    xr.testing.assert_allclose(part, box.sel(lat=part["lat"], lon=part["lon"]))
    assert part.sizes == {"time": 366, "lat": 2, "lon": 3}


def test_a_site_may_have_a_class_of_its_own(opened):
    ensemble, cube, static, _ = opened
    at = float(cube.grid.lat[6]), float(cube.grid.lon[10])
    forest, grass = (tamflux.predict_cells(ensemble, cube, static, *at, igbp=name)
                     for name in ("ENF", "GRA"))  # fmt: skip
    np.testing.assert_allclose(forest["gpp"] - grass["gpp"], 1, rtol=1e-4)  # toy: + share of ENF
    with pytest.raises(ContractError, match="no vegetated land-cover class"):
        tamflux.predict_cells(ensemble, cube, static, *at, igbp="WAT")


def test_a_cell_without_a_climate_class_has_no_fluxes(opened):
    ensemble, cube, static, _ = opened
    ensemble.static_features = ("igbp_ENF", "koppen_A")  # the toy model reads columns alone
    static = static.copy(deep=True)
    static["koppen"][6, 10], static["koppen"][6, 11] = 0, 3
    lat, lon = [float(cube.grid.lat[6])] * 2, cube.grid.lon[10:12]
    found = tamflux.predict_cells(ensemble, cube, static, lat, lon)
    assert np.isnan(found["gpp"][0]).all() and np.isfinite(found["gpp"][1]).all()


def test_points_and_boxes_outside_the_grid_are_refused(opened):
    ensemble, cube, static, _ = opened
    with pytest.raises(ContractError, match="outside the grid"):
        tamflux.predict_cells(ensemble, cube, static, [0, 91], [0, 0])
    with pytest.raises(ContractError, match="no cell of the grid"):
        tamflux.predict_box(ensemble, cube, static, (0.1, 0.1, 0.2, 0.2))


def test_members_are_read_in_the_order_of_their_names(tmp_path):
    spec = ModelSpec("tamrl", 4, 2, 0, 365, ("t2m",), ("degC",), ("igbp_ENF",), (1.0,), (2.0,),
                     (1.0, 1.0, 1.0), ("A",))  # fmt: skip
    paths = [tmp_path / f"tamrl_{member}.safetensors" for member in range(2)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        save_checkpoint(path, spec.network(), spec)
    one = tamflux.load_ensemble(paths[::-1])
    x, static = np.zeros((1, 366, 1), np.float32), np.ones((1, 1), np.float32)
    two = tamflux.load_ensemble(paths).predict(x, static)
    np.testing.assert_array_equal(one.predict(x, static).embeddings, two.embeddings)
    with pytest.raises(ContractError, match="needs a checkpoint"):
        tamflux.load_ensemble([])


def test_a_map_holds_the_field(opened):
    _, _, static, _ = opened
    field = static["vegetated_fraction"].assign_attrs(units="1")
    ax = tamflux.plot_map(field)
    drawn = np.ma.compressed(ax.images[-1].get_array())
    assert {*np.unique(drawn)} <= {*np.unique(field.to_numpy())} and len(np.unique(drawn)) > 2
    assert ax.figure.axes[-1].get_xlabel() == "vegetated_fraction (1)"
    with pytest.raises(ContractError, match="needs a field"):
        tamflux.plot_map(field.expand_dims(time=3))


def test_a_series_holds_predicted_and_observed_days(opened):
    ensemble, cube, static, _ = opened
    at = float(cube.grid.lat[6]), float(cube.grid.lon[10])
    cell = tamflux.predict_cells(ensemble, cube, static, *at).isel(cell=0)
    observed = pd.DataFrame(
        {"date": pd.to_datetime(["2004-02-01", "2004-05-01"]), "nee": [1.0, 2.0]}
    )
    ax = tamflux.plot_series(cell, observed, "nee")
    line, dots = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), cell["nee"])
    np.testing.assert_array_equal(dots.get_ydata(), [1, 2])
    assert ax.get_ylabel() == "NEE (g C m⁻² d⁻¹)"
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(float((cell["nee"] + cell["nee_std"]).max()))
