"""Resampling: training rows left out until their shares are the reference's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from danlu.data.drift.facts import NONE, OTHER, column_value, content_key
from danlu.data.drift.report import SHOWN_ROWS
from danlu.data.operators import Corpus
from danlu.recipe.data import ReferenceSection
from danlu.recipe.errors import UserError
from danlu.recipe.language import tr


@dataclass(frozen=True)
class Matching(Mapping[int, str]):
    """Position of a training row -> why it goes; and what that does to the shares.

    Attributes:
        dropped: the mapping itself.
        column: language, label or slice; empty when nothing was to be matched.
        rows: training rows before.
        kept: training rows after.
        before: share of each value in the training rows before.
        after: share of each value after.
        target: share of each value in the reference.
        unreachable: values of the reference that no training row has.
        named: values that a report may name: for slices only those of enough rows to be nobody's own.
        limited_by: the value of which every training row is kept, so that no larger subset has these shares.
    """

    dropped: Mapping[int, str] = field(default_factory=dict)
    column: str = ""
    rows: int = 0
    kept: int = 0
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    target: Mapping[str, float] = field(default_factory=dict)
    unreachable: tuple[str, ...] = ()
    limited_by: str = ""
    named: frozenset[str] = frozenset()

    def __getitem__(self, position: int) -> str:
        return self.dropped[position]

    def __iter__(self) -> Iterator[int]:
        return iter(self.dropped)

    def __len__(self) -> int:
        return len(self.dropped)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the report, without the positions; slices of few rows are not named."""
        return {
            "column": self.column,
            "rows": self.rows,
            "kept": self.kept,
            **{name: self._shown(getattr(self, name)) for name in ("before", "after", "target")},
            "unreachable": [value for value in self.unreachable if value in self.named],
            "unreachable_values": len(self.unreachable),
            "limited_by": self.limited_by if self.limited_by in self.named else "",
            "sentence": self.sentence(),
        }

    def _shown(self, shares: Mapping[str, float]) -> dict[str, float]:
        shown = {value: share for value, share in shares.items() if value in self.named}
        rest = sum(share for value, share in shares.items() if value not in self.named)
        return {**shown, OTHER: rest} if rest else shown

    def sentence(self) -> str:
        """What was done, in the user's language; empty when nothing was to be matched."""
        if not self.column:
            return ""
        english = f"{self.kept} of {self.rows} training rows stay, with the reference's shares of {self.column}"
        chinese = f"保留 {self.rows} 行训练数据中的 {self.kept} 行，使 {self.column} 的占比与参照一致"
        if self.limited_by in self.named:
            english, chinese = (
                f"{english} (limited by '{self.limited_by}')",
                f"{chinese}（受 '{self.limited_by}' 限制）",
            )
        if count := len(self.unreachable):
            listed = ", ".join([value for value in self.unreachable if value in self.named][:10])
            english = f"{english}; values that no training row has: {count}" + (f" ({listed})" if listed else "")
            chinese = f"{chinese}；训练数据中没有的取值：{count} 个" + (f"（{listed}）" if listed else "")
        return tr(f"{english}.", f"{chinese}。")


def match(train: Corpus, reference: Corpus, config: ReferenceSection, seed: int) -> Matching:
    """The training rows to leave out so that the shares of `config.match` become the reference's.

    The largest such subset: rows are only left out, never repeated. Within a value those with the smallest content
    hashes stay, so that a few added rows change little. Values that the reference lacks go; values that the training
    rows lack cannot be reached, and the others keep their proportions.

    Args:
        train: the training rows.
        reference: the sample of production.
        config: which column; 'none' drops nothing.
        seed: goes into the content hashes.

    Raises:
        UserError: 'slice' without a metadata key; the two sides have no value in common.
    """
    column = config.match
    if column == "none":
        return Matching(rows=len(train), kept=len(train))
    if column == "slice" and config.slice is None:
        raise UserError(
            "'slice' needs the metadata key of the slices", where="data.reference.match", fix="set data.reference.slice"
        )
    values, keys = _read(train, column, config.slice, seed)
    wanted = Counter(_read(reference, column, config.slice, seed)[0])
    present = Counter(values)
    common = sorted(set(wanted) & set(present) - {NONE})
    if not common:
        raise UserError(
            f"training rows and reference have no {column} in common",
            where="data.reference.match",
            fix=f"match something else, or give both a {column}",
        )
    if NONE in wanted and NONE in present:
        common = sorted([*common, NONE])
    quota, limit = _quota(common, wanted, present)
    dropped = _surplus(values, keys, quota, column)
    after = present - Counter(values[position] for position in dropped)
    return Matching(
        dropped=dropped,
        column=column,
        rows=len(values),
        kept=len(values) - len(dropped),
        before=_shares(present),
        after=_shares(after),
        target=_shares(wanted),
        unreachable=tuple(sorted(set(wanted) - set(present))),
        limited_by=limit if dropped else "",
        named=frozenset(value for value, rows in (present + wanted).items() if column != "slice" or rows >= SHOWN_ROWS),
    )


def _read(corpus: Corpus, column: str, slice_key: str | None, seed: int) -> tuple[list[str], np.ndarray]:
    values: list[str] = []
    keys: list[int] = []
    for batch in corpus.batches():
        for row in batch:
            values.append(column_value(row, column, slice_key) or NONE)
            keys.append(content_key(row, seed))
    return values, np.array(keys, np.uint64)


def _quota(common: list[str], wanted: Counter[str], present: Counter[str]) -> tuple[dict[str, int], str]:
    """How many rows of each value stay, and the value that limits them; in whole numbers, without rounding errors."""
    limit = min(common, key=lambda value: (present[value] / wanted[value], value))
    rows, weight = present[limit], wanted[limit]
    # rows / weight <= present / wanted for every value, so no quota exceeds what is there; halves round up.
    quota = {value: min(present[value], (2 * rows * wanted[value] + weight) // (2 * weight)) for value in common}
    return quota, limit


def _surplus(values: list[str], keys: np.ndarray, quota: dict[str, int], column: str) -> dict[int, str]:
    dropped = {}
    taken: Counter[str] = Counter()
    for position in np.argsort(keys, kind="stable").tolist():
        value = values[position]
        if value not in quota:
            dropped[position] = f"the reference has no such {column}"
        elif taken[value] >= quota[value]:
            dropped[position] = f"more of its {column} than in the reference"
        taken[value] += 1
    return dict(sorted(dropped.items()))


def _shares(counts: Counter[str]) -> dict[str, float]:
    total = sum(counts.values())
    return {value: count / total for value, count in sorted(counts.items()) if count}
