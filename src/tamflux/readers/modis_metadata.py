"""Product, collection and processing version of a MODIS file, from its own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyhdf.SD import SD

from tamflux.errors import InputError
from tamflux.readers.hdf4 import file_attribute, open_hdf4

_NAME = re.compile(r"^(?P<product>M[COY]D\w+)\.A\d{7}\.(?P<collection>\d{3})\.")
_SHORT_NAMES = {"MOD09CMG": ("MOD09CMG", "MYD09CMG")}
"""Products that are read alike; any other stands for itself."""


@dataclass(frozen=True)
class Granule:
    """Origin of a file.

    Attributes
    ----------
    collection : int or None
        Such as 61 for collection 6.1 and 6 for collection 6: from `VERSIONID` of the metadata, in a
        file without metadata from its name.
    processing_version : str or None
        `PGEVERSION` of the metadata.
    first, last : numpy.datetime64 or None
        Range of days in the metadata.
    """

    collection: int | None
    processing_version: str | None
    first: np.datetime64 | None
    last: np.datetime64 | None


def read_granule(file: SD, path: str | Path, product: str) -> Granule:
    """Read the metadata of an open file.

    Raises
    ------
    InputError
        If the metadata are of another product than `product`, or of another product or collection
        than the name of the file says.
    """
    text = file_attribute(file, "CoreMetadata.0") or ""
    name = _NAME.match(Path(path).name)
    short_name, version = _value(text, "SHORTNAME"), _value(text, "VERSIONID")
    expected = _SHORT_NAMES.get(product, (product,))
    if short_name is not None and short_name not in expected:
        _fail("the file is of another product", path, short_name, " or ".join(expected))
    if name and short_name and name["product"] != short_name:
        _fail("the name of the file is of another product than its metadata", path,
              f"{name['product']} in the name", short_name)  # fmt: skip
    collection = int(name["collection"]) if name else None
    if version is not None and version.isdigit():
        if collection not in (None, int(version)):
            _fail("the name of the file is of another collection than its metadata", path,
                  f"{collection:03d} in the name", f"{int(version):03d}")  # fmt: skip
        collection = int(version)
    first, last = (_day(text, f"RANGE{end}DATE") for end in ("BEGINNING", "ENDING"))
    return Granule(collection, _value(text, "PGEVERSION"), first, last)


def check_collections(granules: Iterable[tuple[str | Path, Granule]]) -> int | None:
    """The collection of all files; None if none of them states it.

    Raises
    ------
    InputError
        If they are of several collections, whose reflectances differ by calibration.
    """
    found: dict[int, list[str]] = {}
    for path, granule in granules:
        if granule.collection is not None:
            found.setdefault(granule.collection, []).append(Path(path).name)
    if len(found) > 1:
        rarest = min(found, key=lambda collection: len(found[collection]))
        counts = ", ".join(f"{len(names)} of {c:03d}" for c, names in sorted(found.items()))
        _fail("the MODIS files are of several collections", found[rarest][0], counts,
              "files of one collection")  # fmt: skip
    return next(iter(found), None)


def check_collection_names(paths: Iterable[str | Path]) -> None:
    """Compare the collections in the names of files of any years; other names are left out.

    Raises
    ------
    InputError
        As `check_collections`. Names are compared with metadata where a year is read.
    """
    matches = [(path, _NAME.match(Path(path).name)) for path in paths]
    check_collections(
        (path, Granule(int(match["collection"]), None, None, None))
        for path, match in matches
        if match
    )


def read_collection(paths: Iterable[str | Path], product: str) -> tuple[int | None, list[str]]:
    """Collection (see `check_collections`) and processing versions of closed files."""
    granules = []
    for path in paths:
        with open_hdf4(path) as file:
            granules.append((path, read_granule(file, path, product)))
    versions = {granule.processing_version for _, granule in granules} - {None}
    return check_collections(granules), sorted(map(str, versions))


def _value(text: str, key: str) -> str | None:
    """Value of an object of ECS metadata."""
    pattern = rf'\b{key}\b(?:(?!END_OBJECT).)*?VALUE\s*=\s*"?([^"\n]*)'
    match = re.search(pattern, text, re.DOTALL)
    return match[1].strip() if match else None


def _day(text: str, key: str) -> np.datetime64 | None:
    value = _value(text, key) or ""
    return np.datetime64(value) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else None


def _fail(what: str, path: str | Path, found: str, expected: str):
    raise InputError(
        what, file=path, variable="CoreMetadata.0", found=found, expected=expected,
        fix="download all files of one product and collection under their original names",
    )  # fmt: skip
