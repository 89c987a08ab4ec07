"""Which rows two datasets share: matched by content, then by id, with only hashes in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from danlu.data.dataset import ROWS
from danlu.pipeline.report.diff_data import Group, RowsDiff
from danlu.recipe.errors import UserError

SHOWN = 20
BATCH = 4096
SPLITS = ("train", "validation", "test")
# Everything a row says; where it stands, and what its source says of it besides, may differ
_JSON = ("messages", "tools", "rejected")
_PLAIN = ("text", "thinking", "labels")
# 2^64 divided by the golden ratio (Knuth vol. 3, 6.4): keeps the keys of the first, second ... copy of a row apart
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Rows:
    """The rows of a dataset as numbers, in order: 64-bit hashes of content and id, and places in SPLITS."""

    content: np.ndarray
    ids: np.ndarray
    splits: np.ndarray


def load(folder: Path) -> Rows:
    """Hash all rows, a batch at a time.

    Raises:
        UserError: the folder holds no readable rows.
    """
    content, ids, splits = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.int8)]
    for batch in _batches(folder, ["row_id", "split", *_JSON, *_PLAIN]):
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        says = zip(*(columns[name] for name in (*_JSON, *_PLAIN)), strict=True)
        content.append(np.array([_content(values) for values in says], np.uint64))
        ids.append(np.array([xxhash.xxh3_64_intdigest(row_id.encode()) for row_id in columns["row_id"]], np.uint64))
        splits.append(np.array([SPLITS.index(split) for split in columns["split"]], np.int8))
    return Rows(np.concatenate(content), np.concatenate(ids), np.concatenate(splits))


def compare_rows(a: Path, b: Path) -> RowsDiff:
    """Match the rows of two dataset folders.

    Equal rows are matched first, those with the same id before those under another; then rows with the same id that
    say something else. Of rows that a dataset holds several times, each copy has one counterpart at most.
    """
    left, right = load(a), load(b)
    open_a, open_b = np.arange(len(left.ids)), np.arange(len(right.ids))
    pairs: list[np.ndarray] = []
    for key_a, key_b in (
        (_mixed(left.content, left.ids), _mixed(right.content, right.ids)),
        (left.content, right.content),
        (left.ids, right.ids),
    ):
        places_a, places_b = _matched(key_a[open_a], key_b[open_b])
        pairs.append(np.stack([open_a[places_a], open_b[places_b]]))
        open_a, open_b = np.delete(open_a, places_a), np.delete(open_b, places_b)
    together = np.concatenate(pairs, axis=1)
    moved: dict[str, np.ndarray] = {}
    sides = left.splits[together[0]], right.splits[together[1]]
    for (old, new), _ in sorted(Counter(zip(*(side.tolist() for side in sides), strict=True)).items()):
        if old != new:
            rows = together[1][(sides[0] == old) & (sides[1] == new)]
            moved[f"{SPLITS[old]} → {SPLITS[new]}"] = np.sort(rows)
    named = _Names(b, [np.sort(pairs[2][1]), open_b, *moved.values()])
    return RowsDiff(
        same=pairs[0].shape[1] + pairs[1].shape[1],
        changed=named.group(np.sort(pairs[2][1])),
        only_a=_Names(a, [open_a]).group(open_a),
        only_b=named.group(open_b),
        moves={move: named.group(rows) for move, rows in moved.items()},
        renamed=pairs[1].shape[1],
    )


class _Names:
    """The ids of the rows that are shown, read in a second pass."""

    def __init__(self, folder: Path, groups: Sequence[np.ndarray]) -> None:
        wanted = {int(place) for rows in groups for place in rows[:SHOWN]}
        self._names: dict[int, str] = {}
        start = 0
        for batch in _batches(folder, ["row_id"]) if wanted else ():
            here = [place for place in wanted if start <= place < start + len(batch)]
            self._names |= {place: batch.column(0)[place - start].as_py() for place in here}
            start += len(batch)

    def group(self, rows: np.ndarray) -> Group:
        """How many rows, and the ids of the first."""
        return Group(len(rows), tuple(self._names[int(place)] for place in rows[:SHOWN]))


def _batches(folder: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    path = folder / ROWS
    try:
        with pq.ParquetFile(path) as file:
            known = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH, columns=known):
                yield _with_all(batch, columns)
    except FileNotFoundError:
        fix = "name a folder below artifacts/dataset"
        raise UserError(f"is no dataset: it has no {ROWS}", where=str(folder), fix=fix) from None
    except pa.ArrowInvalid as error:
        fix = "remove the folder and run 'danlu data' again"
        raise UserError(f"cannot be read: {error}", where=str(path), fix=fix) from None


def _with_all(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    """The columns in order; one that an older version did not write is null."""
    names = batch.schema.names
    arrays = [batch.column(name) if name in names else pa.nulls(len(batch)) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, names=columns)


def _content(values: tuple[Any, ...]) -> int:
    """Hash of what a row says, whatever order the keys of its messages stand in."""
    says = [json.loads(value) if value else None for value in values[: len(_JSON)]]
    text, thinking, labels = values[len(_JSON) :]
    return xxhash.xxh3_64_intdigest(json.dumps([says, text or None, thinking, labels or None], sort_keys=True).encode())


def _mixed(content: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return content ^ (ids * _STEP)


def _matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of equal keys in both; the n-th copy of a key on one side belongs to the n-th on the other."""
    _, places_a, places_b = np.intersect1d(
        a + _STEP * _copies(a), b + _STEP * _copies(b), assume_unique=True, return_indices=True
    )
    return places_a, places_b


def _copies(keys: np.ndarray) -> np.ndarray:
    """For each key how many equal ones stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0)) if len(keys) else np.zeros(0, np.int64)
    counts = np.empty(len(keys), np.uint64)
    counts[order] = (np.arange(len(keys)) - starts).astype(np.uint64)
    return counts
