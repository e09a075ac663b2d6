"""Guarded reading of HDF4 files: a damaged one ends in a clear error, not in the HDF library."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pyhdf.error import HDF4Error
from pyhdf.SD import SD, SDC

from tamflux.errors import InputError

MAGIC = b"\x0e\x03\x13\x01"
"""First four bytes of every HDF4 file (HDF Specification and Developer's Guide, section 1)."""

_DESCRIPTOR = np.dtype([("tag", "u2"), ("ref", "u2"), ("offset", "u4"), ("length", "u4")])
_NO_DATA = 0xFFFFFFFF

FETCH = "download the file again"


@contextmanager
def open_hdf4(path: str | Path) -> Iterator[SD]:
    """Open an HDF4 file for reading and close it afterwards.

    Raises
    ------
    InputError
        If it is missing, empty, not HDF4, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "the file does not exist", file=path, fix="correct its path under inputs in config.yaml"
        )
    with open(path, "rb") as file:
        head = file.read(len(MAGIC))
    if head != MAGIC:
        raise InputError(
            "the file is empty" if not head else "the file is not HDF4",
            file=path,
            found=f"{path.stat().st_size} bytes, the first are {head!r}",
            expected=f"an HDF4 file, first bytes {MAGIC!r}",
            fix=FETCH,
        )
    if reason := _misfit(path):
        raise _damaged(path, None, reason)
    try:
        handle = SD(str(path), SDC.READ)
    except (HDF4Error, ValueError, OSError) as error:
        raise _damaged(path, None, f"the HDF4 library says: {error}") from error
    try:
        yield handle
    finally:
        handle.end()


def _misfit(path: Path) -> str | None:
    """What contradicts the size of the file in its table of contents; None if nothing does.

    A file cut short is known by it before any field is read, and the HDF4 library, which may end
    the whole process on a damaged file, does not see it. The table is a chain of blocks of
    descriptors: tag, reference, offset, length (HDF Specification and Developer's Guide,
    section 2).
    """
    size, block, seen = path.stat().st_size, len(MAGIC), set()
    with open(path, "rb") as file:
        while block and block not in seen:
            seen.add(block)
            file.seek(block)
            head = file.read(6)
            if len(head) < 6:
                return f"its table of contents goes on at byte {block}"
            count, block = struct.unpack(">HI", head)
            entries = file.read(_DESCRIPTOR.itemsize * count)
            if len(entries) < _DESCRIPTOR.itemsize * count:
                return "it ends within its table of contents"
            table = np.frombuffer(entries, _DESCRIPTOR.newbyteorder(">"))
            used = table[(table["tag"] > 1) & (table["offset"] != _NO_DATA)]
            ends = used["offset"].astype(np.int64) + used["length"]
            if (ends > size).any():
                return f"its contents should reach to byte {ends.max()}"
    return None


def field_names(handle: SD, path: str | Path) -> list[str]:
    """Names of the data sets of an open file."""
    try:
        return sorted(handle.datasets())
    except HDF4Error as error:
        raise _damaged(path, None, f"the HDF4 library says: {error}") from error


def field_shape(handle: SD, path: str | Path, name: str) -> tuple[int, ...]:
    """Shape of one data set."""
    try:
        return tuple(int(n) for n in np.atleast_1d(_select(handle, path, name).info()[2]))
    except HDF4Error as error:
        raise _damaged(path, name, f"the HDF4 library says: {error}") from error


def field_attributes(handle: SD, path: str | Path, name: str) -> dict[str, object]:
    """Attributes of one data set."""
    try:
        return _select(handle, path, name).attributes()
    except HDF4Error as error:
        raise _damaged(path, name, f"the HDF4 library says: {error}") from error


def file_attribute(handle: SD, name: str) -> str | None:
    """A text attribute of the file, None where it has no such attribute."""
    try:
        value = handle.attributes().get(name)
    except HDF4Error:
        return None
    return value if isinstance(value, str) else None


def read_field(handle: SD, path: str | Path, name: str, *window: slice) -> np.ndarray:
    """Read one data set, or a window of its leading axes, as raw numbers (no scale applied).

    Raises
    ------
    InputError
        If the data set is not there or its bytes are damaged.
    """
    data = _select(handle, path, name)
    try:
        shape = np.atleast_1d(data.info()[2])
        start = [s.start for s in window] + [0] * (len(shape) - len(window))
        count = [s.stop - s.start for s in window] + list(map(int, shape[len(window) :]))
        values = np.asarray(data.get(start=start, count=count))
    except (HDF4Error, ValueError) as error:
        raise _damaged(path, name, f"the HDF4 library says: {error}") from error
    finally:
        data.endaccess()
    return values.reshape(count)  # the library drops axes of length one


def agrees(found: object, expected: float) -> bool:
    """Whether an attribute is the number it should be (float32 attributes included)."""
    return isinstance(found, int | float) and math.isclose(found, expected, rel_tol=1e-5)


def _select(handle: SD, path: str | Path, name: str):
    names = field_names(handle, path)
    if name not in names:
        raise InputError(
            "a data set is missing",
            file=path,
            variable=name,
            found=", ".join(names) or "no data set at all",
            expected=name,
            fix="check that the file is of the product named in config.yaml, or download it again",
        )
    return handle.select(name)


def _damaged(path: str | Path, variable: str | None, reason: str) -> InputError:
    return InputError(
        "the file is damaged or cut short",
        file=path,
        variable=variable,
        found=f"{Path(path).stat().st_size} bytes; {reason}",
        expected="a whole HDF4 file",
        fix=FETCH,
    )
