"""Rounding of stored values: digits beyond any measurement's precision would fill half the disk."""

from __future__ import annotations

import numpy as np
from numcodecs import BitRound

KEPT_BITS = 11
"""Binary digits kept after the leading one: a relative error of at most 2^-12, or 0.025 %.

That is 0.01 K at 40 degC, 0.25 hPa of pressure and 0.0001 of a reflectance of 0.4.
"""
_CODEC = BitRound(KEPT_BITS)
_BLOCK = 1 << 16
"""Values rounded at once: the temporary arrays of the codec stay in the CPU's cache."""


def round_bits(values: np.ndarray) -> np.ndarray:
    """Float32 values rounded to `KEPT_BITS`, half to even, as new array; NaN stays.

    The bits below the kept ones are zero and compress to nothing: Kloewer et al. (2021, Nat.
    Comput. Sci. 1, doi:10.1038/s43588-021-00156-2).
    """
    rounded = np.array(values, np.float32, order="C")
    flat = rounded.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        missing = np.isnan(block)
        block[:] = _CODEC.encode(block).view(np.float32)
        block[missing] = np.nan  # the codec carries a NaN of high bits over into a number
    return rounded
