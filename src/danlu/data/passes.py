"""The passes over shards: pure functions of one shard, run wherever the runner puts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from danlu.data.cleaners import CLEANERS
from danlu.data.columns import keys_of
from danlu.data.formats import RowProblem, to_row
from danlu.data.operators import DatasetCleaner, Features, RowCleaner
from danlu.data.personal.redactor import Redactor
from danlu.data.personal.scrubber import Scrubber
from danlu.data.quarantine import quarantined_text, raw_of
from danlu.data.reading import Chunk
from danlu.data.row import Dropped, Row
from danlu.data.row_keys import keep_keys
from danlu.data.shards import Books, ShardFolder
from danlu.data.sources import SOURCES
from danlu.recipe.cleaners import Cleaner
from danlu.recipe.redaction import RedactSection
from danlu.recipe.sources import Source

READ, REDACT = "read", "redact"
EXAMPLES = 2
SHOWN_CHARACTERS = 400

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """Where passes run."""

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`task(item)` for each item, in order."""
        ...

    def close(self) -> None:
        """Give back what it holds; nothing is mapped after that."""
        ...


@dataclass(frozen=True)
class Steps:
    """The row-by-row steps of one pass.

    Attributes:
        cleaners: in order.
        redact: personal data policy, applied after the cleaners; nothing is on disk before it.
        key: of the pseudonyms.
        keep: keys of the metadata whose values rows are told apart by, also after redaction.
        following: the dataset cleaner whose features the pass makes, or None.
        name: of those features.
        lenient: whether a row that a step would drop goes on all the same, as the step left it.
    """

    cleaners: tuple[Cleaner, ...] = ()
    redact: RedactSection | None = None
    key: bytes = b""
    keep: tuple[str, ...] = ()
    following: Cleaner | None = None
    name: str = ""
    lenient: bool = False

    def apply(self, rows: Sequence[Row], books: Books) -> list[Row]:
        """The rows that survive; `books.positions` must name where each row stands and is brought up to date."""
        scrubbing = Scrubber(self.redact)
        for config in self.cleaners:
            cleaner = cast(RowCleaner, CLEANERS.load(config.type)(config))
            rows = _booked(rows, self._let_go(list(cleaner(rows))), config.type, books, scrubbing)
        if self.redact is not None:
            redacted = Redactor(self.redact, self.key).redact(rows)
            books.findings += [finding.entry() for finding in redacted.findings]
            books.labels += sorted((label.label, label.kinds, label.was) for label in redacted.labels)
            kept = keep_keys(rows, redacted.items, self.keep, self.key)
            rows = _booked(rows, self._let_go(kept), REDACT, books, scrubbing)
        return list(rows)

    def _let_go(self, items: Sequence[Row | Dropped]) -> Sequence[Row | Dropped]:
        return [item.row if isinstance(item, Dropped) else item for item in items] if self.lenient else items

    def write(self, shards: ShardFolder, index: int, rows: Sequence[Row], books: Books) -> None:
        """Apply the steps and write the shard, with the features that the following dataset cleaner needs."""
        rows = self.apply(rows, books)
        if self.following is not None:
            judge = cast(DatasetCleaner, CLEANERS.load(self.following.type)(self.following))
            shards.write_features(index, self.name, judge.features(rows))
        shards.write(index, rows, books)


def _booked(
    before: Sequence[Row], after: Sequence[Row | Dropped], step: str, books: Books, scrubbing: Scrubber
) -> list[Row]:
    """Book what one step did; the survivors, with `books.positions` cut down to theirs."""
    survivors: list[Row] = []
    positions: list[int] = []
    dropped: list[tuple[int, Dropped]] = []
    examples = books.examples.setdefault(step, [])
    for position, old, new in zip(books.positions, before, after, strict=True):
        if isinstance(new, Dropped):
            dropped.append((position, new))
        else:
            survivors.append(new)
            positions.append(position)
        if len(examples) < EXAMPLES and new is not old and (isinstance(new, Dropped) or step != REDACT):
            examples.append(_example(old, new, scrubbing.scrub))
    if not examples:
        del books.examples[step]
    books.dropped += dropped_entries(dropped, scrubbing)
    books.positions = positions
    return survivors


def dropped_entries(dropped: Sequence[tuple[int, Dropped]], scrubbing: Scrubber) -> list[dict[str, Any]]:
    """Rows that ended, with where they stood, for the books: where from, and why they went; never what they said."""
    reasons = scrubbing.scrub_many([item.reason for _, item in dropped])
    return [
        {"position": position, "row_id": item.row.id, "file": item.row.file, "line": item.row.line, "step": item.step,
         "reason": reason}
        for (position, item), reason in zip(dropped, reasons, strict=True)
    ]  # fmt: skip


def _example(old: Row, new: Row | Dropped, scrub: Callable[[str], str]) -> dict[str, Any]:
    """A row before a step, with what came of it."""
    came = {"reason": scrub(new.reason)} if isinstance(new, Dropped) else {"after": _shown(new, scrub)}
    return {"row_id": old.id, "before": _shown(old, scrub), **came}


def _shown(row: Row, scrub: Callable[[str], str]) -> str:
    """The row as a person may see it in a report: personal data tagged, long texts cut and said to be."""
    text = row.text or "\n".join(f"{m['role']}: {m['content']}" for m in row.messages)
    text = scrub(text)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … ({len(text):,} characters)"


@dataclass(frozen=True)
class ReadPass:
    """Records of a source -> rows -> the first row-by-row steps -> a shard."""

    source: Source
    prefix: str
    steps: Steps
    folder: Path

    def __call__(self, numbered: tuple[int, Chunk]) -> int:
        """Make the shard of a chunk, if it is not there yet; returns the number of records."""
        index, chunk = numbered
        shards = ShardFolder(self.folder)
        if not shards.is_done(index):
            books = Books()
            self.steps.write(shards, index, self._rows(chunk, books), books)
        return len(chunk.items)

    def _rows(self, chunk: Chunk, books: Books) -> list[Row]:
        records = SOURCES.load(self.source.type)(self.source).decode(chunk)
        scrubbing = Scrubber(self.steps.redact)
        rows: list[Row] = []
        books.read = len(records)
        if self.source.columns:
            books.keys[chunk.file] = keys_of(self.source, chunk, records, scrubbing.scrub_many)
        for position, record in enumerate(records):
            row_id = f"{record.file}{self.prefix}:{record.line}"
            try:
                rows.append(to_row(record, row_id, self.source))
                books.positions.append(position)
            except RowProblem as problem:
                bad = Dropped(Row(row_id, record.file, record.line), READ, str(problem))
                [entry] = dropped_entries([(position, bad)], scrubbing)
                books.dropped.append(entry | {"raw": quarantined_text(raw_of(record), scrubbing.scrub)})
        return rows


@dataclass(frozen=True)
class CleanPass:
    """A later pass: the living rows of a shard -> row-by-row steps -> a shard of another folder."""

    steps: Steps
    source: Path
    target: Path

    def __call__(self, item: tuple[int, np.ndarray]) -> int:
        """Make the shard with this index from the rows that still live."""
        index, living = item
        before, after = ShardFolder(self.source), ShardFolder(self.target)
        if not after.is_done(index):
            old = before.books(index)
            rows = [row for row, lives in zip(before.rows(index), living, strict=True) if lives]
            books = Books(positions=[p for p, lives in zip(old.positions, living, strict=True) if lives])
            self.steps.write(after, index, rows, books)
        return int(living.sum())


@dataclass(frozen=True)
class FeaturePass:
    """Features for another comparison of rows that stay as they are."""

    make: Callable[[Sequence[Row]], Features]
    name: str
    folder: Path

    def __call__(self, index: int) -> int:
        """Make the features of all rows of one shard, if they are not there yet."""
        shards = ShardFolder(self.folder)
        if not shards.has_features(index, self.name):
            shards.write_features(index, self.name, self.make(shards.rows(index)))
        return len(shards.books(index).positions)
