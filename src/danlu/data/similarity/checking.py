"""The exact check: Jaccard similarity of the 5-gram sets of two texts, for one pair or very many."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from danlu.data.similarity.arrays import F64, I64, U16, U64, blocks, spans
from danlu.data.similarity.lsh import candidate_pairs
from danlu.data.similarity.shingles import GRAM_BITS, gram_sets, grams

GetTexts = Callable[[Sequence[int]], list[str]]

_FIRST_PAIRS = 1 << 10  # of the first block, which tells how long the texts are
_PAIRS = 1 << 15  # most pairs whose texts are in memory at once
_CHARACTERS = 1 << 23  # and about how many characters these have: their grams take eight bytes each
_GRAMS = 1 << 17  # of both sides of the pairs that are intersected in one sort
_ROUNDING = 1e-12


def jaccard(a: str, b: str) -> float:
    """Shared 5-grams over all 5-grams of two texts, compared in folded form; 1 for two empty texts."""
    left, right = grams(a), grams(b)
    shared = len(np.intersect1d(left, right, assume_unique=True))
    union = len(left) + len(right) - shared
    return shared / union if union else 1.0


def verify(pairs: I64, get_texts: GetTexts, threshold: float) -> tuple[I64, F64]:
    """The pairs that truly reach the threshold, and the Jaccard similarity of each.

    Args:
        pairs: [pairs, 2] row numbers; neighbours in `pairs` are looked up together.
        get_texts: texts of ascending row numbers; called with some thousands at a time.
        threshold: least similarity.
    """
    values = [np.empty(0)]
    start, size = 0, _FIRST_PAIRS
    while start < len(pairs):
        part = pairs[start : start + size]
        wanted, places = np.unique(part, return_inverse=True)
        texts = get_texts(wanted.tolist())
        values.append(similarities(texts, places.reshape(-1, 2)))
        start += size
        characters = sum(map(len, texts)) / len(part)
        size = int(min(_PAIRS, max(1, _CHARACTERS / max(characters, 1))))
    result = np.concatenate(values)
    reached = result >= threshold - _ROUNDING
    return pairs[reached], result[reached]


def near_pairs(signatures: U16, get_texts: GetTexts, threshold: float) -> tuple[I64, F64]:
    """All pairs that reach the threshold, but for those that a crowd connects anyway (see `candidate_pairs`)."""
    return verify(candidate_pairs(signatures, threshold), get_texts, threshold)


def similarities(texts: Sequence[str], pairs: I64) -> F64:
    """`jaccard` of each pair of these texts, [pairs]."""
    values, sizes = gram_sets(texts)
    starts = np.cumsum(sizes) - sizes
    both = sizes[pairs].sum(axis=1)
    shared = np.empty(len(pairs), np.int64)
    for start, end in blocks(both.tolist(), _GRAMS):
        shared[start:end] = _shared(values, starts, sizes, pairs[start:end])
    union = both - shared
    return np.where(union > 0, shared / np.maximum(union, 1), 1.0)


def _shared(values: U64, starts: I64, sizes: I64, pairs: I64) -> I64:
    """How many grams the two sets of each pair share: all sorted at once, tagged with their pair, equals counted."""
    flat = pairs.ravel()
    counts = sizes[flat]
    owner = np.repeat(np.arange(len(flat), dtype=np.uint64) >> np.uint64(1), counts)
    tagged = np.sort(values[spans(starts[flat], counts)] | owner << np.uint64(GRAM_BITS))
    twice = tagged[1:][tagged[1:] == tagged[:-1]] >> np.uint64(GRAM_BITS)
    return np.bincount(twice.astype(np.int64), minlength=len(pairs))
