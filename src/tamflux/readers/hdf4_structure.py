"""Structural errors of HDF4 files, found before the HDF4 library opens them.

The library trusts the sizes and counts in a file, so that a damaged one ends the process. This
module checks the table of contents, groups, tables and the headers of compressed, chunked and
linked data in a few milliseconds per file, without the values of a field. Reading in a child
process instead costs 13 % more processor time (1.50 in place of 1.32 s for 389 MB) and 170 MB.

Source: HDF Specification and Developer's Guide 4.2, sections 2, 9 and 10; layout of groups, tables
and special headers compared with files of NASA.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAGIC = b"\x0e\x03\x13\x01"
"""First four bytes of every HDF4 file (section 1)."""

_DESCRIPTOR = np.dtype([("tag", ">u2"), ("ref", ">u2"), ("offset", ">u4"), ("length", ">u4")])
_NO_DATA = 0xFFFFFFFF
_FREE = 1
_LINKED, _COMPRESSED, _FIELD, _TABLE, _TABLE_DATA, _GROUP = 20, 40, 702, 1962, 1963, 1965
_NUMBER, _SHAPE, _SPECIAL = 106, 701, 0x4000
_LONGEST = {30: 92, _NUMBER: 4}
"""Largest lengths of the library's version and of a number type, which it copies unchecked."""
_SIZES = {3: 1, 4: 1, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2, 23: 2, 24: 4, 25: 4, 26: 8, 27: 8}
"""Bytes of the number types by their code (section 3)."""
_MODELS, _CODERS = (0,), (0, 1, 2, 3, 4, 5)
_MAX_RATIO = 1100
"""Largest compression ratio; deflate, the densest coder in use, cannot exceed 1032."""
_GROUP_NAME, _TABLE_NAME, _FIELD_NAME, _MAX_FIELDS, _MAX_DIMENSIONS = 256, 64, 128, 256, 32
_GROUP_END, _TABLE_END = 9, 13
"""Bytes after the names of a group and of a table: extension, version, reserve."""

Elements = Mapping[tuple[int, int], tuple[int, int, int]]
"""(tag without the special bit, reference) -> tag as written, offset, length."""


def structural_error(path: Path) -> str | None:
    """Reason why the structure of an HDF4 file contradicts itself; None if it is consistent."""
    try:
        with open(path, "rb") as file:
            elements = _contents(file, path.stat().st_size)
            members = {}
            for (tag, ref), (written, offset, length) in elements.items():
                if tag not in (_NUMBER, _SHAPE, _GROUP, _TABLE) and not written & _SPECIAL:
                    continue
                file.seek(offset)
                record = io.BytesIO(file.read(length))
                if written & _SPECIAL:
                    _check_special(record, elements, file)
                elif tag == _NUMBER:
                    _check_number(record)
                elif tag == _SHAPE:
                    _check_shape(record, elements)
                elif tag == _GROUP:
                    members[ref] = _check_group(record, elements)
                else:
                    _check_table(record, elements.get((_TABLE_DATA, ref)))
            _check_no_cycle(members)
    except struct.error:
        return "a record of its structure is cut short"
    except ValueError as error:
        return str(error)
    return None


def _contents(file: BinaryIO, size: int) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Elements of a file from its table of contents, a chain of blocks of descriptors."""
    elements, block, seen = {}, len(MAGIC), set()
    while block:
        _need(block not in seen and block < size, f"its table of contents goes on at byte {block}")
        seen.add(block)
        file.seek(block)
        count, block = _take(file, "HI")
        table = file.read(_DESCRIPTOR.itemsize * count)
        _need(len(table) == _DESCRIPTOR.itemsize * count, "it ends within its table of contents")
        for tag, ref, offset, length in np.frombuffer(
            table, _DESCRIPTOR.newbyteorder(">")
        ).tolist():
            if tag <= _FREE or offset == _NO_DATA:
                continue
            _need(offset + length <= size, f"its contents should reach to byte {offset + length}")
            plain = tag if tag & 0x8000 else tag & ~_SPECIAL
            _need(length <= _LONGEST.get(tag, size), f"element {tag}/{ref} has {length} bytes")
            _need((plain, ref) not in elements, f"element {plain}/{ref} is there twice")
            elements[plain, ref] = tag, offset, length
    return elements


def _check_number(record: BinaryIO) -> None:
    """Check a number type: version, code, bits, class."""
    _, code, bits, _ = _take(record, "4B")
    _need(bits == 8 * _SIZES.get(code, -1), f"a number type {code} has {bits} bits")


def _check_shape(record: BinaryIO, elements: Elements) -> None:
    """Check the shape of a field, and that the number types of it and of its scales are there."""
    (n,) = _take(record, "H")
    _need(1 <= n <= _MAX_DIMENSIONS, f"a field has {n} dimensions")
    _take(record, f"{n}I")
    for _ in range(n + 1):
        tag, ref = _take(record, "HH")
        _need(tag == _NUMBER and (tag, ref) in elements, "a number type of a field is not there")


def _check_group(record: BinaryIO, elements: Elements) -> list[int]:
    """Check a group and return those of its members that are groups."""
    (n,) = _take(record, "H")
    members = list(zip(_take(record, f"{n}H"), _take(record, f"{n}H"), strict=True))
    for _ in ("name", "class"):
        _skip_text(record, _GROUP_NAME)
    _check_end(record.read(), _GROUP_END)
    _need(len(set(members)) == n, "a group holds an element twice")
    for tag, ref in members:
        known = tag == _FIELD or (tag, ref) in elements  # a field may have no values yet
        _need(known, f"a group holds element {tag}/{ref}, which is not there")
    return [ref for tag, ref in members if tag == _GROUP]


def _check_table(record: BinaryIO, data: tuple[int, int, int] | None) -> None:
    """Check the header of a table against itself and the length of its data."""
    interlace, rows, width, n = _take(record, "HIHH")
    _need(interlace <= 1 and n <= _MAX_FIELDS, "a table has an impossible header")
    kinds, sizes, offsets, orders = (_take(record, f"{n}H") for _ in range(4))
    for _ in range(n):
        _skip_text(record, _FIELD_NAME)
    for _ in ("name", "class"):
        _skip_text(record, _TABLE_NAME)
    _check_end(record.read(), _TABLE_END)
    for kind, size, order in zip(kinds, sizes, orders, strict=True):
        _need(size == order * _SIZES.get(kind & 0xFFF, -1) > 0, "a table has an impossible field")
    starts = [sum(sizes[:field]) for field in range(n)]
    _need(list(offsets) == starts and width == sum(sizes), "the fields of a table do not fit")
    if data and not data[0] & _SPECIAL:
        _need(rows * width == data[2], f"a table of {rows * width} bytes has {data[2]}")


def _check_special(record: BinaryIO, elements: Elements, file: BinaryIO) -> None:
    """Check the header of data that are linked blocks, compressed, or chunked."""
    (kind,) = _take(record, "H")
    if kind == 1:
        _, size, n, first = _take(record, "IIIH")
        _need(size > 0 and n > 0, "linked data have no blocks")
        _check_links(first, n, elements, file)
    elif kind == 3:
        _, length, ref = _take(record, "HIH")
        _check_coding(record)
        _need((_COMPRESSED, ref) in elements, "compressed data are not there")
        packed = elements[_COMPRESSED, ref][2]
        _need(length <= _MAX_RATIO * max(packed, 64), f"{packed} bytes unpack to {length}")
    elif kind == 5:
        _check_chunks(record, elements)
    else:
        raise ValueError(f"data are stored in a way ({kind}) that these products do not have")


def _check_links(first: int, n: int, elements: Elements, file: BinaryIO) -> None:
    """Follow the chain of lists of linked blocks: (next list, references of `n` blocks)."""
    ref, seen = first, set()
    while ref:
        _need((_LINKED, ref) in elements and ref not in seen, "a chain of linked blocks is broken")
        seen.add(ref)
        _, offset, length = elements[_LINKED, ref]
        _need(length == 2 + 2 * n, "a list of linked blocks has another length")
        file.seek(offset)
        ref, *blocks = _take(file, f"H{n}H")
        here = all((_LINKED, block) in elements for block in blocks if block)
        _need(here, "a linked block is not there")


def _check_chunks(record: BinaryIO, elements: Elements) -> None:
    """Check the header of chunked data."""
    header, version = _take(record, "IB")
    flags, _, chunk_size, width, tag, ref, _, _, n = _take(record, "4I4HI")
    _need(version == 0 and width in (1, 2, 4, 8), "chunked data have an impossible header")
    _need((tag, ref) in elements and tag == _TABLE, "a table of chunks is not there")
    _need(1 <= n <= _MAX_DIMENSIONS, f"chunked data have {n} dimensions")
    numbers = _take(record, f"{3 * n}I")
    lengths, chunks = numbers[1::3], numbers[2::3]
    _need(min(*lengths, *chunks) > 0, "chunked data have a dimension of length 0")
    _need(int(np.prod(chunks, dtype=object)) == chunk_size, "the size of a chunk does not fit")
    (fill,) = _take(record, "I")
    _need(fill == width, "the fill value of chunked data has another size")
    record.seek(fill, io.SEEK_CUR)
    _need(header == record.tell() - 6, "the header of chunked data has another length")
    if flags & 0xFF == 3:
        kind, _ = _take(record, "HI")
        _need(kind == 3, "chunks are packed in an unknown way")
        _check_coding(record)


def _check_coding(record: BinaryIO) -> None:
    model, coder = _take(record, "HH")
    _need(model in _MODELS and coder in _CODERS, "data are packed in an unknown way")
    if coder == 4:
        (level,) = _take(record, "H")
        _need(level <= 9, "data are packed at an impossible level")


def _check_end(rest: bytes, expected: int) -> None:
    """Check the bytes after the names; only version 4 may have attributes there."""
    (version,) = struct.unpack(">H", rest[-5:-3])
    fits = len(rest) == expected if version in (2, 3) else len(rest) > expected and version == 4
    _need(fits, "a group or table has another length than its names and members")


def _check_no_cycle(members: dict[int, list[int]]) -> None:
    """Refuse groups that hold each other, in which the library would loop for ever."""
    left = {ref: set(held) for ref, held in members.items()}
    while leaves := [ref for ref, held in left.items() if not held & left.keys()]:
        for ref in leaves:
            del left[ref]
    _need(not left, "a group holds itself")


def _skip_text(record: BinaryIO, longest: int) -> None:
    (length,) = _take(record, "H")
    _need(length <= longest, f"a name has {length} letters")
    _need(len(record.read(length)) == length, "a name is cut short")


def _take(stream: BinaryIO, form: str) -> tuple[int, ...]:
    """Big-endian unsigned numbers from a stream; struct.error at its end."""
    return struct.unpack(f">{form}", stream.read(struct.calcsize(f">{form}")))


def _need(fits: bool, reason: str) -> None:
    if not fits:
        raise ValueError(reason)
