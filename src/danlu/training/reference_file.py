"""Numbers of the model before training on the disk: a line for each batch with its SHA-256, once it is computed."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from danlu.runs.durable import replace_file, write_text
from danlu.runs.hashing import hash_data
from danlu.training.history import History, read_lines

SYNC_SECONDS = 10.0
"""How much of the work a power cut can cost; a kill costs the batch in work."""

Group = tuple[int, ...]


class ReferenceFile:
    """The numbers of each batch of one split. The file has its final name once it is whole, and `.part` before.

    Args:
        path: the final name.
        counts: the rows of each batch there is -> how many numbers it has.
        on_fault: told of lines that are damaged or lost; they count as not computed.
    """

    def __init__(self, path: Path, counts: Mapping[Group, int], on_fault: Callable[[str], None]) -> None:
        self._path, self._part = path, path.with_suffix(".part")
        self._counts = counts
        self.known: dict[Group, tuple[float, ...]] = {}
        """Batch -> its numbers, as far as they are computed."""
        self._history: History | None = None
        self._synced = time.monotonic()
        self._read(on_fault)

    def __enter__(self) -> Self:
        if len(self.known) < len(self._counts) or not self._path.is_file():
            self._history = History(self._part, self._part.stat().st_size if self._part.is_file() else 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._history is None:
            return
        self._history.sync()
        self._history.close()
        if len(self.known) == len(self._counts):
            replace_file(self._part, self._path)

    def add(self, group: Group, numbers: Sequence[float]) -> None:
        """Keep the numbers of a batch, which are exact in float32; a kill after this does not lose them."""
        assert self._history is not None
        self._history.write(_line(group, numbers))
        self.known[group] = tuple(numbers)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            self._history.sync()
            self._synced = time.monotonic()

    def _read(self, on_fault: Callable[[str], None]) -> None:
        whole = self._path.is_file()
        file = self._path if whole else self._part
        records, damaged = read_lines(file, self._sound)
        for record in records:
            self.known[tuple(record["rows"])] = _numbers(record)
        lost = len(self._counts) - len(self.known)
        if damaged or (whole and lost):
            on_fault(
                f"{file.name} is damaged; the batches that are lost, {lost} of {len(self._counts)}, are done again"
            )
            write_text(self._part, "".join(json.dumps(record) + "\n" for record in records))
            self._path.unlink(missing_ok=True)

    def _sound(self, record: dict[str, Any]) -> bool:
        try:
            intact = record.get("sha256") == hash_data([record.get("rows"), record.get("float32")])
        except ValueError:  # not a number, or no text: never written here
            return False
        return intact and self._counts.get(tuple(record["rows"])) == len(_numbers(record))


def _line(group: Group, numbers: Sequence[float]) -> dict[str, Any]:
    rows, packed = list(group), struct.pack(f"<{len(numbers)}f", *numbers).hex()
    return {"rows": rows, "float32": packed, "sha256": hash_data([rows, packed])}


def _numbers(record: Mapping[str, Any]) -> tuple[float, ...]:
    packed = bytes.fromhex(record["float32"])
    return struct.unpack(f"<{len(packed) // 4}f", packed)
