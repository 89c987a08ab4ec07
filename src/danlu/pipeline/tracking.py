"""Events of a run, told to its trackers: each from a thread of its own, so that none of them holds the run up."""

from __future__ import annotations

import json
import math
import os
import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from danlu.pipeline.plan import Plan
from danlu.pipeline.tracker import Opened, Status, TrackedRun, Tracker
from danlu.recipe.loading import dump_recipe
from danlu.runs.hashing import hash_data
from danlu.runs.workspace import RunFolder, Workspace
from danlu.training.history import read_history

CLOSE_SECONDS = 20.0
"""How long the end of a run waits for a tracker that is still busy."""
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
"""Seconds until a failed call is tried again: doubled with each failure in a row."""
NO_CURVE = {"event", "step", "total", "time"}
HISTORY = "history.jsonl"

Event = Mapping[str, Any]


class Tracking:
    """Passes events on to trackers; what fails there is told as a fault and tried again, and kills nothing.

    Args:
        trackers: type -> tracker.
        run: what they are told of the run.
        state: folder where their ids and last steps survive a kill.
        histories: files of the training's history: while it runs, and once it is done.
        report: told of failures.
    """

    def __init__(
        self,
        trackers: Mapping[str, Tracker],
        run: TrackedRun,
        state: Path,
        histories: tuple[Path, Path],
        report: Callable[[str], None],
    ) -> None:
        self._state = state
        self._report: Callable[[str], None] | None = report
        self._lock = FileLock(state.with_suffix(".lock"))
        if trackers and not _taken(self._lock):
            # Another run of the same training is at it; this one has waited for that training and tells of itself
            self._state = state = run.folder / "ids" / run.id
        self._lines = [
            _Line(kind, tracker, _told_by(run, kind), state / f"{kind}.json", histories, self._tell)
            for kind, tracker in trackers.items()
        ]
        for line in self._lines:
            line.start()

    def __call__(self, event: Event) -> None:
        """Something happened; returns at once."""
        for line in self._lines:
            line.queue.put(dict(event))

    def close(self, status: Status) -> None:
        """Let the trackers finish; what a done run left behind for a resumed one is removed."""
        for line in self._lines:
            line.queue.put(status)
        until = time.monotonic() + CLOSE_SECONDS
        for line in self._lines:
            line.join(max(0.0, until - time.monotonic()))
            if line.is_alive():
                self._tell(f"tracker {line.kind}: still busy {CLOSE_SECONDS:.0f} s after the end; not waited for")
        self._report = None
        if status == "done":
            shutil.rmtree(self._state, ignore_errors=True)
        self._lock.release()

    def _tell(self, reason: str) -> None:
        if self._report:
            self._report(reason)


class _Line(threading.Thread):
    """One tracker, its queue of events, and what it could not take yet."""

    def __init__(
        self,
        kind: str,
        tracker: Tracker,
        run: TrackedRun,
        state: Path,
        histories: tuple[Path, Path],
        report: Callable[[str], None],
    ) -> None:
        super().__init__(name=f"tracker-{kind}", daemon=True)
        self.kind = kind
        self.queue: queue.SimpleQueue[dict[str, Any] | Status] = queue.SimpleQueue()
        self._tracker, self._run, self._state, self._histories = tracker, run, state, histories
        self._report = report
        self._resume = _read_state(state)
        self._wanted = self._is_open = False
        self._taken = self._queued = (self._resume.step or 0) if self._resume else 0
        self._tokens = self._counted = 0
        self._pending: deque[tuple[int, dict[str, float], dict[str, str] | None]] = deque()
        self._failures, self._not_before = 0, 0.0

    def run(self) -> None:
        while True:
            event = self.queue.get()
            if isinstance(event, str):
                self._finish(event)
                return
            try:
                self._handle(event)
            except Exception as error:  # such as a history that cannot be read: less is tracked, nothing is killed
                self._report(f"tracker {self.kind}: {_said(error)}")
            if self.queue.empty() and time.monotonic() >= self._not_before:
                self._settle()

    def _handle(self, event: Event) -> None:
        kind = event["event"]
        if kind == "stage" and event["stage"] == "train":
            if event["status"] == "started":
                self._wanted = True
                self._settle()
            else:  # of a training that was there already, or of steps that an earlier process did: the curve is whole
                self._catch_up(read_history(self._histories[1]))
        elif kind == "training":
            done = event["resumed_at"]
            self._catch_up(record for record in read_history(self._histories[0]) if record["step"] <= done)
        elif kind == "step":
            self._take(event)
        elif kind == "result":
            self._pending.append((self._queued, *outcome_of(event)))

    def _catch_up(self, records: Iterable[Event]) -> None:
        self._tokens = self._counted = 0
        for record in records:
            self._take(record)

    def _take(self, record: Event) -> None:
        """Put a step on the list, unless it was there before: a step done again after a kill is the same step."""
        step = int(record["step"])
        if step > self._counted:  # training may go back after a bad step
            self._tokens, self._counted = self._tokens + record.get("tokens", 0), step
        if step > self._queued:
            values = scalars_of(record) | {"train/tokens_seen": float(self._tokens)}
            self._pending.append((step, values, None))
            self._queued = step

    def _settle(self) -> None:
        """Give the tracker what waits for it; a failure leaves the rest for later."""
        if not self._wanted:
            return
        try:
            if not self._is_open:
                self._open()
            before = len(self._pending)
            while self._pending:
                step, values, texts = self._pending[0]
                if texts is not None:
                    self._tracker.outcome(step, values, texts)
                elif step > self._taken:
                    self._tracker.scalars(step, values)
                self._taken = step
                self._pending.popleft()
            if before:
                self._tracker.flush()
                self._save()
            self._failures, self._not_before = 0, 0.0
        except Exception as error:
            self._failed(error)

    def _open(self) -> None:
        opened = self._tracker.open(self._run, self._resume)
        if opened.step is not None:
            self._taken = opened.step
            self._queued = self._queued if self._pending else opened.step
        self._resume = Opened(opened.id, self._taken)
        self._is_open = True
        self._save()

    def _save(self) -> None:
        """Note the id and the last step where the next process looks; not synced, since only a power cut needs that."""
        assert self._resume is not None
        self._state.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._state.with_suffix(".tmp")
        temporary.write_text(json.dumps({"id": self._resume.id, "step": self._taken}), encoding="utf-8")
        os.replace(temporary, self._state)

    def _failed(self, error: Exception) -> None:
        if not self._failures:
            self._report(f"tracker {self.kind}: {_said(error)}; training goes on, it is tried again")
        wait = min(FIRST_WAIT * 2.0**self._failures, LONGEST_WAIT)
        self._failures += 1
        self._not_before = time.monotonic() + wait

    def _finish(self, status: Status) -> None:
        self._settle()
        if self._pending:
            self._report(f"tracker {self.kind}: {len(self._pending)} records were not taken")
        if self._is_open:
            try:
                self._tracker.close(status)
            except Exception as error:
                self._report(f"tracker {self.kind}: {_said(error)} on closing")


def start_tracking(
    plan: Plan, run: RunFolder, workspace: Workspace, trackers: Mapping[str, Tracker], report: Callable[[str], None]
) -> Tracking:
    """The tracking of a run: it begins with the training, so a run that does not train has none."""
    train = plan.stage("train")
    recipe = plan.recipe
    plain = recipe.model_dump(mode="json")
    told = TrackedRun(run.id, recipe.name, plain, dump_recipe(recipe), workspace.root / "tracking")
    if train is None or not trackers:
        return Tracking({}, told, run.path / "tracking", (run.path, run.path), report)
    files = [
        folder / HISTORY
        for folder in (workspace.work_path(train.kind, train.key), workspace.artifacts.path(train.kind, train.key))
    ]
    key = hash_data({"name": recipe.name, "train": train.key, "track": plain["track"]})
    return Tracking(trackers, told, workspace.work_path("tracking", key), (files[0], files[1]), report)


def scalars_of(record: Event) -> dict[str, float]:
    """The numbers of a step by the names that trackers show: 'train/loss', 'validation/loss' ..."""
    found = {}
    for name, value in record.items():
        if name in NO_CURVE or isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if math.isfinite(value):
            group, short = (
                ("validation", name.removeprefix("validation_")) if name.startswith("validation_") else ("train", name)
            )
            found[f"{group}/{short}"] = float(value)
    return found


def outcome_of(event: Event) -> tuple[dict[str, float], dict[str, str]]:
    """Scores as numbers, and the rest of a result as texts."""
    values = {f"evaluation/{name}": float(score["value"]) for name, score in event["scores"].items()}
    for entry in event["comparisons"]:
        name = f"evaluation/{entry['metric']}"
        values |= {f"{name}_base": float(entry["base"]["value"]), f"{name}_difference": float(entry["difference"])}
    texts = {f"artifact.{stage}": path for stage, path in event["artifacts"].items()}
    texts |= {name: event[name] for name in ("model", "report") if event[name]}
    texts |= {f"verdict.{entry['metric']}": entry["verdict"] for entry in event["comparisons"]}
    return {name: value for name, value in values.items() if math.isfinite(value)}, texts


def _taken(lock: FileLock) -> bool:
    """Whether the lock is ours now."""
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        return False
    return True


def _told_by(run: TrackedRun, kind: str) -> TrackedRun:
    return replace(run, folder=run.folder / kind)


def _read_state(path: Path) -> Opened | None:
    """What an earlier process noted; a note that cannot be read counts as none."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return Opened(str(noted["id"]), int(noted["step"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__
