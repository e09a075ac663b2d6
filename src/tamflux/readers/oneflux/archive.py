"""Safe access to tower files: bare CSV files and members of zips, read as streams.

Nothing is extracted to disk. A zip is refused if an entry points outside its folder, or if it
unpacks to far more than tower data can have.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tamflux.errors import InputError
from tamflux.files import DAMAGED_ZIP

MAX_BYTES = 2 * 1024**3
"""Largest uncompressed size of one table; 30 years of half-hours in FULLSET have about 1 GiB."""
MAX_RATIO = 200
"""Largest ratio of uncompressed to compressed size; tables of mostly -9999 reach about 50."""
MAX_ENTRIES = 10_000

_DAMAGED = "get the file again from its provider"


@dataclass(frozen=True)
class Member:
    """A file on disk (`inner` is None) or a member of a zip."""

    path: Path
    inner: str | None = None

    @property
    def name(self) -> str:
        """Name of the file without folders."""
        return PurePosixPath(self.inner).name if self.inner else self.path.name

    @property
    def label(self) -> str:
        """Name for messages: ``archive.zip/member.csv`` or ``file.csv``."""
        return f"{self.path.name}/{self.inner}" if self.inner else self.path.name

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading bytes.

        Raises
        ------
        InputError
            If the archive or the member is damaged, encrypted, or too large to be tower data.
        """
        try:
            if self.inner is None:
                with self.path.open("rb") as stream:
                    yield stream
            else:
                with zipfile.ZipFile(self.path) as archive:
                    _check_size(self, archive.getinfo(self.inner))
                    with archive.open(self.inner) as stream:
                        yield stream
        except (*DAMAGED_ZIP, OSError) as error:
            locked = "password" in str(error)
            raise InputError(
                "the zip is encrypted" if locked else "the file is damaged",
                file=self.label,
                found=str(error),
                fix="decrypt it first" if locked else _DAMAGED,
            ) from error


def list_members(path: str | Path) -> list[Member]:
    """Members of a zip, sorted by name; for any other file, the file itself.

    Raises
    ------
    InputError
        If a ``.zip`` is no zip archive, is truncated, or has entries that escape its folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        return [Member(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*DAMAGED_ZIP, OSError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise InputError(
            "the file is not a zip archive, or a truncated one",
            file=path.name,
            found=f"{size} bytes; {error}",
            expected="a zip archive",
            fix=_DAMAGED,
        ) from error
    if len(entries) > MAX_ENTRIES:
        raise InputError(
            "the zip has more entries than tower data can have",
            file=path.name,
            found=len(entries),
            expected=f"at most {MAX_ENTRIES}",
            fix=_DAMAGED,
        )
    for entry in entries:
        if _escapes(entry.filename):
            raise InputError(
                "the zip has an entry that escapes its folder",
                file=path.name,
                found=repr(entry.filename),
                expected="relative names without '..'",
                fix="do not trust this file; get it again from its provider",
            )
    return [Member(path, name) for name in sorted({e.filename for e in entries if not e.is_dir()})]


def _escapes(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")


def _check_size(member: Member, entry: zipfile.ZipInfo) -> None:
    """Refuse a member that is larger, or much better compressed, than tower data can be.

    The stream of `zipfile` ends at the declared size, so this check bounds the bytes read.
    """
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > MAX_BYTES or (entry.file_size > 1024**2 and ratio > MAX_RATIO):
        raise InputError(
            "the zip unpacks to more than tower data can be",
            file=member.label,
            found=f"{entry.file_size} bytes, {ratio:.0f} times the compressed size",
            expected=f"at most {MAX_BYTES} bytes and {MAX_RATIO} times",
            fix="do not trust this file; get it again from its provider",
        )
