"""Guarded reading of HDF4 files: a damaged file raises an error instead of ending the process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pyhdf.error import HDF4Error
from pyhdf.SD import SD, SDC

from tamflux.errors import InputError
from tamflux.readers.hdf4_structure import MAGIC, structural_error

LIBRARY_ERRORS = (HDF4Error, ValueError, TypeError, OSError, MemoryError, SystemError)
"""Errors of pyhdf on damaged names, types and sizes."""

_DOWNLOAD = "download the file again"


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
            fix=_DOWNLOAD,
        )
    if reason := structural_error(path):
        raise _damaged(path, None, reason)
    with _named(path):
        handle = SD(str(path), SDC.READ)
    try:
        yield handle
    finally:
        handle.end()


def field_names(handle: SD, path: str | Path) -> list[str]:
    """Names of the data sets of an open file."""
    with _named(path):
        return sorted(handle.datasets())


def field_shape(handle: SD, path: str | Path, name: str) -> tuple[int, ...]:
    """Shape of one data set."""
    data = _select(handle, path, name)
    with _named(path, name):
        return tuple(int(n) for n in np.atleast_1d(data.info()[2]))


def field_attributes(handle: SD, path: str | Path, name: str) -> dict[str, object]:
    """Attributes of one data set."""
    data = _select(handle, path, name)
    with _named(path, name):
        return data.attributes()


def file_attribute(handle: SD, name: str) -> str | None:
    """A text attribute of the file, None if it is absent or cannot be read."""
    try:
        value = handle.attributes().get(name)
    except LIBRARY_ERRORS:
        return None
    return value if isinstance(value, str) else None


@contextmanager
def open_field(handle: SD, path: str | Path, name: str) -> Iterator[Callable[..., np.ndarray]]:
    """Open one data set, to read windows of it as raw numbers (no scale applied).

    Yields
    ------
    callable
        Takes a slice for each leading axis. Windows of compressed data are fast from the first row
        to the last: the library inflates anew from the start where it has to go back.

    Raises
    ------
    InputError
        If the data set is missing or, when it is read, its bytes are damaged.
    """
    data = _select(handle, path, name)

    def read(*window: slice) -> np.ndarray:
        with _named(path, name):
            shape = np.atleast_1d(data.info()[2])
            start = [s.start for s in window] + [0] * (len(shape) - len(window))
            count = [s.stop - s.start for s in window] + list(map(int, shape[len(window) :]))
            values = np.asarray(data.get(start=start, count=count))
            return values.reshape(count)  # the library drops axes of length one

    try:
        yield read
    finally:
        with _named(path, name):
            data.endaccess()


def read_field(handle: SD, path: str | Path, name: str, *window: slice) -> np.ndarray:
    """Read one data set, or a window of its leading axes, as raw numbers (see `open_field`)."""
    with open_field(handle, path, name) as read:
        return read(*window)


def agrees(found: object, expected: float) -> bool:
    """Whether an attribute equals the expected number; float32 attributes are allowed."""
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
    with _named(path, name):
        return handle.select(name)


@contextmanager
def _named(path: str | Path, variable: str | None = None) -> Iterator[None]:
    """Turn errors of the HDF4 library into one that names the file."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise _damaged(path, variable, f"the HDF4 library says: {error}") from error


def _damaged(path: str | Path, variable: str | None, reason: str) -> InputError:
    return InputError(
        "the file is damaged or cut short",
        file=path,
        variable=variable,
        found=f"{Path(path).stat().st_size} bytes; {reason}",
        expected="a complete HDF4 file",
        fix=_DOWNLOAD,
    )
