"""The books: the fate of every row read, row by row and in sums that must add up."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from danlu.data.tables import TableWriter
from danlu.recipe.errors import InternalFault

FATES = ("kept", "changed", "truncated", "dropped")

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
    ]
)


class Ledger:
    """Books one final fate per row: kept, changed, truncated (all three are in the data set) or dropped.

    Args:
        path: the Parquet file of the row-by-row books.
        steps: names of the steps in order, so that the funnel shows those that dropped nothing too.
    """

    def __init__(self, path: Path, steps: list[str]) -> None:
        self._writer = TableWriter(path, SCHEMA)
        self.steps = steps
        self.read = 0
        self.fates: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.changed_by: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {step: Counter() for step in steps}
        self.lengths: list[int] = []
        self.learned = 0

    def dropped_row(self, row_id: str, place: tuple[str, int], step: str, reason: str) -> None:
        """Book a row that is not in the data set."""
        self.fates["dropped"] += 1
        self.dropped[step][_kind(reason)] += 1
        self._write(row_id, place, "dropped", step=step, reason=reason)

    def kept_row(self, row_id: str, place: tuple[str, int], changed_by: tuple[str, ...], **facts: Any) -> None:
        """Book a row of the data set; facts: split, tokens, learned, and truncated (tokens cut, or 0)."""
        cut = facts.pop("truncated", 0)
        fate = "truncated" if cut else "changed" if changed_by else "kept"
        self.fates[fate] += 1
        self.splits[facts["split"]] += 1
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
            out = remaining - sum(self.dropped[step].values())
            reasons = dict(self.dropped[step].most_common())
            funnel.append(
                {"step": step, "in": remaining, "out": out, "changed": self.changed_by[step], "dropped": reasons}
            )
            remaining = out
        return {
            "read": self.read,
            "fates": {fate: self.fates[fate] for fate in FATES},
            "steps": funnel,
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


def _kind(reason: str) -> str:
    """The reason without what differs from row to row, for counting: no row ids, no indices."""
    if reason.startswith("same as "):
        return "same as an earlier row"
    if reason.startswith(("broken", "longer than")):
        return reason.split(":")[0]
    return re.sub(r"^\w+\[\d+\]:? ", "", reason)


def _histogram(lengths: list[int], bins: int = 24) -> list[list[int]]:
    """[upper edge, count] of equal-width bins over the lengths in tokens."""
    if not lengths:
        return []
    top = max(lengths)
    width = max(1, -(-top // bins))
    counts = Counter((length - 1) // width for length in lengths)
    return [[(index + 1) * width, counts[index]] for index in range(max(counts) + 1)]
