"""A static raster and a monthly series of a user: from the configuration to the fluxes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from conftest import Run
from safetensors import safe_open

from tamflux.api import load_ensemble, open_cube, open_static, predict_cells
from tamflux.predictors.cube import Cube

EXTRA = """\
predictors:
  extra:
    - {name: sif, units: mW m-2 nm-1 sr-1, range: [0, 10], long_name: solar-induced fluorescence,
       path: "data/sif_{year}.nc", variable: SIF, kind: dynamic}
    - {name: canopy_height, units: m, range: [0, 80], long_name: height of the canopy,
       path: "data/height.tif", kind: static}
"""
OVERLAYS = ("--configfile", "workflow/config/smoke.yaml", "extra.yaml")
TILES = "results/tiles/tamrl_2002.zarr"
LISTS = [f"results/provenance/{name}.csv" for name in ("extra", "extra_2001", "extra_2002")]


def write_series(path, year):
    """Monthly means on a 5 degree grid: the number of the month."""
    time = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]")
    lat, lon = np.arange(87.5, -90, -5), np.arange(2.5, 360, 5)
    bump = np.cos(np.radians(lat))[:, None] + 0 * lon
    values = (np.arange(12) / 4)[:, None, None] * bump
    xr.Dataset(
        {"SIF": (("time", "lat", "lon"), values.astype(np.float32),
                 {"units": "W m-2 um-1 sr-1"})},  # the same unit by another name
        {"time": time.astype("datetime64[ns]"), "lat": lat, "lon": lon},
    ).to_netcdf(path)  # fmt: skip


def write_height(path, scale=1.0):
    """Height in cm, rising eastward; missing beyond 60 E."""
    lon = np.arange(-179.0, 180, 2)
    values = np.broadcast_to(scale * 10 * (lon + 180), (90, 180)).astype(np.float32).copy()
    values[:, lon > 60] = -1
    transform = rasterio.transform.from_bounds(-180, -90, 180, 90, 180, 90)
    options = {"driver": "GTiff", "height": 90, "width": 180, "count": 1, "dtype": "float32"}
    with rasterio.open(
        path, "w", crs="EPSG:4326", transform=transform, nodata=-1, **options
    ) as file:
        file.write(values, 1)
        file.units = ("cm",)


@pytest.fixture(scope="module")
def extended(finished_run, tmp_path_factory) -> Run:
    """The finished run, with two predictors more, up to the tiles."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(finished_run.folder, folder, dirs_exist_ok=True)
    run = Run(folder)
    (folder / "data").mkdir()
    for year in (2001, 2002):
        write_series(folder / f"data/sif_{year}.nc", year)
    write_height(folder / "data/height.tif")
    (folder / "extra.yaml").write_text(EXTRA)
    result = run.snakemake(TILES, *LISTS, *OVERLAYS)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return run


def test_both_reach_cube_samples_and_model(extended):
    results = extended.folder / "results"
    cube = Cube.open(results / "predictors/2002.zarr")
    assert cube.variables[-1] == "sif" and cube.units["sif"] == "mW m-2 nm-1 sr-1"
    assert "sif_filled" in cube.flags
    values = cube.read(slice(None), slice(None), ["sif"])[..., 0]
    assert np.isfinite(values).all()
    row, _ = cube.grid.locate(0.5, 0.5)
    march = values[73, row, 0]  # 15 March: the middle of the third month, value 2 / 4
    assert march == pytest.approx(0.5, rel=0.02)
    static = xr.open_dataset(results / "predictors/static.nc")["extra_canopy_height"]
    assert static.attrs["units"] == "m" and np.isfinite(static.isel(lat=5)).sum() == 40
    np.testing.assert_allclose(static.isel(lat=5)[:39], np.arange(0.3, 23.4, 0.6), atol=0.01)
    samples = pd.read_parquet(results / "samples/2001.parquet")
    assert samples["sif"].notna().all() and samples.attrs["units"]["sif"] == cube.units["sif"]
    sites = pd.read_csv(results / "samples/sites.csv")
    assert sites["extra_canopy_height"].isna().sum() == (sites["lon"] > 60).sum()
    with safe_open(results / "models/tamrl_0.safetensors", framework="numpy") as file:
        spec = json.loads(file.metadata()["tamflux"])["header"]
    assert spec["predictors"][-1] == "sif" and spec["units"][-1] == "mW m-2 nm-1 sr-1"
    assert spec["static_features"][-1] == "extra_canopy_height"
    train = sites["extra_canopy_height"][sites["site_id"].isin(spec["training_sites"])]
    assert spec["static_mean"][-1] == pytest.approx(train.mean(), rel=1e-5)
    assert spec["static_sd"][-1] == pytest.approx(train.std(ddof=0), rel=1e-5)
    static_files, of_2001, of_2002 = (
        set(pd.read_csv(extended.folder / path)["file"]) for path in LISTS
    )
    assert static_files == {"height.tif"}
    assert "sif_2001.nc" in of_2001 and "sif_2002.nc" in of_2002
    assert of_2001 | of_2002 == {"sif_2001.nc", "sif_2002.nc"}


def test_fluxes_respond_to_both_and_exist_where_one_is_absent(extended):
    results = extended.folder / "results"
    ensemble = load_ensemble(sorted((results / "models").glob("tamrl_[0-9].safetensors")))
    cube, static = open_cube(results / "predictors/2002.zarr"), open_static(
        results / "predictors/static.nc"
    )  # fmt: skip
    vegetated = np.argwhere(static["vegetated_fraction"].to_numpy() > 0.2)
    lat, lon = cube.grid.lat[vegetated[:, 0]], cube.grid.lon[vegetated[:, 1]]
    before = predict_cells(ensemble, cube, static, lat, lon)
    assert np.isfinite(before["gpp"]).all() and (lon > 60).any()
    taller = static.assign(extra_canopy_height=static["extra_canopy_height"] + 20)
    after = predict_cells(ensemble, cube, taller, lat, lon)
    changed = abs(after["gpp"] - before["gpp"]).max("time").to_numpy()
    assert (changed[lon < 54] > 0).all() and (changed[lon > 66] == 0).all()

    class Brighter(Cube):
        def _values(self, name, rows, cols):
            values = super()._values(name, rows, cols)
            return values + 1 if name == "sif" else values

    after = predict_cells(ensemble, Brighter(cube.path), static, lat, lon)
    assert (abs(after["gpp"] - before["gpp"]).max("time") > 0).all()


def test_a_changed_file_prepares_its_predictor_alone(extended):
    assert extended.rules("--cores", "2", TILES, *OVERLAYS) == set()
    write_height(extended.folder / "data/height.tif", scale=1.5)
    rules = extended.rules("--cores", "2", TILES, *OVERLAYS)
    assert {"prepare_static_extra", "prepare_static", "train_member", "predict_tiles"} <= rules
    assert not rules & {"prepare_extra", "prepare_era5", "prepare_modis", "assemble_cube"}
    write_height(extended.folder / "data/height.tif")


@pytest.mark.slow
def test_check_reads_the_files(extended):
    result = extended.snakemake("check", *OVERLAYS)
    assert result.returncode == 0 and "extra canopy_height" in result.stdout, result.stdout
    (extended.folder / "extra.yaml").write_text(EXTRA.replace("[0, 10]", "[0, 1]"))
    result = extended.snakemake("check", *OVERLAYS)
    assert result.returncode != 0 and "out of its range" in result.stdout, result.stdout
    (extended.folder / "extra.yaml").write_text(EXTRA)
