"""events.jsonl: everything that happened in a run, one JSON object a line; the CLI and pages show it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Event = dict[str, Any]


class EventLog:
    """Appends events to a file. A line is written with one system call, so concurrent writers do not mix lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, kind: str, /, **fields: Any) -> Event:
        """Append an event: its kind, the time (seconds since 1970), and its fields."""
        event: Event = {"event": kind, "time": round(time.time(), 3), **fields}
        os.write(self._handle, json.dumps(event, ensure_ascii=False).encode() + b"\n")
        return event

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, oldest first. A last line cut by a kill is skipped: it was never whole."""
    if not path.is_file():
        return
    with path.open("rb") as file:  # bytes: the cut may go through a character
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)
