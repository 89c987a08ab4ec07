"""Weights & Biases, offline unless the recipe says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from danlu.pipeline.tracker import Opened, Status, TrackedRun
from danlu.recipe.choices import optional
from danlu.recipe.track import WandbTracker


class Wandb:
    """One run per danlu run; resumed, it goes on under the same id.

    Offline, what its process had not written yet dies with a SIGKILL (up to 32 KB of records), and nobody can tell
    which steps those were. So a resumed run has a further folder that holds the whole curve: the newest is the run.
    """

    def __init__(self, config: WandbTracker) -> None:
        self._wandb = optional("wandb", "wandb")
        self._config = config
        self._run: Any = None

    def open(self, run: TrackedRun, resume: Opened | None) -> Opened:
        """A run of that id, or a new one with the recipe as its configuration."""
        run.folder.mkdir(parents=True, exist_ok=True)
        # Terminal output, code and the git remote are not its business: they may hold what the recipe redacts
        settings = self._wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True)
        self._run = self._wandb.init(
            project=self._config.project or run.name,
            entity=self._config.entity,
            mode=self._config.mode,
            name=run.id,
            id=resume.id if resume else None,
            resume="allow" if resume else None,
            dir=str(run.folder),
            config=dict(run.recipe),
            settings=settings,
        )
        return Opened(str(self._run.id), 0 if self._config.mode == "offline" else self._last_step(resume))

    def _last_step(self, resume: Opened | None) -> int:
        """What the server holds: a resumed run counts on from there."""
        return max(0, int(self._run.step) - 1) if resume else 0

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point on each curve."""
        self._run.log(dict(values), step=step)

    def outcome(self, step: int, values: Mapping[str, float], texts: Mapping[str, str]) -> None:
        """All of it into the run's summary."""
        self._run.summary.update({**values, **texts})

    def flush(self) -> None:
        """It writes by itself, and has no call for it."""

    def close(self, status: Status) -> None:
        """Book the run's end and wait until it is written."""
        self._run.finish(exit_code=0 if status == "done" else 1)
