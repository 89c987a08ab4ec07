"""The shape of a conversation: what a message may hold, checked and brought to one form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

from danlu.recipe.errors import nearest

Message = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")
THINK_START, THINK_END = "<think>", "</think>"
KEYS = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name", "weight")


class MessageProblem(ValueError):
    """A conversation that cannot be used, with the message's index and the reason."""


def normalise_messages(messages: Any) -> list[Message]:
    """Check a conversation and bring it to the one form that the renderer takes.

    Text parts are joined, missing content becomes '', thinking in front of an answer gets its own key, and tool calls
    become `{"name", "arguments": object}` whether they came as OpenAI's strings or as objects, so that training rows
    and API requests render alike.

    Raises:
        MessageProblem: the index, what is wrong, and what would be right.
    """
    if not isinstance(messages, (list, tuple)) or not messages:
        raise MessageProblem("'messages' must be a list with at least one message")
    return [_message(index, message) for index, message in enumerate(messages)]


def _message(index: int, message: Any) -> Message:
    at = f"messages[{index}]"
    if not isinstance(message, dict):
        raise MessageProblem(f"{at} must be an object, not {type(message).__name__}")
    role = message.get("role")
    if role not in ROLES:
        raise MessageProblem(f"{at}: unknown role {role!r}; {nearest(str(role), ROLES)}")
    unknown = [key for key in message if key not in KEYS and message[key] is not None]
    if unknown:
        raise MessageProblem(f"{at}: unknown key '{unknown[0]}'; {nearest(str(unknown[0]), KEYS)}")
    result: Message = {"role": role, "content": _content(at, message.get("content"))}
    _take_thinking(at, message, result)
    if message.get("tool_calls"):
        if role != "assistant":
            raise MessageProblem(f"{at}: only an assistant message can have 'tool_calls'")
        result["tool_calls"] = _tool_calls(at, message["tool_calls"])
    for key in ("tool_call_id", "name"):
        if message.get(key) is not None:
            result[key] = message[key]
    if message.get("weight") is not None:
        result["weight"] = _weight(at, role, message["weight"])
    _check_text(at, result)
    return result


def _weight(at: str, role: str, weight: Any) -> float:
    """What an answer counts in the loss; 0: it is read but not learned."""
    if role != "assistant":
        raise MessageProblem(f"{at}: only an assistant message can have a 'weight'")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
        raise MessageProblem(f"{at}: 'weight' must be a number of at least 0")
    return weight


def _check_text(at: str, message: Message) -> None:
    """Refuse lone surrogates, which JSON escapes can bring in and no tokenizer or file takes."""
    try:
        orjson.dumps(message)
    except TypeError:
        # orjson takes only whole text, and much quicker than json; the slow way finds out what is wrong
        _explain_bad_text(at, message)


def _explain_bad_text(at: str, message: Message) -> None:
    try:
        json.dumps(message, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        code = f"U+{ord(error.object[error.start]):04X}"
        raise MessageProblem(f"{at}: holds half a character ({code}, a lone surrogate), which is no text") from None


def _take_thinking(at: str, message: Message, result: Message) -> None:
    """Thinking by its key, or in front of the answer."""
    thinking = message.get("reasoning_content")
    if thinking is None:
        if result["role"] == "assistant":
            _split_thinking(result)
        return
    if result["role"] != "assistant" or not isinstance(thinking, str):
        raise MessageProblem(f"{at}: 'reasoning_content' must be text of an assistant message")
    result["reasoning_content"] = thinking


def _split_thinking(message: Message) -> None:
    """Move thinking that stands at the beginning of an answer, as R1-style data have it, to its own key."""
    content = message["content"].lstrip()
    if not content.startswith(THINK_START) or THINK_END not in content:
        return
    thought, _, answer = content[len(THINK_START) :].partition(THINK_END)
    message["content"] = answer.lstrip("\n")
    if thought.strip():
        message["reasoning_content"] = thought.strip("\n")


def _content(at: str, content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = []
        for part in content:
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
                parts.append(part["text"])
            else:
                raise MessageProblem(f"{at}: content parts must be {{'type': 'text', 'text': ...}}")
        return "".join(parts)
    raise MessageProblem(f"{at}: content must be text, not {type(content).__name__}")


def _tool_calls(at: str, calls: Any) -> list[dict[str, Any]]:
    if not isinstance(calls, (list, tuple)):
        raise MessageProblem(f"{at}: 'tool_calls' must be a list")
    result = []
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise MessageProblem(f"{at}: a tool call needs a 'name' and 'arguments'")
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except json.JSONDecodeError as error:
                raise MessageProblem(f"{at}: arguments of '{function['name']}' are not JSON: {error}") from None
        if not isinstance(arguments, dict):
            raise MessageProblem(f"{at}: arguments of '{function['name']}' must be an object")
        result.append({"name": function["name"], "arguments": arguments})
    return result


def answer_is_empty(message: Message) -> bool:
    """True for an assistant message that would teach a model to say nothing."""
    return not message["content"].strip() and not message.get("tool_calls")


def as_tools(tools: Any) -> list[dict[str, Any]] | None:
    """OpenAI's `tools` list, or None when there are none.

    Raises:
        MessageProblem: not a list of `{"type": "function", "function": {"name": ...}}`.
    """
    if not tools:
        return None
    if not isinstance(tools, (list, tuple)):
        raise MessageProblem("'tools' must be a list")
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise MessageProblem(f"tools[{index}] must be {{'type': 'function', 'function': {{'name': ...}}}}")
    return list(tools)


def texts(messages: Sequence[Message]) -> str:
    """All the text of a conversation, for language detection and hashing of what a reader sees."""
    return "\n".join(message["content"] for message in messages)
