"""The product's NetCDF file: coordinates, bounds, static fields and fluxes, written by row blocks.

netCDF4 defines the file. The chunks of the fluxes are shuffled here, deflated with libdeflate, and
written with HDF5's direct chunk write. The file is an ordinary deflated NetCDF-4 file for every
reader, but smaller than one deflated by zlib and written in less than half of the time. The chunks
of the same days lie beside each other, so that a map is one stretch of the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import deflate
import h5py
import netCDF4
import numpy as np

from tamflux.errors import ContractError
from tamflux.files import atomic_path, scratch_folder
from tamflux.grid import Grid
from tamflux.product.metadata import (
    CELL_ATTRIBUTES,
    CLASS_ATTRIBUTES,
    CRS_ATTRIBUTES,
    LEAST_SIGNIFICANT_DIGIT,
    MISSING_DAYS,
    MISSING_DAYS_ATTRIBUTES,
    flux_attributes,
    quality_attributes,
)
from tamflux.variables import KOPPEN_CLASSES

FILL = np.float32(-9999)
FILL_QUALITY = np.int8(-1)
FILL_DAYS = np.int16(-1)
EPOCH = np.datetime64("2000-01-01", "D")
CHUNKS = (4, 30, 1440)
"""(time, lat, lon) chunk of a flux: 0.7 MB, a band of the globe at 0.25 degree. Four days of the
globe fit into the 16 MB that netCDF keeps of a variable, for tools that read step by step
(docs/performance.md)."""

CHUNK_CACHE = 1_000_000
"""Bytes of HDF5's chunk cache: chunks are read and written once, in complete row blocks."""

DAYS_AT_ONCE = 10 * CHUNKS[0]
"""Days that a thread deflates at once: smaller tasks would contend for the GIL at every chunk."""

INDEX_ENTRY = 64
"""Bytes of a chunk in HDF5's index, at most."""

LEVEL = 4
"""Compression level of libdeflate."""

ROWS_AT_ONCE = CHUNKS[1]
"""Rows of a block, read and written at once: complete chunks, in bounded memory."""


class ProductWriter:
    """Writes the fields of a product file by row blocks; the threads of `pool` deflate.

    Chunks wait in `scratch` until the last row block: `finish` puts them into the file by days.
    """

    def __init__(self, file: h5py.File, pool: ThreadPoolExecutor, scratch: BinaryIO):
        self._file, self._pool, self._scratch = file, pool, scratch
        self._waiting: dict[str, dict[tuple[int, ...], tuple[int, int]]] = {}

    def write(self, name: str, rows: slice, values: np.ndarray) -> None:
        """Write a block of `row_blocks`: (row, lon) or (time, row, lon), `FILL` where missing."""
        data = self._file[name]
        if data.ndim == 2:
            data[rows] = values
            return
        starts = range(0, len(values), DAYS_AT_ONCE)
        blocks = [values[day : day + DAYS_AT_ONCE] for day in starts]
        if data.shape[0] < len(values):  # the record dimension has no length before
            data.resize(len(values), axis=0)
        waiting = self._waiting.setdefault(name, {})
        deflated = self._pool.map(partial(_deflate, data.chunks, data.fillvalue), blocks)
        for start, chunks in zip(starts, deflated, strict=True):
            for (day, west), chunk in chunks.items():
                place = self._scratch.tell(), len(chunk)
                waiting[start + day, rows.start, west] = place
                self._scratch.write(chunk)

    def finish(self) -> None:
        """Put the chunks into the file: by variable, day, row and column."""
        for name, chunks in self._waiting.items():
            for origin, (start, size) in sorted(chunks.items()):
                self._scratch.seek(start)
                self._file[name].id.write_direct_chunk(origin, self._scratch.read(size))


def _deflate(
    shape: tuple[int, ...], fill: np.generic, values: np.ndarray
) -> dict[tuple[int, int], bytearray]:
    """Chunks of some days, by day and column, shuffled and deflated as HDF5's filters do."""
    chunks = {}
    for day in range(0, len(values), shape[0]):
        for west in range(0, values.shape[2], shape[2]):
            part = values[day : day + shape[0], :, west : west + shape[2]]
            chunk = np.full(shape, fill, values.dtype)  # the last ones reach beyond the edges
            chunk[tuple(map(slice, part.shape))] = part
            octets = chunk.reshape(-1).view(np.uint8).reshape(-1, chunk.itemsize)
            planes = np.ascontiguousarray(octets.T).tobytes()
            chunks[day, west] = deflate.zlib_compress(planes, LEVEL)
    return chunks


@contextmanager
def create_product(
    path: str | Path,
    grid: Grid,
    edges: np.ndarray,
    step: str,
    attributes: Mapping[str, Any],
    land_fraction: np.ndarray,
    quality: np.ndarray,
    threads: int = 1,
    classes: Mapping[str, np.ndarray] | None = None,
) -> Iterator[ProductWriter]:
    """Yield the writer of a product file to fill by row blocks; the file is written atomically.

    Parameters
    ----------
    edges : numpy.ndarray
        (time + 1,) datetime64[D] bounds of the time steps.
    step : str
        daily, monthly or annual; daily fluxes are stored with `LEAST_SIGNIFICANT_DIGIT`.
    land_fraction : numpy.ndarray
        (lat, lon), 0-1.
    quality : numpy.ndarray
        (lat, lon) int8 bits; masked where there is no land.
    threads : int
        Threads that deflate the fluxes.
    classes : mapping, optional
        `igbp_fraction` (class, lat, lon) and `koppen` (lat, lon) code.
    """
    with scratch_folder(path) as folder, atomic_path(path) as partial:
        with netCDF4.Dataset(partial, "w", format="NETCDF4") as file:
            file.setncatts(dict(attributes))
            fixed = _define(file, grid, edges, step, land_fraction, quality)
            if classes is not None:
                fixed |= _define_classes(file, classes)
            file.sync()  # the metadata come first: opening the file reads one stretch of it
            for name, values in fixed.items():
                file[name][:] = values
        with (
            h5py.File(partial, "r+", meta_block_size=_index_bytes(grid, edges)) as file,
            open(folder / "chunks", "w+b") as scratch,
            ThreadPoolExecutor(threads) as pool,
        ):
            writer = ProductWriter(file, pool, scratch)
            yield writer
            writer.finish()


def _define(
    file: netCDF4.Dataset,
    grid: Grid,
    edges: np.ndarray,
    step: str,
    land_fraction: np.ndarray,
    quality: np.ndarray,
) -> dict[str, np.ndarray]:
    """Define coordinates, static fields and fluxes; returns the values of the first two."""
    fixed = _coordinates(file, grid, edges)
    crs = file.createVariable("crs", "i4")
    crs.setncatts(CRS_ATTRIBUTES)
    _field(file, "cell_area", "f8", units="m2", standard_name="cell_area",
           long_name="area of the cell")  # fmt: skip
    _field(file, "land_fraction", "f4", units="1",
           standard_name="land_area_fraction", long_name="fraction of the cell that is land",
           cell_measures="area: cell_area")  # fmt: skip
    flag = file.createVariable("quality_flag", "i1", ("lat", "lon"), compression="zlib",
                               fill_value=FILL_QUALITY)  # fmt: skip
    masks = quality_attributes()
    flag.setncatts({**masks, "flag_masks": np.array(masks["flag_masks"], np.int8)})
    for name, attrs in CELL_ATTRIBUTES.items():
        variable = file.createVariable(name, "f4", ("lat", "lon"), compression="zlib",
                                       fill_value=FILL)  # fmt: skip
        variable.setncatts(
            {**attrs, "grid_mapping": "crs", "coverage_content_type": "qualityInformation"}
        )
    options = {
        "dimensions": ("time", "lat", "lon"), "compression": "zlib", "complevel": 4,
        "shuffle": True, "chunk_cache": CHUNK_CACHE,
        "chunksizes": np.minimum((len(edges) - 1, *grid.shape), CHUNKS).tolist(),
    }  # fmt: skip
    digit = LEAST_SIGNIFICANT_DIGIT if step == "daily" else None
    for name, attrs in flux_attributes(step).items():
        variable = file.createVariable(
            name, "f4", fill_value=FILL, least_significant_digit=digit, **options
        )
        variable.setncatts(attrs)
    if step != "daily":
        variable = file.createVariable(MISSING_DAYS, "i2", fill_value=FILL_DAYS, **options)
        variable.setncatts(MISSING_DAYS_ATTRIBUTES)
    return fixed | {
        "cell_area": grid.cell_area(),
        "land_fraction": land_fraction,
        "quality_flag": np.where(land_fraction > 0, quality, FILL_QUALITY),
    }


def _define_classes(
    file: netCDF4.Dataset, classes: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Define land cover and climate of the cells; returns their values."""
    codes = {"igbp": np.arange(len(classes["igbp_fraction"]), dtype=np.int8)}
    codes["koppen"] = np.arange(len(KOPPEN_CLASSES) + 1, dtype=np.int8)
    file.createDimension("igbp", len(codes["igbp"]))
    for name, kind, values in [
        ("igbp", "i1", codes["igbp"]),
        ("igbp_fraction", "f4", classes["igbp_fraction"]),
        ("koppen", "i1", classes["koppen"]),
    ]:
        dimensions = ("lat", "lon") if name == "koppen" else ("igbp", "lat", "lon")[: values.ndim]
        variable = file.createVariable(name, kind, dimensions, compression="zlib", shuffle=True)
        variable.setncatts(CLASS_ATTRIBUTES[name])
        if name in codes:
            variable.flag_values = codes[name]
    return {"igbp": codes["igbp"], **classes}


def row_blocks(grid: Grid) -> Iterator[slice]:
    """Slices of `ROWS_AT_ONCE` rows, from south to north."""
    for start in range(0, grid.shape[0], ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, grid.shape[0]))


def _coordinates(file: netCDF4.Dataset, grid: Grid, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Define the axes and their bounds; returns their values."""
    fixed: dict[str, np.ndarray] = {}
    days = (edges - EPOCH).astype(np.float64)
    time = {
        "standard_name": "time",
        "long_name": "start of the time step; time_bnds gives its start and end",
        "units": f"days since {EPOCH} 00:00:00",
        "calendar": "standard",
        "units_metadata": "leap_seconds: none",
        "axis": "T",
    }
    lat = {"standard_name": "latitude", "long_name": "latitude of the cell centre",
           "units": "degrees_north", "axis": "Y"}  # fmt: skip
    lon = {"standard_name": "longitude", "long_name": "longitude of the cell centre",
           "units": "degrees_east", "axis": "X"}  # fmt: skip
    file.createDimension("bnds", 2)
    for name, values, bounds, attrs in [
        ("time", days[:-1], days, time),
        ("lat", grid.lat, grid.lat_edges, lat),
        ("lon", grid.lon, grid.lon_edges, lon),
    ]:
        # time is the record dimension, so that ncrcat and cdo can concatenate years
        file.createDimension(name, None if name == "time" else len(values))
        variable = file.createVariable(name, "f8", (name,), chunksizes=(len(values),))
        variable.setncatts(
            {**attrs, "bounds": f"{name}_bnds", "coverage_content_type": "coordinate"}
        )
        file.createVariable(f"{name}_bnds", "f8", (name, "bnds"), chunksizes=(len(values), 2))
        fixed |= {name: values, f"{name}_bnds": np.stack([bounds[:-1], bounds[1:]], axis=1)}
    return fixed


def _index_bytes(grid: Grid, edges: np.ndarray) -> int:
    """Bytes that hold the index of all chunks of a file, in one stretch instead of between them."""
    shape = len(edges) - 1, *grid.shape
    chunks = math.prod(-(-size // chunk) for size, chunk in zip(shape, CHUNKS, strict=True))
    return INDEX_ENTRY * chunks * len(flux_attributes("daily"))


def _field(file: netCDF4.Dataset, name: str, kind: str, **attrs: str) -> None:
    variable = file.createVariable(name, kind, ("lat", "lon"), compression="zlib", shuffle=True)
    variable.setncatts(
        {**attrs, "grid_mapping": "crs", "coverage_content_type": "auxiliaryInformation"}
    )


@dataclass(frozen=True)
class Product:
    """An open product file, its axes and its static fields."""

    file: netCDF4.Dataset
    year: int
    grid: Grid
    days: np.ndarray
    """(time,) days of each time step"""
    land_fraction: np.ndarray
    quality: np.ndarray
    attributes: dict[str, Any]


@contextmanager
def open_product(path: str | Path) -> Iterator[Product]:
    """Open a product file of a year, or of the complete months of a partial year, to read.

    Raises
    ------
    ContractError
        If the file is not one.
    """
    with netCDF4.Dataset(path) as file:
        bounds = file["time_bnds"][:].data
        first, last = (EPOCH + int(day) for day in (bounds[0, 0], bounds[-1, 1]))
        year = int(str(first)[:4])
        months = (np.datetime64(f"{year}-01") + np.arange(1, 13)).astype("datetime64[D]")
        complete = first == np.datetime64(f"{year}-01-01") and last in months
        if not complete or not np.array_equal(bounds[1:, 0], bounds[:-1, 1]):
            raise ContractError(
                "the product file does not hold a year, or complete months from its start",
                file=path, variable="time_bnds",
                found=f"{first} to {last}, {len(bounds)} time steps",
                expected="adjoining time steps from 1 January to the end of a month",
                fix="delete the file and run snakemake again",
            )  # fmt: skip
        for name in flux_attributes("daily"):
            file[name].set_var_chunk_cache(CHUNK_CACHE)
        lat, lon = file["lat_bnds"][:].data, file["lon_bnds"][:].data
        west, south = float(lon[0, 0]), float(lat[0, 0])
        east, north = float(lon[-1, 1]), float(lat[-1, 1])
        resolution = float(file.getncattr("geospatial_lat_resolution"))
        yield Product(
            file,
            year,
            Grid(resolution, (west, south, east, north)),
            np.diff(bounds, axis=1)[:, 0],
            file["land_fraction"][:].filled(0),
            file["quality_flag"][:].filled(0),
            {name: file.getncattr(name) for name in file.ncattrs()},
        )
