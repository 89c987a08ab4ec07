"""The books: the fate of every row read, row by row and in sums that must add up."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from danlu.data.reasons import Reasons
from danlu.data.tables import TableWriter
from danlu.recipe.errors import InternalFault

FATES = ("kept", "changed", "truncated", "dropped")
"""What becomes of a row that was read: the first three are in the data set as read, rewritten or cut."""
CHILD_FATES = ("added", "rejected", "dropped")
"""What becomes of a child that augmentation tried: in the data set, refused at once, or ended by a later step."""

AUGMENT = "augment"

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("fate", pa.string()),
        ("step", pa.string()),
        ("reason", pa.string()),
        ("split", pa.string()),
        ("tokens", pa.int64()),
        ("learned", pa.int64()),
        ("parent", pa.string()),
    ]
)


class Ledger:
    """Books one final fate per row read (FATES) and per child tried (CHILD_FATES).

    Args:
        path: the Parquet file of the row-by-row books.
        steps: names of the steps in order, so that the funnel shows those that dropped nothing too.
    """

    def __init__(self, path: Path, steps: list[str]) -> None:
        self._writer = TableWriter(path, SCHEMA)
        self.steps = steps
        self.read = 0
        self.fates: Counter[str] = Counter()
        self.children: Counter[str] = Counter()
        self.rejected = Reasons()
        self.splits: Counter[str] = Counter()
        self.changed_by: Counter[str] = Counter()
        self.dropped = {step: Reasons() for step in steps}
        self.lengths = array("q")
        self.learned = 0

    def dropped_row(
        self, row_id: str, place: tuple[str, int], step: str, reason: str, parent: str | None = None
    ) -> None:
        """Book a row (a child, if it has a parent) that is not in the data set."""
        (self.children if parent else self.fates)["dropped"] += 1
        self.dropped[step].add(reason)
        self._write(row_id, place, "dropped", step=step, reason=reason, parent=parent)

    def rejected_child(self, child_id: str, place: tuple[str, int], step: str, reason: str, parent: str) -> None:
        """Book a child that was not good enough."""
        self.children["rejected"] += 1
        self.rejected.add(f"{step}: {reason}")
        self._write(child_id, place, "rejected", step=step, reason=reason, parent=parent)

    def kept_row(self, row_id: str, place: tuple[str, int], changed_by: tuple[str, ...], **facts: Any) -> None:
        """Book a row of the data set; facts: split, tokens, learned, truncated (tokens cut, or 0), parent (or None)."""
        cut = facts.pop("truncated", 0)
        child = bool(facts.get("parent"))
        fate = "added" if child else "truncated" if cut else "changed" if changed_by else "kept"
        (self.children if child else self.fates)[fate] += 1
        self.splits[facts["split"]] += 1
        if not child:
            self.changed_by.update(set(changed_by))
        self.lengths.append(facts["tokens"])
        self.learned += facts["learned"]
        reason = f"cut by {cut} tokens" if cut else ""
        self._write(row_id, place, fate, step=", ".join(changed_by), reason=reason, **facts)

    def summary(self) -> dict[str, Any]:
        """The sums, checked.

        Raises:
            InternalFault: the fates do not add up to the rows read.
        """
        booked = sum(self.fates.values())
        if booked != self.read:
            raise InternalFault(f"the ledger does not add up: {self.read} rows read, {booked} booked")
        remaining = self.read
        funnel = []
        for step in self.steps:
            if step == AUGMENT:
                born = self.children["added"] + self.children["dropped"]
                funnel.append({"step": step, "in": remaining, "out": remaining + born, "changed": 0, "dropped": {}})
                remaining += born
                continue
            out = remaining - self.dropped[step].total()
            reasons = self.dropped[step].counts()
            funnel.append(
                {"step": step, "in": remaining, "out": out, "changed": self.changed_by[step], "dropped": reasons}
            )
            remaining = out
        return {
            "read": self.read,
            "fates": {fate: self.fates[fate] for fate in FATES},
            "steps": funnel,
            "children": {fate: self.children[fate] for fate in CHILD_FATES},
            "rejected": self.rejected.counts(),
            "splits": {name: self.splits[name] for name in ("train", "validation", "test")},
            "tokens": {"total": sum(self.lengths), "learned": self.learned, "histogram": _histogram(self.lengths)},
        }

    def _write(self, row_id: str, place: tuple[str, int], fate: str, **fields: Any) -> None:
        self._writer.write({"row_id": row_id, "file": place[0], "line": place[1], "fate": fate, **fields})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def _histogram(lengths: Sequence[int], bins: int = 24) -> list[list[int]]:
    """[upper edge, count] of equal-width bins over the lengths in tokens."""
    if not lengths:
        return []
    top = max(lengths)
    width = max(1, -(-top // bins))
    counts = Counter((length - 1) // width for length in lengths)
    return [[(index + 1) * width, counts[index]] for index in range(max(counts) + 1)]
