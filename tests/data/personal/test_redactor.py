"""Redaction of whole rows: every string, every policy, an audit without values, leftovers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from danlu.data.personal import find, find_many
from danlu.data.personal import redactor as module
from danlu.data.personal.redactor import Redactor
from danlu.data.personal.spans import Span
from danlu.data.row import Dropped, Row
from danlu.recipe.redaction import RedactSection

KEY = b"k" * 32
MOBILE, CARD, NAME, MAIL = "13912345678", "6222021234567890128", "王小明", "wang@qq.com"
VALUES = (MOBILE, "139 1234 5678", CARD, NAME, MAIL)


def row(**fields: Any) -> Row:
    return Row("a.jsonl:1", "a.jsonl", 1, **fields)


FULL = row(
    messages=(
        {"role": "system", "content": f"客户{NAME}，"},
        {"role": "user", "content": f"我的电话是{MOBILE}，邮箱{MAIL}", "name": NAME},
        {
            "role": "assistant",
            "content": "好的",
            "reasoning_content": f"他的卡号{CARD}",
            "tool_calls": [
                {
                    "name": "lookup",
                    "arguments": {
                        "phone": MOBILE,
                        "number": int(MOBILE),
                        "deep": [{"mail": MAIL}],
                        "raw": json.dumps({"card": CARD, "n": 1}),
                    },
                }
            ],
        },
        {"role": "tool", "content": json.dumps({"phone": "139 1234 5678"})},
    ),
    text=f"又见{MOBILE}",
    rejected=({"role": "assistant", "content": f"找{NAME}，"},),
    tools=({"type": "function", "function": {"name": "lookup", "description": f"for example {MAIL}"}},),
    metadata={"user": NAME, "nested": {"mails": [MAIL]}, "count": 3, "flag": True},
)


def everything(item: Row | Dropped) -> str:
    return json.dumps(dataclasses.asdict(item), ensure_ascii=False)


@pytest.mark.parametrize("policy", ["tag", "mask", "pseudonym", "drop_row"])
def test_no_value_survives_anywhere_in_a_row(policy: Any) -> None:
    redacted = Redactor(RedactSection(policy=policy), KEY).redact([FULL])
    [item] = redacted.items
    for text in (everything(item), repr(redacted.findings)):
        assert not [value for value in VALUES if value in text]
    assert isinstance(item, Dropped) == (policy == "drop_row")
    if isinstance(item, Row):
        assert item.changed_by == ("redact",)
        arguments = item.messages[2]["tool_calls"][0]["arguments"]
        assert set(json.loads(arguments["raw"])) == {"card", "n"} and json.loads(arguments["raw"])["n"] == 1
        json.loads(item.messages[3]["content"])
        assert item.metadata["count"] == 3 and item.metadata["flag"] is True
        assert item.tools[0]["function"]["name"] == "lookup"
    else:
        assert item.reason == "holds BANK_CARD, CN_MOBILE, CN_NAME, EMAIL"


def test_findings_name_field_place_and_policy() -> None:
    findings = Redactor(RedactSection(policy="tag"), KEY).redact([FULL]).findings
    places = {(f.field, f.kind) for f in findings}
    assert places >= {
        ("messages[0].content", "CN_NAME"),
        ("messages[1].content", "CN_MOBILE"),
        ("messages[1].name", "CN_NAME"),
        ("messages[2].reasoning_content", "BANK_CARD"),
        ("messages[2].tool_calls[0].arguments.phone", "CN_MOBILE"),
        ("messages[2].tool_calls[0].arguments.number", "CN_MOBILE"),
        ("messages[2].tool_calls[0].arguments.deep[0].mail", "EMAIL"),
        ("messages[2].tool_calls[0].arguments.raw.card", "BANK_CARD"),
        ("messages[3].content.phone", "CN_MOBILE"),
        ("text", "CN_MOBILE"),
        ("rejected[0].content", "CN_NAME"),
        ("tools[0].function.description", "EMAIL"),
        ("metadata.user", "CN_NAME"),
        ("metadata.nested.mails[0]", "EMAIL"),
    }
    first = next(f for f in findings if f.field == "text")
    assert (first.start, first.end, first.policy, first.leftover) == (2, 13, "tag", False)
    assert FULL.text[first.start : first.end] == MOBILE


def test_the_same_value_gets_the_same_pseudonym_in_all_fields_and_rows() -> None:
    redact = Redactor(RedactSection(), KEY).redact
    [one, two] = redact([FULL, row(text=f"电话139-1234-5678，{NAME}说")]).items
    assert isinstance(one, Row) and isinstance(two, Row)
    made = one.text[2:]
    assert made in one.messages[1]["content"]
    assert one.messages[2]["tool_calls"][0]["arguments"]["number"] == int(made)
    assert f"{made[:3]}-{made[3:7]}-{made[7:]}" in two.text
    assert one.metadata["user"] in two.text


def test_batches_do_not_matter() -> None:
    rows = [FULL, row(text=f"找{NAME}，"), row(text="没有什么")]
    redact = Redactor(RedactSection(), KEY).redact
    together = redact(rows)
    apart = [redact([one]) for one in rows]
    assert together.items == [item for part in apart for item in part.items]
    assert together.findings == [f for part in apart for f in part.findings]


def test_policies_of_single_kinds() -> None:
    section = RedactSection(policy="keep", kinds={"CN_MOBILE": "tag", "EMAIL": "mask"})
    [item] = Redactor(section, KEY).redact([row(text=f"{NAME}说：{MOBILE}，{MAIL}")]).items
    assert isinstance(item, Row)
    assert item.text == f"{NAME}说：[CN_MOBILE]，w***@qq.com"


def test_an_untouched_row_is_the_row_itself() -> None:
    quiet = row(text="今天天气不错", metadata={"n": 1})
    kept = row(text=f"电话{MOBILE}")
    assert Redactor(RedactSection(), KEY).redact([quiet]).items[0] is quiet
    assert Redactor(RedactSection(policy="keep"), KEY).redact([kept]).items[0] is kept


@pytest.mark.parametrize("policy", ["tag", "mask", "pseudonym", "keep"])
def test_what_redaction_wrote_is_no_leftover(policy: Any) -> None:
    assert not [f for f in Redactor(RedactSection(policy=policy), KEY).redact([FULL]).findings if f.leftover]


def test_what_is_found_only_after_redaction_is_redacted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind_at_first(text: str, **options: Any) -> list[Span]:
        spans = find(text, **options)
        return spans[:1] if text.startswith("先") and "[" not in text else spans

    _use(monkeypatch, blind_at_first)
    done = Redactor(RedactSection(policy="tag"), KEY).redact([row(text=f"先打{MOBILE}再写{MAIL}")])
    assert [(f.kind, f.leftover, f.start) for f in done.findings] == [("CN_MOBILE", False, 2), ("EMAIL", False, 15)]
    assert [item.text for item in done.items if isinstance(item, Row)] == ["先打[CN_MOBILE]再写[EMAIL]"]


def test_what_no_scan_gets_rid_of_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(text: str, **options: Any) -> list[Span]:
        """Sees the letters x one by one: one more for each tag that stands in the text."""
        seen = text.count("[") + 1
        places = [i for i, letter in enumerate(text) if letter == "x"][: 1 if seen > 1 else seen]
        return [Span(place, place + 2, "SECRET", 0.9) for place in places]

    _use(monkeypatch, one_more)
    done = Redactor(RedactSection(policy="tag"), KEY).redact([row(text="x1 x2 x3 x4 x5")])
    assert [(f.leftover, f.start) for f in done.findings] == [(False, 0), (False, 3), (False, 6), (True, 27)]
    assert [item.text for item in done.items if isinstance(item, Row)] == ["[SECRET] [SECRET] [SECRET] x4 x5"]


def test_a_fake_name_does_not_leave_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is seen of a name only once a part of it is another name goes with it, and the same value stays the same."""

    def half_blind(text: str, **options: Any) -> list[Span]:
        at = text.find("Jeff Dionne")
        return [Span(at, at + 11, "EN_NAME", 0.65)] if at >= 0 else find(text, **options)

    _use(monkeypatch, half_blind)
    redactor = Redactor(RedactSection(policy="pseudonym"), KEY)
    done = redactor.redact([row(text="-- \nD. Jeff Dionne\nuser"), row(text="From: D. Jeff Dionne today")])
    assert [(f.leftover, f.start, f.end) for f in done.findings] == [(False, 4, 18), (False, 6, 20)]
    first, second = (item.text for item in done.items if isinstance(item, Row))
    name = first.removeprefix("-- \n").removesuffix("\nuser")
    assert second == f"From: {name} today" and "Dionne" not in name and len(name) > 5


def _use(monkeypatch: pytest.MonkeyPatch, finder: Any) -> None:
    monkeypatch.setattr(module, "find_many", lambda texts, **options: [finder(text, **options) for text in texts])


@pytest.mark.parametrize("policy", ["tag", "pseudonym", "drop_row"])
def test_rows_together_are_searched_at_once_and_end_as_each_by_itself(
    policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        row(text=f"打{MOBILE[:-1]}{n}", metadata={"user": "王秀兰", "seen": [f"电话：{MOBILE}", 3]}) for n in range(5)
    ]
    rows.append(row(text='{"to": "a@b.org"}', metadata={"note": f'["{MOBILE}", "nothing"]'}))
    alone = [Redactor(RedactSection(policy=policy), KEY).redact([one]) for one in rows]
    searches: list[int] = []

    def counted(texts: Any, **options: Any) -> list[list[Span]]:
        searches.append(len(texts))
        return find_many(texts, **options)

    monkeypatch.setattr(module, "find_many", counted)
    together = Redactor(RedactSection(policy=policy), KEY).redact(rows)
    assert together.items == [item for one in alone for item in one.items]
    assert together.findings == [finding for one in alone for finding in one.findings]
    assert len(searches) == 2 and len(together.findings) == 17  # what stands there, then what redaction made of it
