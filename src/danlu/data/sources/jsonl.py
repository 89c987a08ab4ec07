"""JSON Lines: one object a line, each line decoded by itself, so that a broken one costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from danlu.data.row import Record
from danlu.recipe.data import JsonlSource


def read_jsonl(config: JsonlSource) -> Iterator[Record]:
    """Records of a JSONL file; blank lines are no records."""
    path = Path(config.path)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield _record(path.name, number, line)


def _record(name: str, number: int, line: bytes) -> Record:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Record(name, number, None, f"broken JSON: {error}")
    if not isinstance(value, dict):
        return Record(name, number, None, f"a row must be a JSON object, not {type(value).__name__}")
    return Record(name, number, value)
