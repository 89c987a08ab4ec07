"""The end of the stage: every row's fate booked, and the rows that live written with their token sequences."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from danlu.data.dataset import DatasetWriter
from danlu.data.ledger import Ledger
from danlu.data.passes import READ
from danlu.data.personal.scrubber import Scrubber
from danlu.data.quarantine import QuarantineWriter
from danlu.data.rendering import RENDER, TOKENS, Rendered
from danlu.data.row import Row
from danlu.recipe.data import DataSection
from danlu.recipe.errors import UserError

SHOWN = 20


class Problems:
    """Rows that the recipe says must not be there; all are counted, the first twenty are told."""

    def __init__(self, config: DataSection) -> None:
        bad = config.on_bad_row == "fail"
        self._fatal = {READ: bad, RENDER: bad, TOKENS: config.on_too_long == "fail"}
        self._shown: dict[str, list[str]] = {"bad": [], "long": []}
        self._counts = {"bad": 0, "long": 0}

    def add(self, place: tuple[str, int], step: str, reason: str) -> None:
        """Remember a dropped row, if its step may not drop any."""
        if not self._fatal.get(step, False):
            return
        group = "long" if step == TOKENS else "bad"
        self._counts[group] += 1
        if len(self._shown[group]) < SHOWN:
            self._shown[group].append(f"{place[0]}:{place[1]}: {reason}")

    def raise_if_any(self, where: str = "data") -> None:
        """Raise the UserError that lists them, if there are any; `where`: field of the recipe."""
        for group, what, fix in (
            ("bad", "cannot be used", "mend the rows, or set data.on_bad_row: drop to leave them out and book them"),
            ("long", "are too long", "raise data.max_tokens, or set data.on_too_long: drop or truncate"),
        ):
            count = self._counts[group]
            if count:
                listed = "\n  ".join(self._shown[group])
                more = f"\n  ... and {count - SHOWN} more" if count > SHOWN else ""
                raise UserError(f"{count} rows {what}:\n  {listed}{more}", where=where, fix=fix)


@dataclass
class Clerk:
    """Writes the dataset's files: rows and samples, the ledger, the quarantine.

    Attributes:
        folder: of the artifact.
        ledger: the books.
        problems: rows that must not be there.
        scrubber: takes personal data out of reasons and quarantined rows.
        lengths: tokens, learned tokens and those of each of ROLES of every row of the data set, for the report.
        languages: rows of the data set by language and split.
        labels: rows of the data set by label and split.
        quarantined: the first of the rows that could not be used.
    """

    folder: Path
    ledger: Ledger
    problems: Problems
    scrubber: Scrubber = field(default_factory=Scrubber)
    lengths: array[int] = field(default_factory=partial(array, "q"))
    languages: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    quarantined: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._writer = DatasetWriter(self.folder)
        self._quarantine = QuarantineWriter(self.folder / "quarantine.jsonl", self.scrubber.scrub)

    def dropped(self, entry: dict[str, Any]) -> None:
        """Book a row that ended in one of the passes."""
        place = (str(entry["file"]), int(entry["line"]))
        self.problems.add(place, entry["step"], entry["reason"])
        self.ledger.dropped_row(entry["row_id"], place, entry["step"], entry["reason"], entry.get("parent"))
        if entry["step"] == READ:
            raw = str(entry.get("raw", ""))
            self._quarantine.write(place[0], place[1], READ, entry["reason"], raw)
            if len(self.quarantined) < SHOWN:
                shown = {"file": place[0], "line": place[1], "reason": entry["reason"], "raw": raw[:400]}
                self.quarantined.append(shown)

    def rendered(self, row: Row, split: str, result: Rendered) -> None:
        """Book a row that came through to the end, or that rendering ends."""
        place = (row.file, row.line)
        if not result.samples:
            entry = {"row_id": row.id, "file": row.file, "line": row.line, "step": result.step}
            self.dropped(entry | {"parent": row.parent or None, "reason": self.scrubber.scrub(result.reason)})
            return
        self._writer.write(row, split, result.samples, result.rejected)
        self.ledger.kept_row(
            row.id, place, row.changed_by, split=split, tokens=result.tokens, learned=result.learned,
            truncated=result.cut, parent=row.parent or None,
        )  # fmt: skip
        self.lengths.extend((result.tokens, result.learned, *result.roles))
        self.languages[result.language, split] += 1
        for label in row.labels:
            self.labels[label, split] += 1

    def rejected(self, child_id: str, step: str, reason: str, parent: str) -> None:
        """Book a child that was refused; it stands where its parent stands."""
        file, _, line = parent.rpartition(":")
        self.ledger.rejected_child(child_id, (file, int(line)), step, reason, parent)

    def shard(self, dropped: Sequence[dict[str, Any]], living: Sequence[tuple[int, Row, str, Rendered]]) -> None:
        """Book the rows of a shard, living ones as (position, row, split, result), in the order of the source."""
        ends = iter(dropped)
        end = next(ends, None)
        for position, row, split, result in living:
            while end is not None and int(end["position"]) < position:
                self.dropped(end)
                end = next(ends, None)
            self.rendered(row, split, result)
        while end is not None:
            self.dropped(end)
            end = next(ends, None)

    def close(self) -> None:
        """Finish all files but the ledger, which its owner closes."""
        self._writer.close()
        self._quarantine.close()
