"""How far labels are from having as many rows as the most frequent one, and which rows bring them there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

# A wave asks for no more than so many times the children that are missing, however rarely one is accepted.
_MOST_AHEAD = 10.0


class Levelling:
    """Rows per label, before and with children. A row counts for each of its labels."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._added: Counter[str] = Counter()

    def count(self, labels: Sequence[str]) -> None:
        """Book a training row."""
        self.counts.update(set(labels))

    def add(self, labels: Sequence[str]) -> None:
        """Book a child."""
        self._added.update(set(labels))

    @property
    def missing(self) -> dict[str, int]:
        """Label -> rows until it is level with the label that was most frequent before any child."""
        level = max(self.counts.values(), default=0)
        return {label: max(0, level - count - self._added[label]) for label, count in self.counts.items()}

    def wants(self, labels: Sequence[str]) -> bool:
        """Whether another row with these labels brings all of them nearer to level, and none above it."""
        level = max(self.counts.values(), default=0)
        return bool(labels) and all(self.counts[label] + self._added[label] < level for label in labels)

    def wave(
        self, queue: Sequence[int], labels: Sequence[Sequence[str]], acceptance: float
    ) -> tuple[list[int], list[int]]:
        """(rows to try now, in ascending order; rows of the queue that are left, in its order).

        Args:
            queue: row positions, the first ones preferred.
            labels: of every row.
            acceptance: share of attempts expected to give a child.
        """
        ahead = min(_MOST_AHEAD, 1 / acceptance if acceptance else _MOST_AHEAD)
        plan = {label: math.ceil(count * ahead) for label, count in self.missing.items()}
        now: list[int] = []
        left: list[int] = []
        for index in queue:
            mine = set(labels[index])
            if all(plan[label] > 0 for label in mine):
                now.append(index)
                for label in mine:
                    plan[label] -= 1
            elif self.wants(labels[index]):
                left.append(index)
        return sorted(now), left

    def report(self, balancing: bool) -> dict[str, Any]:
        """Rows per label before and after; while balancing, also the level and what is missing to it."""
        if not self.counts:
            return {}
        labels = {
            label: {"before": count, "after": count + self._added[label]}
            for label, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        }
        found: dict[str, Any] = {"labels": labels}
        if balancing:
            missing = {label: count for label, count in sorted(self.missing.items()) if count}
            found["balance"] = {"level": max(self.counts.values()), "missing": missing, "reached": not missing}
        return found
