"""A tower's predictions at evaluation are those of inference at its cell, network and all."""

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamflux.evaluation.scores import compare_with_product
from tamflux.evaluation.sites import evaluate_sites
from tamflux.grid import Grid
from tamflux.inference.predict import predict_tiles
from tamflux.predictors.cube import Cube, create_store
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.uncertainty.feature_space import FeatureSpace
from tamflux.variables import IGBP_CLASSES, PREDICTORS, REFL_FILLED, VEGETATED

FEATURES = ("t2m", "ndvi")
GRID = Grid(30.0)
CELLS = {"A": (0, 3), "B": (4, 11), "C": (2, 0)}


def write_cubes(folder):
    for year in (2003, 2004):
        random = np.random.default_rng(year)
        variables = [*(PREDICTORS[name] for name in FEATURES), REFL_FILLED]
        with create_store(folder / f"{year}.zarr", GRID, year, 4, variables) as store:
            shape = store["t2m"].shape
            store["t2m"][:] = random.normal(10, 8, shape).astype(np.float32)
            ndvi = random.uniform(0, 1, shape).astype(np.float32)
            ndvi[:, 4, 11] = np.nan
            store["ndvi"][:] = ndvi
            store["refl_filled"][:] = 0


def write_static(folder):
    shares = np.random.default_rng(1).dirichlet(np.ones(len(IGBP_CLASSES)), GRID.shape)
    data = {f"igbp_{n}": (("lat", "lon"), shares[..., k]) for k, n in enumerate(IGBP_CLASSES)}
    data["land_fraction"] = (("lat", "lon"), 1 - shares[..., 0])
    vegetated = shares[..., [IGBP_CLASSES.index(name) for name in VEGETATED]].sum(-1)
    data["vegetated_fraction"] = (("lat", "lon"), vegetated)
    codes = np.random.default_rng(2).integers(1, 31, GRID.shape, np.int8)
    data["koppen"] = (("lat", "lon"), codes)
    coords = {"lat": GRID.lat, "lon": GRID.lon}
    xr.Dataset(data, coords).to_netcdf(folder / "static.nc")


def write_members(folder, model, n):
    paths = []
    for seed in range(n):
        torch.manual_seed(seed)
        description = ModelSpec(
            model=model, hidden_size=8, embedding_size=4, trees=2, lookback_days=365,
            predictors=FEATURES,
            units=("degC", "1"), static_features=STATIC_FEATURES, mean=(10, 0.5), sd=(8, 0.3),
            flux_scale=(3, 2, 2), training_sites=("B", "C"), provenance={"seed": seed},
        )  # fmt: skip
        network = description.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        paths.append(folder / f"{model}_{seed}.safetensors")
        save_checkpoint(paths[-1], network, description)
    return paths


def write_samples(folder):
    rows, cols = (np.array(index) for index in zip(*CELLS.values(), strict=True))
    for year in (2003, 2004):
        cube = Cube.open(folder / f"{year}.zarr")
        cells = cube.read_cells(rows, cols, FEATURES)
        frames = []
        for site, x in zip(CELLS, cells, strict=True):
            frame = pd.DataFrame(x, columns=list(FEATURES))
            frame = frame.assign(site_id=site, date=cube.time.astype("datetime64[ns]"))
            frames.append(frame.assign(gpp=1.0, reco=2.0, nee=1.0, qc=1.0))
        pd.concat(frames).to_parquet(folder / f"{year}.parquet")
    table = pd.DataFrame({"site_id": list(CELLS), "row": rows, "col": cols, "igbp": "GRA"})
    # the tower's own climate differs from its cell's: the model must be given the cell's
    table = table.assign(**{f"igbp_{name}": float(name == "GRA") for name in IGBP_CLASSES})
    table = table.assign(koppen="Af", lat=50.0, lon=0.0, split_igbp=["test", "train", "train"])
    table.to_csv(folder / "sites.csv", index=False)


def test_site_predictions_equal_the_tiles_at_the_towers_cells(tmp_path):
    write_cubes(tmp_path)
    write_static(tmp_path)
    write_samples(tmp_path)
    members = {
        "tamrl": write_members(tmp_path, "tamrl", 2),
        "lstm": write_members(tmp_path, "lstm", 1),
    }
    tiles = tmp_path / "tamrl_2004.zarr"
    space = tmp_path / "feature_space.safetensors"
    width = 2 * 4 + 4 * len(FEATURES) + len(STATIC_FEATURES)  # codes, seasons, static
    FeatureSpace.from_towers("AB", np.arange(2), np.eye(2, width, dtype=np.float32)).save(space)
    predict_tiles(
        cube=tmp_path / "2004.zarr",
        lookback=tmp_path / "2003.zarr",
        static=tmp_path / "static.nc",
        checkpoints=members["tamrl"],
        feature_space=space,
        output=tiles,
        workers=1,
        batch_cells=5,
    )
    evaluate_sites(
        {year: tmp_path / f"{year}.parquet" for year in (2003, 2004)},
        tmp_path / "sites.csv",
        tmp_path / "static.nc",
        members,
        tmp_path / "predictions.parquet",
        train_years=[2003],
        product_years=[2004],
        split="igbp",
        threads=1,
    )
    daily = tmp_path / "daily.nc"
    xr.open_zarr(tiles)[["gpp", "reco", "nee"]].drop_attrs().to_netcdf(daily)
    found = compare_with_product(
        tmp_path / "predictions.parquet", tmp_path / "sites.csv", {2004: daily}
    )
    assert found["n"].tolist() == [3 * 366] * 3
    assert found["max_abs_difference"].max() < 1e-5
    assert pd.read_parquet(tmp_path / "predictions.parquet")["gpp"].std() > 0.01
