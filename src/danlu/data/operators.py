"""What a cleaner is: a pure function of a batch of rows, or features of each batch and one decision over all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from danlu.data.row import Dropped, Row

Features = dict[str, np.ndarray]


class RowCleaner(Protocol):
    """Looks at each row by itself, so that batches can be cleaned anywhere and in any order.

    Built from its config alone (`Cleaner(config)`), picklable by that config, without state between rows.
    """

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """A row or a Dropped for each row, in order."""
        ...


class Corpus(Protocol):
    """All rows that reached a step, in the order of the sources; on disk, not in memory."""

    def __len__(self) -> int: ...

    def batches(self) -> Iterator[Sequence[Row]]:
        """All rows in order, some at a time."""
        ...

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these positions, in the order asked for; reading neighbours together is cheap."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a dataset cleaner decided.

    Attributes:
        dropped: position of a row -> why it goes. Reasons name other rows by id and never quote text.
        report: plain data for the report: counts, and examples as row ids.
    """

    dropped: Mapping[int, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class DatasetCleaner(Protocol):
    """Compares rows with each other: features of each batch (anywhere), then one decision (here).

    Built from its config alone (`Cleaner(config)`), picklable by that config.
    """

    def features(self, rows: Sequence[Row]) -> Features:
        """Arrays whose first axis is the rows; a pure function of the batch."""
        ...

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """The decision, from the features of all rows in order; the same whatever the batches were."""
        ...


class MemoryCorpus:
    """A corpus held in memory, for small data and tests."""

    def __init__(self, rows: Sequence[Row], batch: int = 1024) -> None:
        self._rows, self._batch = rows, batch

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self) -> Iterator[Sequence[Row]]:
        """All rows in order, some at a time."""
        for start in range(0, len(self._rows), self._batch):
            yield self._rows[start : start + self._batch]

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these positions."""
        return [self._rows[index] for index in indices]


def features_of(cleaner: DatasetCleaner, corpus: Corpus) -> Features:
    """The features of all rows of a corpus, batch by batch, in this process."""
    return joined([cleaner.features(batch) for batch in corpus.batches()])


def joined(parts: Sequence[Features]) -> Features:
    """Features of consecutive batches as one; no batches give no arrays."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
