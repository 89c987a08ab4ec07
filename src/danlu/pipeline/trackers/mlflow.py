"""MLflow through its client: a server, or a database file of its own in the workspace."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from danlu.pipeline.tracker import Opened, Status, TrackedRun, flat
from danlu.recipe.choices import optional
from danlu.recipe.track import MlflowTracker

LONGEST = 500  # characters of a parameter that every MLflow store takes
LOSS = "train/loss"
ENDS: dict[Status, str] = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
AT_ONCE = 100  # parameters that one call may carry


class Mlflow:
    """One MLflow run per danlu run. What it holds is asked of the store, so a resumed run repeats no step."""

    def __init__(self, config: MlflowTracker) -> None:
        self._mlflow = optional("mlflow", "mlflow")
        self._config = config
        self._client: Any = None
        self._run = ""

    def open(self, run: TrackedRun, resume: Opened | None) -> Opened:
        """The run of that id if the store still has it, else a new one with the recipe as its parameters."""
        self._client = self._mlflow.MlflowClient(tracking_uri=self._config.uri or self._database(run.folder))
        if resume and self._is_there(resume.id):
            self._run = resume.id
            self._client.update_run(self._run, status="RUNNING")
            steps = [point.step for point in self._client.get_metric_history(self._run, LOSS)]
            return Opened(self._run, max(steps, default=0))
        name = self._config.experiment or run.name
        self._run = self._client.create_run(self._experiment(name, run), run_name=run.id).info.run_id
        self._describe(run)
        return Opened(self._run, 0)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point on each curve, in one call."""
        moment = int(time.time() * 1000)
        metrics = [self._mlflow.entities.Metric(name, value, moment, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def outcome(self, step: int, values: Mapping[str, float], texts: Mapping[str, str]) -> None:
        """Scores as metrics, the rest as tags."""
        self.scalars(step, values)
        for name, text in texts.items():
            self._client.set_tag(self._run, name, text)

    def flush(self) -> None:
        """Every call has reached the store when it returns."""

    def close(self, status: Status) -> None:
        """Book the run's end."""
        self._client.set_terminated(self._run, ENDS[status])

    def _database(self, folder: Path) -> str:
        """The URI of the workspace's own database.

        MLflow makes its tables one by one and does not mend a file whose maker was killed at it: so it is made under
        another name, and by one process.
        """
        folder.mkdir(parents=True, exist_ok=True)
        final, fresh = folder / "mlflow.db", folder / "new.db"
        with FileLock(folder / "mlflow.lock"):
            if not final.is_file():
                fresh.unlink(missing_ok=True)
                self._mlflow.MlflowClient(tracking_uri=f"sqlite:///{fresh}").get_experiment_by_name("none")
                if fresh.is_file():
                    os.replace(fresh, final)
        return f"sqlite:///{final}"

    def _is_there(self, run_id: str) -> bool:
        try:
            return bool(self._client.get_run(run_id).info.lifecycle_stage == "active")
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _experiment(self, name: str, run: TrackedRun) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # Without a server, artifacts would go to ./mlruns of wherever the command was given
        place = None if self._config.uri else (run.folder / "artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=place))

    def _describe(self, run: TrackedRun) -> None:
        parameters = [
            self._mlflow.entities.Param(name, str(value)[:LONGEST]) for name, value in flat(run.recipe).items()
        ]
        for start in range(0, len(parameters), AT_ONCE):
            self._client.log_batch(self._run, params=parameters[start : start + AT_ONCE])
        self._client.log_text(self._run, run.recipe_yaml, "recipe.yaml")
