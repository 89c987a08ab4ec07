"""The workspace: one folder that holds runs, artifacts and the database."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from danlu.recipe.errors import UserError
from danlu.runs.artifacts import ArtifactStore
from danlu.runs.database import Database
from danlu.runs.durable import write_text
from danlu.runs.registry import Registry

VARIABLE = "DANLU_WORKSPACE"
DEFAULT = "danlu-workspace"
ALIVE = "alive.lock"


@dataclass(frozen=True)
class RunFolder:
    """A run's folder: its recipe, events and report."""

    id: str
    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def events(self) -> Path:
        """What happened, a JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / "report.html"

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Held while a process works on the run, so that a killed one can be told from a running one."""
        with FileLock(self.path / ALIVE):
            yield

    def is_alive(self) -> bool:
        """Whether a process works on the run now."""
        if not (self.path / ALIVE).is_file():
            return False
        try:
            with FileLock(self.path / ALIVE, timeout=0):
                return False
        except TimeoutError:
            return True


class Workspace:
    """Runs, artifacts, work in progress and the registry below one folder.

    Args:
        root: the folder; default: the variable DANLU_WORKSPACE, else ./danlu-workspace.

    Raises:
        UserError: the folder cannot be made or written.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(root or os.environ.get(VARIABLE) or DEFAULT).resolve()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the workspace cannot be made: {error.strerror}", where=str(self.root), fix="--workspace FOLDER"
            ) from error
        if not os.access(self.root, os.W_OK):
            raise UserError("the workspace is not writable", where=str(self.root), fix="--workspace FOLDER")
        self.artifacts = ArtifactStore(self.root / "artifacts")

    @cached_property
    def registry(self) -> Registry:
        """Runs and model versions, in the database."""
        return Registry(Database(self.root / "danlu.db"))

    def new_run(self, name: str, recipe_yaml: str) -> RunFolder:
        """Make the folder of a new run, with its resolved recipe in it."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        run = self.run_folder(f"{name}-{stamp}-{uuid.uuid4().hex[:4]}")
        run.path.mkdir(parents=True)
        write_text(run.recipe, recipe_yaml)
        return run

    def run_folder(self, run_id: str) -> RunFolder:
        """The folder of a run by its id, whether it exists or not."""
        return RunFolder(run_id, self.root / "runs" / run_id)

    def work(self, kind: str, key: str) -> Path:
        """Where an unfinished stage keeps what a later process can go on from (checkpoints)."""
        folder = self.work_path(kind, key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def work_path(self, kind: str, key: str) -> Path:
        """The folder of `work`, whether it exists or not."""
        return self.root / "work" / f"{kind}-{key[:20]}"

    @property
    def keys(self) -> Path:
        """Secrets of this workspace; never inside an artifact, never listed in a manifest."""
        return self.root / "keys"

    def discard_work(self, folder: Path) -> None:
        """Remove a finished stage's working folder."""
        shutil.rmtree(folder, ignore_errors=True)
