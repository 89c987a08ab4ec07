"""What is kept of each row for a comparison: numbers and small codes, never its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xxhash

from danlu.data.languages import script_language
from danlu.data.operators import Corpus
from danlu.data.row import Row
from danlu.data.row_keys import key_name

# (rows read so far, rows to read)
Progress = Callable[[int, int], None]

OTHER = "(other)"
NONE = "(none)"
MOST_VALUES = 50
_CHUNK = 512


@dataclass
class Column:
    """A categorical fact of every row: `codes` index into `names`, -1 where a row has none."""

    names: list[str]
    codes: np.ndarray


@dataclass
class Facts:
    """The facts of all rows of a corpus, in order.

    Attributes:
        keys: hash of each row's content.
        lengths: characters that the row asks (or of its text).
        answers: characters that the row answers, -1 where it answers nothing.
        columns: language, label and slice.
    """

    keys: np.ndarray
    lengths: np.ndarray
    answers: np.ndarray
    columns: dict[str, Column]


@dataclass
class _Interned:
    codes: list[int] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, name: str | None) -> None:
        self.codes.append(-1 if name is None else self.numbers.setdefault(name, len(self.numbers)))

    def column(self) -> Column:
        return Column(list(self.numbers), np.array(self.codes, np.int32))


def asked(row: Row) -> str:
    """What the row asks: all turns but the system's and the assistant's; the text itself for a text row."""
    if not row.messages:
        return row.text
    return "\n".join(m["content"] for m in row.messages if m["role"] not in ("assistant", "system") and m["content"])


def facts_of(corpus: Corpus, slice_key: str | None, seed: int, progress: Callable[[int], None]) -> Facts:
    """Read a corpus once, batch by batch.

    Args:
        corpus: the rows.
        slice_key: metadata key of the user slices.
        seed: goes into the content hashes.
        progress: called with the number of rows read so far.
    """
    keys: list[int] = []
    lengths: list[int] = []
    answers: list[int] = []
    columns = {name: _Interned() for name in ("language", "label", "slice")}
    for batch in corpus.batches():
        for row in batch:
            text = asked(row)
            keys.append(content_key(row, seed))
            lengths.append(len(text))
            answers.append(len(row.answer()) if any(m["role"] == "assistant" for m in row.messages) else -1)
            columns["language"].add(script_language(text) or None)
            columns["label"].add(label_of(row))
            columns["slice"].add(slice_of(row, slice_key))
        progress(len(keys))
    found = {name: interned.column() for name, interned in columns.items()}
    return Facts(np.array(keys, np.uint64), np.array(lengths, np.int64), np.array(answers, np.int64), found)


def content_key(row: Row, seed: int) -> int:
    """A hash of what the row says, the same wherever the row stands."""
    return xxhash.xxh3_64_intdigest(row.content(), seed & 0xFFFFFFFFFFFFFFFF)


def label_of(row: Row) -> str | None:
    """The row's label; several are one."""
    return " + ".join(row.labels) or None


def slice_of(row: Row, key: str | None) -> str | None:
    """The row's value of a metadata key, if it is one word or number."""
    return None if key is None else key_name(row, key)


def column_value(row: Row, column: str, slice_key: str | None) -> str | None:
    """The row's value of `language`, `label` or `slice`."""
    if column == "language":
        return script_language(asked(row)) or None
    return label_of(row) if column == "label" else slice_of(row, slice_key)


def aligned(train: Column, reference: Column, least: int = 1) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Values of both sides, the most frequent first, and each side's counts of them; rows without a value left out.

    Values with fewer than `least` rows together, and those after the fiftieth, are counted as one.
    """
    totals: dict[str, list[int]] = {}
    for side, column in enumerate((train, reference)):
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
        for name, count in zip(column.names, counts.tolist(), strict=True):
            totals.setdefault(name, [0, 0])[side] += count
    order = sorted(totals, key=lambda name: (-sum(totals[name]), name))
    shown = [name for name in order[:MOST_VALUES] if sum(totals[name]) >= least]
    counts = np.array([totals[name] for name in shown], np.int64).reshape(-1, 2)
    rest = np.array([totals[name] for name in order if name not in set(shown)], np.int64).reshape(-1, 2).sum(axis=0)
    if rest.any():
        shown, counts = [*shown, OTHER], np.vstack([counts, rest])
    return shown, counts[:, 0], counts[:, 1]


def sampled_texts(corpus: Corpus, keys: np.ndarray, limit: int, characters: int) -> tuple[np.ndarray, list[str]]:
    """(content hashes, starts of the asked texts) of the rows with the smallest content hashes, in corpus order."""
    chosen = np.sort(np.argsort(keys, kind="stable")[:limit])
    texts: list[str] = []
    for start in range(0, len(chosen), _CHUNK):
        positions: Sequence[int] = chosen[start : start + _CHUNK].tolist()
        texts += [asked(row)[:characters] for row in corpus.rows(positions)]
    return keys[chosen], texts
