"""JSON: one array of objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from danlu.data.row import Record
from danlu.recipe.data import JsonSource
from danlu.recipe.errors import UserError


def read_json(config: JsonSource) -> Iterator[Record]:
    """Records of a JSON array; `line` is the 1-based index of the object.

    Raises:
        UserError: the file as a whole is not a JSON array.
    """
    path = Path(config.path)
    try:
        values = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        fix = "for one object per line, set the source's type to jsonl"
        raise UserError(f"is not valid JSON: {error}", where=str(path), fix=fix) from None
    if not isinstance(values, list):
        raise UserError(
            f"must hold an array of objects, not {type(values).__name__}", where=str(path), fix="wrap it in [ ]"
        )
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            yield Record(path.name, number, value)
        else:
            yield Record(path.name, number, None, f"a row must be a JSON object, not {type(value).__name__}")
