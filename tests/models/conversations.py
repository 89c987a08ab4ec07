"""A seeded corpus of conversations of every shape that the renderer has to take."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from danlu.models.messages import Message

PIECES = [
    "The claim is paid when a pipe breaks.",
    "今天北京天气晴朗，明天有雨。",
    "def f(x):\n\treturn x ** 2  # 平方\n",
    "```python\nprint('hi')\n\n\n```",
    "🔥👩‍👩‍👧‍👦 café cafe\u0301 naïve",
    "  two  spaces\tand a tab ",
    "\n\nblank lines around\n\n",
    "line\r\nwindows",
    "全角，标点！（括号）“引号”",
    "x² + y³ ≤ 10₂ ½",
    'JSON: {"a": [1, 2.5, null], "b": "\\n"}',
    "<b>html</b> & {{ template }} {% raw %}",
    "<tools> </tools> <|not a token|>",
    "مرحبا שלום 한국어 ไทย",
    "\u200bzero width\ufeff",
    "1234567890 " * 3,
    ".",
]

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "天气 of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
    {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}},
]


@dataclass(frozen=True)
class Conversation:
    """A conversation, the tools on offer, and whether its author chose to switch thinking off or on."""

    messages: list[Message]
    tools: list[dict[str, Any]] | None

    @property
    def learned(self) -> list[int]:
        """Indices of the assistant's messages."""
        return [index for index, message in enumerate(self.messages) if message["role"] == "assistant"]


def text(rng: random.Random) -> str:
    """One to three pieces, joined in some way."""
    return rng.choice([" ", "\n", "\n\n", ""]).join(rng.choices(PIECES, k=rng.randint(1, 3)))


def answer(rng: random.Random, thinks: bool) -> Message:
    """An assistant's message without tool calls."""
    content = text(rng)
    # Whitespace that runs into a line end would be one token with the template's own line ends: see test_chat
    message: Message = {"role": "assistant", "content": content.lstrip() or "."}
    if thinks:
        message["reasoning_content"] = text(rng)
    return message


def calls(rng: random.Random) -> list[dict[str, Any]]:
    """One or two tool calls, as objects or as OpenAI writes them."""
    result: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 2)):
        if rng.random() < 0.5:
            result.append({"name": "weather", "arguments": {"city": rng.choice(["北京", "Paris", '"x"\n'])}})
        else:
            function = {"name": "add", "arguments": '{"a": 1, "b": {"c": [2.5, null, true]}}'}
            result.append({"id": "call_1", "type": "function", "function": function})
    return result


def exchange(rng: random.Random, thinks: bool, with_tools: bool) -> list[Message]:
    """A question and all that follows until the next one."""
    messages: list[Message] = [{"role": "user", "content": text(rng)}]
    while with_tools and rng.random() < 0.6 and len(messages) < 8:
        call = answer(rng, thinks)
        call["tool_calls"] = calls(rng)
        if rng.random() < 0.5:
            call["content"] = rng.choice(["", None])
        messages.append(call)
        messages += [{"role": "tool", "content": text(rng)} for _ in call["tool_calls"]]
    return [*messages, answer(rng, thinks)]


def conversation(rng: random.Random) -> Conversation:
    """One conversation; every shape has its share."""
    with_tools = rng.random() < 0.4
    habit = rng.choice([0.0, 0.5, 1.0])
    messages: list[Message] = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": text(rng)})
    for _ in range(rng.randint(1, 4)):
        messages += exchange(rng, rng.random() < habit, with_tools)
        if rng.random() < 0.05:
            messages.append({"role": "system", "content": text(rng)})
    while messages[-1]["role"] != "assistant":
        messages.pop()
    return Conversation(messages, TOOLS[: rng.randint(1, 2)] if with_tools else None)


def corpus(count: int, seed: int = 2024) -> list[Conversation]:
    """The same conversations for the same seed."""
    rng = random.Random(seed)
    return [conversation(rng) for _ in range(count)]
