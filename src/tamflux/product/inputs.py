"""Table of the raw files behind a product: names, sizes and checksums."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from tamflux.checksums import content_hash
from tamflux.errors import InputError
from tamflux.files import atomic_path
from tamflux.provenance import file_hash

COLUMNS = ["source", "file", "bytes", "sha256"]


def checksum_inputs(
    files: Sequence[str | Path], source: str, output: str | Path, *, threads: int = 1
) -> None:
    """Write a CSV table with one row a file: source, name (no folder), size in bytes, SHA-256.

    Every byte is hashed; sizes and modification times are not trusted.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    paths = sorted(map(Path, files))
    with ThreadPoolExecutor(threads) as pool:  # hashing leaves the interpreter free
        rows = list(pool.map(_describe, paths))
    with atomic_path(output) as partial:
        pd.DataFrame(rows, columns=COLUMNS[1:]).assign(source=source)[COLUMNS].to_csv(
            partial, index=False
        )


def list_inputs(tables: Sequence[str | Path], output: str | Path) -> None:
    """Join tables of `checksum_inputs`; a file of two sources has two rows."""
    with atomic_path(output) as partial:
        pd.concat([pd.read_csv(table) for table in tables]).to_csv(partial, index=False)


def input_attributes(table: str | Path) -> dict[str, str]:
    """NetCDF attributes that link a file to the table of its raw files."""
    files = pd.read_csv(table)
    counts = files.groupby("source", sort=False)["bytes"].agg(["size", "sum"])
    lines = (f"{name}: {row['size']} files, {row['sum']} bytes" for name, row in counts.iterrows())
    return {
        "tamflux_inputs": "; ".join(lines),
        "tamflux_inputs_table": f"{Path(table).name}, sha256 {file_hash(table)}",
    }


def _describe(path: Path) -> tuple[str, int, str]:
    try:
        if path.is_dir():  # a Zarr store
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            return path.name, size, content_hash(path)
        return path.name, path.stat().st_size, file_hash(path)
    except OSError as error:
        raise InputError(
            "cannot read a raw file", file=path, found=error.strerror, fix="make it readable"
        ) from error
