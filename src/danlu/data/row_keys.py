"""The values of metadata that rows are split and compared by: as they were before redaction, and whether they exist."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xxhash

from danlu.data.operators import Corpus
from danlu.data.row import Dropped, Row
from danlu.recipe.data import DataSection
from danlu.recipe.errors import UserError, nearest

OF_THE_ROW = ("label", "language")  # what `stratify_by` takes besides a key of the metadata
LISTED = 50


def key_names(config: DataSection) -> tuple[str, ...]:
    """The keys of the metadata that the recipe groups, stratifies or slices rows by."""
    named = (config.split.group_by, config.split.stratify_by, config.reference.slice if config.reference else None)
    return tuple(dict.fromkeys(name for name in named if name is not None and name not in OF_THE_ROW))


def keep_keys(
    before: Sequence[Row], after: Sequence[Row | Dropped], names: Sequence[str], key: bytes
) -> list[Row | Dropped]:
    """Rows after redaction, each with a keyed hash of every named value that redaction changed.

    A tag makes one value of all, so rows that were different people's would be one person's.
    """
    return [
        new if isinstance(new, Dropped) else _with_keys(old, new, names, key)
        for old, new in zip(before, after, strict=True)
    ]


def _with_keys(old: Row, new: Row, names: Sequence[str], key: bytes) -> Row:
    changed = [name for name in names if old.metadata.get(name) != new.metadata.get(name)]
    if not changed:
        return new
    kept = {name: _written(old.metadata[name]) for name in changed}
    hashes = {name: hashlib.blake2b(value, key=key[:64], digest_size=8).hexdigest() for name, value in kept.items()}
    return replace(new, keys={**new.keys, **hashes})


def key_hash(row: Row, name: str) -> int:
    """A hash of the row's value of a metadata key, as it was before redaction; 0 where it has none."""
    if name in row.keys:
        return int(row.keys[name], 16) or 1
    value = row.metadata.get(name)
    return 0 if value is None else xxhash.xxh3_64_intdigest(_written(value)) or 1


def key_name(row: Row, name: str) -> str | None:
    """The row's value of a metadata key, if it is one word or number; where redaction changed it, with a mark of what
    it was.
    """
    value: Any = row.metadata.get(name)
    if not isinstance(value, str | int | float) or not str(value):
        return None
    return f"{value} #{row.keys[name][:6]}" if name in row.keys else str(value)


def _written(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def count_lacking(
    has: np.ndarray, corpus: Corpus, setting: tuple[str, str], scrub: Callable[[Sequence[str]], list[str]]
) -> int:
    """How many rows lack what the recipe splits or compares them by.

    Args:
        has: for each row whether it has it.
        corpus: the rows.
        setting: the field of the recipe and what it names.
        scrub: takes personal data out of names of keys.

    Raises:
        UserError: no row has it.
    """
    where, name = setting
    if has.any() or not len(has):
        return int((~has).sum())
    if name == "label":
        raise UserError(
            f"none of the {len(has):,} rows has a label", where=where, fix="name a key of the metadata, or 'language'"
        )
    seen: Counter[str] = Counter()
    for batch in corpus.batches():
        seen.update(str(key) for row in batch for key in row.metadata)
    known = scrub([key for key, _ in seen.most_common(LISTED)])
    fix = nearest(name, known) if known else "the rows have no metadata; give them some, or leave this out"
    raise UserError(f"none of the {len(has):,} rows has '{name}' in its metadata", where=where, fix=fix)
