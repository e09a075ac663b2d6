"""Fluxes of every land cell and day of a year: the tiles of the globe as tasks of Dask."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr
from distributed import Client, KilledWorker, as_completed
from tqdm import tqdm

from tamflux.checksums import content_hash
from tamflux.errors import TamfluxError
from tamflux.grid import Tile
from tamflux.inference.cluster import dask_client
from tamflux.inference.state_cache import TileStateCache
from tamflux.inference.tile_store import TileStore, open_tile_store
from tamflux.inference.tiles import (
    FLUX_NAMES,
    STD_NAMES,
    Inputs,
    Sources,
    has_land,
    open_sources,
    predict_tile,
)
from tamflux.predictors.cube import Cube, consolidate
from tamflux.provenance import code_hash, file_hash
from tamflux.training.ensemble import BATCH_CELLS
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

_NO_MEMORY = ("out of memory", "allocate", "could not create a ", "can't start new thread")
"""What torch, oneDNN (of its primitives and memory objects) and threads say without memory."""

TILES_FOR_PROCESSES = 100
"""From so many tiles on, local workers are processes: their start takes seconds. On a GPU they are
always threads, which share it and its one copy of the model."""

LESS_MEMORY = (
    f"lower inference.batch_cells (null is {BATCH_CELLS['cpu']} on a processor, "
    f"{BATCH_CELLS['cuda']} on a GPU), or compute fewer tiles at once (--cores)"
)


def predict_tiles(
    cube: str | Path,
    lookback: str | Path,
    static: str | Path,
    checkpoints: Sequence[str | Path],
    places: str | Path,
    output: str | Path,
    *,
    workers: int,
    batch_cells: int | None = None,
    device: str = "cpu",
    scheduler_address: str | None = None,
) -> None:
    """Predict the daily fluxes of one year, tile by tile (contract 4).

    A run that was killed goes on where it stopped if inputs and code are the same; the result
    does not depend on tiles, batches or workers. Of a year that is not over, the days that there
    are are predicted; when more come, only those behind the first change are
    (`tamflux.inference.state_cache`).

    Parameters
    ----------
    cube, lookback : path
        Cubes of the year and of the year whose end is its lookback; the same path twice where
        there is no year before.
    static : path
        Static fields of the grid.
    checkpoints : sequence of path
        Members of the ensemble.
    places : path
        Training towers in the space that distances are measured in (`FeatureSpace`).
    output : path
        Zarr store to write.
    workers : int
        Of the local cluster: threads, or processes for `TILES_FOR_PROCESSES` tiles or more.
    batch_cells : int, optional
        Cells that a worker computes at once, by default as many as suit the device.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    scheduler_address : str, optional
        A running Dask cluster to use instead; its workers must see the same files.

    Raises
    ------
    ContractError
        If the inputs do not belong together.
    TamfluxError
        If a tile fails (it is named), the scheduler is lost, or another run has the lock;
        finished tiles are kept.
    """
    output = Path(output).absolute()
    inputs = _identify(cube, lookback, static, checkpoints, places, device, output)
    sources = open_sources(inputs)
    tiles = sources.cube.grid.tiles(sources.cube.tile_size)
    land = [tile for tile in tiles if has_land(sources.static, tile)]
    log.info("%d of %d tiles have land", len(land), len(tiles))
    with open_tile_store(output, inputs.identity, lambda path: create_tiles(path, inputs)) as work:
        if cut_off := work.cut_off():
            log.warning(
                "the last run was cut off in tiles %s; if that was for memory: %s "
                "(batch_cells is %s now)",
                ", ".join(cut_off), LESS_MEMORY, batch_cells or "null",
            )  # fmt: skip
        todo = [tile for tile in land if not work.is_finished(tile)]
        if len(todo) < len(land):
            log.info("%d of %d tiles already finished", len(land) - len(todo), len(land))
        if todo:
            on_cpu = sources.ensemble.device.type == "cpu"
            processes = on_cpu and workers > 1 and len(todo) >= TILES_FOR_PROCESSES
            with dask_client(scheduler_address, workers, processes) as client:
                _run(client, inputs, work, todo, batch_cells, done=len(land) - len(todo))
        consolidate(work.store)
        if output.exists():
            shutil.rmtree(output)
        os.replace(work.store, output)
        shutil.rmtree(work.folder)
        if inputs.states and not inputs.states.grows:  # the year is over
            shutil.rmtree(inputs.states.folder)


def create_tiles(path: Path, inputs: Inputs) -> None:
    """Write the empty tile store: NaN everywhere, with coordinates and provenance."""
    sources = open_sources(inputs)
    cube = sources.cube
    store = zarr.create_group(path, zarr_format=3, attributes=_provenance(inputs, sources))
    side = [min(cube.tile_size, n) for n in cube.grid.shape]
    for name in (*FLUX_NAMES, *STD_NAMES):
        store.create_array(
            name,
            shape=(len(cube.time), *cube.grid.shape),
            chunks=(len(cube.time), *side),
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("time", "lat", "lon"),
            attributes={"units": FLUXES[name.removesuffix("_std")].units},
        )
    for name, kind, fill in [("distance", "float32", np.nan), ("quality", "int8", 0)]:
        store.create_array(
            name,
            shape=cube.grid.shape,
            chunks=tuple(side),
            dtype=kind,
            fill_value=fill,
            dimension_names=("lat", "lon"),
        )
    days = {"units": f"days since {cube.year}-01-01", "calendar": "proleptic_gregorian"}
    for name, values, attributes in [
        ("time", np.arange(len(cube.time)), days),
        ("lat", cube.grid.lat, {"units": "degrees_north"}),
        ("lon", cube.grid.lon, {"units": "degrees_east"}),
    ]:
        array = store.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            dimension_names=(name,),
            attributes=attributes,
            fill_value=None,
        )
        array[:] = values


def _identify(cube, lookback, static, checkpoints, places, device, output: Path) -> Inputs:
    """Inputs with absolute paths and the identity of all that the tiles depend on."""
    cube, lookback, static, places = (
        Path(path).absolute() for path in (cube, lookback, static, places)
    )
    checkpoints = tuple(Path(path).absolute() for path in checkpoints)
    digest = hashlib.sha256(code_hash("tamflux.inference.predict").encode())
    for path in (static, *checkpoints, places):
        digest.update(content_hash(path).encode())
    folder, grows = output.with_name(f".{output.stem}.states"), not Cube.open(cube).is_complete
    states = TileStateCache(folder, digest.hexdigest(), grows) if grows or folder.is_dir() else None
    for path in (cube, lookback):
        digest.update(content_hash(path).encode())
    return Inputs(cube, lookback, static, checkpoints, places, digest.hexdigest(), device, states)


def _provenance(inputs: Inputs, sources: Sources) -> dict:
    """Attributes of the tile store: its grid and what made it."""
    members = [
        {
            "sha256": file_hash(path),
            "model": description.model,
            "training_sites": list(description.training_sites),
            "provenance": description.provenance,
        }
        for path, description in zip(inputs.checkpoints, sources.ensemble.specs, strict=True)
    ]
    cube = sources.cube
    return {
        "year": cube.year,
        "resolution": cube.grid.resolution,
        "bbox": list(cube.grid.bbox),
        "tile_size": cube.tile_size,
        "code": code_hash("tamflux.inference.predict"),
        "identity": inputs.identity,
        "members": members,
    }


def _run(
    client: Client,
    inputs: Inputs,
    work: TileStore,
    tiles: list[Tile],
    batch_cells: int | None,
    done: int,
) -> None:
    """Compute tiles on the cluster; stop at the first failure and name the tile."""
    futures = {
        client.submit(_finish_tile, inputs, work, tile, batch_cells, pure=False): tile
        for tile in tiles
    }
    total = done + len(tiles)
    with tqdm(total=total, initial=done, desc="tiles", unit="tile", mininterval=1) as bar:
        for future in as_completed(list(futures)):
            if future.status == "cancelled":  # Dask does so with all when the scheduler is lost
                address = client.scheduler and client.scheduler.address
                raise TamfluxError(
                    "the Dask scheduler was lost",
                    found=f"{address} does not answer any more",
                    fix="start a cluster and run the same command: finished tiles are kept",
                )
            if future.status != "finished":
                _fail(futures[future], future)  # closing the client cancels the others
            bar.update()


def _finish_tile(inputs: Inputs, work: TileStore, tile: Tile, batch_cells: int | None) -> None:
    """The task: predict a tile and write it."""
    work.begin(tile)
    try:
        work.write(tile, predict_tile(open_sources(inputs), tile, batch_cells))
    finally:
        work.end(tile)


def _fail(tile: Tile, future) -> None:
    cause = future.exception() if future.status == "error" else None
    remedy = LESS_MEMORY if _is_of_memory(cause) else "remove the cause"
    raise TamfluxError(
        f"tile {tile.id} failed (rows {tile.rows.start} to {tile.rows.stop - 1}, "
        f"columns {tile.cols.start} to {tile.cols.stop - 1})",
        found=str(cause) if isinstance(cause, TamfluxError) else repr(cause or future.status),
        fix=f"{remedy} and run the same command: finished tiles are kept",
    ) from cause


def _is_of_memory(cause: BaseException | None) -> bool:
    """Whether memory ran out: of numpy, of torch on either device, or of a worker, now killed."""
    if isinstance(cause, MemoryError | KilledWorker):
        return True
    said = str(cause).lower()
    return isinstance(cause, RuntimeError) and any(words in said for words in _NO_MEMORY)
