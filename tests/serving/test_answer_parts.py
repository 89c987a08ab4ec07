"""A growing answer is taken apart like a whole one, however it is cut."""

from __future__ import annotations

import random

import pytest

from danlu.models.completion import parse_answer
from danlu.serving.answer_parts import AnswerSplitter, Part

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
TEXTS = [
    "",
    "\n",
    "plain",
    "\n\n  plain \n\n",
    "<think>\n\n</think>\n\nanswer",
    "<think>\nwhy\n\nthen\n</think>\n\nanswer\n",
    "  \n<think>why</think>answer",
    "<think>never closed\n",
    "<thi",
    "<think>a</thin",
    "<think>a</think>",
    "<think>a</think>\n\n",
    "no <think>tags</think> here",
    CALL,
    f"\n{CALL}\n{CALL}\n",
    f"text\n{CALL}",
    f"text\n\n{CALL}\nmore\n",
    f"<think>\nwhy\n</think>\n\n{CALL}",
    f"<think>\nwhy\n</think>\n\ntext {CALL} and {CALL}\n",
    "<tool_call>broken</tool_call>",
    f"<tool_call>{CALL}",
    f"<tool_call>broken</tool_call>\n{CALL}",
    "text <tool_call>{",
    "text <tool_",
    '<tool_call>{"name": "f", "arguments": "no object"}</tool_call>',
    "a < b <t <tool </tool_call> c",
]


def split(text: str, noise: random.Random, *, tools: bool = True, thinking: bool = False) -> list[Part]:
    splitter = AnswerSplitter(tools=tools, thinking=thinking)
    parts = []
    while text:
        size = noise.randint(1, 12)
        parts += splitter.push(text[:size])
        text = text[size:]
    return parts + splitter.finish()


def joined(parts: list[Part], kind: str) -> str:
    return "".join(part.text for part in parts if part.kind == kind)


@pytest.mark.parametrize("text", TEXTS)
def test_equal_to_parse_answer_however_it_is_cut(text: str) -> None:
    expected = parse_answer(text)
    for seed in range(40):
        parts = split(text, random.Random(seed))
        assert joined(parts, "content") == expected.content
        assert (joined(parts, "reasoning") or None) == expected.reasoning
        assert [part.call for part in parts if part.kind == "tool_call"] == expected.tool_calls
        assert all(part.text or part.call for part in parts)


@pytest.mark.parametrize("text", [text for text in TEXTS if "think" not in text and "thi" not in text])
def test_without_tools_nothing_but_thinking_is_touched(text: str) -> None:
    assert joined(split(text, random.Random(0), tools=False), "content") == text


@pytest.mark.parametrize("seed", range(30))
def test_thinking_opened_by_the_prompt(seed: int) -> None:
    rest = "\nwhy\n</think>\n\nanswer"
    parts = split(rest, random.Random(seed), thinking=True)
    assert (joined(parts, "reasoning"), joined(parts, "content")) == ("why", "answer")


def test_text_is_given_out_as_soon_as_it_is_certain() -> None:
    splitter = AnswerSplitter(tools=True)
    assert splitter.push("Hel") == [Part("content", "Hel")]
    assert splitter.push("lo <") == [Part("content", "lo ")]
    assert splitter.push("b>") == [Part("content", "<b>")]
