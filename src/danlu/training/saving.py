"""Saving while training goes on: a copy in the host's memory, written by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from danlu.recipe.errors import DanluError, InternalFault
from danlu.recipe.faults import CheckpointSection
from danlu.training.checkpoint import (
    Progress,
    Snapshot,
    Trained,
    check_room,
    prune,
    take_snapshot,
    write_checkpoint,
)

OnEvent = Callable[[dict[str, Any]], None]


class Saver:
    """Writes checkpoints one at a time; an error of the thread comes up at the next call.

    Args:
        folder: where checkpoints live.
        config: the recipe's section.
        on_event: told of a checkpoint once it is whole, with its bytes, the seconds that it took to write, and those
            that training stood still for it; called in the thread that calls this class.
    """

    def __init__(self, folder: Path, config: CheckpointSection, on_event: OnEvent) -> None:
        self._folder = folder
        self._config = config
        self._on_event = on_event
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._written: dict[str, Any] = {}
        self.saved_at: int | None = None
        """The step of the last snapshot."""

    def save(
        self,
        trained: Trained,
        progress: Progress,
        books: dict[str, Any],
        *,
        stay: Collection[int],
        sync: Callable[[], None],
    ) -> None:
        """Take a snapshot and have it written; waits only if the one before is still being written.

        Args:
            trained: what training changes.
            progress: where training stands.
            books: plain data to go on with.
            stay: steps whose checkpoints are not removed.
            sync: called before the checkpoint counts, in the writing thread.

        Raises:
            InternalFault: the disk is full, or the checkpoint before could not be written.
        """
        started = time.perf_counter()
        self.wait()
        check_room(self._folder, trained.size())
        snapshot = take_snapshot(trained, progress, books)
        self.saved_at = progress.step

        def write() -> None:
            try:
                self._write(snapshot, stay, sync, stood_still)
            except Exception as error:
                self._error = error

        stood_still = time.perf_counter() - started
        self._thread = threading.Thread(target=write, name="checkpoint", daemon=True)
        self._thread.start()
        if not self._config.background:
            self.wait()

    def poll(self) -> None:
        """Tell of a checkpoint that is whole by now.

        Raises:
            InternalFault: it could not be written.
        """
        if self._thread is None or self._thread.is_alive():
            return
        self._thread.join()
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise _as_fault(error, self._folder) from error
        self._on_event(self._written)

    def wait(self) -> None:
        """Until the checkpoint in work is whole; then as `poll`."""
        if self._thread is not None:
            self._thread.join()
        self.poll()

    def settle(self) -> None:
        """Let the checkpoint in work become whole and tell nobody: another error is on its way up."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _write(self, snapshot: Snapshot, stay: Collection[int], sync: Callable[[], None], stood_still: float) -> None:
        started = time.perf_counter()
        sync()
        path = write_checkpoint(self._folder, snapshot)
        prune(self._folder, snapshot.progress.step, self._config.keep, stay)
        seconds = time.perf_counter() - started
        self._written = {
            "event": "checkpoint",
            "step": snapshot.progress.step,
            "bytes": sum(file.stat().st_size for file in path.iterdir()),
            "stood_still": round(stood_still + (0.0 if self._config.background else seconds), 4),
            "seconds": round(seconds, 4),
        }


def _as_fault(error: Exception, folder: Path) -> DanluError:
    if isinstance(error, DanluError):
        return error
    return InternalFault(
        f"a checkpoint could not be written: {error}; those written before are whole",
        where=str(folder),
        fix="mend the disk, then give the same command again",
    )
