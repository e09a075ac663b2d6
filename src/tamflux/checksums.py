"""Checksums of results: what was damaged on disk after it was written is never read as good.

Next to a result ``x`` lies ``.x.sha256`` in the format of the program sha256sum, one line per file
(a Zarr store has many), names relative to the folder that both lie in: ``sha256sum --check`` reads
it too. A result without such a file, as raw files are, is not checked.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tamflux.errors import ContractError
from tamflux.files import atomic_path, remove
from tamflux.provenance import file_hash

log = logging.getLogger("tamflux")

STAMP = ".snakemake_timestamp"
"""File that Snakemake keeps in a folder for its time; no content."""


def record_checksums(result: str | Path) -> None:
    """Write the checksums of a finished file or folder next to it."""
    result = Path(result)
    lines = [f"{value}  {name}\n" for name, value in _hashes(result).items()]
    with atomic_path(_sidecar(result)) as partial:
        partial.write_text("".join(lines))


def forget_checksums(result: str | Path) -> None:
    """Remove the checksums of a result that is about to be made anew."""
    _sidecar(Path(result)).unlink(missing_ok=True)


def has_checksums(result: str | Path) -> bool:
    """Whether checksums were written next to a result."""
    return _sidecar(Path(result)).exists()


def content_hash(result: str | Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names; times do not count.

    Taken from the checksums of the result where they name the same files and none is newer:
    reading a global year takes half a minute, and the job that is about to use it has done so.
    """
    result = Path(result)
    hashes = _recorded(_sidecar(result)) if _is_fresh(result) else _hashes(result)
    digest = hashlib.sha256()
    for name, value in sorted(hashes.items()):
        digest.update(f"{name.removeprefix(result.name)} {value}\n".encode())
    return digest.hexdigest()


def damaged_files(result: str | Path) -> list[str]:
    """Names of files that are not as recorded: changed, lost or added; none without a record."""
    result, sidecar = Path(result), _sidecar(Path(result))
    if not sidecar.exists() or not result.exists():
        return []
    recorded, found = _recorded(sidecar), _hashes(result)
    names = {name for name in recorded | found if recorded.get(name) != found.get(name)}
    return sorted(names) if recorded else [result.name]


def verify(results: Iterable[str | Path]) -> None:
    """Check results against their checksums; set the damaged ones aside, to be made again.

    A damaged ``x`` is renamed to ``.x.damaged``.

    Raises
    ------
    ContractError
        Naming each damaged result; the last one is raised, those before are logged.
    """
    problem = None
    for result in map(Path, results):
        if names := damaged_files(result):
            if problem:
                log.error("%s", problem)
            problem = _set_aside(result, names)
    if problem:
        raise problem


def recorded_results(folder: str | Path) -> list[Path]:
    """All results below a folder that have checksums."""
    records = sorted(Path(folder).rglob(".*.sha256"))
    return [record.with_name(record.name[1 : -len(".sha256")]) for record in records]


def _set_aside(result: Path, names: list[str]) -> ContractError:
    aside = result.with_name(f".{result.name}.damaged")
    remove(aside)
    os.replace(result, aside)
    forget_checksums(result)
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return ContractError(
        "a result was damaged after it was written",
        file=result,
        found=f"{names[0]}{others}: not as written",
        expected=f"the checksums that were in {_sidecar(result).name}",
        fix=f"run the same command again: it makes the result anew (the damaged one is now "
        f"{aside.name}); if it happens again, look at the machine's disk and memory",
    )


def _sidecar(result: Path) -> Path:
    return result.with_name(f".{result.name}.sha256")


def _recorded(sidecar: Path) -> dict[str, str]:
    """SHA-256 of each file of a result as written next to it."""
    lines = sidecar.read_bytes().decode(errors="replace").splitlines()
    return {name: value for value, _, name in (line.partition("  ") for line in lines)}


def _files(result: Path) -> list[Path]:
    if not result.is_dir():
        return [result]
    return sorted(file for file in result.rglob("*") if file.is_file() and file.name != STAMP)


def _is_fresh(result: Path) -> bool:
    """Whether the checksums of a result name its files, none of which is newer."""
    sidecar, files = _sidecar(result), _files(result)
    if not sidecar.exists() or {*_names(files, result)} != {*_recorded(sidecar)}:
        return False
    return all(file.stat().st_mtime_ns <= sidecar.stat().st_mtime_ns for file in files)


def _names(files: Iterable[Path], result: Path) -> list[str]:
    return [file.relative_to(result.parent).as_posix() for file in files]


def _hashes(result: Path) -> dict[str, str]:
    """SHA-256 of each file of a result, by its name relative to the folder the result lies in."""
    files = _files(result)
    with ThreadPoolExecutor(2) as pool:  # hashing releases the interpreter lock
        hashes = pool.map(file_hash, files)
        return dict(zip(_names(files, result), hashes, strict=True))
