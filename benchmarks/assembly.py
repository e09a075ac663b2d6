"""Speed of the assembly: MB of fluxes per core and second, compared with zlib of the HDF5 library.

    python benchmarks/assembly.py

prints one line of JSON. A band of the globe (30 x 1440 cells on the real map, from 40 N; 720 rows
are the globe) goes from tiles to the daily NetCDF. All times are seconds of all threads together.

- `value`: `assemble_product`, from the tile store: nine variables of a year, checked and rounded.
- `reference`: netCDF4 writes the same nine variables with zlib (level 4, shuffled) in the same
  chunks, and does nothing else.
- `details.threads_2`: wall seconds of one thread over those of two.
- `details.size_mb`, `zlib_mb`: size of both files; `nine_raw_mb`: of the numbers.
- `details.read`: milliseconds to read a map (all cells of a day) and a time series (all days of a
  land cell) of one global flux in the product's chunks, in chunks of one day (`map_wise`: 1 x lat
  x lon) and in chunks of all days (`series_wise`: days x 30 x 30), and the sizes of the three
  files; the ratios are the product's over the better of the other two.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr
import yaml
import zarr
from predictors import core_seconds
from scaling import seconds

from tamflux.demo_earth.planet import koppen_map
from tamflux.grid import Grid
from tamflux.predictors.cube import year_days
from tamflux.product.assemble import assemble_product
from tamflux.product.inputs import checksum_inputs
from tamflux.product.metadata import QUANTUM
from tamflux.product.netcdf import CHUNKS, FILL
from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS, LEVELS, Calibration
from tamflux.variables import FLUXES, IGBP_CLASSES, igbp_fraction

CONFIG = Path(__file__).parents[1] / "config.yaml"
YEAR = 2003
RESOLUTION = 0.25
SOUTH = 40.0
TILE = 30
MAPS, SERIES = 5, 20
"""How many maps and time series are read."""


def simulate_gpp(
    n_days: int, shape: tuple[int, ...], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """GPP of some cells (day, *shape) with a season, and the noise in it, around 1."""
    season = 1 - np.cos(2 * np.pi * np.arange(n_days, dtype=np.float32) / 365).reshape(
        -1, *(1 for _ in shape)
    )
    weather = random.normal(1, 0.2, (n_days, *shape)).astype(np.float32)
    return season * random.uniform(0, 6, shape).astype(np.float32) * np.abs(weather), weather


def write_inputs(folder: Path, rows: int) -> np.ndarray:
    """Tiles of plausible fluxes, static fields and a calibration; returns the land."""
    south = SOUTH if rows < 720 else -90.0
    grid = Grid(RESOLUTION, (-180.0, south, 180.0, south + rows * RESOLUTION))
    first = round((south + 90) / RESOLUTION)
    land = koppen_map()[first : first + rows] > 0
    days = year_days(YEAR)
    member = {"sha256": "", "model": "tamrl", "training_sites": [], "provenance": {"seed": 0}}
    store = zarr.create_group(
        folder / "tiles.zarr",
        attributes={"year": YEAR, "resolution": RESOLUTION, "bbox": list(grid.bbox),
                    "tile_size": TILE, "code": "", "members": [member]},
    )  # fmt: skip
    dims, side = ("time", "lat", "lon"), min(TILE, rows)
    names = [f"{flux}{part}" for part in ("", "_std") for flux in FLUXES]
    for name in names:
        store.create_array(name, shape=(len(days), *grid.shape), chunks=(len(days), side, side),
                           dtype="float32", fill_value=np.nan, dimension_names=dims)  # fmt: skip
    random = np.random.default_rng(0)
    for start in range(0, rows, side):
        band = slice(start, min(start + side, rows))
        here = land[band]
        gpp, weather = simulate_gpp(len(days), here.shape, random)
        reco = 0.6 * gpp + random.uniform(0.2, 2, here.shape).astype(np.float32)
        for name, values in {"gpp": gpp, "reco": reco, "nee": reco - gpp}.items():
            store[name][:, band] = np.where(here, values, np.nan)
            std = np.abs(0.1 * values * weather)
            store[f"{name}_std"][:, band] = np.where(here, std, np.nan)
    dissimilarity = np.where(land, random.uniform(0, 3, land.shape), np.nan).astype(np.float32)
    store.create_array(
        "dissimilarity_index", data=dissimilarity, chunks=(side, side), dimension_names=dims[1:]
    )
    quality = np.zeros(land.shape, np.int8)
    store.create_array("quality", data=quality, chunks=(side, side), dimension_names=dims[1:])
    static = {igbp_fraction(name): np.zeros(land.shape, np.float32) for name in IGBP_CLASSES}
    static |= {"igbp_WAT": (~land).astype(np.float32), "igbp_GRA": land.astype(np.float32)}
    static |= {"land_fraction": static["igbp_GRA"], "vegetated_fraction": static["igbp_GRA"]}
    static["koppen"] = np.ones(land.shape, np.int8)
    xr.Dataset(
        {name: (dims[1:], values) for name, values in static.items()},
        {"lat": grid.lat, "lon": grid.lon},
    ).to_netcdf(folder / "static.nc")
    knots = np.linspace(0.2, 2, len(GROSS_FLUX_KNOTS)).tolist()
    widths = {str(level): [2.0 * level, level] for level in LEVELS}
    Calibration(
        GROSS_FLUX_KNOTS,
        {flux: knots for flux in FLUXES},
        {flux: [1.0, 365.0] for flux in FLUXES},
        {flux: {"unknown": widths, "GRA": widths} for flux in FLUXES},
        (0.1, 0.05),
    ).save(folder / "calibration.json")
    checksum_inputs([folder / "static.nc"], "land", folder / "inputs.csv")
    return land


def assemble(folder: Path, threads: int = 1) -> None:
    """The work that is measured."""
    settings = yaml.safe_load(CONFIG.read_text())
    assemble_product(
        folder / "tiles.zarr", folder / "static.nc", folder / "calibration.json",
        folder / "daily.nc", inputs=folder / "inputs.csv", config=settings, threads=threads,
    )  # fmt: skip


def write_zlib(path: Path, fields: dict[str, np.ndarray], chunks: tuple[int, ...]) -> None:
    """Fields with the library's zlib."""
    with netCDF4.Dataset(path, "w") as file:
        for name, values in fields.items():
            dims = ("time", "lat", "lon")
            for axis, size in zip(dims, values.shape, strict=True):
                if axis not in file.dimensions:
                    file.createDimension(axis, size)
            sizes = np.minimum(values.shape, chunks).tolist()
            variable = file.createVariable(
                name, "f4", dims, zlib=True, complevel=4, chunksizes=sizes, fill_value=FILL
            )
            for south in range(0, values.shape[1], sizes[1]):
                variable[:, south : south + sizes[1]] = values[:, south : south + sizes[1]]


def read_fluxes(path: Path) -> dict[str, np.ndarray]:
    """The nine variables of a product file, raw."""
    names = [f"{flux}{part}" for part in ("", "_std", "_pi90_halfwidth") for flux in FLUXES]
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return {name: file[name][:] for name in names}


def read_times(path: Path, land: np.ndarray) -> dict[str, float]:
    """Median milliseconds of a map and of a time series, each with the file opened anew."""
    random = np.random.default_rng(1)
    cells = np.argwhere(land)
    series = cells[random.integers(0, len(cells), SERIES)]
    days = random.integers(0, len(year_days(YEAR)), MAPS)

    def read(*index) -> float:
        def work() -> None:
            with netCDF4.Dataset(path) as file:
                file["gpp"][index]

        return 1e3 * core_seconds(work)

    return {
        "map": statistics.median(read(int(day)) for day in days),
        "series": statistics.median(read(slice(None), int(r), int(c)) for r, c in series),
    }


def measure_reading(folder: Path, rows: int) -> dict:
    """Times and sizes of one flux of the globe's southern rows in three chunkings."""
    land, random = koppen_map()[:rows] > 0, np.random.default_rng(2)
    gpp = np.full((len(year_days(YEAR)), *land.shape), FILL)
    for row, here in enumerate(land):
        values, _ = simulate_gpp(len(gpp), (int(here.sum()),), random)
        gpp[:, row, here] = np.round(values / np.float32(QUANTUM)) * np.float32(QUANTUM)
    chunkings = {"product": CHUNKS, "map_wise": (1, *land.shape),
                 "series_wise": (len(gpp), TILE, TILE)}  # fmt: skip
    found = {}
    for name, chunks in chunkings.items():
        path = folder / f"{name}.nc"
        write_zlib(path, {"gpp": gpp}, chunks)
        found[name] = read_times(path, land) | {"size_mb": path.stat().st_size / 1e6}
    ratios = {
        f"{kind}_ratio": round(
            found["product"][kind] / min(found[n][kind] for n in ("map_wise", "series_wise")), 2
        )
        for kind in ("map", "series", "size_mb")
    }
    rounded = {name: {k: round(v, 2) for k, v in times.items()} for name, times in found.items()}
    return {**rounded, **ratios, "chunks": list(CHUNKS)}


def measure(rows: int, reading_rows: int, repeats: int) -> dict:
    """Rates of the assembly and of the library's zlib in turns; the median repeat counts."""
    own, zlib, speedup = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        land = write_inputs(folder, rows)
        assemble(folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        fields = read_fluxes(folder / "daily.nc")
        for _ in range(repeats):
            own.append(core_seconds(lambda: assemble(folder)))
            zlib.append(core_seconds(lambda: write_zlib(folder / "zlib.nc", fields, CHUNKS)))
            one, two = (seconds(lambda n=n: assemble(folder, n)) for n in (1, 2))
            speedup.append(one / two)
        size = sum(values.nbytes for values in fields.values()) / 1e6
        files = {n: (folder / f"{n}.nc").stat().st_size / 1e6 for n in ("daily", "zlib")}
        reading = measure_reading(folder, reading_rows)
    rate, reference = (size / statistics.median(times) for times in (own, zlib))
    return {
        "name": "assembly",
        "value": round(rate, 1),
        "unit": "MB of daily fluxes per core and second",
        "reference": round(reference, 1),
        "ratio": round(rate / reference, 3),
        "peak_rss_mb": round(peak, 1),
        "details": {
            "nine_raw_mb": round(size, 1),
            "size_mb": round(files["daily"], 2),
            "zlib_mb": round(files["zlib"], 2),
            "land_share": round(float(land.mean()), 3),
            "read": reading,
            "threads_2": round(statistics.median(speedup), 2),
            "own_seconds": [round(value, 2) for value in own],
            "zlib_seconds": [round(value, 2) for value in zlib],
            "cores": len(os.sched_getaffinity(0)),
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speed of the assembly compared with zlib alone")
    parser.add_argument("--rows", type=int, default=30, help="cells from south to north")
    parser.add_argument("--reading-rows", type=int, default=720, help="of the flux that is read")
    parser.add_argument("--repeats", type=int, default=3)
    print(json.dumps(measure(**vars(parser.parse_args()))))
