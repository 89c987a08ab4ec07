"""The shapes rows come in, told apart by their keys and brought to one: a conversation or a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from danlu.data.row import Record, Row
from danlu.models.messages import MessageProblem, answer_is_empty, as_tools, normalise_messages
from danlu.recipe.errors import nearest

Fields = dict[str, Any]


class RowProblem(ValueError):
    """A record that is not a usable row: the reason."""


EVERYWHERE = {"id", "metadata", "tools", "thinking"}

KEYS: dict[str, set[str]] = {
    "messages": {"messages"},
    "alpaca": {"instruction", "input", "output", "system", "history"},
    "sharegpt": {"conversations", "system"},
    "prompt_completion": {"prompt", "completion", "system"},
    "text": {"text"},
}

REQUIRED = {
    "messages": "messages",
    "sharegpt": "conversations",
    "alpaca": "instruction",
    "prompt_completion": "prompt",
    "text": "text",
}

SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}


def detect_format(value: Fields) -> str | None:
    """The format whose required key a record has, or None."""
    return next((name for name, key in REQUIRED.items() if key in value), None)


def to_row(record: Record, row_id: str, format_name: str) -> Row:
    """A record as a Row.

    Raises:
        RowProblem: broken record, unknown key or role, no assistant turn, an empty one.
    """
    if record.value is None:
        raise RowProblem(record.problem)
    value = record.value
    name = detect_format(value) if format_name == "auto" else format_name
    if name is None:
        keys = ", ".join(sorted(map(str, value))) or "none"
        raise RowProblem(f"its keys ({keys}) fit no format; each needs one of: {', '.join(sorted(REQUIRED.values()))}")
    _check_keys(value, name)
    try:
        fields = _READERS[name](value)
        tools = as_tools(_decoded(value.get("tools"), "tools"))
        thinking = value.get("thinking")
        thinking = {"true": True, "false": False}.get(str(thinking).lower(), thinking)  # a CSV cell is text
        if thinking is not None and not isinstance(thinking, bool):
            raise RowProblem(f"'thinking' must be true or false, not {thinking!r}")
        row = Row(row_id, record.file, record.line, tools=tuple(tools or ()), thinking=thinking, **fields)
    except MessageProblem as error:
        raise RowProblem(str(error)) from None
    return check_row(row)


def check_row(row: Row) -> Row:
    """Refuse a row that has nothing to learn from.

    Raises:
        RowProblem: the text is empty, there is no assistant turn, or an assistant turn is empty.
    """
    if not row.messages:
        if not row.text.strip():
            raise RowProblem("'text' is empty")
        return row
    answers = [(i, m) for i, m in enumerate(row.messages) if m["role"] == "assistant"]
    if not answers:
        raise RowProblem("has no assistant turn, so nothing would be learned from it")
    for index, message in answers:
        if answer_is_empty(message):
            raise RowProblem(f"messages[{index}]: the assistant's turn is empty")
    return row


def _check_keys(value: Fields, name: str) -> None:
    known = KEYS[name] | EVERYWHERE
    for key in value:
        if key not in known:
            raise RowProblem(f"unknown key '{key}' for format {name}; {nearest(str(key), known)}")
    if REQUIRED[name] not in value:
        raise RowProblem(f"format {name} needs the key '{REQUIRED[name]}'")


def _decoded(value: Any, key: str) -> Any:
    """JSON inside a string (CSV cells, some data sets) as the value it stands for."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise RowProblem(f"'{key}' is text that is not JSON: {error}") from None


def _text(value: Fields, key: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise RowProblem(f"'{key}' must be text, not {type(text).__name__}")
    return text


def _with_system(value: Fields, messages: list[Fields]) -> list[Fields]:
    system = _text(value, "system")
    return [{"role": "system", "content": system}, *messages] if system else messages


def _read_messages(value: Fields) -> Fields:
    return {"messages": tuple(normalise_messages(_decoded(value["messages"], "messages")))}


def _read_alpaca(value: Fields) -> Fields:
    question, extra = _text(value, "instruction"), _text(value, "input")
    messages: list[Fields] = []
    history = _decoded(value.get("history"), "history") or []
    if not isinstance(history, list):
        raise RowProblem("'history' must be a list")
    for index, pair in enumerate(history):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise RowProblem(f"history[{index}] must be [question, answer]")
        messages += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    messages.append({"role": "user", "content": f"{question}\n{extra}" if extra else question})
    messages.append({"role": "assistant", "content": _text(value, "output")})
    return {"messages": tuple(normalise_messages(_with_system(value, messages)))}


def _read_sharegpt(value: Fields) -> Fields:
    turns = _decoded(value["conversations"], "conversations")
    if not isinstance(turns, list):
        raise RowProblem("'conversations' must be a list")
    messages: list[Fields] = []
    for index, turn in enumerate(turns):
        if not isinstance(turn, dict) or "from" not in turn or "value" not in turn:
            raise RowProblem(f"conversations[{index}] needs 'from' and 'value'")
        role = SHAREGPT_ROLES.get(str(turn["from"]))
        if role is None:
            raise RowProblem(
                f"conversations[{index}]: unknown role {turn['from']!r}; {nearest(str(turn['from']), SHAREGPT_ROLES)}"
            )
        if turn["from"] == "function_call":
            call = _decoded(turn["value"], f"conversations[{index}].value")
            calls = call if isinstance(call, list) else [call]
            messages.append({"role": role, "content": "", "tool_calls": calls})
        else:
            messages.append({"role": role, "content": turn["value"]})
    return {"messages": tuple(normalise_messages(_with_system(value, messages)))}


def _read_prompt_completion(value: Fields) -> Fields:
    prompt, completion = value.get("prompt"), value.get("completion")
    asked = prompt if isinstance(prompt, list) else [{"role": "user", "content": _text(value, "prompt")}]
    if isinstance(completion, list):
        answered = completion
    else:
        answered = [{"role": "assistant", "content": _text(value, "completion")}]
    return {"messages": tuple(normalise_messages(_with_system(value, [*asked, *answered])))}


def _read_text(value: Fields) -> Fields:
    return {"text": _text(value, "text")}


_READERS: dict[str, Callable[[Fields], Fields]] = {
    "messages": _read_messages,
    "alpaca": _read_alpaca,
    "sharegpt": _read_sharegpt,
    "prompt_completion": _read_prompt_completion,
    "text": _read_text,
}
