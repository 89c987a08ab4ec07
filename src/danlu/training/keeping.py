"""Keeps a run safe: goes on from the last checkpoint, back to it after a bad step, and writes down what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from danlu.recipe.errors import InternalFault, Interrupted, UserError
from danlu.recipe.train import TrainSection
from danlu.training.checkpoint import (
    check_room,
    checkpoints,
    clear_leftovers,
    restore,
    restore_newest,
    step_of,
)
from danlu.training.decisions import Decisions, Skip
from danlu.training.history import History
from danlu.training.kept import steps_to_keep
from danlu.training.saving import Saver
from danlu.training.state import TrainingState
from danlu.training.watchdog import BadStep

OnEvent = Callable[[dict[str, Any]], None]
HISTORY, DECISIONS = "history.jsonl", "decisions.json"
SHOWN = 8
"""Rows named in a message; all of them are in decisions.json and in the history."""


class Keeper:
    """The disk side of one run.

    Args:
        folder: where checkpoints, history and decisions live.
        config: the recipe's section.
        state: of the run; put back to a checkpoint's where need be.
        on_event: told of checkpoints and faults.
        rows_of: from a step, counted from 1, to the rows it trains on.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainSection,
        state: TrainingState,
        on_event: OnEvent,
        rows_of: Callable[[int], Sequence[str]],
    ) -> None:
        self._folder = folder
        self._config = config
        self._state = state
        self._on_event = on_event
        self._rows_of = rows_of
        self._saver = Saver(folder, config.checkpoints, on_event)
        self._history: History | None = None
        self.decisions = Decisions(folder / DECISIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._saver.wait()
        elif issubclass(kind, Exception):
            self._saver.settle()
        if self._history is not None:
            self._history.close()

    def resume(self) -> None:
        """Put the state of the newest sound checkpoint back; where there is none, make the one of the beginning.

        Raises:
            UserError: the weights to begin with are not finite.
            InternalFault: the disk has no room for this run's checkpoints, or too many steps were skipped before.
        """
        clear_leftovers(self._folder)
        self._check_limit()
        if not self._restore():
            if not self._state.trained.finite():
                raise UserError("the model has weights that are not finite", where="model.base", fix="use another copy")
            self._open_history(0)
        settings = self._config.checkpoints
        missing = settings.keep + 1 - len(checkpoints(self._folder))
        check_room(self._folder, self._state.trained.size() * max(1, missing))
        if self._state.progress.step == 0:
            self.save()

    def roll_back(self, bad: BadStep) -> None:
        """Decide that a bad step is skipped, and put the last good checkpoint back.

        Where the weights themselves are no longer numbers, the step to blame is the last one that changed them.

        Raises:
            InternalFault: one step too many, or there is no good checkpoint.
        """
        self._saver.wait()
        step = self._state.progress.step + 1
        reason = str(bad)
        if not self._state.trained.finite():
            step = self._last_done()
            reason = f"its update left weights that are not finite (seen when {reason})"
        skip = Skip(step, reason, tuple(self._rows_of(step)))
        self.decisions.skip(skip)
        self._check_limit()
        if not self._restore():
            raise InternalFault(f"{reason}, and there is no checkpoint to go back to", where=f"training step {step}")
        self._on_event(
            {
                "event": "fault",
                "kind": "step",
                "step": step,
                "rows": list(skip.rows),
                "back_to": self._state.progress.step,
                "reason": f"step {step}: {reason}; back to step {self._state.progress.step}, "
                f"and on without its rows {_shown(skip.rows)}",
            }
        )

    def record(self, record: dict[str, Any]) -> None:
        """Write a step's line of the history; errors of the checkpoint in work come up here."""
        self._saver.poll()
        assert self._history is not None
        self._history.write(record)

    def check_weights(self) -> None:
        """Make sure that a checkpoint made now would be a good one.

        Raises:
            BadStep: a weight is not finite.
        """
        if not self._state.trained.finite():
            raise BadStep("a checkpoint was due")

    def save(self) -> None:
        """Save a checkpoint of where the state is now.

        Raises:
            InternalFault: the disk is full, or the checkpoint before could not be written.
        """
        if self._saver.saved_at == self._state.progress.step:
            return
        assert self._history is not None
        books = {**self._state.books(), "history": self._history.length}
        self._saver.save(
            self._state.trained, self._state.progress, books, stay=self._staying(), sync=self._history.sync
        )

    def leave(self, signal_name: str, total: int) -> None:
        """Wait until the checkpoint of this step is on the disk, and end this process's part.

        Raises:
            Interrupted: always.
        """
        self._saver.wait()
        step = self._state.progress.step
        raise Interrupted(f"stopped by {signal_name} after step {step} of {total}; a checkpoint of it is saved")

    def finish(self) -> int:
        """Leave the result in the model: the best step's weights and the average, where the recipe asks for them.

        Returns:
            The step whose weights these are: the last one, too, where the checkpoint of the best is lost.

        Raises:
            InternalFault: every step was skipped.
        """
        self._saver.wait()
        done = self._state.progress.step
        if done and len(self.decisions.skips) >= done:
            raise InternalFault(f"all {done} steps were skipped", where="training", fix="look at the first one's rows")
        stopping, result = self._state.stopping, done
        if stopping.restores and stopping.best_step is not None and self._has_best(stopping.best_step):
            result = stopping.best_step
        self._state.average.put()
        return result

    def _has_best(self, best: int) -> bool:
        """Whether the state has the weights of the best step now; it keeps the last ones where they are lost."""
        done = self._state.progress.step
        if best == done:
            return True
        path = next((path for path in checkpoints(self._folder) if step_of(path) == best), None)
        faults = [f"step {best} has no checkpoint"]
        if path is not None and restore(path, self._state.trained, faults.append) is not None:
            return True
        self._tell_fault(f"{faults[-1]}; it was the best: the model is that of the last step, {done}")
        return False

    def _staying(self) -> set[int]:
        """Steps whose checkpoints are not removed as they get old."""
        best, early = self._state.stopping.best_step, self._config.early_stopping
        steps = set(steps_to_keep(self._config, best, self._state.progress.step).values())
        return steps | {best} if best is not None and early is not None and early.restore_best else steps

    def _restore(self) -> bool:
        restored = restore_newest(self._folder, self._state.trained, self._tell_fault)
        if restored is None:
            return False
        progress, books = restored
        self._state.load(progress, books)
        self._saver.saved_at = progress.step
        self._open_history(books["history"])
        return True

    def _open_history(self, kept: int) -> None:
        if self._history is not None:
            self._history.close()
        self._history = History(self._folder / HISTORY, kept)
        if not self._history.whole:
            self._tell_fault(f"{HISTORY} is shorter than the checkpoint says; lines of earlier steps are lost")

    def _last_done(self) -> int:
        """The last step whose update is in the weights."""
        step = self._state.progress.step
        while step in self.decisions.skips:
            step -= 1
        if step == 0:
            raise InternalFault("the weights are not finite before any step", where="training")
        return step

    def _check_limit(self) -> None:
        skips, limit = self.decisions.skips, self._config.faults.limit
        if len(skips) > limit:
            last = list(skips.values())[-1]
            raise InternalFault(
                f"{last.reason}; {len(skips)} bad steps, and train.faults.limit is {limit}",
                where=f"training step {last.step}, rows {_shown(last.rows)}",
                fix="lower train.optimizer.learning_rate, set train.precision: fp32, or look at the rows; "
                "--fresh forgets what was skipped",
            )

    def _tell_fault(self, reason: str) -> None:
        self._on_event({"event": "fault", "kind": "checkpoint", "reason": reason})


def _shown(rows: Sequence[str]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(rows[:SHOWN]) + more
