"""Records to rows: the format told from the keys or held to, keys renamed, what is left over kept as metadata."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import orjson

from danlu.data.row import Record, Row
from danlu.data.shapes import EVERYWHERE, KEYS, READERS, Fields, RowProblem, decoded, unknown_key
from danlu.models.messages import Message, MessageProblem, answer_is_empty, as_tools
from danlu.recipe.sources import RowSource

__all__ = ["DETECTED_BY", "RowProblem", "check_row", "detect_format", "read_row", "to_row"]

# In this order: the first key that a row has names its format. Keys that this format does not know are then refused,
# so a row that fits two formats is never read as half of itself.
DETECTED_BY = (
    ("chosen", "preference"),
    ("rejected", "preference"),
    ("messages", "messages"),
    ("conversations", "sharegpt"),
    ("instruction", "alpaca"),
    ("query", "alpaca"),
    ("prompt", "prompt_completion"),
    ("label", "classification"),
    ("labels", "classification"),
    ("text", "text"),
)

REQUIRED = {
    "preference": ("chosen",),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "query"),
    "prompt_completion": ("prompt",),
    "classification": ("text",),
    "text": ("text",),
}


def detect_format(keys: Collection[str]) -> str | None:
    """The format that keys tell, or None. See DETECTED_BY for the order."""
    return next((name for key, name in DETECTED_BY if key in keys), None)


def to_row(record: Record, row_id: str, source: RowSource) -> Row:
    """A record as a Row that something can be learned from; see `read_row`.

    Raises:
        RowProblem: broken record, unknown key or role, no assistant turn, an empty one.
    """
    return check_row(read_row(record, row_id, source))


def read_row(record: Record, row_id: str, source: RowSource) -> Row:
    """A record as a Row.

    Args:
        record: of the source.
        row_id: the row's id.
        source: its format, columns and prompt.

    Raises:
        RowProblem: broken record, unknown key or role.
    """
    if record.value is None:
        raise RowProblem(record.problem)
    value, others = _renamed(record.value, source.columns) if source.columns else (record.value, {})
    name = _detected(value, source) if source.format == "auto" else source.format
    value = _known(value, name, others if source.columns else None)
    try:
        fields = READERS[name](value, source)
        if "tools" in value:
            fields["tools"] = tuple(as_tools(_tools(value["tools"], name)) or ())
    except MessageProblem as error:
        raise RowProblem(str(error)) from None
    if "thinking" in value:
        fields["thinking"] = _thinking(value["thinking"])
    fields |= _judged(value)
    if others or "id" in value or "metadata" in value:
        fields["metadata"] = _metadata(value, others)
    return Row(row_id, record.file, record.line, **fields)


def check_row(row: Row) -> Row:
    """Refuse a row that has nothing to learn from.

    Raises:
        RowProblem: the text is empty, there is no assistant turn, an assistant turn is empty, or a tool call holds what
            JSON cannot.
    """
    if not row.messages:
        if not row.text.strip():
            raise RowProblem("'text' is empty")
        return row
    if not _check_answers(row.messages, "messages"):
        raise RowProblem("has no assistant turn, so nothing would be learned from it")
    if all(message.get("weight") == 0 for message in row.messages if message["role"] == "assistant"):
        raise RowProblem("every assistant turn has the weight 0, so nothing would be learned from it")
    if row.rejected:
        _check_answers(row.rejected, "rejected")
    return row


def _check_answers(messages: tuple[Message, ...], place: str) -> int:
    """The number of assistant turns."""
    count = 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        count += 1
        if answer_is_empty(message):
            raise RowProblem(f"{place}[{index}]: the assistant's turn is empty")
        if "tool_calls" in message and not _survives(message["tool_calls"]):
            raise RowProblem(f"{place}[{index}]: a tool call holds NaN or a number beyond 64 bits; write it as text")
    return count


def _survives(value: Any) -> bool:
    """Whether JSON, as everything after this writes it, gives the value back."""
    try:
        return bool(orjson.loads(orjson.dumps(value)) == value)
    except (TypeError, orjson.JSONDecodeError):
        return False


def _detected(value: Fields, source: RowSource) -> str:
    # Named columns count even where this row lacks one: a review without its stars is no row of plain text
    keys = value.keys() | source.columns.keys() if source.columns else value.keys()
    name = detect_format(keys)
    if name is None:
        known = ", ".join(key for key, _ in DETECTED_BY)
        listed = ", ".join(sorted(str(key)[:40] for key in value)[:10]) or "none"
        raise RowProblem(f"its keys ({listed}) fit no format; each needs one of: {known}; or name them in `columns`")
    return name


def _renamed(value: Fields, columns: dict[str, str]) -> tuple[Fields, Fields]:
    """The record under our keys, and what has the name of one of ours but is not what `columns` means by it."""
    taken = set(columns.values())
    left = {key: item for key, item in value.items() if key not in taken}
    fields = {ours: value[theirs] for ours, theirs in columns.items() if theirs in value}
    others = {key: item for key, item in left.items() if key in columns}
    return {**{key: item for key, item in left.items() if key not in columns}, **fields}, others


def _known(value: Fields, name: str, others: Fields | None) -> Fields:
    """The keys that the format knows; the others into `others`, or refused when there is no such place."""
    known = KEYS[name]
    unknown = [key for key in value if key not in known and key not in EVERYWHERE]
    if unknown:
        for key in unknown:
            if others is not None:
                others[key] = value[key]
            elif value[key] is not None:
                raise unknown_key(str(key), name)
        value = {key: item for key, item in value.items() if key not in unknown}
    if not any(key in value for key in REQUIRED[name]):
        raise RowProblem(f"format {name} needs the key '{REQUIRED[name][0]}'")
    return value


def _tools(given: Any, name: str) -> Any:
    """Tools as a list; the bare functions of ShareGPT and Alpaca data sets get OpenAI's wrapping."""
    tools = decoded(given, "tools")
    if name not in {"sharegpt", "alpaca"} or not isinstance(tools, list):
        return tools
    return [
        {"type": "function", "function": tool} if isinstance(tool, dict) and "function" not in tool else tool
        for tool in tools
    ]


def _thinking(given: Any) -> bool | None:
    thinking = {"true": True, "false": False}.get(str(given).lower(), given)  # a CSV cell is text
    if thinking is not None and not isinstance(thinking, bool):
        raise RowProblem("'thinking' must be true or false")
    return thinking


def _judged(value: Fields) -> Fields:
    """The row's weight in the loss, and whether its answer was liked."""
    fields: Fields = {}
    if value.get("weight") is not None:
        try:
            fields["weight"] = float(value["weight"])
        except (TypeError, ValueError):
            raise RowProblem("'weight' must be a number") from None
        if isinstance(value["weight"], bool) or not 0 < fields["weight"] < math.inf:
            raise RowProblem("'weight' must be a number above 0")
    if value.get("desirable") is not None:
        liked = {"true": True, "1": True, "false": False, "0": False}.get(str(value["desirable"]).lower())
        if liked is None:
            raise RowProblem("'desirable' must be true or false")
        fields["desirable"] = liked
    return fields


def _metadata(value: Fields, others: Fields) -> Fields:
    metadata = decoded(value.get("metadata"), "metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise RowProblem(f"'metadata' must be an object, not {type(metadata).__name__}")
    result = dict(metadata or {})
    if value.get("id") is not None:
        others = {"id": value["id"], **others}
    for key, item in others.items():
        if result.get(key, item) != item:
            raise RowProblem(f"'{str(key)[:40]}' stands in the row and in its metadata with different values")
        result[key] = item
    return result
