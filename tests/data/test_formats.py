"""Formats: detected or named, brought to one shape, refused with the reason."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from danlu.data.formats import DETECTED_BY, REQUIRED, RowProblem, detect_format, to_row
from danlu.data.row import Record, Row
from danlu.data.shapes import EVERYWHERE, KEYS, READERS
from danlu.data.shards import dump_row, load_row
from danlu.recipe.sources import ROW_KEYS, JsonlSource

USER, ASSISTANT = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
BAD = {"role": "assistant", "content": "B"}
HUMAN, GPT = {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}
SYSTEM = {"role": "system", "content": "S"}

SAME: dict[str, dict[str, Any]] = {
    "messages": {"messages": [USER, ASSISTANT]},
    "alpaca": {"instruction": "Q", "input": "", "output": "A"},
    "sharegpt": {"conversations": [HUMAN, GPT]},
    "prompt_completion": {"prompt": "Q", "completion": "A"},
}


def row_of(value: dict[str, Any], **source: Any) -> Row:
    config = JsonlSource.model_validate({"path": "a.jsonl", **source})
    return to_row(Record("a.jsonl", 3, value), "a.jsonl:3", config)


def reason_of(value: dict[str, Any] | None, **source: Any) -> str:
    config = JsonlSource.model_validate({"path": "a.jsonl", **source})
    with pytest.raises(RowProblem) as error:
        to_row(Record("a.jsonl", 3, value, "broken JSON: x" if value is None else ""), "a.jsonl:3", config)
    return str(error.value)


def turns(row: Row) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in row.messages]


# -- which format ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SAME))
@pytest.mark.parametrize("named", [False, True], ids=["detected", "named"])
def test_every_format_gives_the_same_conversation(name: str, named: bool) -> None:
    assert detect_format(SAME[name]) == name
    row = row_of(SAME[name], format=name if named else "auto")
    assert row == Row("a.jsonl:3", "a.jsonl", 3, messages=(USER, ASSISTANT))


def test_text_and_the_tables_agree() -> None:
    assert row_of({"text": " one\n"}).text == " one\n"
    assert set(KEYS) == set(REQUIRED) == set(READERS) == {name for _, name in DETECTED_BY}
    assert all(key in KEYS[name] for name in KEYS for key in REQUIRED[name])
    assert all(key in KEYS[name] for key, name in DETECTED_BY)
    assert set().union(*KEYS.values()) | EVERYWHERE == ROW_KEYS


@pytest.mark.parametrize(("first", "second"), list(combinations([key for key, _ in DETECTED_BY], 2)))
def test_a_row_of_two_formats_is_one_of_them_in_whole_or_refused(first: str, second: str) -> None:
    name = dict(DETECTED_BY)[first]
    assert detect_format({first, second}) == detect_format({second, first}) == name
    if second not in KEYS[name]:
        assert f"unknown key '{second}' for format {name}" in reason_of({first: "x", second: "y"})


def test_a_named_format_is_held_to() -> None:
    assert "unknown key 'prompt' for format alpaca" in reason_of(SAME["prompt_completion"], format="alpaca")
    assert "format alpaca needs the key 'instruction'" in reason_of({"output": "A"}, format="alpaca")
    assert "unknown key 'label' for format text" in reason_of({"text": "Q", "label": "x"}, format="text")


def test_the_examples_of_the_page_are_read_as_it_says() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "data" / "sources.md").read_text(encoding="utf-8")
    examples = re.findall(r"<!-- format: (\w+) -->\n```json\n(.*?)```", page, re.DOTALL)
    for name, text in examples:
        value = json.loads(text)
        assert detect_format(value) == name and row_of(value, format=name) == row_of(value)
    assert {name for name, _ in examples} == set(KEYS)
    order = [key for key, _ in DETECTED_BY]
    sentence = page.partition("that it has: ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", sentence) == order


# -- dialects --------------------------------------------------------------------------------------------------------


def test_alpaca_with_input_system_and_history() -> None:
    row = row_of({"instruction": "Do", "input": "this", "output": "done", "system": "S", "history": [["q", "a"]]})
    assert turns(row) == [
        ("system", "S"),
        ("user", "q"),
        ("assistant", "a"),
        ("user", "Do\nthis"),
        ("assistant", "done"),
    ]


def test_query_and_response_are_alpaca_by_another_name() -> None:
    row = row_of({"query": "Q", "response": "A", "system": "S", "history": [["q", "a"]]})
    assert turns(row) == [("system", "S"), ("user", "q"), ("assistant", "a"), ("user", "Q"), ("assistant", "A")]
    assert "two dialects" in reason_of({"query": "Q", "response": "A", "output": "B"})


def test_sharegpt_with_tool_calls_as_text_and_system() -> None:
    conversation = [
        {"from": "human", "value": "Weather?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "北京"}}'},
        {"from": "observation", "value": "clear"},
        {"from": "gpt", "value": "Clear.", "weight": None},
    ]
    for tools in (
        '[{"type": "function", "function": {"name": "weather"}}]',
        '[{"name": "weather"}]',
        [{"name": "weather"}],
    ):
        row = row_of({"conversations": conversation, "system": "S", "tools": tools})
        assert [m["role"] for m in row.messages] == ["system", "user", "assistant", "tool", "assistant"]
        assert row.messages[2]["tool_calls"] == [{"name": "weather", "arguments": {"city": "北京"}}]
        assert row.tools == ({"type": "function", "function": {"name": "weather"}},)


def test_sharegpt_with_roles_and_contents() -> None:
    row = row_of({"conversations": [SYSTEM, {"role": "human", "content": "Q"}, {"role": "gpt", "content": "A"}]})
    assert row.messages == (SYSTEM, USER, ASSISTANT)
    call = {"name": "f", "arguments": {"x": 1}}
    row = row_of({"conversations": [USER, {"role": "assistant", "content": "", "tool_calls": [call]}]})
    assert row.messages[1]["tool_calls"] == [call]


def test_prompt_completion_as_lists_of_messages() -> None:
    assert row_of({"prompt": [USER], "completion": [ASSISTANT]}).messages == (USER, ASSISTANT)


def test_messages_and_tools_as_json_text_as_csv_cells_hold_them() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    text = '[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]'
    row = row_of(
        {"messages": text, "tools": '[{"type": "function", "function": {"name": "f"}}]', "metadata": '{"a": 1}'}
    )
    assert row.messages == (USER, ASSISTANT) and row.tools == (tool,) and row.metadata == {"a": 1}
    assert row_of({"messages": text, "tools": " "}).tools == ()


def test_openai_and_plain_tool_calls_become_the_same() -> None:
    plain = {"name": "f", "arguments": {"x": 1}}
    openai = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    rows = [
        row_of({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [call]}]})
        for call in (plain, openai)
    ]
    assert rows[0] == rows[1] and rows[0].messages[1]["content"] == ""


@pytest.mark.parametrize("name", ["messages", "conversations"])
def test_contents_in_parts_survive(name: str) -> None:
    parts = [{"type": "text", "text": "一"}, {"type": "text", "text": " two"}]
    row = row_of({name: [{"role": "user", "content": parts}, ASSISTANT]})
    assert row.messages[0]["content"] == "一 two"
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    assert "messages[0]: content parts must be" in reason_of({name: [{"role": "user", "content": image}, ASSISTANT]})
    shared = row_of({"conversations": [{"from": "human", "value": parts}, GPT]})
    assert shared.messages == row.messages


# -- classification --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ({"label": "好"}, ("好",)),
        ({"label": 3}, ("3",)),
        ({"label": 0}, ("0",)),
        ({"label": True}, ("true",)),
        ({"label": False}, ("false",)),
        ({"labels": ["a", 2, "a", True]}, ("2", "a", "true")),
        ({"labels": '["b", "a"]'}, ("a", "b")),
    ],
)
def test_labels_become_text_and_the_answer(given: dict[str, Any], labels: tuple[str, ...]) -> None:
    row = row_of({"text": "很好吃", **given})
    assert row.labels == labels
    assert turns(row) == [("user", "很好吃"), ("assistant", ", ".join(labels))]


@pytest.mark.parametrize("given", [[], "[]"])
def test_a_row_of_no_class_says_so(given: Any) -> None:
    row = row_of({"text": "很好吃", "labels": given})
    assert row.labels == () and row.no_label and row.classified
    assert turns(row) == [("user", "很好吃"), ("assistant", "none")]
    assert load_row(dump_row(row)) == row
    assert not row_of({"text": "很好吃", "label": "b"}).no_label


def test_a_prompt_asks_about_the_text_whatever_is_in_it() -> None:
    row = row_of({"text": "{text} {0} {x}", "label": "b", "system": "S"}, prompt="Good? <{text}> {}")
    assert turns(row) == [("system", "S"), ("user", "Good? <{text} {0} {x}> {}"), ("assistant", "b")]


def test_a_missing_label_is_no_row_of_plain_text() -> None:
    columns = {"text": "review", "label": "stars"}
    row = row_of({"review": "好", "stars": 5, "user": "u1", "text": "other"}, columns=columns)
    assert row.labels == ("5",) and row.messages[0]["content"] == "好"
    assert row.metadata == {"user": "u1", "text": "other"}
    assert "needs the key 'label'" in reason_of({"review": "好"}, columns=columns)


# -- preference ------------------------------------------------------------------------------------------------------

PREFERRED: dict[str, dict[str, Any]] = {
    "trl text": {"prompt": "Q", "chosen": "A", "rejected": "B"},
    "trl messages": {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [BAD]},
    "trl implicit": {"chosen": [USER, ASSISTANT], "rejected": [USER, BAD]},
    "text and whole conversations": {"prompt": "Q", "chosen": [USER, ASSISTANT], "rejected": [USER, BAD]},
    "llama-factory alpaca": {"instruction": "Q", "input": "", "chosen": "A", "rejected": "B"},
    "llama-factory sharegpt": {"conversations": [HUMAN], "chosen": GPT, "rejected": {"from": "gpt", "value": "B"}},
    "one message each": {"prompt": "Q", "chosen": ASSISTANT, "rejected": BAD},
}


@pytest.mark.parametrize("value", PREFERRED.values(), ids=PREFERRED)
@pytest.mark.parametrize("system", [False, True])
def test_preferences_in_every_dialect_are_the_same_row(value: dict[str, Any], system: bool) -> None:
    row = row_of({**value, "system": "S"} if system else value)
    assert row.messages == ((SYSTEM,) if system else ()) + (USER, ASSISTANT) and row.rejected == (BAD,)


def test_a_preference_may_part_late_and_answer_with_tools() -> None:
    first = [SYSTEM, USER, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "And?"}]
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]}
    told = {"role": "tool", "content": "42"}
    row = row_of({"prompt": "And?", "chosen": [*first, call, told, ASSISTANT], "rejected": [*first, BAD]})
    assert row.messages == (*first, call, told, ASSISTANT) and row.rejected == (BAD,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"prompt": "Q", "chosen": "A"}, "format preference needs the key 'rejected'"),
        ({"prompt": "Q", "rejected": "A"}, "format preference needs the key 'chosen'"),
        ({"prompt": "Q", "chosen": "A", "rejected": "A"}, "are the same"),
        ({"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]}, "are the same"),
        ({"chosen": [USER, ASSISTANT], "rejected": [USER]}, "'rejected' must be an answer"),
        ({"chosen": [USER, ASSISTANT], "rejected": [{**USER, "content": "P"}, BAD]}, "'chosen' must be an answer"),
        ({"prompt": "P", "chosen": [USER, ASSISTANT], "rejected": [USER, BAD]}, "another question"),
        ({"chosen": "A", "rejected": "B"}, "needs a 'prompt'"),
        ({"prompt": "Q", "instruction": "Q", "chosen": "A", "rejected": "B"}, "asks twice: 'prompt' and 'instruction'"),
        ({"prompt": "Q", "chosen": 3, "rejected": "B"}, "'chosen' must be text, a message or a list"),
        ({"prompt": "Q", "chosen": "A", "rejected": " "}, "rejected[0]: the assistant's turn is empty"),
        ({"prompt": "Q", "chosen": "", "rejected": "B"}, "messages[1]: the assistant's turn is empty"),
        ({"prompt": "Q", "chosen": [], "rejected": "B"}, "'messages' must be a list"),
        ({"prompt": "Q", "chosen": [{"role": "assistant", "content": 4}], "rejected": "B"}, "chosen[0]: content must"),
    ],
)
def test_a_preference_that_prefers_nothing_is_refused(value: dict[str, Any], expected: str) -> None:
    assert expected.replace("'messages'", "'chosen'") in reason_of(value)


# -- columns, metadata -----------------------------------------------------------------------------------------------


def test_id_and_metadata_are_kept() -> None:
    row = row_of({**SAME["messages"], "id": 7, "metadata": {"user": "u1"}})
    assert row.metadata == {"user": "u1", "id": 7}
    assert row_of({**SAME["messages"], "id": 7, "metadata": {"id": 7}}).metadata == {"id": 7}
    assert "'id' stands in the row and in its metadata" in reason_of(
        {**SAME["messages"], "id": 7, "metadata": {"id": 8}}
    )
    assert "'metadata' must be an object, not list" in reason_of({**SAME["messages"], "metadata": [1]})


def test_columns_rename_and_other_keys_go_to_metadata() -> None:
    value = {"question": "Q", "answer": "A", "user": "u1", "score": None, "metadata": {"day": 3}}
    row = row_of(value, columns={"prompt": "question", "completion": "answer"})
    assert row.messages == (USER, ASSISTANT)
    assert row.metadata == {"user": "u1", "score": None, "day": 3}
    assert "its keys (answer, metadata, question, score, user) fit no format" in reason_of(value)


def test_one_column_may_stand_for_two_keys_and_a_missing_one_is_told() -> None:
    assert row_of({"t": "x"}, columns={"text": "t", "id": "t"}).metadata == {"id": "x"}
    assert "format text needs the key 'text'" in reason_of({"u": "x"}, columns={"text": "t"})


def test_an_unknown_key_without_a_value_is_nothing_lost() -> None:
    assert row_of({**SAME["messages"], "score": None}).messages == (USER, ASSISTANT)


# -- bad rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "broken JSON: x"),
        ({}, "its keys (none) fit no format"),
        ({"question": "Q"}, "its keys (question) fit no format"),
        ({"text": "Q", "texd": "S"}, "unknown key 'texd' for format text; did you mean 'text'?"),
        ({"messages": [{"role": "bot", "content": "Q"}]}, "messages[0]: unknown role"),
        ({"messages": [{**USER, "colour": 1}]}, "messages[0]: unknown key 'colour'"),
        ({"messages": [USER]}, "no assistant turn"),
        ({"messages": []}, "at least one message"),
        ({"messages": None}, "at least one message"),
        ({"messages": "[{"}, "'messages' is text that is not JSON"),
        ({"messages": "[" * 100_000}, "'messages' is text that is not JSON"),
        ({"messages": "[NaN]"}, "NaN is no JSON value"),
        ({"messages": "[18446744073709551616]"}, "beyond 64 bits"),
        ({"messages": ["Q"]}, "messages[0] must be an object, not str"),
        ({"messages": [USER, {"role": "assistant", "content": " \n"}]}, "messages[1]: the assistant's turn is empty"),
        ({"messages": [USER, {"role": "assistant", "content": 4}]}, "messages[1]: content must be text, not int"),
        ({"instruction": "Q", "output": ""}, "the assistant's turn is empty"),
        ({"instruction": "Q", "output": 3}, "'output' must be text, not int"),
        ({"instruction": "Q", "output": "A", "history": [["q"]]}, "history[0] must be [question, answer]"),
        ({"instruction": "Q", "output": "A", "history": 5}, "history"),
        ({"prompt": "Q"}, "the assistant's turn is empty"),
        ({"text": "  "}, "'text' is empty"),
        ({"text": " ", "label": "a"}, "'text' is empty"),
        ({"text": "a", "label": " "}, "'label' is empty"),
        ({"text": "a", "label": None}, "'label' must be text, a number, true or false, not NoneType"),
        ({"text": "a", "labels": None}, "'labels' with a list (empty: no class)"),
        ({"text": "a", "labels": "b"}, "'labels' is text that is not JSON"),
        ({"text": "a", "labels": [{}]}, "'labels[0]' must be text"),
        ({"text": "a", "label": "b", "labels": ["b"]}, "both 'label' and 'labels'"),
        ({"conversations": [{"from": "human"}]}, "conversations[0] needs 'from' and 'value'"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "conversations[0]: unknown role; known: assistant"),
        ({"conversations": [{"from": ["gpt"], "value": "x"}]}, "conversations[0]: unknown role"),
        ({"conversations": [{**HUMAN, "weight": 0}]}, "conversations[0]: unknown key 'weight'"),
        (
            {"conversations": [{"from": "function_call", "value": "{"}]},
            "conversations[0].value' is text that is not JSON",
        ),
        ({"conversations": 3}, "'conversations' must be a list"),
        ({**SAME["messages"], "thinking": "yes"}, "'thinking' must be true or false"),
        ({**SAME["messages"], "desirable": "rather"}, "'desirable' must be true or false"),
        ({**SAME["messages"], "weight": "heavy"}, "'weight' must be a number"),
        ({**SAME["messages"], "weight": 0}, "'weight' must be a number above 0"),
        (
            {"messages": [{"role": "user", "content": "a", "weight": 1}]},
            "only an assistant message can have a 'weight'",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": -1}]},
            "'weight' must be a number of at least 0",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]},
            "every assistant turn has the weight 0",
        ),
        ({**SAME["messages"], "tools": [{"name": "f"}]}, "tools[0] must be"),
    ],
)
def test_an_unusable_row_says_why(value: dict[str, Any] | None, expected: str) -> None:
    assert expected in reason_of(value)


@pytest.mark.parametrize("arguments", ['{"n": 123456789012345678901234567890}', '{"n": NaN}'])
def test_tool_arguments_that_json_cannot_hold_are_refused(arguments: str) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    reason = reason_of({"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [call]}]})
    assert "messages[1]: a tool call holds NaN or a number beyond 64 bits" in reason


def test_reasons_quote_no_text_of_the_row() -> None:
    name = "张伟13800138000"
    for value in (
        {"conversations": [{"from": name, "value": name}]},
        {"text": name, "label": [name]},
        {"messages": name},
        {"messages": [USER, ASSISTANT], "thinking": name},
        {"messages": [USER, ASSISTANT], "metadata": name},
        {"prompt": "Q", "chosen": name, "rejected": name},
        {"instruction": name, "output": "A", "history": [name]},
    ):
        assert name not in reason_of(value)


def test_thinking_may_be_a_cell_of_a_table() -> None:
    assert row_of({"prompt": "a", "completion": "b", "thinking": "true"}).thinking is True
    assert row_of({"prompt": "a", "completion": "b", "thinking": "False"}).thinking is False
