"""Working directory of a prediction, from which a killed run resumes with its finished tiles.

``results/tiles/.{model}_{year}.work/`` holds ``identity`` (hash of inputs and code), ``tiles.zarr``
(the unfinished store), ``done/{tile}`` (checksum of a finished tile), ``in_progress/{tile}`` and
``lock``. Snakemake deletes the declared output of a failed job; this directory is not declared.
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
        The working directory, see `open_tile_store`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "tiles.zarr"

    def mark_in_progress(self, tile: Tile) -> None:
        """Mark a tile as in progress, so that the next run knows where this one was killed."""
        (self.folder / "in_progress").mkdir(exist_ok=True)
        (self.folder / "in_progress" / tile.id).touch()

    def clear_in_progress(self, tile: Tile) -> None:
        """Remove the marker of a tile that is finished or has failed."""
        (self.folder / "in_progress" / tile.id).unlink(missing_ok=True)

    def pop_interrupted(self) -> list[str]:
        """Tiles that were in progress when the last run was killed; removes their markers."""
        markers = sorted((self.folder / "in_progress").glob("*"))
        for marker in markers:
            marker.unlink()
        return [marker.name for marker in markers]

    def write(self, tile: Tile, values: dict[str, np.ndarray]) -> None:
        """Write the values of a tile, then its done marker, which vouches for complete data."""
        group = zarr.open_group(self.path, mode="r+")
        for name, array in values.items():
            group[name][..., tile.rows, tile.cols] = array
        with atomic_path(self._done_marker(tile)) as partial:
            partial.write_text(_checksum(values))

    def is_done(self, tile: Tile) -> bool:
        """Whether a tile has a done marker whose checksum is that of its data in the store."""
        marker = self._done_marker(tile)
        if not marker.exists():
            return False
        group = zarr.open_group(self.path, mode="r")
        try:
            values = {
                name: array[..., tile.rows, tile.cols]
                for name, array in group.arrays()
                if array.ndim > 1
            }
        except Exception:  # a damaged chunk raises whatever its codec raises
            return False
        return marker.read_text() == _checksum(values)

    def _done_marker(self, tile: Tile) -> Path:
        return self.folder / "done" / tile.id


@contextmanager
def open_tile_store(output: Path, identity: str, create_store) -> Iterator[TileStore]:
    """Lock the working directory of `output`; clear it unless it has this identity.

    Parameters
    ----------
    output : Path
        The final tile store; the working directory is next to it.
    identity : str
        Hash of inputs and code. Tiles of another identity are deleted.
    create_store : callable
        ``create_store(path)`` writes the empty tile store.

    Raises
    ------
    TamfluxError
        If another process holds the lock.
    """
    folder = output.with_name(f".{output.stem}.work")
    folder.mkdir(parents=True, exist_ok=True)
    busy = "another run is working on these tiles"
    with exclusive(folder / "lock", what=busy, file=output):
        store = TileStore(folder)
        known = folder / "identity"
        if not (known.exists() and known.read_text() == identity and store.path.is_dir()):
            if known.exists():
                log.info("inputs or code have changed: the tiles of the unfinished run are deleted")
            known.unlink(missing_ok=True)  # first: without it nothing below is used
            for name in ("done", "tiles.zarr"):
                shutil.rmtree(folder / name, ignore_errors=True)
            create_store(store.path)
            with atomic_path(known) as partial:
                partial.write_text(identity)
        yield store


def _checksum(values: dict[str, np.ndarray]) -> str:
    """SHA-256 of the values of a tile, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values[name]).data)
    return digest.hexdigest()
