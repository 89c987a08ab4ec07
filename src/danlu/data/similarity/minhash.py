"""MinHash signatures by one permutation: the smallest hash of each of 128 bins, empty bins filled from full ones.

One-permutation hashing: Li, Owen and Zhang, "One Permutation Hashing", NIPS 2012; filling with a fixed random order of
bins per bin: Shrivastava, "Optimal Densification for Fast and Accurate Minwise Hashing", ICML 2017. A signature keeps
16 bits of each minimum (b-bit minwise hashing: Li and König, WWW 2010): 256 bytes a text, whatever its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from danlu.data.similarity.arrays import I64, U16, U64, mix
from danlu.data.similarity.shingles import shingle_blocks

BINS = 128
_BIN_SHIFT = np.uint64(57)  # the top seven bits choose the bin, the rest orders the hashes in it
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)


def _filling_orders() -> I64:
    """[bin, attempt]: the bins that an empty one tries, in a fixed random order of its own."""
    keys = mix(np.arange(1, BINS * BINS + 1, dtype=np.uint64)).reshape(BINS, BINS)
    return np.argsort(keys, axis=1, kind="stable")


_ORDERS = _filling_orders()


def signatures(texts: Sequence[str]) -> U16:
    """The signature of each text, [texts, 128]; equal folded texts have equal ones, a pure function of each text.

    The share of positions in which two signatures agree estimates the Jaccard similarity of their 5-gram sets.
    """
    result = np.zeros((len(texts), BINS), np.uint16)
    for start, end, hashes, counts in shingle_blocks(texts):
        bins = (hashes >> _BIN_SHIFT).view(np.int64)
        bins += np.repeat(np.arange(end - start) * BINS, counts)
        smallest = np.full((end - start) * BINS, _EMPTY, np.uint64)
        np.minimum.at(smallest, bins, hashes)
        rows = smallest.reshape(-1, BINS)
        rows[counts == 0] = 0
        _fill(rows)
        result[start:end] = rows.astype(np.uint16)
    return result


def _fill(rows: U64) -> None:
    """Copy into every empty bin the first full one of its order; in place."""
    full = rows != _EMPTY
    row, column = np.nonzero(~full)
    for attempt in range(BINS):
        if not len(row):
            return
        source = _ORDERS[column, attempt]
        found = full[row, source]
        rows[row[found], column[found]] = rows[row[found], source[found]]
        row, column = row[~found], column[~found]
