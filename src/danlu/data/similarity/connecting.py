"""Clusters: the connected components of pairs, which row of each stays, and what a report says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from danlu.data.operators import Corpus
from danlu.data.similarity.arrays import F64, I64
from danlu.data.similarity.rowtext import texts_of

Check = Callable[[I64], tuple[I64, F64]]

_ROUNDS = 8  # of comparing each cluster's best row with the rest, before only known pairs count
_LISTED, _LISTED_ROWS = 20, 50


def clusters(n: int, pairs: I64) -> I64:
    """The cluster of each of `n` rows, as the smallest row number in it; a row without a pair is its own.

    Union-find over whole arrays: every root is hooked under a smaller neighbour, then every path is shortened to its
    root.
    """
    labels = np.arange(n, dtype=np.int64)
    left, right = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    while len(left):
        one, other = labels[left], labels[right]
        apart = one != other
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter
    return labels


def keep_one(pairs: I64, similarity: F64, rank: I64, check: Check) -> dict[int, tuple[int, float]]:
    """Which rows go: row -> (the row that stays for it, their similarity).

    In the order of `rank` a row stays unless it is similar to one that stays already; so every row that goes names one
    that stays and that it is truly similar to, also where a cluster is a chain whose ends differ.

    Args:
        pairs: [pairs, 2] of similar rows.
        similarity: of each pair.
        rank: of every row of the data set, each once; low ranks stay.
        check: which of some other pairs are similar, and how much: clusters of more than two have pairs never compared.
    """
    known = _Known(pairs, similarity)
    labels = clusters(len(rank), pairs)
    left = np.unique(pairs)
    left = left[np.lexsort((rank[left], labels[left]))]
    gone: dict[int, tuple[int, float]] = {}
    for _ in range(_ROUNDS):
        best = np.concatenate([[True], labels[left[1:]] != labels[left[:-1]]]) if len(left) else np.empty(0, np.bool_)
        stays, rest = left[best], left[~best]
        if not len(rest):
            return gone
        head = stays[np.searchsorted(labels[stays], labels[rest])]
        known.learn(np.stack([head, rest], axis=1), check)
        found = [known.get(one, other) for one, other in zip(head.tolist(), rest.tolist(), strict=True)]
        for one, other, value in zip(head.tolist(), rest.tolist(), found, strict=True):
            if value is not None:
                gone[other] = (one, value)
        left = rest[[value is None for value in found]]
    _by_known_pairs(left, rank, known, gone)
    return gone


class _Known:
    """Similar pairs known so far."""

    def __init__(self, pairs: I64, similarity: F64) -> None:
        self._values: dict[tuple[int, int], float] = {}
        self._add(pairs, similarity)

    def get(self, one: int, other: int) -> float | None:
        return self._values.get((min(one, other), max(one, other)))

    def neighbours(self) -> dict[int, list[int]]:
        result: dict[int, list[int]] = {}
        for one, other in self._values:
            result.setdefault(one, []).append(other)
            result.setdefault(other, []).append(one)
        return result

    def learn(self, pairs: I64, check: Check) -> None:
        pairs = np.sort(pairs, axis=1)
        fresh = [self.get(one, other) is None for one, other in pairs.tolist()]
        pairs = pairs[fresh]
        if len(pairs):
            self._add(*check(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]))

    def _add(self, pairs: I64, similarity: F64) -> None:
        for (one, other), value in zip(pairs.tolist(), similarity.tolist(), strict=True):
            self._values[one, other] = value


def _by_known_pairs(left: I64, rank: I64, known: _Known, gone: dict[int, tuple[int, float]]) -> None:
    """What the rounds left undecided: a row goes for a neighbour that stays."""
    if not len(left):
        return
    neighbours = known.neighbours()
    undecided = set(left.tolist())
    for row in left[np.argsort(rank[left])].tolist():
        staying = [other for other in neighbours.get(row, ()) if other not in undecided and other not in gone]
        undecided.discard(row)
        if staying:
            best = min(staying, key=lambda other: int(rank[other]))
            gone[row] = (best, known.get(row, best) or 0.0)


def ids_of(corpus: Corpus, indices: Sequence[int]) -> dict[int, str]:
    """The ids of these rows."""
    wanted = sorted(set(indices))
    return dict(zip(wanted, texts_of(corpus, wanted, lambda row: row.id), strict=True))


def cluster_report(corpus: Corpus, pairs: I64, similarity: F64, lowest: float) -> dict[str, Any]:
    """Counts, sizes, the largest clusters as row ids, and how similar the pairs are; no text."""
    labels = clusters(len(corpus), pairs)
    members = np.unique(pairs)
    members = members[np.argsort(labels[members], kind="stable")]
    heads, starts, sizes = np.unique(labels[members], return_index=True, return_counts=True)
    largest = np.lexsort((heads, -sizes))[:_LISTED]
    groups = [members[starts[at] : starts[at] + min(sizes[at], _LISTED_ROWS)].tolist() for at in largest.tolist()]
    names = ids_of(corpus, [row for group in groups for row in group])
    edges = np.linspace(lowest, 1, 11)
    counts, _ = np.histogram(np.clip(similarity, lowest, 1), edges)
    distinct, how_many = np.unique(sizes, return_counts=True)
    return {
        "rows": len(corpus),
        "pairs": len(pairs),
        "clusters": len(heads),
        "rows_in_clusters": len(members),
        "sizes": dict(zip(map(str, distinct.tolist()), how_many.tolist(), strict=True)),
        "largest": [
            {"size": int(sizes[at]), "rows": [names[row] for row in group]}
            for at, group in zip(largest.tolist(), groups, strict=True)
        ],
        "similarity": {"edges": edges.round(4).tolist(), "pairs": counts.tolist()},
    }
