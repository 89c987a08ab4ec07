"""history.jsonl: one line per optimizer step, exact to the last bit, cut back on resume."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class History:
    """The numbers of each step of a run.

    Args:
        path: the file.
        step: steps done at the checkpoint that is resumed; later lines are of steps that will be done again.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = [record for record in read_history(path) if record["step"] <= step]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        """Append a step's record; the operating system has it when this returns."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_history(path: Path) -> list[dict[str, Any]]:
    """The records of a file; a last line cut by a kill is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
