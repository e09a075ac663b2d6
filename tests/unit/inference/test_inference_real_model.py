"""Tiles hold the prediction of the real network, with random weights, for each cell."""

import numpy as np
import pytest
import torch
import xarray as xr
from toy_planet import write_feature_space, write_planet

from tamflux.errors import TamfluxError
from tamflux.inference.predict import predict_tiles
from tamflux.predictors.cube import Cube, prepend_lookback
from tamflux.predictors.static import STATIC_FEATURES, open_static, static_features
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.ensemble import Ensemble
from tamflux.uncertainty.feature_space import FeatureSpace, compute_features

FEATURES = {"embeddings": 2 * 4, "predictors": 3, "static_features": len(STATIC_FEATURES)}
PREDICTORS, UNITS = ("t2m", "ndvi", "ssrd"), ("degC", "1", "W m-2")


def write_members(folder, units=UNITS, monthly=()):
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        spec = ModelSpec(
            model="tamrl", hidden_size=8, embedding_size=4, trees=2, lookback_days=365,
            predictors=PREDICTORS, units=units, static_features=STATIC_FEATURES,
            mean=(10, 0.5, 150), sd=(8, 0.3, 90), flux_scale=(3, 2, 2),
            training_sites=("A", "B"), monthly=monthly, provenance={"seed": seed},
        )  # fmt: skip
        network = spec.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        paths.append(folder / f"tamrl_{seed}.safetensors")
        save_checkpoint(paths[-1], network, spec)
    return paths


def test_tiles_hold_what_the_ensemble_gives_cell_by_cell(tmp_path):
    planet = write_planet(tmp_path)
    planet["checkpoints"] = write_members(tmp_path)
    planet["feature_space"] = write_feature_space(tmp_path, **FEATURES)
    predict_tiles(**planet, output=tmp_path / "a_2004.zarr", workers=2, batch_cells=7)
    tiles = xr.open_zarr(tmp_path / "a_2004.zarr").load()
    rows, cols = np.array([5, 11, 1, 8]), np.array([6, 23, 23, 0])
    year, before = (
        Cube.open(planet[name]).read_cells(rows, cols, PREDICTORS) for name in ("cube", "lookback")
    )
    static = static_features(open_static(planet["static"])).reshape(12, 24, -1)[rows, cols]
    ensemble = Ensemble.load(planet["checkpoints"])
    for cell, (row, col) in enumerate(zip(rows, cols, strict=True)):
        alone = slice(cell, cell + 1)
        x = prepend_lookback(year[alone], before[alone])
        expected = ensemble.predict(x, static[alone])
        for number, name in enumerate(("gpp", "reco", "nee")):
            found = tiles[name][:, row, col], tiles[f"{name}_std"][:, row, col]
            np.testing.assert_allclose(found[0], expected.mean[0, :, number], atol=1e-5)
            np.testing.assert_allclose(found[1], expected.std[0, :, number], atol=1e-5)
        lookback = x[:, : ensemble.lookback_days]
        features = compute_features(ensemble.embeddings(x), lookback, static[alone])
        index = FeatureSpace.load(planet["feature_space"]).dissimilarity(features)
        np.testing.assert_allclose(tiles["dissimilarity_index"][row, col], index[0], atol=1e-5)
    assert float(tiles["gpp"].std()) > 0.01 and float(tiles["gpp_std"].max()) > 0.01


def test_a_model_of_monthly_means_sees_those_of_the_cube(tmp_path):
    planet = write_planet(tmp_path)
    planet["checkpoints"] = write_members(tmp_path, monthly=("ssrd",))
    planet["feature_space"] = write_feature_space(tmp_path, **FEATURES)
    predict_tiles(**planet, output=tmp_path / "a_2004.zarr", workers=1)
    tiles = xr.open_zarr(tmp_path / "a_2004.zarr")["gpp"][:, 5, 7].load()
    years = [xr.open_zarr(planet[name]).isel(lat=5, lon=7).load() for name in ("lookback", "cube")]
    for year in years:  # means by xarray, written into every day
        of_months = year["ssrd"].groupby("time.month").mean()
        year["ssrd"] = of_months.sel(month=year["time"].dt.month)
    series = [np.stack([year[name] for name in PREDICTORS], axis=-1) for year in years]
    x = prepend_lookback(series[1][None], series[0][None])
    static = static_features(open_static(planet["static"])).reshape(12, 24, -1)[5, 7]
    expected = Ensemble.load(planet["checkpoints"]).predict(x, static[None]).mean[0, :, 0]
    np.testing.assert_allclose(tiles, expected, atol=1e-5)
    daily = Ensemble.load(write_members(tmp_path)).predict(x, static[None])
    np.testing.assert_allclose(daily.mean[0, :, 0], expected, atol=1e-6)  # of monthly means


def test_the_cut_of_the_run_does_not_matter(tmp_path, monkeypatch):
    found = []
    threads, processes = 99, 1  # tiles from which workers are processes
    for tile_size, workers, batch_cells, tiles_for_processes in [
        (4, 2, 3, threads),
        (9, 1, 1024, threads),
        (6, 2, None, processes),
    ]:
        (folder := tmp_path / str(tile_size)).mkdir()
        monkeypatch.setattr("tamflux.inference.predict.TILES_FOR_PROCESSES", tiles_for_processes)
        planet = write_planet(folder, tile_size)
        planet["checkpoints"] = write_members(folder)
        planet["feature_space"] = write_feature_space(folder, **FEATURES)
        output = folder / "t_2004.zarr"
        predict_tiles(**planet, output=output, workers=workers, batch_cells=batch_cells)
        found.append(xr.open_zarr(output).load())
    for other in found[1:]:
        xr.testing.assert_allclose(found[0], other, rtol=0, atol=1e-5)


def test_a_model_trained_with_other_units_is_refused(tmp_path):
    planet = write_planet(tmp_path)
    planet["checkpoints"] = write_members(tmp_path, units=("K", "1", "W m-2"))
    with pytest.raises(TamfluxError, match="other units"):
        predict_tiles(**planet, output=tmp_path / "t_2004.zarr", workers=1, batch_cells=9)
