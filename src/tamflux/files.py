"""Whole files or nothing: write under a temporary name, then rename; locks between processes."""

from __future__ import annotations

import fcntl
import lzma
import os
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamflux.errors import TamfluxError

DAMAGED_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip
"""What `zipfile` raises on a damaged or encrypted archive, beside OSError."""

DAMAGED_TABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError,
)  # fmt: skip
"""What pandas and pyarrow raise on a damaged Parquet or CSV file."""


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` on success, else remove it.

    Works for files and for directories (Zarr stores). An existing `target` is replaced.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial{target.suffix}")
    remove(partial)
    try:
        yield partial
        if target.is_dir():
            remove(target)
        os.replace(partial, target)
    finally:
        remove(partial)


@contextmanager
def scratch_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` for what the making of it needs on disk."""
    target = Path(target)
    folder = target.with_name(f".{target.name}.{os.getpid()}.partial.scratch")
    remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


@contextmanager
def exclusive(lock: str | Path, *, what: str, file: str | Path) -> Iterator[None]:
    """Hold a lock, which the system releases even when the process is killed.

    Parameters
    ----------
    lock : path
        File to lock; it is made, and stays.
    what, file : str, path
        What a refusal says, and where.

    Raises
    ------
    TamfluxError
        If another process holds it.
    """
    Path(lock).parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+") as holder:
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder.seek(0)
            raise TamfluxError(
                what,
                file=file,
                found=f"lock held by {holder.read().strip() or 'another process'}",
                fix="wait until it ends, or stop it",
            ) from None
        holder.truncate(0)
        holder.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        holder.flush()
        yield


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
