"""Conversations brought to one form, and answers taken apart."""

from __future__ import annotations

from typing import Any

import pytest

from danlu.models.completion import Answer, parse_answer
from danlu.models.messages import MessageProblem, answer_is_empty, as_tools, normalise_messages, texts

CALL = {"name": "f", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("text", r"messages\[1\] must be an object, not str"),
        ({"role": "asistant"}, r"messages\[1\]: unknown role 'asistant'; did you mean 'assistant'"),
        ({"content": "a"}, "unknown role None"),
        ({"role": "user", "contents": "a"}, "unknown key 'contents'; did you mean 'content'"),
        ({"role": "user", "content": 3}, "content must be text, not int"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "content parts must be"),
        ({"role": "user", "content": ["a"]}, "content parts must be"),
        ({"role": "user", "reasoning_content": "a"}, "'reasoning_content' must be text of an assistant"),
        ({"role": "assistant", "reasoning_content": 3}, "'reasoning_content' must be text of an assistant"),
        ({"role": "user", "tool_calls": [CALL]}, "only an assistant message"),
        ({"role": "assistant", "tool_calls": {"name": "f"}}, "'tool_calls' must be a list"),
        ({"role": "assistant", "tool_calls": ["f"]}, "needs a 'name'"),
        ({"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}, "needs a 'name'"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{"}]}, "arguments of 'f' are not JSON"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": "[1]"}]}, "must be an object"),
    ],
)
def test_a_bad_message_is_named(message: Any, words: str) -> None:
    with pytest.raises(MessageProblem, match=words):
        normalise_messages([{"role": "user", "content": "a"}, message])


@pytest.mark.parametrize("messages", [None, [], "text", {}, {"role": "user"}])
def test_no_messages(messages: Any) -> None:
    with pytest.raises(MessageProblem, match="at least one"):
        normalise_messages(messages)


def test_all_spellings_become_one() -> None:
    function = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "refusal": None},
        {"role": "assistant", "content": None, "tool_calls": [function], "reasoning_content": None},
        {"role": "assistant", "tool_calls": [{"name": "g", "arguments": ""}]},
        {"role": "tool", "content": "3", "tool_call_id": "1", "name": "f"},
        {"role": "assistant", "content": "c", "tool_calls": [], "reasoning_content": "r"},
    ]
    clean = normalise_messages(messages)
    assert clean == [
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "g", "arguments": {}}]},
        {"role": "tool", "content": "3", "tool_call_id": "1", "name": "f"},
        {"role": "assistant", "content": "c", "reasoning_content": "r"},
    ]
    assert normalise_messages(clean) == clean
    assert messages[1]["content"] is None  # the caller's are left alone
    assert texts(clean) == "ab\n\n\n3\nc"


def test_an_empty_answer() -> None:
    assert answer_is_empty({"role": "assistant", "content": " \n"})
    assert not answer_is_empty({"role": "assistant", "content": "", "tool_calls": [CALL]})
    assert not answer_is_empty({"role": "assistant", "content": "a"})


def test_tools() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert as_tools(None) is None and as_tools([]) is None and as_tools((tool,)) == [tool]
    bad: list[tuple[Any, str]] = [({"name": "f"}, "must be a list"), ([tool, {"name": "f"}], r"tools\[1\]")]
    for tools, words in bad:
        with pytest.raises(MessageProblem, match=words):
            as_tools(tools)


WRITTEN = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("plain\n", Answer("plain\n")),
        ("", Answer("")),
        ("<think>\n\n</think>\n\nhi", Answer("hi")),
        ("\n<think>\nwhy\nso\n</think>\n\nhi", Answer("hi", "why\nso")),
        ("<think>cut off", Answer("", "cut off")),
        ("say <think> aloud", Answer("say <think> aloud")),
        ("<think>a</think>b</think>c", Answer("b</think>c", "a")),
        (WRITTEN, Answer("", None, [CALL])),
        (f"look:\n{WRITTEN}\n{WRITTEN}", Answer("look:", None, [CALL, CALL])),
        (f"<think>\nr\n</think>\n\n{WRITTEN}", Answer("", "r", [CALL])),
        (f"<think>{WRITTEN}</think>no", Answer("no", WRITTEN)),
        ('<tool_call>{"name": "f"}</tool_call>', Answer("", None, [{"name": "f", "arguments": {}}])),
        ("<tool_call>{broken</tool_call>", Answer("<tool_call>{broken</tool_call>")),
        ("<tool_call>[1]</tool_call>", Answer("<tool_call>[1]</tool_call>")),
        ('<tool_call>{"name": 3}</tool_call>', Answer('<tool_call>{"name": 3}</tool_call>')),
        ('a <tool_call>{"name": "f"', Answer('a <tool_call>{"name": "f"')),
        (f"<tool_call>x</tool_call>\n{WRITTEN}", Answer("<tool_call>x</tool_call>", None, [CALL])),
        (f"<tool_call>\n{WRITTEN}", Answer("<tool_call>", None, [CALL])),
    ],
)
def test_what_a_model_wrote_is_taken_apart(text: str, answer: Answer) -> None:
    assert parse_answer(text) == answer


def test_half_a_character_is_refused_with_its_place() -> None:
    with pytest.raises(MessageProblem, match=r"messages\[1\]: holds half a character \(U\+D83D"):
        normalise_messages([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b \ud83d"}])
    call = {"name": "f", "arguments": '{"x": "\\ud83d"}'}
    with pytest.raises(MessageProblem, match="lone surrogate"):
        normalise_messages([{"role": "assistant", "content": "", "tool_calls": [call]}])
    assert normalise_messages([{"role": "user", "content": "\U0001f600"}])[0]["content"] == "\U0001f600"
