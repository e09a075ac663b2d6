"""Requests over a network for the daily file and its Zarr copy, from a local server that counts.

    python benchmarks/remote.py

prints one line of JSON. A year of GPP at 0.25 degree is written as the product writes it, with the
other variables empty. xarray reads the file with h5netcdf and fsspec, and the copy with zarr, by
their default settings; each reading opens anew.

- `value`: requests to open the file, to read a map of it, and to read a cell's year of the copy;
  `reference`: 90, the aim (10 + 40 + 40).
- `details.{netcdf, zarr}`: requests and MB to open, for a map and for a cell's year (both after
  opening), milliseconds of all threads for both on the local disk, and MB and number of files.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import xarray as xr
from assembly import YEAR, simulate_gpp
from predictors import core_seconds

from tamflux.demo_earth.planet import koppen_map
from tamflux.grid import Grid
from tamflux.predictors.cube import year_days
from tamflux.product.metadata import QUANTUM
from tamflux.product.netcdf import FILL, create_product, row_blocks
from tamflux.product.zarr_copy import copy_to_zarr

DAY, ROW, COL = 100, 0.78, 0.53
"""The map, and the cell as shares of rows and columns: in Europe."""

AIM = 90


class _RangeHandler(BaseHTTPRequestHandler):
    """Serves files, or the range of bytes that is asked for."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self._head(404, 0)
            self.server.sizes.append(0)
            return
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, size - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        whole = {} if asked is None else {"Content-Range": f"bytes {first}-{last}/{size}"}
        self._head(206 if asked else 200, last - first + 1, **whole)
        self.server.sizes.append(last - first + 1 if body else 0)
        if body:
            with open(path, "rb") as file:
                file.seek(first)
                self.wfile.write(file.read(last - first + 1))

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Content-Length": length, **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a folder, and the bytes of each request so far."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _RangeHandler)
    server.folder, server.sizes = folder, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.sizes
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def open_remote(url: str) -> Iterator[xr.Dataset]:
    """Yield a file or Zarr store, opened over HTTP without anything kept of earlier readings."""
    if url.endswith(".zarr"):
        options = {"skip_instance_cache": True}
        with xr.open_zarr(url, zarr_format=2, chunks=None, storage_options=options) as data:
            yield data
    else:
        system = fsspec.filesystem("http", skip_instance_cache=True)
        with system.open(url) as file, xr.open_dataset(file, engine="h5netcdf") as data:
            yield data


def read_map(data: xr.Dataset) -> xr.DataArray:
    """GPP of one day."""
    return data["gpp"].isel(time=DAY).load()


def read_series(data: xr.Dataset) -> xr.DataArray:
    """GPP of one cell."""
    cell = {"lat": int(ROW * data.sizes["lat"]), "lon": int(COL * data.sizes["lon"])}
    return data["gpp"].isel(cell).load()


def count_requests(path: Path) -> dict[str, dict[str, float]]:
    """Requests and MB to open a file or store, and then for a map and for a cell's year."""
    found = {}
    with serve(path.parent) as (address, sizes):
        for name, read in {"map": read_map, "series": read_series}.items():
            sizes.clear()
            with open_remote(f"{address}/{path.name}") as data:
                opened = list(sizes)
                read(data)
                fetched = sizes[len(opened) :]
            for what, part in (("open", opened), (name, fetched)):
                found[what] = {"requests": len(part), "mb": round(sum(part) / 1e6, 2)}
    return found


def time_reading(path: Path) -> dict[str, float]:
    """Milliseconds to open a file or store on the disk and read a map, or a cell's year."""
    open_local = partial(xr.open_zarr, chunks=None) if path.is_dir() else xr.open_dataset

    def work(read: Callable) -> None:
        with open_local(path) as data:
            read(data)

    found = {}
    for name, read in {"map": read_map, "series": read_series}.items():
        times = [core_seconds(partial(work, read)) for _ in range(3)]
        found[f"local_{name}_ms"] = round(1e3 * min(times), 1)
    return found


def write_product(path: Path, rows: int) -> None:
    """The daily file of the globe's southern rows, or of all; of the fluxes GPP alone."""
    land = koppen_map()[:rows] > 0
    grid = Grid(0.25, (-180.0, -90.0, 180.0, -90.0 + 0.25 * rows))
    days, random = year_days(YEAR), np.random.default_rng(2)
    edges = np.append(days, days[-1] + 1)
    attributes = {"title": "a benchmark"}
    quality = np.zeros(land.shape, np.int8)
    with create_product(path, grid, edges, "daily", attributes, land * 1.0, quality, 2) as file:
        for block in row_blocks(grid):
            here = land[block]
            gpp = np.full((len(days), *here.shape), FILL)
            values, _ = simulate_gpp(len(days), (int(here.sum()),), random)
            gpp[:, here] = np.round(values / np.float32(QUANTUM)) * np.float32(QUANTUM)
            file.write("gpp", block, gpp)


def measure(rows: int) -> dict:
    """Requests, times and sizes of both forms."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, store = folder / "daily.nc", folder / "daily.zarr"
        seconds = {"netcdf": core_seconds(lambda: write_product(file, rows))}
        seconds["zarr"] = core_seconds(lambda: copy_to_zarr(file, store))
        for form, path in {"netcdf": file, "zarr": store}.items():
            files = [p for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file()]
            found[form] = {
                **count_requests(path),
                **time_reading(path),
                "mb": round(sum(p.stat().st_size for p in files) / 1e6, 1),
                "files": len(files),
                "write_seconds": round(seconds[form], 1),
            }
    netcdf, zarr = found["netcdf"], found["zarr"]
    value = sum(part["requests"] for part in (netcdf["open"], netcdf["map"], zarr["series"]))
    return {
        "name": "remote",
        "value": value,
        "unit": "requests",
        "reference": AIM,
        "ratio": round(value / AIM, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "details": found,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Requests to read the product over a network")
    parser.add_argument("--rows", type=int, default=720, help="cells from south to north")
    print(json.dumps(measure(parser.parse_args().rows)))
