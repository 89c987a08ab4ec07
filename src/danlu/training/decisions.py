"""What chance decided in a run (a step skipped, smaller micro-batches), on the disk before training goes on.

A run that goes on or goes back does its steps again. It must meet the same decisions at the same steps, or it would be
another run; the fault that led to them may not come again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from danlu.recipe.errors import InternalFault
from danlu.runs.durable import write_json


@dataclass(frozen=True)
class Skip:
    """A step that is not done.

    Attributes:
        step: its number, counted from 1.
        reason: what was wrong.
        rows: all that it would have trained on.
    """

    step: int
    reason: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Halving:
    """Micro-batches of fewer tokens from a point on.

    Attributes:
        step: number of the step, counted from 1, that did not fit into memory.
        validation: True if it was the validation after that step that did not fit: then the step itself did.
        micro_tokens: tokens of a micro-batch from there on.
    """

    step: int
    validation: bool
    micro_tokens: int


class Decisions:
    """All decisions of a run, kept in one file.

    Args:
        path: the file; it is read if it is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.skips: dict[int, Skip] = {}
        self.halvings: list[Halving] = []
        if path.is_file():
            self._read()

    def skip(self, skip: Skip) -> None:
        """Decide that a step is not done; durable when this returns."""
        self.skips[skip.step] = skip
        self._write()

    def halve(self, halving: Halving) -> None:
        """Decide on smaller micro-batches; durable when this returns."""
        self.halvings.append(halving)
        self._write()

    def micro_tokens(self, step: int, configured: int, *, validation: bool = False) -> int:
        """Tokens of a micro-batch in `step`, counted from 1, or in the validation after it."""
        found = configured
        for halving in self.halvings:
            if (halving.step, halving.validation) <= (step, validation):
                found = min(found, halving.micro_tokens)
        return found

    def _read(self) -> None:
        try:
            saved = json.loads(self._path.read_text(encoding="utf-8"))
            skips = [Skip(s["step"], s["reason"], tuple(s["rows"])) for s in saved["skips"]]
            self.skips = {skip.step: skip for skip in skips}
            self.halvings = [Halving(**halving) for halving in saved["halvings"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InternalFault(
                f"what was decided in this run cannot be read: {error}",
                where=str(self._path),
                fix="start training afresh with --fresh",
            ) from error

    def _write(self) -> None:
        skips: Sequence[Skip] = [self.skips[step] for step in sorted(self.skips)]
        saved = {"skips": [asdict(skip) for skip in skips], "halvings": [asdict(h) for h in self.halvings]}
        write_json(self._path, saved)
