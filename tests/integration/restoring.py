"""Damage a file and give it back."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def changed(path: Path) -> Iterator[Path]:
    """Give a file back as it was, times included."""
    backup = path.with_name(path.name + ".backup")
    shutil.copy2(path, backup)
    try:
        yield path
    finally:
        shutil.copy2(backup, path)
        backup.unlink()
