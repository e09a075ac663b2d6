"""A small planet of tiles: smooth fluxes, two ocean blocks, one cell without vegetation."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from calibrations import make_calibration

from tamflux.grid import Grid
from tamflux.product.aggregate import aggregate_product
from tamflux.product.assemble import assemble_product
from tamflux.product.inputs import checksum_inputs
from tamflux.product.totals import tabulate_totals
from tamflux.variables import FLUXES, IGBP_CLASSES

CONFIG = {
    "seed": 7,
    "product": {"version": "0.1", "institution": "I", "creator": "C", "license": "CC-BY-4.0",
                "date": None, "doi": None, "url": None, "email": None},
    "inputs": {
        "era5": {"kind": "hourly", "path": "era5/{year}.nc"},
        "modis": {"product": "MCD43C4", "path": "modis/{year}.hdf"},
        "landcover": "landcover.hdf",
        "koppen": "koppen.tif",
        "towers": {"path": "/home/me/towers/*.zip"},
    },
}  # fmt: skip
RESOLUTION = 7.5
SITES = [f"XX-{i:03d}" for i in range(40)]


def write_tiles(folder: Path, year: int, resolution: float = RESOLUTION) -> SimpleNamespace:
    """Write `tiles.zarr` and `static.nc`; return their paths and what they hold."""
    grid = Grid(resolution)
    random = np.random.default_rng(year)
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    land_fraction = random.choice([0, 0.3, 1], grid.shape).astype(np.float32)
    land = land_fraction > 0
    season = 1 + np.cos(2 * np.pi * np.arange(len(days)) / 365)[:, None, None]
    gpp = (season * random.uniform(0, 10, grid.shape)).astype(np.float32)
    reco = (0.5 * gpp + random.uniform(0, 2, gpp.shape)).astype(np.float32)
    fields = {"gpp": gpp, "reco": reco, "nee": reco - gpp}
    fields |= {f"{name}_std": np.abs(0.1 * values) for name, values in fields.items()}
    dims = ("time", "lat", "lon")
    quality = np.where(land_fraction == np.float32(0.3), 1, 0).astype(np.int8)
    coords = {"time": days.astype("datetime64[ns]"), "lat": grid.lat, "lon": grid.lon}
    data = {name: (dims, np.where(land, v, np.nan)) for name, v in fields.items()}
    distance = np.where(land_fraction == 1, random.uniform(0, 4, grid.shape), np.nan)
    data["dissimilarity_index"] = (dims[1:], distance.astype(np.float32))
    data["gap_memory"] = (dims, np.zeros_like(gpp))
    tiles = xr.Dataset(data | {"quality": (dims[1:], quality)}, coords)
    members = [
        {
            "sha256": f"{i}" * 64,
            "model": "tamrl",
            "training_sites": SITES,
            "provenance": {"seed": i},
        }
        for i in range(3)
    ]
    tiles.attrs = {"year": year, "resolution": resolution, "bbox": list(grid.bbox),
                   "tile_size": 8, "code": "abc", "members": members}  # fmt: skip
    chunks = {name: {"chunks": (len(days), 8, 8)} for name in data if name != "dissimilarity_index"}
    tiles.to_zarr(folder / "tiles.zarr", zarr_format=3, consolidated=False, encoding=chunks)
    forest = write_static(folder / "static.nc", grid, land_fraction)
    difficulty = {flux: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7 + k] for k, flux in enumerate(FLUXES)}
    calibration = make_calibration(difficulty, classes={"GRA": 1.0, "ENF": 1.5})
    calibration.save(folder / "calibration.json")
    checksum_inputs([folder / "static.nc"], "land", folder / "inputs.csv")
    return SimpleNamespace(
        calibration=folder / "calibration.json", inputs=folder / "inputs.csv",
        tiles=folder / "tiles.zarr", static=folder / "static.nc", data=tiles, grid=grid,
        land=land, land_fraction=land_fraction, forest=forest,
    )  # fmt: skip


def write_static(path: Path, grid: Grid, land_fraction: np.ndarray) -> np.ndarray:
    """Grassland in the south, more and more forest from west to east in the north: its share."""
    north = (grid.lat > 0)[:, None]
    forest = north * np.linspace(0, 1, grid.shape[1])
    shares = {"WAT": 1 - land_fraction, "GRA": land_fraction * (1 - forest)}
    shares["ENF"] = land_fraction * forest
    data = {f"igbp_{name}": shares.get(name, np.zeros(grid.shape)) for name in IGBP_CLASSES}
    data |= {"land_fraction": land_fraction, "vegetated_fraction": land_fraction}
    data["koppen"] = np.ones(grid.shape, np.int8)
    dims = ("lat", "lon")
    xr.Dataset(
        {
            name: (dims, np.asarray(v, "i1" if name == "koppen" else "f4"))
            for name, v in data.items()
        },
        {"lat": grid.lat, "lon": grid.lon},
    ).to_netcdf(path)
    return forest


def _assemble(source: SimpleNamespace, output: Path, config=CONFIG, threads=1) -> None:
    """Write the daily file of the tiles."""
    given = source.tiles, source.static, source.calibration
    assemble_product(*given, output, inputs=source.inputs, config=config, threads=threads)


def _aggregate(source: SimpleNamespace, daily: Path, monthly: Path, annual: Path) -> None:
    """Write the monthly and annual files of a daily one."""
    static, calibration = source.static, source.calibration
    aggregate_product(daily, monthly, annual, static=static, calibration=calibration)


@pytest.fixture(scope="session")
def config():
    """What the attributes name of a configuration."""
    return CONFIG


@pytest.fixture(scope="session")
def make_tiles():
    """Function (folder, year) that writes tiles and static fields."""
    return write_tiles


@pytest.fixture(scope="session")
def assemble():
    """Function (source, output, config, threads) that writes the daily file of the tiles."""
    return _assemble


@pytest.fixture(scope="session")
def aggregate():
    """Function (source, daily, monthly, annual) that writes the files of means."""
    return _aggregate


@pytest.fixture
def source(tmp_path):
    """Tiles and static fields of 2003 that a test may spoil."""
    return write_tiles(tmp_path, 2003)


@pytest.fixture(scope="session")
def product(tmp_path_factory):
    """A product of the leap year 2004: paths `daily, monthly, annual, totals` and its source."""
    folder = tmp_path_factory.mktemp("product")
    source = write_tiles(folder, 2004)
    paths = {step: folder / f"{step}.nc" for step in ("daily", "monthly", "annual")}
    _assemble(source, paths["daily"])
    _aggregate(source, *paths.values())
    tabulate_totals([paths["annual"]], folder / "totals.csv")
    return SimpleNamespace(**paths, totals=folder / "totals.csv", source=source)
