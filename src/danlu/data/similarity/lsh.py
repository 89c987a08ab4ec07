"""Candidate pairs: rows whose signatures agree in a band, without ever comparing all rows of a crowded bucket.

A band is r consecutive values of a signature; two rows of similarity s share one of b bands with probability
1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.4). r is the largest for which
that is at least 0.995 at the threshold. Three things bound the work where many rows share boilerplate:

- more than 8 rows with one and the same signature are linked to the first of them, which stands for all;
- a bucket of more than 32 rows gives links to its first row and between neighbours, not all pairs;
- its rows are matched again by two values at a time, of which only those groups give all pairs that few rows share:
  what a row shares with thousands says nothing about it, what it shares with one other row does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from danlu.data.similarity.arrays import I64, U16, U64, Bools, mix, odd_numbers
from danlu.data.similarity.minhash import BINS

_RECALL = 0.995
_DEVIATIONS = 5  # candidates stay unless their signatures' agreement is this far below the threshold's
_BUCKET, _RARE = 32, 8  # the largest groups that give all pairs: by band, and by two values
_COPIES = 8  # most rows with one signature that are compared one by one
_FLUSH = 1 << 21
_ROWS = 1 << 16  # hashed at a time
_MULTIPLIERS = odd_numbers(BINS, salt=7)


def band_size(threshold: float) -> int:
    """r, the values in a band."""
    for r in range(BINS // 2, 1, -1):
        if 1 - (1 - threshold**r) ** (BINS // r) >= _RECALL:
            return r
    return 1


def candidate_pairs(signatures: U16, threshold: float = 0.8) -> I64:
    """Pairs (i < j) that may reach the threshold, [pairs, 2], sorted, each once; to be checked with `verify`.

    A pair of rows that both belong to a crowd can be missing where a chain of other pairs connects the two.
    """
    found = _Found(signatures, threshold)
    standing, links = _merge_equal(signatures)
    found.add([links])
    r = band_size(threshold)
    crowded = np.zeros(len(signatures), np.bool_)
    for start in range(0, BINS - r + 1, r):
        keys = _keys(signatures, standing, start, start + r)
        found.add(_grouped(keys, standing, _BUCKET, crowded))
    crowd = np.flatnonzero(crowded)
    for start in range(0, BINS, 2):
        found.add(_grouped(_keys(signatures, crowd, start, start + 2), crowd, _RARE, None))
    return found.pairs()


class _Found:
    """Pairs found so far, as i * rows + j; those whose signatures agree too little are let go as they come."""

    def __init__(self, signatures: U16, threshold: float) -> None:
        self._signatures, self._rows = signatures, len(signatures)
        spread = (BINS * threshold * (1 - threshold)) ** 0.5
        self._least = int(BINS * threshold - _DEVIATIONS * spread)
        self._done = np.empty(0, np.int64)
        self._waiting: list[I64] = []
        self._count = 0

    def add(self, many: Iterable[I64]) -> None:
        for pairs in many:
            self._waiting.append(pairs[:, 0] * self._rows + pairs[:, 1])
            self._count += len(pairs)
            if self._count > _FLUSH:
                self._flush()

    def pairs(self) -> I64:
        self._flush()
        return np.stack(np.divmod(self._done, max(self._rows, 1)), axis=1)

    def _flush(self) -> None:
        fresh = np.unique(np.concatenate([np.empty(0, np.int64), *self._waiting]))
        self._waiting, self._count = [], 0
        fresh = fresh[~np.isin(fresh, self._done, assume_unique=True)]
        self._done = np.sort(np.concatenate([self._done, fresh[self._agreement(fresh) >= self._least]]))

    def _agreement(self, codes: I64) -> I64:
        counts = np.empty(len(codes), np.int64)
        for start in range(0, len(codes), 4096):
            left, right = np.divmod(codes[start : start + 4096], self._rows)
            counts[start : start + 4096] = np.count_nonzero(self._signatures[left] == self._signatures[right], axis=1)
        return counts


def _keys(signatures: U16, rows: I64, start: int, end: int) -> U64:
    """A 64-bit hash of the values `start` to `end` of each of these rows."""
    keys = np.empty(len(rows), np.uint64)
    for first in range(0, len(rows), _ROWS):
        some = slice(first, first + _ROWS)
        keys[some] = mix(signatures[rows[some], start:end].astype(np.uint64) @ _MULTIPLIERS[start:end])
    return keys


def _merge_equal(signatures: U16) -> tuple[I64, I64]:
    """(rows to compare, links): of rows with one signature that are more than 8, the first, linked to the others."""
    keys = _keys(signatures, np.arange(len(signatures)), 0, BINS)
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    heads = np.where(counts > _COPIES, first, -1)[inverse]
    rows = np.arange(len(keys))
    copies = np.flatnonzero((heads >= 0) & (heads != rows))
    return np.delete(rows, copies), np.stack([heads[copies], copies], axis=1)


def _grouped(keys: U64, rows: I64, most: int, crowded: Bools | None) -> Iterator[I64]:
    """Pairs of rows with equal keys: all of them in groups up to `most`; head and neighbours in larger ones."""
    order = np.argsort(keys)
    same = keys[order[1:]] == keys[order[:-1]]
    member = np.zeros(len(keys), np.bool_)
    member[1:] |= same
    member[:-1] |= same
    order = order[member]
    order = order[np.lexsort((order, keys[order]))]  # an unstable sort first: few rows are left to sort twice
    members, keys = rows[order], keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
    sizes = np.diff(np.concatenate([starts, [len(keys)]]))
    for size in np.unique(sizes[sizes <= most]).tolist():
        left, right = np.triu_indices(size, 1)
        groups, at_once = starts[sizes == size][:, None], max(1, _FLUSH // len(left))
        for part in range(0, len(groups), at_once):
            positions = groups[part : part + at_once]
            yield np.stack([members[positions + left].ravel(), members[positions + right].ravel()], axis=1)
    for start, size in zip(starts[sizes > most].tolist(), sizes[sizes > most].tolist(), strict=True):
        group = members[start : start + size]
        if crowded is not None:
            crowded[group] = True
        yield np.stack([np.full(size - 1, group[0]), group[1:]], axis=1)
        yield np.stack([group[:-1], group[1:]], axis=1)
