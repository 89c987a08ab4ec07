"""Corpora made of other corpora."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from danlu.data.operators import Corpus
from danlu.data.row import Row


class JoinedCorpus:
    """Several corpora, one after the other."""

    def __init__(self, *parts: Corpus) -> None:
        self.parts = parts
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batches(self) -> Iterator[Sequence[Row]]:
        """All rows in order, some at a time."""
        for part in self.parts:
            yield from part.batches()

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these positions."""
        wanted = np.asarray(indices, dtype=np.int64)
        homes = np.searchsorted(self._starts, wanted, side="right") - 1
        found: dict[int, Row] = {}
        for home in np.unique(homes):
            mine = wanted[homes == home]
            rows = self.parts[home].rows([int(position - self._starts[home]) for position in mine])
            found.update(zip(mine.tolist(), rows, strict=True))
        return [found[int(position)] for position in wanted]
