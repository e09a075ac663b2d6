"""The length of an HDF5 file (NetCDF-4 too), checked before the HDF5 library sees it.

The library opens a file that is longer than it says, and may search a shifted one for ever. It
checks what it reads by sums, but in files of its first versions it does not.

Source: HDF5 File Format Specification 3.0, section II.A (superblock).
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"\x89HDF\r\n\x1a\n"

_PLACES = {0: (24, 40), 1: (28, 44), 2: (12, 28), 3: (12, 28)}
"""Version of the superblock -> places of the base address and of the end of the file."""


def superblock_error(path: Path) -> str | None:
    """What contradicts the length of an HDF5 file; None if nothing does or it is no HDF5."""
    with open(path, "rb") as file:
        head = file.read(64)
    if head[:8] != MAGIC:
        return None
    base, end = _PLACES.get(head[8] if len(head) == 64 else -1, (0, 0))
    if not end:
        return "its superblock is damaged"
    length = sum(struct.unpack_from("<Q", head, place)[0] for place in (base, end))
    size = path.stat().st_size
    return None if size == length else f"it has {size} bytes and should have {length}"
