"""Predict every land cell and day of a year, with the tiles of the globe as Dask tasks."""

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
    MEMBER_NAMES,
    STD_NAMES,
    OpenedInputs,
    TileInputs,
    has_land,
    month_starts,
    open_inputs,
    predict_tile,
)
from tamflux.predictors.cube import Cube, consolidate
from tamflux.provenance import code_hash, file_hash
from tamflux.training.ensemble import BATCH_CELLS
from tamflux.variables import FLUXES

log = logging.getLogger("tamflux")

_NO_MEMORY = ("out of memory", "allocate", "could not create a ", "can't start new thread")
"""Words in the messages of torch, oneDNN and threads when memory runs out."""

TILES_FOR_PROCESSES = 100
"""Number of tiles from which local workers are processes, whose start takes seconds. On a GPU they
are always threads, which share the device and one copy of the model."""

LESS_MEMORY = (
    f"lower inference.batch_cells (null is {BATCH_CELLS['cpu']} on a processor, "
    f"{BATCH_CELLS['cuda']} on a GPU), or compute fewer tiles at once (--cores)"
)


def predict_tiles(
    cube: str | Path,
    lookback: str | Path,
    static: str | Path,
    checkpoints: Sequence[str | Path],
    feature_space: str | Path,
    output: str | Path,
    *,
    workers: int,
    batch_cells: int | None = None,
    device: str = "cpu",
    scheduler_address: str | None = None,
) -> None:
    """Predict the daily fluxes of one year, tile by tile (contract 4).

    A killed run resumes where it stopped if inputs and code are the same; the result does not
    depend on tiles, batches or workers. Of a partial year the available days are predicted; the
    next run then computes only the days after the first change (`tamflux.inference.state_cache`).

    Parameters
    ----------
    cube, lookback : path
        Cubes of the year and of the year before; the same path twice where there is none.
    static : path
        Static fields of the grid.
    checkpoints : sequence of path
        Members of the ensemble.
    feature_space : path
        Training towers in the space of the dissimilarity index (`FeatureSpace`).
    output : path
        Zarr store to write.
    workers : int
        Of the local cluster: threads, or processes for `TILES_FOR_PROCESSES` tiles or more.
    batch_cells : int, optional
        Cells that a worker computes at once, `BATCH_CELLS` of the device by default.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    scheduler_address : str, optional
        A running Dask cluster to use instead; its workers must see the same files.

    Raises
    ------
    ContractError
        If the inputs do not belong together.
    TamfluxError
        If a tile fails (it is named), the scheduler is lost, or another run holds the lock;
        finished tiles are kept.
    """
    output = Path(output).absolute()
    inputs = _identify(cube, lookback, static, checkpoints, feature_space, device, output)
    opened = open_inputs(inputs)
    tiles = opened.cube.grid.tiles(opened.cube.tile_size)
    land = [tile for tile in tiles if has_land(opened.static, tile)]
    log.info("%d of %d tiles have land", len(land), len(tiles))
    with open_tile_store(output, inputs.identity, lambda path: create_tiles(path, inputs)) as store:
        if interrupted := store.pop_interrupted():
            log.warning(
                "the last run was interrupted in tiles %s; if it ran out of memory: %s "
                "(batch_cells is %s now)",
                ", ".join(interrupted), LESS_MEMORY, batch_cells or "null",
            )  # fmt: skip
        todo = [tile for tile in land if not store.is_done(tile)]
        if len(todo) < len(land):
            log.info("%d of %d tiles already finished", len(land) - len(todo), len(land))
        if todo:
            on_cpu = opened.ensemble.device.type == "cpu"
            processes = on_cpu and workers > 1 and len(todo) >= TILES_FOR_PROCESSES
            with dask_client(scheduler_address, workers, processes) as client:
                _run(client, inputs, store, todo, batch_cells, done=len(land) - len(todo))
        consolidate(store.path)
        if output.exists():
            shutil.rmtree(output)
        os.replace(store.path, output)
        shutil.rmtree(store.folder)
        if inputs.states and not inputs.states.partial_year:  # the year is complete now
            shutil.rmtree(inputs.states.folder)


def create_tiles(path: Path, inputs: TileInputs) -> None:
    """Write the empty tile store: NaN everywhere, coordinates, provenance."""
    opened = open_inputs(inputs)
    cube = opened.cube
    group = zarr.create_group(path, zarr_format=3, attributes=_provenance(inputs, opened))
    side = tuple(min(cube.tile_size, n) for n in cube.grid.shape)
    days, months = len(cube.time), len(month_starts(cube.time))
    members = len(inputs.checkpoints)
    layouts: list[tuple[tuple[str, ...], str, tuple[int, ...], tuple[str, ...], float]] = [
        ((*FLUX_NAMES, *STD_NAMES), "float32", (days,), ("time",), np.nan),
        (("gap_memory",), "float32", (days,), ("time",), 0),
        (MEMBER_NAMES, "float32", (members, months), ("member", "month"), np.nan),
        (("dissimilarity_index",), "float32", (), (), np.nan),
        (("quality",), "int8", (), (), 0),
    ]
    for names, kind, lengths, dimensions, fill in layouts:
        for name in names:
            flux = FLUXES.get(name.partition("_")[0])
            group.create_array(
                name,
                shape=(*lengths, *cube.grid.shape),
                chunks=(*lengths, *side),
                dtype=kind,
                fill_value=fill,
                dimension_names=(*dimensions, "lat", "lon"),
                attributes={"units": flux.units if flux else "1"},
            )
    since = {"units": f"days since {cube.year}-01-01", "calendar": "proleptic_gregorian"}
    for name, values, attributes in [
        ("time", np.arange(days), since),
        ("lat", cube.grid.lat, {"units": "degrees_north"}),
        ("lon", cube.grid.lon, {"units": "degrees_east"}),
    ]:
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            dimension_names=(name,),
            attributes=attributes,
            fill_value=None,
        )
        array[:] = values


def _identify(
    cube, lookback, static, checkpoints, feature_space, device, output: Path
) -> TileInputs:
    """Inputs with absolute paths and a hash of everything that the tiles depend on."""
    cube, lookback, static, feature_space = (
        Path(path).absolute() for path in (cube, lookback, static, feature_space)
    )
    checkpoints = tuple(Path(path).absolute() for path in checkpoints)
    digest = hashlib.sha256(code_hash("tamflux.inference.predict").encode())
    for path in (static, *checkpoints, feature_space):
        digest.update(content_hash(path).encode())
    folder, partial_year = (
        output.with_name(f".{output.stem}.states"),
        not Cube.open(cube).is_complete,
    )
    states = None
    if partial_year or folder.is_dir():
        states = TileStateCache(folder, digest.hexdigest(), partial_year)
    for path in (cube, lookback):
        digest.update(content_hash(path).encode())
    return TileInputs(
        cube, lookback, static, checkpoints, feature_space, digest.hexdigest(), device, states
    )


def _provenance(inputs: TileInputs, opened: OpenedInputs) -> dict:
    """Attributes of the tile store: grid, inputs and code."""
    members = [
        {
            "sha256": file_hash(path),
            "model": spec.model,
            "training_sites": list(spec.training_sites),
            "provenance": spec.provenance,
        }
        for path, spec in zip(inputs.checkpoints, opened.ensemble.specs, strict=True)
    ]
    cube = opened.cube
    return {
        "year": cube.year,
        "resolution": cube.grid.resolution,
        "bbox": list(cube.grid.bbox),
        "tile_size": cube.tile_size,
        "code": code_hash("tamflux.inference.predict"),
        "identity": inputs.identity,
        "members": members,
        "preliminary_days": zarr.open_group(cube.path, mode="r").attrs.get("preliminary_days"),
    }


def _run(
    client: Client,
    inputs: TileInputs,
    store: TileStore,
    tiles: list[Tile],
    batch_cells: int | None,
    done: int,
) -> None:
    """Compute tiles on the cluster; stop at the first failure and name the tile."""
    futures = {
        client.submit(_finish_tile, inputs, store, tile, batch_cells, pure=False): tile
        for tile in tiles
    }
    total = done + len(tiles)
    with tqdm(total=total, initial=done, desc="tiles", unit="tile", mininterval=1) as bar:
        for future in as_completed(list(futures)):
            if future.status == "cancelled":  # as Dask does with all when the scheduler is lost
                address = client.scheduler and client.scheduler.address
                raise TamfluxError(
                    "the Dask scheduler was lost",
                    found=f"{address} does not answer any more",
                    fix="start a cluster and run the same command: finished tiles are kept",
                )
            if future.status != "finished":
                _fail(futures[future], future)  # closing the client cancels the others
            bar.update()


def _finish_tile(inputs: TileInputs, store: TileStore, tile: Tile, batch_cells: int | None) -> None:
    """Dask task: predict a tile and write it."""
    store.mark_in_progress(tile)
    try:
        store.write(tile, predict_tile(open_inputs(inputs), tile, batch_cells))
    finally:
        store.clear_in_progress(tile)


def _fail(tile: Tile, future) -> None:
    cause = future.exception() if future.status == "error" else None
    remedy = LESS_MEMORY if _is_out_of_memory(cause) else "remove the cause"
    raise TamfluxError(
        f"tile {tile.id} failed (rows {tile.rows.start} to {tile.rows.stop - 1}, "
        f"columns {tile.cols.start} to {tile.cols.stop - 1})",
        found=str(cause) if isinstance(cause, TamfluxError) else repr(cause or future.status),
        fix=f"{remedy} and run the same command: finished tiles are kept",
    ) from cause


def _is_out_of_memory(cause: BaseException | None) -> bool:
    """Whether memory ran out: in numpy, in torch on any device, or in a worker that was killed."""
    if isinstance(cause, MemoryError | KilledWorker):
        return True
    message = str(cause).lower()
    return isinstance(cause, RuntimeError) and any(words in message for words in _NO_MEMORY)
