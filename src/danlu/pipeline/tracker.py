"""What a tracker is: it opens a run (or the one it had before a kill), takes numbers by step, and closes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Status = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run when it opens one.

    Attributes:
        id: of danlu's run.
        name: of the recipe.
        recipe: as it is run, plain data.
        recipe_yaml: the same as text.
        folder: where a tracker that writes files keeps them, unless its section names a place.
    """

    id: str
    name: str
    recipe: Mapping[str, Any]
    recipe_yaml: str
    folder: Path


@dataclass(frozen=True)
class Opened:
    """A tracker's run.

    Attributes:
        id: by which it opens the same run again.
        step: the last step it holds, where it can tell; else None.
    """

    id: str
    step: int | None = None


class Tracker(Protocol):
    """Constructed from its section of the recipe, which imports its package; used from one thread.

    Any method may raise: the run goes on, the failure is booked, and the call is tried again later.
    """

    def open(self, run: TrackedRun, resume: Opened | None) -> Opened:
        """Open a run, or go on with the one that an earlier process opened and did not finish."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step; steps come in order, each once."""

    def outcome(self, step: int, values: Mapping[str, float], texts: Mapping[str, str]) -> None:
        """What came out: scores, and where model and report lie. `step` is the last one."""

    def flush(self) -> None:
        """See to it that what was taken so far survives the death of this process."""

    def close(self, status: Status) -> None:
        """Nothing more comes from this process."""


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names; a list is a value."""
    if not isinstance(value, Mapping) or not value:
        return {name: value} if name else {}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{name}.{key}" if name else str(key))
    return found
