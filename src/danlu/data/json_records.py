"""One JSON object as a record: strictly, so that nothing of it is lost unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from danlu.data.encodings import escaped, undecodable
from danlu.data.row import Record

EXACT = 2.0**63  # orjson gives whole numbers beyond 64 bits as floats, which begin here
ODD = (b" :", b"\t:", b"\n:", b"\r:", b'\\\\"')  # space before a colon, or an escaped backslash at the end of a string
STRING_AND_COLON = re.compile(rb'"(?:[^"\\]++|\\.)*+"(\s*:)?', re.DOTALL)
NO_NUMBER = re.compile(r"-?(?:NaN|Infinity)")


def object_record(file: str, number: int, raw: bytes, encoding: str) -> Record:
    """The record that one JSON text stands for, or why it stands for none.

    Refused, besides broken JSON: bytes that do not decode, half characters (lone surrogates), NaN, whole numbers beyond
    64 bits (they would lose digits), and a key that stands twice in an object (the first value would be lost).
    """
    try:
        utf8 = raw if encoding == "utf-8" else raw.decode(encoding).encode()
        value = orjson.loads(utf8)
    except UnicodeDecodeError as error:
        return Record(file, number, None, undecodable(error), escaped(raw, encoding).strip())
    except orjson.JSONDecodeError as error:
        return Record(file, number, None, _why_broken(raw, encoding, error), escaped(raw, encoding).strip())
    if not isinstance(value, dict):
        problem = f"a row must be a JSON object, not {type(value).__name__}"
    else:
        problem = "" if _is_whole(value, utf8) else _what_is_lost(utf8.decode())
    if problem:
        return Record(file, number, None, problem, escaped(raw, encoding).strip())
    return Record(file, number, value)


def _is_whole(value: dict[str, Any], raw: bytes) -> bool:
    """Whether the value has as many keys as the text, and no number that may have lost digits; errs to no."""
    try:
        keys = _keys(value)
    except OverflowError:
        return False
    # Every key has its colon: as many colons as there are different keys leave none for a key that stands twice
    return raw.count(b":") == keys or _written(raw) == keys


def _written(raw: bytes) -> int:
    """How many keys a JSON text has, where it has colons in its strings too."""
    if any(odd in raw for odd in ODD):
        return sum(map(bool, STRING_AND_COLON.findall(raw)))
    return raw.count(b'":') - raw.count(b'\\":')  # a quote before a colon ends a key, unless it is escaped


def _keys(value: dict[str, Any] | list[Any]) -> int:
    items: Iterable[Any] = value
    count = 0
    if type(value) is dict:
        items, count = value.values(), len(value)
    for item in items:
        kind = type(item)
        if kind is dict or kind is list:
            count += _keys(item)
        elif kind is float and not -EXACT < item < EXACT:
            raise OverflowError
    return count


class _LostError(ValueError):
    """What a quick parser would have lost."""


def _what_is_lost(text: str) -> str:
    """The slow, exact look at a text whose keys or numbers did not add up; '' when all is there."""
    try:
        json.loads(text, object_pairs_hook=_once, parse_int=_exact)
    except _LostError as error:
        return str(error)
    return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _LostError(f"the key '{twice[:40]}' stands twice in one object; keep one of them")
    return result


def _exact(digits: str) -> int:
    number = int(digits) if len(digits) < 25 else 2**64
    if not -(2**63) <= number < 2**64:
        raise _LostError("holds a whole number beyond 64 bits, which would lose digits; write it as text")
    return number


def _why_broken(raw: bytes, encoding: str, error: orjson.JSONDecodeError) -> str:
    """The reason without any of the text: what a parser says, and where (characters count from 1)."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as undecoded:
        return undecodable(undecoded)
    at = f"at character {error.pos + 1}"
    for looks, reason in _REASONS:
        if looks(text, error):
            return f"{reason} {at}"
    return f"broken JSON {at}: {error.msg}"


_REASONS: tuple[tuple[Callable[[str, orjson.JSONDecodeError], bool], str], ...] = (
    (lambda text, error: not text.strip(), "broken JSON: nothing where a record should be,"),
    (lambda text, error: "surrogate" in error.msg, "holds half a character (a lone surrogate escape)"),
    (
        lambda text, error: bool(NO_NUMBER.match(text, max(error.pos - 1, 0)) or NO_NUMBER.match(text, error.pos)),
        "broken JSON: NaN and Infinity are no JSON (write null)",
    ),
)
