"""SwanLab, offline unless the recipe says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from danlu.pipeline.tracker import Opened, Status, TrackedRun
from danlu.recipe.choices import optional
from danlu.recipe.track import SwanlabTracker


class Swanlab:
    """One experiment per danlu run; resumed, it goes on under the same id.

    Offline, what it had not written yet dies with a SIGKILL (some seconds of steps), and nobody can tell which steps
    those were. So a resumed run has a further folder that holds the whole curve: the newest is the experiment.
    """

    def __init__(self, config: SwanlabTracker) -> None:
        self._swanlab = optional("swanlab", "swanlab")
        self._config = config
        self._run: Any = None

    def open(self, run: TrackedRun, resume: Opened | None) -> Opened:
        """An experiment of that id, or a new one with the recipe as its configuration."""
        run.folder.mkdir(parents=True, exist_ok=True)
        again = {"id": resume.id, "resume": "allow"} if resume else {}
        # Terminal output and the git remote are not its business: they may hold what the recipe redacts
        quiet = {"interactive": False, "terminal": {"proxy_type": "none"}, "probe": {"git": False}}
        self._run = self._swanlab.init(
            project=self._config.project or run.name,
            workspace=self._config.workspace,
            mode=self._config.mode,
            name=run.id,
            log_dir=str(run.folder),
            config=dict(run.recipe),
            settings=self._swanlab.Settings.model_validate(quiet),
            **again,
        )
        return Opened(str(self._run.id), 0 if self._config.mode == "offline" else None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point on each curve."""
        self._run.log(dict(values), step=step)

    def outcome(self, step: int, values: Mapping[str, float], texts: Mapping[str, str]) -> None:
        """Scores as points at the last step, the rest into the configuration."""
        self.scalars(step, values)
        self._run.config.update({"outcome": dict(texts)})

    def flush(self) -> None:
        """It writes by itself, and has no call for it."""

    def close(self, status: Status) -> None:
        """Book the experiment's end and wait until it is written."""
        if status == "done":
            self._run.finish()
        else:
            self._run.finish(state="crashed", error=f"the run {status}; see its events.jsonl")
