"""TensorBoard event files, written by torch's own writer."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from danlu.pipeline.tracker import Opened, Status, TrackedRun
from danlu.recipe.choices import optional
from danlu.recipe.track import TensorBoardTracker


class TensorBoard:
    """One folder per run; a resumed run writes a further file into it, which hides steps that were written twice."""

    def __init__(self, config: TensorBoardTracker) -> None:
        optional("tensorboard", "tensorboard")
        self._folder = config.folder
        self._writer: Any = None

    def open(self, run: TrackedRun, resume: Opened | None) -> Opened:
        """A folder by the run's id."""
        name = resume.id if resume else run.id
        folder = Path(self._folder) if self._folder else run.folder
        after = (resume.step or 0) + 1 if resume else None
        # Imported here, not with the table: torch need not be there before the training begins
        writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
        self._writer = writer(str(folder / name), purge_step=after)
        if resume is None:
            self._writer.add_text("recipe", "\n".join(f"    {line}" for line in run.recipe_yaml.splitlines()), 0)
        return Opened(name)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point on each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def outcome(self, step: int, values: Mapping[str, float], texts: Mapping[str, str]) -> None:
        """Scores as points at the last step, the rest as text."""
        self.scalars(step, values)
        self._writer.add_text("outcome", "\n\n".join(f"{name}: `{text}`" for name, text in texts.items()), step)

    def flush(self) -> None:
        """Write out what the writer holds."""
        self._writer.flush()

    def close(self, status: Status) -> None:
        """Close the file; event files have no state."""
        self._writer.close()
