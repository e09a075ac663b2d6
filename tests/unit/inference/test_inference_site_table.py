"""A grid cell written out as a site table gets the same fluxes as its tile, with one model.

They differ by the rounding of the sun's predictors to 12 bits, which the cube alone has.
"""

import numpy as np
import pandas as pd
import torch
import xarray as xr
from toy_planet import write_feature_space

from tamflux.grid import Grid
from tamflux.inference.predict import predict_tiles
from tamflux.predictors.cube import create_store, year_days
from tamflux.predictors.rounding import round_bits
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.samples.site_table import convert_site_table
from tamflux.solar import day_length, potential_radiation
from tamflux.training.checkpoint import ModelSpec, save_checkpoint
from tamflux.training.real_towers import predict_real_towers
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES, PREDICTORS, REFL_FILLED

GRID = Grid(30.0, (0, 30, 60, 60))
MEASURED = {
    "t2m": (12, 8), "t2m_min": (6, 8), "t2m_max": (18, 8), "vpd": (6, 2), "ssrd": (180, 40),
    "strd": (310, 30), "tp": (3, 1.5), "swvl1": (0.25, 0.05), "sp": (985, 8), "wind": (3, 0.8),
    "refl_b1": (0.08, 0.02), "refl_b2": (0.3, 0.05), "ndvi": (0.6, 0.1),
}  # fmt: skip
"""Predictor -> mean and standard deviation of its days."""
SUN = {"ssrd_pot": potential_radiation, "day_length": day_length}
NAMES = (*MEASURED, *SUN)
MONTHLY = ("tp", "strd", "wind", "sp")
SITES = {"AA": (0, 0, "ENF", "Dfb"), "BB": (0, 1, "GRA", "BSk")}
"""Site -> row, column and classes of its cell."""


def write_cubes(folder):
    random = np.random.default_rng(3)
    catalogue = [PREDICTORS[name] for name in NAMES] + [REFL_FILLED]
    for year in (2003, 2004):
        days = year_days(year)
        with create_store(folder / f"{year}.zarr", GRID, year, 2, catalogue) as store:
            shape = (len(days), *GRID.shape)
            for name, (mean, sd) in MEASURED.items():
                values = np.abs(random.normal(mean, sd, shape)) if mean < 100 else (
                    random.normal(mean, sd, shape)
                )  # fmt: skip
                store[name][:] = round_bits(values.astype(np.float32))
            for name, sun in SUN.items():
                values = np.broadcast_to(sun(GRID.lat, days)[..., None], shape)
                store[name][:] = round_bits(values.astype(np.float32))
            store["refl_filled"][:] = 0


def write_static(path):
    fields = {f"igbp_{name}": np.zeros(GRID.shape, np.float32) for name in IGBP_CLASSES}
    koppen = np.zeros(GRID.shape, np.int8)
    for row, col, igbp, climate in SITES.values():
        fields[f"igbp_{igbp}"][row, col] = 1
        koppen[row, col] = KOPPEN_CLASSES.index(climate) + 1
    ones = np.ones(GRID.shape, np.float32)
    fields |= {"land_fraction": ones, "vegetated_fraction": ones, "koppen": koppen}
    data = {name: (("lat", "lon"), values) for name, values in fields.items()}
    xr.Dataset(data, {"lat": GRID.lat, "lon": GRID.lon}).to_netcdf(path)


def write_site_table(folder):
    """The cells' days as a user would: catalogue names, monthly means where the model has them."""
    tables = []
    for site, (row, col, *_) in SITES.items():
        years = [xr.open_zarr(folder / f"{year}.zarr") for year in (2003, 2004)]
        cell = xr.concat([year[list(MEASURED)].isel(lat=row, lon=col) for year in years], "time")
        table = cell.to_dataframe()[list(MEASURED)].rename_axis("date").reset_index()
        months = table["date"].dt.to_period("M")
        table[list(MONTHLY)] = table.groupby(months)[list(MONTHLY)].transform("mean")
        tables.append(table.assign(site_id=site))
    pd.concat(tables).to_parquet(folder / "days.parquet")
    rows = [
        {"site_id": site, "lat": GRID.lat[row], "lon": GRID.lon[col], "IGBP": igbp, "koppen": k}
        for site, (row, col, igbp, k) in SITES.items()
    ]
    pd.DataFrame(rows).to_csv(folder / "sites.csv", index=False)


def write_members(folder):
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        means = {name: mean for name, (mean, _) in MEASURED.items()} | {"ssrd_pot": 300}
        sds = {name: sd for name, (_, sd) in MEASURED.items()} | {"ssrd_pot": 120, "day_length": 3}
        spec = ModelSpec(
            model="tamrl", hidden_size=8, embedding_size=4, trees=2, lookback_days=365,
            predictors=NAMES, units=tuple(PREDICTORS[name].units for name in NAMES),
            static_features=STATIC_FEATURES, monthly=MONTHLY,
            optional=("refl_b1", "refl_b2", "ndvi"),
            mean=tuple(float(means.get(name, 12)) for name in NAMES),
            sd=tuple(float(sds[name]) for name in NAMES), flux_scale=(3, 2, 2),
            training_sites=("ZZ",), provenance={"seed": seed},
        )  # fmt: skip
        network = spec.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        paths.append(folder / f"tamrl_{seed}.safetensors")
        save_checkpoint(paths[-1], network, spec)
    return paths


def test_a_cell_as_a_site_table_gets_the_fluxes_of_its_tile(tmp_path):
    write_cubes(tmp_path)
    write_static(tmp_path / "static.nc")
    members = write_members(tmp_path)
    space = write_feature_space(
        tmp_path, embeddings=8, predictors=len(NAMES), static_features=len(STATIC_FEATURES)
    )
    predict_tiles(
        tmp_path / "2004.zarr", tmp_path / "2003.zarr", tmp_path / "static.nc", members, space,
        tmp_path / "tamrl_2004.zarr", workers=1,
    )  # fmt: skip
    write_site_table(tmp_path)
    samples = tmp_path / "samples.parquet", tmp_path / "samples_sites.csv"
    convert_site_table(tmp_path / "days.parquet", tmp_path / "sites.csv", *samples, n_folds=None)
    predict_real_towers(
        samples[:1], samples[1:], {-1: members}, tmp_path / "predictions.parquet", threads=1
    )
    predicted = pd.read_parquet(tmp_path / "predictions.parquet").set_index(["site_id", "date"])
    tiles = xr.open_zarr(tmp_path / "tamrl_2004.zarr").load()
    for site, (row, col, *_) in SITES.items():
        for flux in ("gpp", "reco", "nee"):
            expected = tiles[flux][:, row, col].to_series()
            found = predicted.loc[site, flux].reindex(expected.index)
            assert expected.std() > 0.02
            np.testing.assert_allclose(found, expected, atol=1e-4)
