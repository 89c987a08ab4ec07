"""Evaluation sets and references: rewritten like training rows, judged by none, and no reason quotes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from danlu.data.reporting import read_report
from danlu.models.chat import ChatRenderer
from danlu.recipe import UserError

from .making import chat, prepare, section, write_jsonl
from .test_splitting import sentence

KEY = b"k" * 32
ROW_CLEANERS = (
    "normalize", "html", "opencc", "length", "repetition", "symbols", "truncated", "refusals", "prompt_echo",
)  # fmt: skip


def files(folder: Path) -> str:
    return "\n".join(path.read_bytes().decode("utf-8", "ignore") for path in folder.iterdir())


def customers(count: int) -> list[dict[str, Any]]:
    people = ("Robert Miller", "王小明", "Jane Whitfield")
    return [
        chat(f"{sentence(n, 20)} Ask {people[n % 3]} or call 13800001111.", sentence(1000 + n, 12))
        | {"metadata": {"user": people[n % 3]}}
        for n in range(count)
    ]


def reference(path: Path, **fields: Any) -> dict[str, Any]:
    return {"source": {"path": str(path)}, "permutations": 20, **fields}


def test_a_copy_of_the_training_rows_does_not_differ_from_them(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [*customers(60), chat("<b>Hello there</b>", "no")])
    clean = [{"type": "html"}, {"type": "exact_duplicates"}, {"type": "length", "min_words": 5}]
    fields = {"clean": clean, "reference": reference(path, match="slice", slice="user")}
    prepare(section(path, redact={}, **fields), renderer, tmp_path / "out", key=KEY)
    found = read_report(tmp_path / "out")["reference"]
    assert {d["verdict"] for d in found["before"]["dimensions"]} == {"no clear difference"}
    assert (found["matching"]["kept"], found["matching"]["rows"]) == (60, 60)
    assert found["left_out"] == {"length": 1} and found["before"]["reference_rows"] == 60
    said = files(tmp_path / "out").lower()
    assert not [value for value in ("miller", "whitfield", "王小明", "13800001111") if value in said]


ITEMS = {
    "redacted": chat("Please call Robert Miller at 13800138000 or mail rob.miller@corp-mail.com", "reference answer"),
    "html": chat("<p>What is the <b>capital</b> of the <i>country</i> called <b>France</b> and why so?</p>", "Paris"),
    "opencc": chat("理发店的头发剪得太短了应该怎么办才能恢复原来的样子", "参考答案"),
    "filtered": chat("Which river runs through the old town of the capital city in the north?", "no"),
}


@pytest.mark.parametrize("policy", ["tag", "pseudonym", "drop_row"])
def test_items_are_rewritten_like_training_rows_and_none_is_dropped(
    renderer: ChatRenderer, tmp_path: Path, policy: str
) -> None:
    exam = write_jsonl(tmp_path / "exam.jsonl", ITEMS.values())
    asked = [chat(item["messages"][0]["content"], f"Another answer of our own, number {n}.") for n, item in
             enumerate(ITEMS.values())]  # fmt: skip
    rows = write_jsonl(tmp_path / "rows.jsonl", [*asked, *(chat(sentence(n), sentence(50 + n)) for n in range(9))])
    config = section(
        rows,
        clean=[{"type": "html"}, {"type": "opencc", "to": "traditional"}, {"type": "length", "min_words": 5}],
        redact={"policy": policy},
        contamination={"evaluation_sets": [{"path": str(exam)}]},
    )
    prepare(config, renderer, tmp_path / "out", key=KEY)
    found = read_report(tmp_path / "out")["contamination"]
    dirty = [name for name in ITEMS if policy != "drop_row" or name != "redacted"]  # that training row is gone anyway
    assert found["sets"]["exam.jsonl"]["items"] == len(ITEMS) and found["training_rows"] == len(dirty)
    ids = [f"exam.jsonl:{1 + list(ITEMS).index(name)}" for name in dirty]
    assert found["sets"]["exam.jsonl"]["examples"] == ids and found["sets"]["exam.jsonl"]["unusable"] == 0


BAD: list[Any] = [
    {"messages": [{"role": "王小明 13812345678", "content": "x"}]},
    {"电话13812345678": "x", "li.lei@corp-mail.com": 1},
    '{"text": "call 13812345678',
]


def compared(where: str, path: Path, **fields: Any) -> dict[str, Any]:
    if where == "data.reference.source":
        return {"reference": reference(path), **fields}
    return {"contamination": {"evaluation_sets": [{"path": str(path)}]}, **fields}


@pytest.mark.parametrize("where", ["data.reference.source", "data.contamination.evaluation_sets"])
def test_bad_rows_follow_the_recipe_and_are_told_without_values(
    renderer: ChatRenderer, tmp_path: Path, where: str
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", customers(30))
    path = write_jsonl(tmp_path / "other.jsonl", [*BAD[:2], chat("What is the capital of France?", "Paris"), BAD[2]])
    with pytest.raises(UserError, match=r"3 rows cannot be used:\n  other.jsonl:1: .*unknown role") as caught:
        prepare(section(rows, **compared(where, path)), renderer, tmp_path / "failed")
    assert caught.value.where == where
    assert not [value for value in ("13812345678", "王小明", "corp-mail") if value in str(caught.value)]
    prepare(section(rows, **compared(where, path, on_bad_row="drop")), renderer, tmp_path / "out")
    report = read_report(tmp_path / "out")
    if where == "data.reference.source":
        assert report["reference"]["left_out"] == {"read": 3}
        assert report["reference"]["before"]["reference_rows"] == 1
    else:
        found = report["contamination"]["sets"]["other.jsonl"]
        assert (found["items"], found["unusable"]) == (1, 3)


def test_prompts_alone_are_a_reference_and_an_evaluation_set(renderer: ChatRenderer, tmp_path: Path) -> None:
    questions = [f"{sentence(n, 20)}?" for n in range(40)]
    rows = write_jsonl(tmp_path / "rows.jsonl", [chat(q, f"{sentence(900 + n, 12)}.") for n, q in enumerate(questions)])
    shapes: list[Any] = [{"messages": [{"role": "user", "content": q}]} for q in questions[:10]]
    shapes += [{"prompt": q} for q in questions[10:20]] + [{"instruction": q} for q in questions[20:30]]
    shapes += [{"text": q} for q in questions[30:]]
    path = write_jsonl(tmp_path / "prompts.jsonl", shapes)
    config = section(
        rows,
        clean=[{"type": name} for name in ROW_CLEANERS],
        redact={"policy": "tag"},
        reference=reference(path),
        contamination={"evaluation_sets": [{"path": str(path)}], "on_found": "report"},
    )
    prepare(config, renderer, tmp_path / "out")
    report = read_report(tmp_path / "out")
    verdicts = {d["name"]: d["verdict"] for d in report["reference"]["before"]["dimensions"]}
    assert report["reference"]["before"]["reference_rows"] == 40 and verdicts["length"] == "no clear difference"
    assert report["contamination"]["sets"]["prompts.jsonl"]["dirty"] == 40


def test_a_row_that_asks_nothing_is_no_prompt(renderer: ChatRenderer, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", customers(9))
    path = write_jsonl(tmp_path / "other.jsonl", [{"messages": [{"role": "user", "content": " "}]}])
    with pytest.raises(UserError, match="asks nothing"):
        prepare(section(rows, reference=reference(path)), renderer, tmp_path / "out")
