"""A small planet of tiles: smooth fluxes, two ocean blocks, one cell without vegetation."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from calibrations import make_calibration

from tamflux.grid import Grid
from tamflux.inference.tiles import means_of_months, month_starts
from tamflux.product.aggregate import aggregate_product
from tamflux.product.assemble import assemble_product
from tamflux.product.inputs import checksum_inputs
from tamflux.product.totals import tabulate_totals
from tamflux.uncertainty.mean_error import MeanError, StepError
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
    starts = month_starts(days)
    for name in ("gpp", "reco"):
        cells = np.moveaxis(data[name][1], 0, -1).reshape(-1, len(days))
        means = means_of_months(cells, np.isnan(cells), starts).T.reshape(-1, *grid.shape)
        spread = np.array([0.9, 1.0, 1.1], np.float32)[:, None, None, None]
        data[f"{name}_members"] = (("member", "month", *dims[1:]), spread * means)
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
    chunks = {name: {"chunks": (len(days), 8, 8)} for name in (*fields, "gap_memory")}
    tiles.to_zarr(folder / "tiles.zarr", zarr_format=3, consolidated=False, encoding=chunks)
    forest = write_static(folder / "static.nc", grid, land_fraction)
    difficulty = {flux: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7 + k] for k, flux in enumerate(FLUXES)}
    calibration = make_calibration(difficulty, classes={"GRA": 1.0, "ENF": 1.5})
    calibration = replace(calibration, mean_error=mean_error())
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
    data["koppen"] = np.where(land_fraction > 0, 15, 0)
    dims = ("lat", "lon")
    xr.Dataset(
        {
            name: (dims, np.asarray(v, "i1" if name == "koppen" else "f4"))
            for name, v in data.items()
        },
        {"lat": grid.lat, "lon": grid.lon},
    ).to_netcdf(path)
    return forest


def mean_error() -> dict:
    """The part `mean_error` of the calibration: other numbers for months, years and fluxes."""
    fluxes = ("gpp", "reco", "nee")
    steps = {
        step: StepError(
            {flux: [size * (0.1 + 0.1 * k) for k in range(7)] for flux in fluxes},
            dict.fromkeys(fluxes, 1.8),
            {flux: 0.01 * number for number, flux in enumerate(fluxes)},
        )
        for step, size in {"monthly": 1.0, "annual": 0.8}.items()
    }
    return asdict(MeanError(800.0, 20, steps))


def _tabulate(source: SimpleNamespace, annual: Path, monthly: Path, **options) -> Path:
    """Write `totals.csv` and `totals_monthly.csv` beside the annual file; the path of the first."""
    totals = annual.with_name("totals.csv")
    given = [annual], [monthly], [source.tiles], source.calibration
    tabulate_totals(*given, totals, annual.with_name("totals_monthly.csv"), **options)
    return totals


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
    """Function (source, daily, monthly, annual) that writes the last two."""
    return _aggregate


@pytest.fixture(scope="session")
def tabulate():
    """Function (source, annual, monthly, **options) that writes the totals, and their path."""
    return _tabulate


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
    totals = _tabulate(source, paths["annual"], paths["monthly"])
    return SimpleNamespace(**paths, totals=totals, source=source)


@pytest.fixture
def results(product, tmp_path):
    """Folder of a run that made the small planet's product, which a test may spoil."""
    folder = tmp_path / "run"
    for name in ("product", "tiles", "models"):
        (folder / name).mkdir(parents=True)
    for step in ("daily", "monthly", "annual"):
        path = getattr(product, step)
        shutil.copy(path, folder / "product" / f"tamflux_{step}_2004.nc")
    shutil.copy(product.source.inputs, folder / "product" / "inputs_2004.csv")
    shutil.copytree(product.source.tiles, folder / "tiles" / "tamrl_2004.zarr")
    shutil.copy(product.source.calibration, folder / "models" / "calibration.json")
    return folder
