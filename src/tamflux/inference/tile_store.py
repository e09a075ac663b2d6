"""The work directory of a prediction: tiles that are finished stay finished when a run is killed.

``results/tiles/.{model}_{year}.work/`` holds ``identity`` (what the tiles are made from),
``tiles.zarr`` (the store to be), ``marks/{tile}`` (checksum of a finished tile), ``begun/{tile}``
(a tile in work) and ``lock``.
Snakemake deletes the declared output of a failed job; the work directory is not declared.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr

from tamflux.files import atomic_path, exclusive
from tamflux.grid import Tile

log = logging.getLogger("tamflux")


class TileStore:
    """Finished and unfinished tiles of one prediction.

    Parameters
    ----------
    folder : Path
        The work directory, see `open_tile_store`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.store = folder / "tiles.zarr"

    def begin(self, tile: Tile) -> None:
        """Note that a tile is in work, for the next run to tell where this one was killed."""
        (self.folder / "begun").mkdir(exist_ok=True)
        (self.folder / "begun" / tile.id).touch()

    def cut_off(self) -> list[str]:
        """Tiles that were in work when the last run was killed; they are forgotten by this."""
        begun = sorted((self.folder / "begun").glob("*"))
        for note in begun:
            note.unlink()
        return [note.name for note in begun]

    def end(self, tile: Tile) -> None:
        """Note that a tile is not in work any more, finished or failed."""
        (self.folder / "begun" / tile.id).unlink(missing_ok=True)

    def write(self, tile: Tile, values: dict[str, np.ndarray]) -> None:
        """Write the values of a tile, then its mark: a mark stands for complete data."""
        group = zarr.open_group(self.store, mode="r+")
        for name, array in values.items():
            group[name][..., tile.rows, tile.cols] = array
        with atomic_path(self._mark(tile)) as partial:
            partial.write_text(_checksum(values))

    def is_finished(self, tile: Tile) -> bool:
        """Whether a tile has a mark and its data in the store still have the mark's checksum."""
        mark = self._mark(tile)
        if not mark.exists():
            return False
        group = zarr.open_group(self.store, mode="r")
        try:
            values = {
                name: array[..., tile.rows, tile.cols]
                for name, array in group.arrays()
                if array.ndim > 1
            }
        except Exception:  # a damaged chunk raises whatever its codec raises
            return False
        return mark.read_text() == _checksum(values)

    def _mark(self, tile: Tile) -> Path:
        return self.folder / "marks" / tile.id


@contextmanager
def open_tile_store(output: Path, identity: str, create_store) -> Iterator[TileStore]:
    """Open, alone, the work directory of `output`; start it anew unless it has this identity.

    Parameters
    ----------
    output : Path
        The tile store to be made; the work directory lies beside it.
    identity : str
        What the tiles depend on. Tiles of another identity are deleted.
    create_store : callable
        ``create_store(path)`` writes the empty tile store.

    Raises
    ------
    TamfluxError
        If another process works on the same output.
    """
    folder = output.with_name(f".{output.stem}.work")
    folder.mkdir(parents=True, exist_ok=True)
    busy = "another run is working on these tiles"
    with exclusive(folder / "lock", what=busy, file=output):
        work = TileStore(folder)
        mark = folder / "identity"
        if not (mark.exists() and mark.read_text() == identity and work.store.is_dir()):
            if mark.exists():
                log.info("inputs or code have changed: the tiles of the unfinished run are dropped")
            mark.unlink(missing_ok=True)  # first: without it nothing below is believed
            for name in ("marks", "tiles.zarr"):
                shutil.rmtree(folder / name, ignore_errors=True)
            create_store(work.store)
            with atomic_path(mark) as partial:
                partial.write_text(identity)
        yield work


def _checksum(values: dict[str, np.ndarray]) -> str:
    """SHA-256 of the values of a tile, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values[name]).data)
    return digest.hexdigest()
