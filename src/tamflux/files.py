"""Whole files or nothing: write under a temporary name, then rename."""

from __future__ import annotations

import lzma
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAMAGED_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip
"""What `zipfile` raises on a damaged or encrypted archive, beside OSError."""

DAMAGED_TABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError,
)  # fmt: skip
"""What pandas and pyarrow raise on a damaged Parquet or CSV file."""


def plain_text(text: str) -> str:
    """Text of a data file for a table: printable, and no formula when a spreadsheet opens it."""
    return "".join(c for c in text if c.isprintable()).strip().lstrip("=+-@ ")


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` on success, else remove it.

    Works for files and for directories (Zarr stores). An existing `target` is replaced.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial{target.suffix}")
    _remove(partial)
    try:
        yield partial
        if target.is_dir():
            _remove(target)
        os.replace(partial, target)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
