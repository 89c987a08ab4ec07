"""What is redacted where a row holds it: labels, keys, numbers with a point, and again in other places of the row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from danlu.data.personal.redactor import Finding, Redactor
from danlu.data.personal.told_values import is_telling
from danlu.data.row import Row
from danlu.recipe.redaction import RedactSection

KEY = b"k" * 32
MOBILE, MAIL, NAME = "13912345678", "zhang.wei@example-corp.com", "王小明"


def redacted(policy: str = "tag", **fields: Any) -> tuple[Row, list[Finding]]:
    done = Redactor(RedactSection(policy=policy), KEY).redact([Row("a.jsonl:1", "a.jsonl", 1, **fields)])  # type: ignore[arg-type]
    [item] = done.items
    assert isinstance(item, Row)
    return item, done.findings


def labelled(*labels: str) -> dict[str, Any]:
    question = {"role": "user", "content": "who is meant?"}
    return {"labels": labels, "messages": (question, {"role": "assistant", "content": ", ".join(labels)})}


def turns(*contents: str) -> tuple[dict[str, Any], ...]:
    return tuple({"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents))


# -- labels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["tag", "mask", "pseudonym"])
@pytest.mark.parametrize("labels", [("张伟",), (MOBILE,), (f"{MOBILE}.0",), ("billing", "张伟", "Robert Miller")])
def test_a_label_is_redacted_like_the_answer_that_spells_it_out(policy: str, labels: tuple[str, ...]) -> None:
    row, findings = redacted(policy, **labelled(*labels))
    assert all(new != old for new, old in zip(row.labels, labels, strict=True) if old != "billing")
    assert row.messages[-1]["content"] == ", ".join(row.labels)
    assert not [value for value in ("张伟", MOBILE, "Miller") if value in str(row)]
    first = next(i for i, label in enumerate(labels) if label != "billing")
    assert {f.field for f in findings} >= {f"labels[{first}]", "messages[1].content"}
    answer = ", ".join(labels)
    for place, texts in (("messages[1].content", [answer] * len(findings)), ("labels[", list(labels))):
        mine = [f for f in findings if f.field.startswith(place)]
        assert len(mine) == sum(label != "billing" for label in labels)
        for found in mine:
            index = int(found.field[7]) if place == "labels[" else 0
            assert texts[index][found.start : found.end] in (*labels, MOBILE)


def test_a_label_becomes_the_same_in_every_row() -> None:
    redact = Redactor(RedactSection(), KEY).redact
    rows = [Row(f"a:{n}", "a", n, **labelled(label)) for n, label in enumerate(("张伟", "李晓明", "张伟", "spam"))]
    labels = [item.labels[0] for item in redact(rows).items if isinstance(item, Row)]
    assert labels[0] == labels[2] != labels[1] and labels[3] == "spam"


def test_rewritten_labels_are_told_apart_without_their_values() -> None:
    rows = [Row(f"a:{n}", "a", n, **labelled(label)) for n, label in enumerate(("张伟", "李晓明", "张伟", "spam"))]
    labels = Redactor(RedactSection(policy="tag"), KEY).redact(rows).labels
    assert {(label.label, label.kinds) for label in labels} == {("[CN_NAME]", "CN_NAME")} and len(labels) == 2
    assert labels.isdisjoint(Redactor(RedactSection(policy="tag"), b"other").redact(rows).labels), "the hash is keyed"


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["tag", "mask", "pseudonym"])
def test_keys_go_like_values_and_no_path_holds_one(policy: str) -> None:
    call = {"name": "f", "arguments": {MOBILE: "x", "to": {NAME: 1}}}
    row, findings = redacted(
        policy,
        messages=(
            *turns("hello"),
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": json.dumps({MAIL: {"n": 1}})},
            *turns("?", "ok")[1:],
        ),
        metadata={MOBILE: "key", "nested": {MAIL: f"called {MOBILE}"}, "plain": 1},
    )
    assert not [value for value in (MOBILE, MAIL, NAME) if value in str(row) or value in str(findings)]
    assert list(row.metadata)[1:] == ["nested", "plain"] and row.metadata["plain"] == 1
    assert {f.field for f in findings} == {
        "messages[1].tool_calls[0].arguments.[CN_MOBILE] (key)",
        "messages[1].tool_calls[0].arguments.to.[CN_NAME] (key)",
        "messages[2].content.[EMAIL] (key)",
        "metadata.[CN_MOBILE] (key)",
        "metadata.nested.[EMAIL] (key)",
        "metadata.nested.[EMAIL]",
    }


def test_a_path_holds_no_value_that_the_recipe_keeps() -> None:
    section = RedactSection(policy="keep")
    row = Row("a:1", "a", 1, metadata={MOBILE: MAIL})
    [item] = Redactor(section, KEY).redact([row]).items
    assert item is row
    assert MOBILE not in str(Redactor(section, KEY).redact([row]).findings)


def test_two_keys_never_become_one() -> None:
    row, _ = redacted(metadata={MOBILE: 1, "13912345679": 2, "[CN_MOBILE]_2": 3, "[CN_MOBILE]": 4})
    assert sorted(row.metadata.values()) == [1, 2, 3, 4]
    assert set(row.metadata) == {"[CN_MOBILE]_3", "[CN_MOBILE]_4", "[CN_MOBILE]_2", "[CN_MOBILE]"}


def test_what_something_is_called_by_keeps_what_looks_like_a_name() -> None:
    properties = {"王小明": {"type": "string", "description": f"of {NAME}，"}, MOBILE: {"type": "string"}}
    described = {"name": "王小明", "parameters": {"type": "object", "properties": properties, "required": [MOBILE]}}
    call = {"name": "王小明", "arguments": {"王小明": 1, MOBILE: 2}}
    row, _ = redacted(
        tools=({"type": "function", "function": described},),
        messages=(*turns("hello"), {"role": "assistant", "content": "", "tool_calls": [call]}),
    )
    function = row.tools[0]["function"]
    assert function["name"] == row.messages[1]["tool_calls"][0]["name"] == "王小明"
    assert list(function["parameters"]["properties"]) == ["王小明", "[CN_MOBILE]"]
    assert function["parameters"]["required"] == ["[CN_MOBILE]"]
    assert function["parameters"]["properties"]["王小明"]["description"] == "of [CN_NAME]，"
    assert row.messages[1]["tool_calls"][0]["arguments"] == {"王小明": 1, "[CN_MOBILE]": 2}


def test_a_parameter_named_type_is_described_like_any_other() -> None:
    properties = {"type": {"description": f"such as {MOBILE}"}, "name": {"description": f"such as {MAIL}"}}
    row, _ = redacted(tools=({"function": {"name": "f", "parameters": {"properties": properties}}},))
    assert MOBILE not in str(row.tools) and MAIL not in str(row.tools)


# -- numbers with a point ------------------------------------------------------------------------------------------


def test_a_whole_number_with_a_point_is_a_number() -> None:
    fields: dict[str, Any] = {
        "metadata": {
            "phone": float(MOBILE),
            "text": f"{MOBILE}.0",
            "price": 1234567.5,
            "big": 1e300,
            "nan": float("nan"),
        },
        "messages": ({"role": "tool", "content": f'{{"v": {MOBILE}.0}}'},),
    }
    row, _ = redacted(**fields)
    assert (row.metadata["phone"], row.metadata["text"]) == ("[CN_MOBILE]", "[CN_MOBILE].0")
    assert (row.metadata["price"], row.metadata["big"]) == (1234567.5, 1e300)
    assert json.loads(row.messages[0]["content"]) == {"v": "[CN_MOBILE]"}
    row, _ = redacted("pseudonym", **fields)
    made = row.metadata["phone"]
    assert isinstance(made, float) and made != float(MOBILE) and len(str(int(made))) == 11
    assert row.metadata["text"] == f"{int(made)}.0"


# -- the same value again ------------------------------------------------------------------------------------------


def test_what_is_found_in_one_place_goes_in_all_places_of_the_row() -> None:
    password = "Tr0ub4dor&3"
    row, findings = redacted(
        messages=turns(f"My password is {password}", f"OK, I stored {password} for you."),
        rejected=({"role": "assistant", "content": f"No {password}x, but {password}."},),
        metadata={"note": password, "user": "Jane Miller", "log": "jane miller or Jane Miller or Jane"},
    )
    assert row.messages[1]["content"] == "OK, I stored [SECRET] for you."
    assert row.rejected[0]["content"] == f"No {password}x, but [SECRET]."
    assert row.metadata == {"note": "[SECRET]", "user": "[EN_NAME]", "log": "jane miller or [EN_NAME] or Jane"}
    assert ("messages[1].content", 13, 24, "SECRET") in {(f.field, f.start, f.end, f.kind) for f in findings}
    assert not [f for f in findings if f.leftover]


def test_a_pseudonym_is_the_same_in_all_places() -> None:
    row, _ = redacted("pseudonym", messages=turns("我的密码是hunter2xyz9", "好的，已经设置为 hunter2xyz9。"))
    made = row.messages[0]["content"].removeprefix("我的密码是")
    assert made != "hunter2xyz9" and row.messages[1]["content"] == f"好的，已经设置为 {made}。"


def test_rows_do_not_tell_each_other() -> None:
    rows = [Row(f"a:{n}", "a", n, text=text) for n, text in enumerate(("my password is Tr0ub4dor&3", "so Tr0ub4dor&3"))]
    items = Redactor(RedactSection(policy="tag"), KEY).redact(rows).items
    assert items[1] is rows[1]


@pytest.mark.parametrize(
    ("value", "kind", "telling"),
    [
        ("Tr0ub4dor&3", "SECRET", True),
        ("P@ssword", "SECRET", True),
        ("sWordFish", "SECRET", True),
        ("dragon", "SECRET", False),
        ("Dragon", "SECRET", False),
        ("芝麻开门吧芝麻", "SECRET", False),
        ("correcthorsebatterystaple", "SECRET", True),
        ("1234", "SECRET", False),
        ("384920", "SECRET", True),
        ("Jordan", "EN_NAME", False),
        ("Jane Miller", "EN_NAME", True),
        ("高兴", "CN_NAME", False),
        ("王小明", "CN_NAME", True),
        (MOBILE, "CN_MOBILE", True),
        ("::1", "IP", False),
    ],
)
def test_only_values_that_mean_the_same_everywhere_are_sought_again(value: str, kind: Any, telling: bool) -> None:
    assert is_telling(value, kind) == telling
