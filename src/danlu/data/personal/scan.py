"""`danlu data pii`: where a JSON Lines file holds personal data, row by row, without changing anything."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from danlu.data.files import SourceFile
from danlu.data.personal.engine import check_names, find_many
from danlu.data.sources.jsonl import JsonlReader
from danlu.recipe.errors import UserError
from danlu.recipe.sources import JsonlSource

_FORM = "write one JSON object a line (.jsonl)"
_KINDS = {int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}
_SHOWN_KEYS = 12
_BATCH = 256


def scan_file(
    path: Path, field: str, out: Path, *, names: str = "rules", progress: Callable[[int], None] | None = None
) -> Counter[str]:
    """Write one line `{"line", "spans": [{"start", "end", "type", "confidence"}]}` for each row, in order.

    Blank lines are no rows. Values are never written, neither to `out` nor to an error. `out` appears when it is whole.

    Args:
        path: JSON Lines, in UTF-8 or GB18030; packed, where its name ends in `.gz` or `.zst`.
        field: which text: a key, or a path such as `messages.0.content`; null or missing in a row is an empty text.
        names: as in `find`.
        progress: called with the number of rows done, now and then.

    Returns:
        How many spans of each kind.

    Raises:
        UserError: no such file, a line that is no JSON object, a field that is no text or that no row has.
    """
    _check_out(out, path)
    check_names(names)
    kinds: Counter[str] = Counter()
    done, seen, keys = 0, False, dict[str, None]()
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with _created(aside, out) as target:
            texts = _texts(_rows(path), field, path.name, keys)
            while batch := list(islice(texts, _BATCH)):
                seen = seen or any(text is not None for _, text in batch)
                found = find_many([text or "" for _, text in batch], names=names)
                for (number, _), spans in zip(batch, found, strict=True):
                    kinds.update(span.kind for span in spans)
                    listed = [
                        {"start": s.start, "end": s.end, "type": s.kind, "confidence": s.confidence} for s in spans
                    ]
                    target.write(orjson.dumps({"line": number, "spans": listed}, option=orjson.OPT_APPEND_NEWLINE))
                done += len(batch)
                if progress:
                    progress(done)
        if done and not seen:
            listed_keys = ", ".join(list(keys)[:_SHOWN_KEYS])
            fix = f"name one with --field; the rows have: {listed_keys}"
            raise UserError(f"no row has the field '{field}'", where=str(path), fix=fix)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    return kinds


def _texts(
    rows: Iterator[tuple[int, dict[str, Any]]], field: str, name: str, keys: dict[str, None]
) -> Iterator[tuple[int, str | None]]:
    """Number and text of each row; the keys that the rows have go to `keys`."""
    for number, row in rows:
        if len(keys) < _SHOWN_KEYS:
            keys.update(dict.fromkeys(row))
        yield number, _text(row, field, f"{name}:{number}")


def _check_out(out: Path, path: Path) -> None:
    """Refuse to write over the rows, or where a folder is."""
    if out.is_dir():
        raise UserError("is a folder", where=str(out), fix="name a file with --out")
    if out.exists() and path.exists() and out.samefile(path):
        raise UserError("would be written over the rows", where=str(out), fix="name another file with --out")


def _created(aside: Path, out: Path) -> BinaryIO:
    try:
        return aside.open("wb")
    except OSError as error:
        raise UserError(
            f"cannot be written: {error.strerror}", where=str(out), fix="name another file with --out"
        ) from None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file, read as `data.sources` reads it: unpacked, its encoding told, each line held to be whole."""
    reader = JsonlReader(JsonlSource(path=str(path)))
    for chunk in reader.chunks_of(SourceFile(path, path.name), _BATCH):
        for record in reader.decode(chunk):
            if record.value is None:
                raise UserError(record.problem, where=f"{path.name}:{record.line}", fix=_FORM)
            yield record.line, record.value


def _text(row: dict[str, Any], field: str, where: str) -> str | None:
    value: Any = row
    for part in [field] if field in row else field.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = None if value is None else _Wrong()
        if value is None:
            return None
    if not isinstance(value, str):
        kind = "not reachable" if isinstance(value, _Wrong) else f"{_KINDS[type(value)]}, not text"
        fix = "name a text field with --field; a.b goes into objects, messages.0.content into lists"
        raise UserError(f"the field '{field}' is {kind}", where=where, fix=fix)
    return value


class _Wrong:
    """Stands for a path that leads through something that holds nothing."""
