"""Formats: detected or named, brought to one shape, refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from danlu.data.formats import KEYS, REQUIRED, RowProblem, detect_format, to_row
from danlu.data.row import Record, Row

USER, ASSISTANT = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}

SAME: dict[str, dict[str, Any]] = {
    "messages": {"messages": [USER, ASSISTANT], "id": 7, "metadata": {"a": 1}},
    "alpaca": {"instruction": "Q", "input": "", "output": "A"},
    "sharegpt": {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
    "prompt_completion": {"prompt": "Q", "completion": "A"},
}


def row_of(value: dict[str, Any], name: str = "auto") -> Row:
    return to_row(Record("a.jsonl", 3, value), "a.jsonl:3", name)


def reason_of(value: dict[str, Any] | None, name: str = "auto") -> str:
    with pytest.raises(RowProblem) as error:
        to_row(Record("a.jsonl", 3, value, "broken JSON: x" if value is None else ""), "a.jsonl:3", name)
    return str(error.value)


@pytest.mark.parametrize("name", sorted(SAME))
@pytest.mark.parametrize("named", [False, True], ids=["detected", "named"])
def test_every_format_gives_the_same_conversation(name: str, named: bool) -> None:
    assert detect_format(SAME[name]) == name
    row = row_of(SAME[name], name if named else "auto")
    assert row == Row("a.jsonl:3", "a.jsonl", 3, messages=(USER, ASSISTANT))


def test_text_and_the_tables_agree() -> None:
    assert row_of({"text": " one\n"}).text == " one\n"
    assert detect_format({"text": "a"}) == "text"
    assert set(KEYS) == set(REQUIRED) and all(REQUIRED[name] in KEYS[name] for name in KEYS)


def test_alpaca_with_input_system_and_history() -> None:
    row = row_of({"instruction": "Do", "input": "this", "output": "done", "system": "S", "history": [["q", "a"]]})
    assert [(m["role"], m["content"]) for m in row.messages] == [
        ("system", "S"),
        ("user", "q"),
        ("assistant", "a"),
        ("user", "Do\nthis"),
        ("assistant", "done"),
    ]


def test_sharegpt_with_tool_calls_as_text_and_system() -> None:
    turns = [
        {"from": "human", "value": "Weather?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "北京"}}'},
        {"from": "observation", "value": "clear"},
        {"from": "gpt", "value": "Clear."},
    ]
    tools = '[{"type": "function", "function": {"name": "weather"}}]'
    row = row_of({"conversations": turns, "system": "S", "tools": tools})
    assert [m["role"] for m in row.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert row.messages[2]["tool_calls"] == [{"name": "weather", "arguments": {"city": "北京"}}]
    assert row.tools[0]["function"]["name"] == "weather"


def test_prompt_completion_as_lists_of_messages() -> None:
    assert row_of({"prompt": [USER], "completion": [ASSISTANT]}).messages == (USER, ASSISTANT)


def test_messages_as_json_text_as_csv_cells_hold_them() -> None:
    assert row_of({"messages": '[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]'}).messages


def test_openai_and_plain_tool_calls_become_the_same() -> None:
    plain = {"name": "f", "arguments": {"x": 1}}
    openai = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    rows = [
        row_of({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [call]}]})
        for call in (plain, openai)
    ]
    assert rows[0] == rows[1] and rows[0].messages[1]["content"] == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "broken JSON: x"),
        ({}, "its keys (none) fit no format"),
        ({"question": "Q"}, "its keys (question) fit no format"),
        ({"text": "Q", "texd": "S"}, "unknown key 'texd' for format text; did you mean 'text'?"),
        ({"messages": [{"role": "bot", "content": "Q"}]}, "messages[0]: unknown role 'bot'"),
        ({"messages": [{**USER, "colour": 1}]}, "messages[0]: unknown key 'colour'"),
        ({"messages": [USER]}, "no assistant turn"),
        ({"messages": []}, "at least one message"),
        ({"messages": None}, "at least one message"),
        ({"messages": "[{"}, "'messages' is text that is not JSON"),
        ({"messages": ["Q"]}, "messages[0] must be an object, not str"),
        ({"messages": [USER, {"role": "assistant", "content": " \n"}]}, "messages[1]: the assistant's turn is empty"),
        ({"messages": [USER, {"role": "assistant", "content": 4}]}, "messages[1]: content must be text, not int"),
        ({"instruction": "Q", "output": ""}, "the assistant's turn is empty"),
        ({"instruction": "Q", "output": 3}, "'output' must be text, not int"),
        ({"instruction": "Q", "output": "A", "history": [["q"]]}, "history[0] must be [question, answer]"),
        ({"instruction": "Q", "output": "A", "history": 5}, "history"),
        ({"prompt": "Q"}, "the assistant's turn is empty"),
        ({"text": "  "}, "'text' is empty"),
        ({"conversations": [{"from": "human"}]}, "conversations[0] needs 'from' and 'value'"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "conversations[0]: unknown role 'robot'"),
        ({"conversations": [{"from": ["gpt"], "value": "x"}]}, "conversations[0]: unknown role ['gpt']"),
        ({"conversations": 3}, "'conversations' must be a list"),
        ({**SAME["messages"], "thinking": "yes"}, "'thinking' must be true or false, not 'yes'"),
        ({**SAME["messages"], "tools": [{"name": "f"}]}, "tools[0] must be"),
    ],
)
def test_an_unusable_row_says_why(value: dict[str, Any] | None, expected: str) -> None:
    assert expected in reason_of(value)


def test_a_named_format_is_held_to() -> None:
    assert "unknown key 'prompt' for format alpaca" in reason_of(SAME["prompt_completion"], "alpaca")
    assert "format alpaca needs the key 'instruction'" in reason_of({"output": "A"}, "alpaca")


def test_thinking_may_be_a_cell_of_a_table() -> None:
    fields = {"prompt": "a", "completion": "b"}
    told = to_row(Record("t.csv", 2, {**fields, "thinking": "true"}), "t.csv:2", "auto")
    assert told.thinking is True
    with pytest.raises(RowProblem, match="thinking"):
        to_row(Record("t.csv", 3, {**fields, "thinking": "perhaps"}), "t.csv:3", "auto")
