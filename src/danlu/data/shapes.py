"""The shapes rows come in, each read into messages, text, labels and rejected answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from danlu.data.row import NO_LABEL
from danlu.models.messages import Message, MessageProblem, normalise_messages
from danlu.recipe.errors import nearest
from danlu.recipe.sources import RowSource

Fields = dict[str, Any]


class RowProblem(ValueError):
    """A record that is not a usable row: the reason, which quotes no text of the row."""


EVERYWHERE = {"id", "metadata", "tools", "thinking", "weight"}

KEYS: dict[str, set[str]] = {
    "preference": {"chosen", "rejected", "prompt", "conversations", "instruction", "input", "system", "history"},
    "messages": {"messages", "desirable"},
    "sharegpt": {"conversations", "system", "desirable"},
    "alpaca": {"instruction", "input", "output", "query", "response", "system", "history"},
    "prompt_completion": {"prompt", "completion", "system", "desirable"},
    "classification": {"text", "label", "labels", "system"},
    "text": {"text"},
}

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}


def decoded(value: Any, key: str) -> Any:
    """JSON inside a string (CSV cells, some data sets) as the value it stands for; blank text is no value.

    Raises:
        RowProblem: the text is not JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value, parse_constant=_no_constant, parse_int=_sixty_four_bits)
    except (ValueError, RecursionError) as error:
        raise RowProblem(f"'{key}' is text that is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _sixty_four_bits(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise ValueError("a whole number beyond 64 bits; write it as text")
    return int(digits)


def _text(value: Fields, key: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise RowProblem(f"'{key}' must be text, not {type(text).__name__}")
    return text


def _user(content: Any) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: Any) -> Message:
    return {"role": "assistant", "content": content}


def _with_system(value: Fields, messages: list[Message]) -> tuple[Message, ...]:
    system = _text(value, "system")
    return tuple(normalise_messages([{"role": "system", "content": system}, *messages] if system else messages))


def _read_messages(value: Fields, source: RowSource) -> Fields:
    return {"messages": tuple(normalise_messages(decoded(value["messages"], "messages")))}


def _read_alpaca(value: Fields, source: RowSource) -> Fields:
    if ("instruction" in value or "output" in value) and ("query" in value or "response" in value):
        raise RowProblem("has keys of two dialects: instruction and output, query and response")
    asked = _instruction(value)
    answer = "response" if "query" in value else "output"
    return {"messages": _with_system(value, [*asked, _assistant(_text(value, answer))])}


def _instruction(value: Fields) -> list[Message]:
    """History, instruction and input (or query) as messages."""
    messages: list[Message] = []
    history = decoded(value.get("history"), "history") or []
    if not isinstance(history, list):
        raise RowProblem("'history' must be a list")
    for index, pair in enumerate(history):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise RowProblem(f"history[{index}] must be [question, answer]")
        messages += [_user(pair[0]), _assistant(pair[1])]
    question, extra = _text(value, "query" if "query" in value else "instruction"), _text(value, "input")
    messages.append(_user(f"{question}\n{extra}" if question and extra else question or extra))
    return messages


def _read_sharegpt(value: Fields, source: RowSource) -> Fields:
    return {"messages": _with_system(value, _turns(value["conversations"], "conversations"))}


def _turns(value: Any, key: str) -> list[Message]:
    """Turns in either dialect, from/value or role/content, as messages."""
    turns = decoded(value, key)
    if not isinstance(turns, list):
        raise RowProblem(f"'{key}' must be a list")
    return [_turn(turn, f"{key}[{index}]") for index, turn in enumerate(turns)]


def _turn(turn: Any, at: str) -> Message:
    if isinstance(turn, dict) and "from" in turn and "value" in turn:
        message = {"role": turn["from"], "content": turn["value"]}
        rest = [key for key, item in turn.items() if key not in {"from", "value"} and item is not None]
        if rest:
            raise RowProblem(f"{at}: unknown key '{rest[0]}'; known: from, value")
    elif isinstance(turn, dict) and "role" in turn:
        message = dict(turn)
    else:
        raise RowProblem(f"{at} needs 'from' and 'value', or 'role' and 'content'")
    given = message["role"]
    role = ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        # The role itself is not quoted: chat exports have people's names there
        raise RowProblem(f"{at}: unknown role; known: {', '.join(sorted(ROLES))}")
    message["role"] = role
    if given == "function_call":
        call = decoded(message["content"], f"{at}.value")
        message |= {"content": "", "tool_calls": call if isinstance(call, list) else [call]}
    return message


def _read_prompt_completion(value: Fields, source: RowSource) -> Fields:
    prompt, completion = value.get("prompt"), value.get("completion")
    asked = prompt if isinstance(prompt, list) else [_user(_text(value, "prompt"))]
    answered = completion if isinstance(completion, list) else [_assistant(_text(value, "completion"))]
    return {"messages": _with_system(value, [*asked, *answered])}


def _read_classification(value: Fields, source: RowSource) -> Fields:
    text = _text(value, "text")
    if not text.strip():
        raise RowProblem("'text' is empty")
    if "label" in value and "labels" in value:
        raise RowProblem("has both 'label' and 'labels'; keep one")
    if "label" in value:
        labels = [_label(value["label"], "label")]
    else:
        given = decoded(value.get("labels"), "labels")
        if not isinstance(given, list):
            raise RowProblem("format classification needs the key 'label', or 'labels' with a list (empty: no class)")
        labels = sorted({_label(item, f"labels[{index}]") for index, item in enumerate(given)})  # a set, in one order
    question = (source.prompt or "{text}").replace("{text}", text)
    messages = _with_system(value, [_user(question), _assistant(", ".join(labels) or NO_LABEL)])
    return {"messages": messages, "labels": tuple(labels), "no_label": not labels}


def _label(value: Any, key: str) -> str:
    """A label as text: true and false as JSON writes them, numbers by their digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    label = str(value) if isinstance(value, (int, float)) else value
    if not isinstance(label, str):
        raise RowProblem(f"'{key}' must be text, a number, true or false, not {type(value).__name__}")
    if not label.strip():
        raise RowProblem(f"'{key}' is empty")
    return label


def _read_preference(value: Fields, source: RowSource) -> Fields:
    chosen, rejected = _answer(value, "chosen"), _answer(value, "rejected")
    prompt = _asked(value)
    if prompt is None or chosen[0]["role"] != "assistant" or rejected[0]["role"] != "assistant":
        shared = next((i for i, pair in enumerate(zip(chosen, rejected, strict=False)) if pair[0] != pair[1]), None)
        shared = min(len(chosen), len(rejected)) if shared is None else shared
        implied, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
        if prompt and _questions(prompt)[-1:] != _questions(implied)[-1:]:
            raise RowProblem("'chosen' and 'rejected' begin with another question than the row asks")
        prompt = implied
    if chosen == rejected:
        raise RowProblem("'chosen' and 'rejected' are the same")
    for key, answer in (("chosen", chosen), ("rejected", rejected)):
        if not answer or answer[0]["role"] != "assistant" or answer[-1]["role"] != "assistant":
            raise RowProblem(f"'{key}' must be an answer of the assistant to the same conversation")
    if not _questions(prompt):
        raise RowProblem("format preference needs a 'prompt', or 'chosen' and 'rejected' that begin with the same one")
    asked = _with_system(value, prompt)
    return {"messages": (*asked, *chosen), "rejected": tuple(rejected), "preferred_from": len(asked)}


def _answer(value: Fields, key: str) -> list[Message]:
    """An answer as messages: given as text, as one turn, or as turns with or without the prompt."""
    given = value.get(key)
    if given is None:
        raise RowProblem(f"format preference needs the key '{key}'")
    if isinstance(given, str):
        given = [_assistant(given)]
    elif isinstance(given, (dict, list)):
        given = _turns([given] if isinstance(given, dict) else given, key)
    else:
        raise RowProblem(f"'{key}' must be text, a message or a list of messages, not {type(given).__name__}")
    try:
        return normalise_messages(given)
    except MessageProblem as error:
        raise RowProblem(str(error).replace("messages", key, 1)) from None


def _asked(value: Fields) -> list[Message] | None:
    """What a preference row asks apart from its answers, in whatever dialect; None when it is in the answers."""
    given = [key for key in ("prompt", "conversations", "instruction") if key in value]
    if len(given) > 1:
        raise RowProblem(f"asks twice: '{given[0]}' and '{given[1]}'; keep one")
    if not given:
        return None
    if given[0] == "instruction":
        asked = _instruction(value)
    elif given[0] == "prompt" and isinstance(value["prompt"], str):
        asked = [_user(value["prompt"])]
    else:
        asked = _turns(value[given[0]], given[0])
    return normalise_messages(asked)


def _questions(messages: list[Message]) -> list[Message]:
    return [message for message in messages if message["role"] in {"user", "tool"}]


def _read_text(value: Fields, source: RowSource) -> Fields:
    return {"text": _text(value, "text")}


READERS: dict[str, Callable[[Fields, RowSource], Fields]] = {
    "preference": _read_preference,
    "messages": _read_messages,
    "sharegpt": _read_sharegpt,
    "alpaca": _read_alpaca,
    "prompt_completion": _read_prompt_completion,
    "classification": _read_classification,
    "text": _read_text,
}


def unknown_key(key: str, name: str) -> RowProblem:
    """The refusal of a key that a format does not know."""
    close = nearest(key[:40], KEYS[name] | EVERYWHERE)
    return RowProblem(f"unknown key '{key[:40]}' for format {name}; {close} (with `columns`, others go to metadata)")
