"""Bytes of a file, damaged in the ways that disks, transfers and other programs do it."""

from __future__ import annotations

import numpy as np

HEADER = 1024
"""Bytes at the start of a file in which most formats keep what they are."""


def damage(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """A way of damage and the damaged bytes, drawn from `rng`."""
    way = list(WAYS)[rng.integers(len(WAYS))]
    return way, WAYS[way](bytearray(content), rng)


def _flip_bits(content: bytearray, rng: np.random.Generator) -> bytes:
    for place in rng.integers(0, len(content), rng.integers(1, 9)):
        content[place] ^= 1 << rng.integers(8)
    return bytes(content)


def _flip_header(content: bytearray, rng: np.random.Generator) -> bytes:
    place = rng.integers(0, min(HEADER, len(content)))
    content[place] ^= rng.integers(1, 256)
    return bytes(content)


def _overwrite(content: bytearray, rng: np.random.Generator) -> bytes:
    start, size = _block(content, rng)
    content[start : start + size] = rng.bytes(size)
    return bytes(content)


def _zero(content: bytearray, rng: np.random.Generator) -> bytes:
    start, size = _block(content, rng)
    content[start : start + size] = bytes(size)
    return bytes(content)


def _cut_end(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content[: rng.integers(0, len(content))])


def _cut_out(content: bytearray, rng: np.random.Generator) -> bytes:
    start, size = _block(content, rng)
    return bytes(content[:start] + content[start + size :])


def _insert(content: bytearray, rng: np.random.Generator) -> bytes:
    start, size = _block(content, rng)
    return bytes(content[:start]) + rng.bytes(size) + bytes(content[start:])


def _repeat(content: bytearray, rng: np.random.Generator) -> bytes:
    start, size = _block(content, rng)
    return bytes(content[: start + size] + content[start:])


def _block(content: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    """Start and length of a block; half of them are near the start of the file."""
    size = int(rng.integers(1, 65))
    end = HEADER if rng.random() < 0.5 else len(content)
    return int(rng.integers(0, max(1, min(end, len(content) - size)))), min(size, len(content))


WAYS = {
    "flip bits": _flip_bits,
    "flip in header": _flip_header,
    "overwrite": _overwrite,
    "zero": _zero,
    "cut end": _cut_end,
    "cut out": _cut_out,
    "insert": _insert,
    "repeat": _repeat,
}
