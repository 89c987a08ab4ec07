"""history.jsonl: one line per optimizer step, exact to the last bit, cut back on resume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from danlu.runs.durable import write_text


class History:
    """The numbers of each step of a run.

    Opening it takes no longer the further a run is: nothing is read but the end that is cut off.

    Args:
        path: the file.
        kept: its length in bytes at the checkpoint that is resumed; what follows is of steps that will be done again.
    """

    def __init__(self, path: Path, kept: int = 0) -> None:
        path.touch()
        self.whole = _cut_back(path, kept)
        """False if the file was shorter than the checkpoint says: lines of earlier steps are lost."""
        self._file = path.open("ab")

    @property
    def length(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def write(self, record: dict[str, Any]) -> None:
        """Append a step's record; the operating system has it when this returns."""
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()

    def sync(self) -> None:
        """Have it on the disk, so that a checkpoint never knows more than the history; any thread may call this."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cut_back(path: Path, kept: int) -> bool:
    """Cut a file to `kept` bytes, or, where it ends before or inside a line there, to its last whole line."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = size >= kept
        end = min(size, kept)
        while end > 0:  # one step where the byte before is the end of a line, as it is but for damage
            file.seek(end - 1)
            if file.read(1) == b"\n":
                break
            end -= 1
            whole = False
        file.truncate(end)
    return whole


def read_history(path: Path) -> list[dict[str, Any]]:
    """The records of a file; lines that are damaged, and a last one cut by a kill, are left out."""
    return read_lines(path, _is_step)[0]


def copy_history(path: Path, target: Path) -> tuple[list[dict[str, Any]], int]:
    """Write the sound lines of a history to another file; their records, and the number of lines left out."""
    records, damaged = read_lines(path, _is_step)
    write_text(target, "".join(json.dumps(record) + "\n" for record in records))
    return records, damaged


def read_lines(path: Path, sound: Callable[[dict[str, Any]], bool]) -> tuple[list[dict[str, Any]], int]:
    """The sound objects of a file of JSON lines, and the number of others; a last line cut by a kill is none."""
    if not path.is_file():
        return [], 0
    lines = path.read_bytes().split(b"\n")[:-1]
    records = [record for line in lines if (record := _parsed(line)) is not None and sound(record)]
    return records, len(lines) - len(records)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line.decode())
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _is_step(record: dict[str, Any]) -> bool:
    return isinstance(record.get("step"), int) and isinstance(record.get("loss", 0.0), (int, float))
