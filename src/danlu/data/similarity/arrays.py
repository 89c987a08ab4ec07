"""The array types of this package, a mixer of 64-bit numbers, and small steps over arrays of segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SHIFT = np.uint64(33)
_FIRST, _SECOND = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


def mix(values: U64) -> U64:
    """Spread every bit over all 64, one to one (MurmurHash3's finaliser); in place, and returns its argument."""
    values ^= values >> _SHIFT
    values *= _FIRST
    values ^= values >> _SHIFT
    values *= _SECOND
    values ^= values >> _SHIFT
    return values


def odd_numbers(count: int, salt: int) -> U64:
    """Fixed odd multipliers that look random: the same on every machine and with every version of NumPy."""
    return mix(np.arange(1, count + 1, dtype=np.uint64) + np.uint64(salt << 32)) | np.uint64(1)


def spans(starts: I64, sizes: I64) -> I64:
    """The indices of segments one after the other: start, start + 1, ... of each."""
    ends = np.cumsum(sizes)
    if not len(ends):
        return np.empty(0, np.int64)
    return np.arange(ends[-1], dtype=np.int64) + np.repeat(starts - (ends - sizes), sizes)


def blocks(sizes: Any, most: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose sizes add up to at most `most`; a larger item stands alone."""
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield start, index
            start, total = index, 0
        total += size
    if len(sizes):
        yield start, len(sizes)
