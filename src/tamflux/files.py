"""Whole files or nothing: write under a temporary name, then rename; locks between processes."""

from __future__ import annotations

import lzma
import math
import os
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from tamflux.errors import TamfluxError

_UMASK = os.umask(0)  # the system tells it only when it is set
os.umask(_UMASK)

DAMAGED_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip
"""What `zipfile` raises on a damaged or encrypted archive, in addition to OSError."""

DAMAGED_TABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError,
)  # fmt: skip
"""What pandas and pyarrow raise on a damaged Parquet or CSV file."""


def plain_text(text: str) -> str:
    """Text of a data file for a table: printable, and no formula when a spreadsheet opens it."""
    return "".join(c for c in text if c.isprintable()).strip().lstrip("=+-@ ")


FULL_BELOW = 2_000_000
"""Free bytes of a disk on which an error in writing is taken for that of a full disk."""


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `target`; rename it to `target` on success, else remove it.

    Works for files and for directories (Zarr stores). An existing `target` is replaced. A file gets
    the permissions that the umask gives, whatever the library that wrote it chose.

    Raises
    ------
    TamfluxError
        In place of any error on a disk that is full.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial{target.suffix}")
    remove(partial)
    try:
        yield partial
        if partial.is_file():
            partial.chmod(0o666 & ~_UMASK)
        if target.is_dir():
            remove(target)
        os.replace(partial, target)
    except Exception as error:  # a library may hide the reason; ask before room is made
        free = shutil.disk_usage(target.parent).free
        if free < FULL_BELOW:
            raise TamfluxError(
                "the disk is full",
                file=target,
                found=f"{free / 1e6:.1f} MB free; {error}",
                fix="make room and run the same command again: what is finished is kept",
            ) from error
        raise
    finally:
        remove(partial)


@contextmanager
def scratch_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder next to `target` for scratch files."""
    target = Path(target)
    folder = target.with_name(f".{target.name}.{os.getpid()}.partial.scratch")
    remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


def disk_array(file: Path | int, kind: type, shape: tuple[int, ...]) -> np.memmap:
    """An array in a new or empty file (path or descriptor), whose room on the disk is taken now.

    A full disk is then an error here; at a later write it would be a signal that kills.
    """
    own = not isinstance(file, int)
    with open(file, "w+b" if own else "r+b", closefd=own) as opened:
        os.posix_fallocate(opened.fileno(), 0, math.prod(shape) * np.dtype(kind).itemsize)
        return np.memmap(opened, kind, "r+", shape=shape)


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
    lock = Path(lock)
    lock.parent.mkdir(parents=True, exist_ok=True)
    holder = lock.with_name(f"{lock.name}.holder")
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout:
        held_by = holder.read_text().strip() if holder.exists() else "another process"
        raise TamfluxError(
            what, file=file, found=f"lock held by {held_by}", fix="wait until it ends, or stop it"
        ) from None
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
        yield
    finally:
        held.release()


def find_files(pattern: str) -> list[str]:
    """Sorted paths that match a path of `inputs`; wildcards are ``*`` and ``?`` alone."""
    return sorted(glob(_escape_brackets(pattern)))


def matches(path: str, pattern: str) -> bool:
    """Whether `find_files` would find a file of this path."""
    return fnmatchcase(path, _escape_brackets(pattern))


def size_and_date(path: str) -> str:
    """Size in bytes and second of the last change; of a folder, of all its files, and their number.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    if not os.path.isdir(path):
        stat = os.stat(path)
        return f"{stat.st_size} {int(stat.st_mtime)}"
    stats = [file.stat() for file in sorted(Path(path).rglob("*")) if file.is_file()]
    date = int(max((stat.st_mtime for stat in stats), default=0))
    return f"{sum(stat.st_size for stat in stats)} {date} {len(stats)}"


def _escape_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def link_file(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, or copy it where the file system cannot link."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
