"""Reasons counted by kind: what differs from row to row (row ids, numbers) is folded into one."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VARIES = re.compile(r"[^\s()'\"]+:\d+(?:~[^\s()'\"]+)?|\d+(?:[.,]\d+)*")  # row ids and numbers
_ASIDE = re.compile(r" ?\([^()]*…[^()]*\)")  # says nothing once its number is gone
_PLACE = re.compile(r"^\w+\[\d+\]:? ")  # index of the message
FOLDED = "…"


@dataclass
class _Kind:
    """Reasons that differ only in row ids and numbers: how many, and the values that all of them share."""

    parts: list[str]
    values: list[str]
    count: int = 0

    def text(self) -> str:
        """The reason with `…` where its members differ."""
        merged = "".join(part + value for part, value in zip(self.parts, [*self.values, ""], strict=True))
        return _ASIDE.sub("", merged)


class Reasons:
    """Counts reasons in memory that grows with their kinds, not with the rows."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def add(self, reason: str) -> None:
        """Count one."""
        plain = _PLACE.sub("", reason)
        if plain.startswith("same as "):
            plain = "same as an earlier row"
        elif plain.startswith(("broken", "longer than")):
            plain = plain.split(":")[0]
        values = _VARIES.findall(plain)
        kind = self._kinds.setdefault(_VARIES.sub(FOLDED, plain), _Kind(_VARIES.split(plain), values))
        kind.values = [old if old == new else FOLDED for old, new in zip(kind.values, values, strict=True)]
        kind.count += 1

    def total(self) -> int:
        """How many were counted."""
        return sum(kind.count for kind in self._kinds.values())

    def counts(self) -> dict[str, int]:
        """Reason -> how often, the most frequent first."""
        ordered = sorted(self._kinds.values(), key=lambda kind: -kind.count)
        found: dict[str, int] = {}
        for kind in ordered:
            found[kind.text()] = found.get(kind.text(), 0) + kind.count
        return found
