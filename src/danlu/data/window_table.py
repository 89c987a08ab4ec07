"""Windows of the units of many texts, sorted by hash, eight bytes each: who has one, and which many texts share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from danlu.data.comparison_units import U64, SortedKeys, window_blocks, window_keys

_LOW = U64(32)
_POSITIONS = U64((1 << 32) - 1)
MOST_UNITS = 1 << 32
"""Positions are kept in 32 bits."""
_AT_ONCE = 1 << 20


class WindowTable:
    """The windows of some texts.

    A window is kept as the upper half of its hash and its position, in one number; the whole hash of what is found is
    made again from the units, so equal halves are never taken for equal windows. Sorted in place: with a hundred
    thousand evaluation texts this is where the memory of the comparison goes.

    Args:
        hashes: of the units of all texts.
        starts: position of each text's first unit, and the number of units at the end.
        chosen: for each text whether its windows are kept.
        size: units of a window.
        counted: prefix sums over the units; windows in which nothing is counted are left out. None: all are kept.

    Raises:
        OverflowError: more than 2**32 units.
    """

    def __init__(
        self, hashes: np.ndarray, starts: np.ndarray, chosen: np.ndarray, size: int, counted: np.ndarray | None = None
    ) -> None:
        if len(hashes) > MOST_UNITS:
            raise OverflowError(f"{len(hashes)} units of evaluation texts; more than {MOST_UNITS} cannot be compared")
        self._hashes, self._size = hashes, size
        lengths = np.diff(starts)
        kept = np.empty(int(np.maximum(lengths - size + 1, 0)[chosen].sum()), U64)
        end = 0
        for first, last, keys, positions in window_blocks(hashes, starts, size):
            stays = np.repeat(chosen[first:last], lengths[first:last])[positions - starts[first]]
            if counted is not None:
                stays &= counted[positions + size] > counted[positions]
            found = (keys[stays] >> _LOW << _LOW) | positions[stays].astype(U64)
            kept[end : end + len(found)] = found
            end += len(found)
        held = kept[:end].copy() if end < len(kept) * 0.75 else kept[:end]
        held.sort()
        self._sorted = SortedKeys(held)

    def __len__(self) -> int:
        return len(self._sorted.keys)

    def lookup(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(index of the key asked for, position of an equal window) for every match, in the order of the keys."""
        lowest = keys >> _LOW << _LOW
        which, places = self._sorted.between(lowest, lowest | _POSITIONS)
        positions = (self._sorted.keys[places] & _POSITIONS).astype(np.int64)
        equal = self._keys(positions) == keys[which]
        return which[equal], positions[equal]

    def shared(self, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(hashes, positions) of windows of which more than `most` may exist; equal ones together."""
        start, kept = 0, self._sorted.keys
        while start < len(kept):
            end = self._end_of_group(min(start + _AT_ONCE, len(kept)))
            halves = kept[start:end] >> _LOW
            begins = np.flatnonzero(np.concatenate([[True], halves[1:] != halves[:-1]]))
            counts = np.diff(np.append(begins, len(halves)))
            often = np.repeat(counts > most, counts)
            positions = (kept[start:end][often] & _POSITIONS).astype(np.int64)
            if len(positions):
                yield self._keys(positions), positions
            start = end

    def _end_of_group(self, end: int) -> int:
        """Where the windows end that have the same half of a hash as the one before `end`."""
        kept = self._sorted.keys
        return int(np.searchsorted(kept, kept[end - 1] | _POSITIONS, side="right"))

    def _keys(self, positions: np.ndarray) -> np.ndarray:
        """The whole hashes of the windows at these positions."""
        found = [np.zeros(0, U64)]
        for start in range(0, len(positions), _AT_ONCE):
            found.append(window_keys(self._hashes, positions[start : start + _AT_ONCE], self._size))
        return np.concatenate(found)
