"""A small synthetic planet in the files of the contracts: all that validation reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamflux.grid import Grid
from tamflux.variables import IGBP_CLASSES, VEGETATED

FLUXES = ("gpp", "reco", "nee")
MEMBERS = {"tamrl": 0.1, "lstm": 0.25}


@dataclass
class Planet:
    """Paths of the synthetic results, and the grid."""

    root: Path
    grid: Grid
    years: tuple[int, ...] = (2001, 2002)

    def __getattr__(self, name):
        return self.root / {"sites": "sites.csv", "static": "static.nc"}[name]


def days_of(year):
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]").astype(
        "datetime64[ns]"
    )


def true_fluxes(grid, year):
    """(3, time, lat, lon) smooth seasonal fluxes that close."""
    day = np.arange(len(days_of(year)))[:, None, None]
    lat, lon = grid.lat[None, :, None], grid.lon[None, None, :]
    season = np.cos(2 * np.pi * (day / len(day) - np.where(lat < 0, 0.04, 0.54)))
    warm = np.cos(np.radians(lat)) ** 2 * (1 + 0.3 * np.sin(np.radians(lon) * 3))
    gpp = np.clip(9 * warm * (1 + 0.8 * np.abs(np.sin(np.radians(lat))) * season), 0, None)
    reco = 0.5 + 0.75 * gpp.mean(0) + 0.1 * gpp
    return np.stack([gpp, reco, reco - gpp])


def write_planet(root, resolution=10.0, bbox=(-180.0, -90.0, 180.0, 90.0), seed=0):
    """Write static.nc, truth, tiles, product, towers and predictions at the sites."""
    rng = np.random.default_rng(seed)
    planet = Planet(root, Grid(resolution, bbox))
    grid = planet.grid
    shape = grid.shape
    lon, lat = np.meshgrid(np.radians(grid.lon), np.radians(grid.lat))
    height = np.sin(2 * lon + 0.6) * np.cos(lat) + 0.6 * np.sin(3 * lat + lon) + 0.2
    land = np.clip(0.5 + 2 * height, 0, 1).round(2).astype(np.float32)
    land[grid.lat < -78] = 1
    _write_static(planet, land, rng)
    coords = {"lat": grid.lat, "lon": grid.lon}
    for year in planet.years:
        truth = np.where(land > 0, true_fluxes(grid, year), np.nan).astype(np.float32)
        _write_store(root / f"truth/{year}.zarr", dict(zip(FLUXES, truth, strict=True)), grid)
        for model, error in MEMBERS.items():
            trait = 1 + error * np.sin(5 * lon) * np.cos(3 * lat)
            noise = rng.normal(0, 3 * error, truth.shape[1:])
            gpp, reco = np.clip(truth[0] * trait + noise, 0, None), truth[1] * (1 + error / 3)
            fluxes = dict(
                zip(FLUXES, np.stack([gpp, reco, reco - gpp]).astype(np.float32), strict=True)
            )
            fluxes |= {f"{k}_std": np.abs(v) * 0.1 + 0.05 for k, v in list(fluxes.items())}
            _write_store(root / f"tiles/{model}_{year}.zarr", fluxes, grid)
            if model == "tamrl":
                _write_product(planet, year, fluxes, coords, land)
    assert shape == land.shape
    return planet


def _write_static(planet, land, rng):
    grid = planet.grid
    share = rng.dirichlet(np.full(len(IGBP_CLASSES) - 1, 0.15), grid.shape) * land[..., None]
    fields = {"igbp_WAT": 1 - land}
    fields |= {f"igbp_{name}": share[..., k] for k, name in enumerate(IGBP_CLASSES[1:])}
    fields["land_fraction"] = land
    fields["vegetated_fraction"] = sum(fields[f"igbp_{name}"] for name in VEGETATED)
    data = {k: (("lat", "lon"), v.astype(np.float32)) for k, v in fields.items()}
    koppen = np.where(land > 0, rng.integers(1, 31, grid.shape), 0).astype(np.int8)
    data["koppen"] = (("lat", "lon"), koppen)
    xr.Dataset(data, {"lat": grid.lat, "lon": grid.lon}).to_netcdf(planet.root / "static.nc")


def _write_store(path, fields, grid, chunk=6):
    group = zarr.create_group(path, zarr_format=3)
    for name, values in fields.items():
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=(values.shape[0], min(chunk, grid.shape[0]), min(chunk, grid.shape[1])),
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("time", "lat", "lon"),
        )
        array[:] = values
    for name, values in (("lat", grid.lat), ("lon", grid.lon)):
        group.create_array(name, data=values, dimension_names=(name,))
    zarr.consolidate_metadata(path)


def _write_product(planet, year, fluxes, coords, land):
    (planet.root / "product").mkdir(exist_ok=True)
    attrs = {"units": "g m-2 d-1"}
    fluxes = fluxes | {f"{k}_pi90_halfwidth": 2 * fluxes[f"{k}_std"] for k in FLUXES}
    row, col = np.indices(land.shape)
    flag = np.where(land > 0, (land < 0.5) + 8 * (row % 3 == 0), -1).astype(np.int8)
    reach = np.where(land > 0, (1 + (7 * row + col) % 97) / 100, np.nan).astype(np.float32)
    cells = {
        "cell_area": planet.grid.cell_area(), "land_fraction": land, "applicability": reach,
        "dissimilarity_index": 2 * reach, "quality_flag": flag,
    }  # fmt: skip
    daily = xr.Dataset(
        {k: (("time", "lat", "lon"), v, attrs) for k, v in fluxes.items()},
        {"time": days_of(year), **coords},
    )
    for step, data in {
        "daily": daily,
        "monthly": daily.resample(time="MS").mean(keep_attrs=True),
        "annual": daily.resample(time="YS").mean(keep_attrs=True),
    }.items():
        data = data.assign({k: (("lat", "lon"), v) for k, v in cells.items()})
        data.to_netcdf(planet.root / f"product/tamflux_{step}_{year}.nc")


def write_sites(planet, n=24, seed=1):
    """Write sites.csv of samples (contract 2), towers on land."""
    rng = np.random.default_rng(seed)
    with xr.open_dataset(planet.static) as static:
        static = static.load()
    rows, cols = np.nonzero(static["land_fraction"].to_numpy() > 0.5)
    pick = rng.choice(len(rows), n, replace=False)
    rows, cols = rows[pick], cols[pick]
    table = pd.DataFrame({"site_id": [f"XX-{k:03d}" for k in range(n)]})
    table["lat"], table["lon"] = planet.grid.lat[rows], planet.grid.lon[cols]
    table["row"], table["col"] = rows, cols
    table["igbp"] = [("ENF", "GRA", "CRO", "EBF")[k % 4] for k in range(n)]
    table["koppen"] = [("Dfb", "Cfa", "BSk", "Af")[k // 3 % 4] for k in range(n)]
    for name in [f"igbp_{c}" for c in IGBP_CLASSES] + ["land_fraction", "vegetated_fraction"]:
        table[name] = static[name].to_numpy()[rows, cols]
    for split in ("igbp", "koppen", "block"):
        table[f"split_{split}"] = np.where(np.arange(n) % 3 == 0, "test", "train")
    table.to_csv(planet.sites, index=False)
    return table


def write_predictions(planet, seed=2):
    """Write site_predictions.parquet as `evaluate_sites` does, from the synthetic tiles."""
    rng = np.random.default_rng(seed)
    table = pd.read_csv(planet.sites)
    frames = []
    for year in planet.years:
        truth = true_fluxes(planet.grid, year)[:, :, table["row"], table["col"]]
        observed = truth + rng.normal(0, 0.8, truth.shape)
        observed[:, rng.random(truth.shape[1:]) < 0.2] = np.nan
        for model, error in {**MEMBERS, "msc": 0.4, "tamrl_cell": 0.1}.items():
            for k, site in enumerate(table["site_id"]):
                frame = pd.DataFrame({"site_id": site, "date": days_of(year)})
                frame["split"], frame["model"] = table["split_igbp"][k], model
                scale = rng.normal(1, error)
                for f, flux in enumerate(FLUXES):
                    frame[flux] = truth[f, :, k] * scale
                    frame[f"{flux}_std"] = 0.4 if model == "tamrl" else np.nan
                    frame[f"{flux}_obs"] = observed[f, :, k]
                frames.append(frame.assign(qc=rng.uniform(0.6, 1, len(frame))))
    path = planet.root / "site_predictions.parquet"
    pd.concat(frames).to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def planet(tmp_path_factory):
    planet = write_planet(tmp_path_factory.mktemp("planet"))
    write_sites(planet)
    write_predictions(planet)
    return planet


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    """A planet that is only a box around Europe, without any tower held out of one class."""
    planet = write_planet(tmp_path_factory.mktemp("region"), 2.0, (-12.0, 34.0, 32.0, 60.0))
    write_sites(planet, n=9)
    write_predictions(planet)
    return planet
