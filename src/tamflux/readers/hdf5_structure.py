"""The length of an HDF5 file (NetCDF-4 included), checked before the HDF5 library opens it.

The library opens a file that is longer than its superblock says, and may search a shifted one for
ever. Files of its first versions have no checksums that would show the damage.

Source: HDF5 File Format Specification 3.0, section II.A (superblock).
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"\x89HDF\r\n\x1a\n"

_POSITIONS = {0: (24, 40), 1: (28, 44), 2: (12, 28), 3: (12, 28)}
"""Version of the superblock -> positions of the base address and of the end of the file."""


def superblock_error(path: Path) -> str | None:
    """Reason why the length of an HDF5 file is wrong; None if it is right, or no HDF5 file."""
    with open(path, "rb") as file:
        head = file.read(64)
    if head[:8] != MAGIC:
        return None
    base, end = _POSITIONS.get(head[8] if len(head) == 64 else -1, (0, 0))
    if not end:
        return "its superblock is damaged"
    length = sum(struct.unpack_from("<Q", head, position)[0] for position in (base, end))
    size = path.stat().st_size
    return None if size == length else f"it has {size} bytes and should have {length}"
