"""Character 5-grams: those of a whole batch hashed as one array, and the set of them that a text is.

A text is the set of windows of five code points of its folded form. A shorter text is one shingle: all of it. An empty
one has none. Hashes have 64 bits; sets keep 48 of them, where two different windows meet once in 10^14.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from danlu.data.similarity.arrays import I64, U64, blocks, mix, odd_numbers
from danlu.data.similarity.folding import PAD, fold_batch

WIDTH = PAD + 1
GRAM_BITS = 48

_CHARACTERS = 1 << 16  # of a block: its 64-bit arrays stay in the cache of a core
_B1, _B2, _B3 = odd_numbers(3, salt=5)
_DROPPED_BITS = np.uint64(64 - GRAM_BITS)


def shingle_blocks(texts: Sequence[str]) -> Iterator[tuple[int, int, U64, I64]]:
    """(first text, end, hash of every window of these texts, how many windows each has), block by block."""
    for start, end in blocks([len(text) + PAD for text in texts], _CHARACTERS):
        hashes, counts = _shingles(texts[start:end])
        yield start, end, hashes, counts


def grams(text: str) -> U64:
    """The set of hashed 5-grams of a text: sorted, each once."""
    return gram_sets([text])[0]


def gram_sets(texts: Sequence[str]) -> tuple[U64, I64]:
    """The sets of all texts, one behind the other: (hashes, size of each set)."""
    values, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for start, end, hashes, counts in shingle_blocks(texts):
        hashes, unique = distinct(hashes >> _DROPPED_BITS, counts, end - start)
        values.append(hashes)
        sizes.append(unique)
    return np.concatenate(values), np.concatenate(sizes)


def distinct(hashes: U64, counts: I64, segments: int) -> tuple[U64, I64]:
    """Sort each segment and drop what repeats in it; at most 2^16 segments of 48-bit numbers."""
    owner = np.repeat(np.arange(segments, dtype=np.uint64) << np.uint64(GRAM_BITS), counts)
    tagged = np.sort(hashes | owner)
    first = np.ones(len(tagged), np.bool_)
    np.not_equal(tagged[1:], tagged[:-1], out=first[1:])
    tagged = tagged[first]
    sizes = np.bincount((tagged >> np.uint64(GRAM_BITS)).astype(np.int64), minlength=segments)
    return tagged & np.uint64((1 << GRAM_BITS) - 1), sizes


def _shingles(texts: Sequence[str]) -> tuple[U64, I64]:
    codes, sizes = fold_batch(texts)
    counts = np.where(sizes > 0, np.maximum(sizes - PAD, 1), 0)
    wide = codes.astype(np.uint64)
    pairs = wide[:-1] * _B1 + wide[1:]
    fours = pairs[:-2] * _B2 + pairs[2:]
    windows = fours[:-1] * _B3 + wide[PAD:]
    starts = np.cumsum(sizes + PAD) - (sizes + PAD)
    edges = np.zeros(len(codes) + 1, np.int8)
    edges[starts] += 1
    edges[starts + counts] -= 1
    return mix(windows[np.cumsum(edges, dtype=np.int8)[: len(windows)].view(np.bool_)]), counts
