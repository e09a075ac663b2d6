"""Cache of a partial year: only its new months are read when the year is updated.

The cache of a store ``{year}.zarr`` is the hidden folder ``.{year}.cache`` next to it. No rule
declares it as output, so Snakemake does not delete it before a job. Entries are validated by
content hash and deleted once the year is complete.
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


def cache_folder(store: str | Path) -> Path:
    """Folder of the cache of a store."""
    store = Path(store)
    return store.with_name(f".{store.stem}.cache")


def month_edges(year: int, days: int) -> list[int]:
    """Index of the first day of each month within the first `days` of a year, and `days` itself."""
    months = year_days(year)[:days].astype("datetime64[M]")
    return [0, *(np.flatnonzero(np.diff(months)) + 1).tolist(), days]


def complete_months(days: np.ndarray, last: np.datetime64) -> int:
    """Number of days of a year that lie in months complete by the day `last`."""
    months = days.astype("datetime64[M]")
    return int(np.count_nonzero(months < (last + 1).astype("datetime64[M]")))


def drop_cache(store: str | Path) -> None:
    """Remove the cache of a year that is complete."""
    shutil.rmtree(cache_folder(store), ignore_errors=True)


def cache_store(store: str | Path, origins: Sequence[str]) -> None:
    """Cache a finished store, by hard links, with the origin of each of its months."""
    with atomic_path(cache_folder(store)) as folder:
        shutil.copytree(store, folder / "store.zarr", copy_function=link_file)
        (folder / "origins.json").write_text(json.dumps(list(origins)))


def open_cached(
    store: str | Path, origins: Sequence[str], edges: Sequence[int]
) -> tuple[Cube | None, int]:
    """The cached store, and how many of its days from 1 January still have the same origin.

    Parameters
    ----------
    origins : sequence of str
        Current origin (content hash of the inputs) of each month.
    edges : sequence of int
        Result of `month_edges`.
    """
    folder = cache_folder(store)
    try:
        before = json.loads((folder / "origins.json").read_text())
        cached = Cube.open(folder / "store.zarr")
    except (OSError, ValueError, ContractError):  # there is no cache, or it is damaged
        return None, 0
    same = 0
    while same < min(len(before), len(origins)) and before[same] == origins[same]:
        same += 1
    return cached, edges[same]


def cached_arrays(
    folder: Path, key: str, compute: Callable[[], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Arrays cached under a key; computed and cached if they were not.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    key : str
        Everything that the arrays depend on.
    compute : callable
        Returns the arrays.
    """
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.zarr"
    if path.is_dir():  # complete: it was renamed after writing
        group = zarr.open_group(path, mode="r")
        return tuple(group[str(n)][:] for n in range(group.nmembers()))
    arrays = compute()
    with atomic_path(path) as partial:
        group = zarr.create_group(partial, zarr_format=3)
        for n, array in enumerate(arrays):
            group.create_array(str(n), data=array, chunks=array.shape, compressors=[_CODEC])
    return arrays
