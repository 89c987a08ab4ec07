"""What the model wrote, taken apart: thinking, answer, tool calls."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from danlu.models.messages import THINK_END, THINK_START

CALL_START, CALL_END = "<tool_call>", "</tool_call>"


@dataclass(frozen=True)
class Answer:
    """One assistant message: `content` shown to the user, `reasoning` if the model thought, `tool_calls` if any."""

    content: str
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


def parse_answer(text: str) -> Answer:
    """Take a completion's text apart; what is not well formed (an unclosed call, broken JSON) stays in the content."""
    reasoning: str | None = None
    stripped = text.lstrip()
    if stripped.startswith(THINK_START):
        thought, closed, rest = stripped[len(THINK_START) :].partition(THINK_END)
        reasoning, text = thought.strip("\n"), rest.lstrip("\n") if closed else ""
    calls: list[dict[str, Any]] = []
    kept: list[str] = []
    rest = text
    while CALL_START in rest:
        before, _, after = rest.partition(CALL_START)
        body, closed, following = after.partition(CALL_END)
        call = _call(body) if closed else None
        if call is None:
            kept.append(before + CALL_START)
            rest = after
            continue
        kept.append(before)
        calls.append(call)
        rest = following
    kept.append(rest)
    content = "".join(kept)
    return Answer(content=content.strip("\n") if calls else content, reasoning=reasoning or None, tool_calls=calls)


def _call(body: str) -> dict[str, Any] | None:
    try:
        call = json.loads(body)
    except json.JSONDecodeError:
        return None
    if isinstance(call, dict) and isinstance(call.get("name"), str) and isinstance(call.get("arguments", {}), dict):
        return {"name": call["name"], "arguments": call.get("arguments", {})}
    return None
