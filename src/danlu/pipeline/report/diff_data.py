"""What a comparison of two datasets found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Group:
    """Some rows of a difference.

    Attributes:
        count: how many.
        examples: ids of the first of them, at most twenty.
    """

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class RowsDiff:
    """What became of the rows from one dataset to another.

    Attributes:
        same: rows that say the same in both, also where their id or their split is another.
        changed: rows with the same id that say something else.
        only_a, only_b: rows without a counterpart.
        moves: 'train → test' -> rows of both that changed sides, same or changed.
        renamed: of `same`, how many stand under another id.
    """

    same: int
    changed: Group
    only_a: Group
    only_b: Group
    moves: Mapping[str, Group]
    renamed: int


@dataclass(frozen=True)
class Change:
    """One quantity in both datasets.

    Attributes:
        name: of the quantity: a split, a label, a step, a field of the recipe.
        a, b: its values; None where a dataset does not have it.
    """

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class DatasetDiff:
    """How dataset B differs from dataset A.

    Attributes:
        keys: of the artifacts, or the names of the folders.
        rows: rows of both, matched.
        counts: group (rows, children, splits, tokens, languages, labels, personal data, steps) -> every quantity of
            it, whether it differs or not; a step's quantity is the number of rows it dropped.
        recipe: fields of the recipe that differ, as dotted names; empty where a manifest is missing.
    """

    keys: tuple[str, str]
    rows: RowsDiff
    counts: Mapping[str, tuple[Change, ...]]
    recipe: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
