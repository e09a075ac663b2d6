"""A year that still grows: what is kept of it, so that a new month is all that is read.

Beside a store ``{year}.zarr`` lies the folder ``.{year}.kept``, which Snakemake does not know and
thus does not delete before a job. It goes when the year is whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from tamflux.errors import ContractError
from tamflux.files import atomic_path, link_file
from tamflux.predictors.cube import Cube, year_days

_CODEC = BloscCodec(cname="lz4", clevel=3, shuffle="shuffle")


def kept_folder(store: str | Path) -> Path:
    """Where a store's work is kept while its year grows."""
    store = Path(store)
    return store.with_name(f".{store.stem}.kept")


def month_edges(year: int, days: int) -> list[int]:
    """First day of each month that `days` from 1 January reach, from 0, and the day after."""
    months = year_days(year)[:days].astype("datetime64[M]")
    return [0, *(np.flatnonzero(np.diff(months)) + 1).tolist(), days]


def complete_months(days: np.ndarray, last: np.datetime64) -> int:
    """How many of the days of a year lie in months that are over with the day `last`."""
    months = days.astype("datetime64[M]")
    return int(np.count_nonzero(months < (last + 1).astype("datetime64[M]")))


def drop_kept(store: str | Path) -> None:
    """Remove what was kept: the year is whole."""
    shutil.rmtree(kept_folder(store), ignore_errors=True)


def keep_store(store: str | Path, origins: Sequence[str]) -> None:
    """Keep a finished store, by hard links, with the origin of each of its months."""
    with atomic_path(kept_folder(store)) as folder:
        shutil.copytree(store, folder / "store.zarr", copy_function=link_file)
        (folder / "origins.json").write_text(json.dumps(list(origins)))


def open_kept(
    store: str | Path, origins: Sequence[str], edges: Sequence[int]
) -> tuple[Cube | None, int]:
    """The kept store, and how many of its days from 1 January have the same origin as before.

    Parameters
    ----------
    origins : sequence of str
        Of each month now.
    edges : sequence of int
        Of `month_edges`.
    """
    folder = kept_folder(store)
    try:
        before = json.loads((folder / "origins.json").read_text())
        kept = Cube.open(folder / "store.zarr")
    except (OSError, ValueError, ContractError):  # nothing is kept, or it is damaged
        return None, 0
    same = 0
    while same < min(len(before), len(origins)) and before[same] == origins[same]:
        same += 1
    return kept, edges[same]


def kept_arrays(
    folder: Path, key: str, compute: Callable[[], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Arrays that were kept under a key, computed and kept if they were not.

    Parameters
    ----------
    folder : Path
        Where to keep them.
    key : str
        Names everything that the arrays depend on.
    compute : callable
        Gives the arrays.
    """
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.zarr"
    if path.is_dir():  # whole, as it was renamed
        group = zarr.open_group(path, mode="r")
        return tuple(group[str(n)][:] for n in range(group.nmembers()))
    arrays = compute()
    with atomic_path(path) as partial:
        group = zarr.create_group(partial, zarr_format=3)
        for n, array in enumerate(arrays):
            group.create_array(str(n), data=array, chunks=array.shape, compressors=[_CODEC])
    return arrays
