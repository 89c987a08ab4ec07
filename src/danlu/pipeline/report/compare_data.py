"""What a comparison of runs found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from danlu.evaluation.intervals import Comparison, Score

LETTERS = "ABCDEF"
MOST_RUNS = len(LETTERS)


@dataclass(frozen=True)
class RunFacts:
    """What is known of one run; a part that the run lacks is empty.

    Attributes:
        letter: by which it is called in the comparison.
        id: of the run.
        name: of its recipe.
        state: 'done', 'failed', 'running' or 'killed'.
        started: when, ISO 8601.
        recipe: as it was run, plain data.
        history: one dict per step.
        scores: metric -> score of the tuned model.
        costs: 'tokens', 'seconds', 'memory' (bytes), 'trained' (parameters), 'size' (bytes) -> amount, where known.
        keys: stage -> key of its artifact.
    """

    letter: str
    id: str
    name: str
    state: str = "done"
    started: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    scores: Mapping[str, Score] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Letter and name."""
        return f"{self.letter} {self.name}"

    def best_validation(self) -> float | None:
        """The lowest validation loss, if there is any."""
        found = [record["validation_loss"] for record in self.history if "validation_loss" in record]
        return min(found) if found else None

    def last_loss(self) -> float | None:
        """The training loss of the last step that was done, if there is any."""
        return next((record["loss"] for record in reversed(self.history) if "loss" in record), None)


@dataclass(frozen=True)
class Pairing:
    """A run against the first, on the rows that both answered.

    Attributes:
        letter: of the run.
        rows: how many rows both answered.
        of: how many the first answered, and how many this one.
        comparisons: the first as base, this one as tuned, per metric.
        left_out: metrics that cannot be compared, and why.
    """

    letter: str
    rows: int = 0
    of: tuple[int, int] = (0, 0)
    comparisons: tuple[Comparison, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunsComparison:
    """Runs side by side.

    Attributes:
        runs: two to six.
        differences: (recipe field, its value in each run) where they are not all the same; None: has no such field.
        pairings: every run but the first against the first.
        confidence: of the intervals of `pairings`.
    """

    runs: tuple[RunFacts, ...]
    differences: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    pairings: tuple[Pairing, ...] = ()
    confidence: float = 0.95
