"""The data stage from source files to the artifact: bad rows, long rows, duplicates, and several sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from danlu.data.dataset import load_rows, load_samples
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import DataSection
from danlu.recipe.errors import UserError
from tests.data.making import chat, ledger_rows, prepare, section, write_jsonl

BAD: dict[str, Any] = {
    "broken JSON": '{"messages": [',
    "unknown key 'mesages'": {"messages": chat("Q")["messages"], "mesages": 1},
    "unknown role 'bot'": {"messages": [{"role": "bot", "content": "Q"}]},
    "has no assistant turn": {"messages": [{"role": "user", "content": "Q"}]},
    "the assistant's turn is empty": chat("Q", " "),
}
LONG = chat("Please write: " + "claim insurance " * 40, "The end.")


@pytest.mark.parametrize("reason", sorted(BAD))
def test_a_bad_row_fails_with_file_line_and_reason(renderer: ChatRenderer, tmp_path: Path, reason: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), "", BAD[reason], chat("b")])
    with pytest.raises(UserError) as error:
        prepare(section(path), renderer, tmp_path / "out")
    assert error.value.reason.startswith("1 rows cannot be used:\n  rows.jsonl:3: ")
    assert reason in error.value.reason
    assert "data.on_bad_row: drop" in error.value.fix


def test_failing_lists_the_first_twenty_and_the_count(renderer: ChatRenderer, tmp_path: Path) -> None:
    kinds = list(BAD.values())
    records = [record for index in range(25) for record in (chat(f"good {index}"), kinds[index % len(kinds)])]
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    with pytest.raises(UserError) as error:
        prepare(section(path), renderer, tmp_path / "out")
    head, *listed, last = error.value.reason.splitlines()
    assert head == "25 rows cannot be used:"
    assert [line.strip().split(": ")[0] for line in listed] == [f"rows.jsonl:{2 * n}" for n in range(1, 21)]
    assert last.strip() == "... and 5 more"


def test_dropping_books_bad_rows_by_kind(renderer: ChatRenderer, tmp_path: Path) -> None:
    records = [chat("good"), *BAD.values(), *BAD.values()]
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    summary = prepare(section(path, on_bad_row="drop"), renderer, tmp_path / "out")
    assert summary["fates"] == {"kept": 1, "changed": 0, "truncated": 0, "dropped": 10}
    dropped = summary["steps"][0]["dropped"]
    assert summary["steps"][0]["step"] == "read" and set(dropped.values()) == {2} and len(dropped) == len(BAD)
    for reason in BAD:
        assert any(reason in kind for kind in dropped)
    booked = [entry for entry in ledger_rows(tmp_path / "out") if entry["fate"] == "dropped"]
    assert [entry["line"] for entry in booked] == list(range(2, 12))
    assert all(entry["row_id"] == f"rows.jsonl:{entry['line']}" and entry["step"] == "read" for entry in booked)


def test_a_row_that_cleaning_leaves_empty_is_a_bad_row(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), chat("b", "\u200b"), {"text": "\ufeff\u200b"}])
    with pytest.raises(UserError, match=r"2 rows cannot be used"):
        prepare(section(path), renderer, tmp_path / "failed")
    summary = prepare(section(path, on_bad_row="drop"), renderer, tmp_path / "out")
    assert summary["fates"]["dropped"] == 2


def test_duplicates_are_dropped_after_normalisation(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("café"), chat("cafe\u0301 "), chat("cafe")])
    prepare(section(path), renderer, tmp_path / "out")
    fates = [(entry["row_id"], entry["fate"], entry["reason"]) for entry in ledger_rows(tmp_path / "out")]
    assert sorted(fates) == [
        ("rows.jsonl:1", "kept", ""),
        ("rows.jsonl:2", "dropped", "same as rows.jsonl:1"),
        ("rows.jsonl:3", "kept", ""),
    ]


def test_long_rows_fail_by_default(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), LONG])
    with pytest.raises(UserError, match=r"1 rows are too long:\n  rows.jsonl:2: longer than 40 tokens: \d+") as error:
        prepare(section(path, max_tokens=40), renderer, tmp_path / "out")
    assert "on_too_long" in error.value.fix


def test_long_rows_are_dropped_when_told(renderer: ChatRenderer, tmp_path: Path) -> None:
    longer = chat("Please write: " + "claim insurance " * 60)
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), LONG, longer])
    summary = prepare(section(path, max_tokens=40, on_too_long="drop"), renderer, tmp_path / "out")
    assert summary["steps"][-1]["dropped"] == {"longer than 40 tokens": 2}


def test_truncated_rows_keep_what_is_learned_inside_the_limit(renderer: ChatRenderer, tmp_path: Path) -> None:
    talk = [turn for index in range(6) for turn in chat(f"Question {index}", "A short answer " * 3)["messages"]]
    records = [{"messages": talk}, chat("Write", "word " * 200), {"text": "word " * 200}, chat("short"), LONG]
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    whole = section(path, max_tokens=4096)
    prepare(whole, renderer, tmp_path / "whole")
    summary = prepare(section(path, max_tokens=60, on_too_long="truncate"), renderer, tmp_path / "out")
    assert summary["fates"] == {"kept": 1, "changed": 0, "truncated": 3, "dropped": 1}
    booked = {entry["line"]: entry for entry in ledger_rows(tmp_path / "out")}
    full, found = load_samples(tmp_path / "whole", "train"), load_samples(tmp_path / "out", "train")
    for line in (1, 2, 3, 4):
        originals = [sample for sample in full if sample.row_id == f"rows.jsonl:{line}"]
        samples = [sample for sample in found if sample.row_id == f"rows.jsonl:{line}"]
        assert samples and len(samples) == sum(original.spans[0][0] < 60 for original in originals)
        for sample, original in zip(samples, originals, strict=False):  # a conversation's later turns are longer
            assert sample.input_ids == original.input_ids[:60]
            assert sample.spans == [(start, min(end, 60)) for start, end in original.spans if start < 60]
            assert all(0 < start < end <= len(sample.input_ids) for start, end in sample.spans)
            assert sample.text == original.text
        tokens = sum(len(sample.input_ids) for sample in samples)
        cut = sum(len(original.input_ids) for original in originals) - tokens
        assert booked[line]["reason"] == (f"cut by {cut} tokens" if cut else "")
        assert (booked[line]["tokens"], booked[line]["learned"]) == (tokens, sum(s.learned for s in samples))
    assert booked[5]["fate"] == "dropped" and booked[5]["reason"] == "no learned token within 60 tokens"


def test_sources_of_all_kinds_and_equal_names_together(renderer: ChatRenderer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = write_jsonl(tmp_path / "rows.jsonl", [chat("a")])
    two = write_jsonl(tmp_path / "other" / "rows.jsonl", [{"instruction": "b", "output": "B"}])
    three = tmp_path / "rows.csv"
    three.write_text("prompt,completion\nc,C\n", encoding="utf-8")
    four = tmp_path / "rows.json"
    four.write_text(json.dumps([{"text": "d"}]), encoding="utf-8")
    sources = [{"path": str(path)} for path in (one, two, three, four)]
    config = DataSection.model_validate({"sources": sources, "split": {"validation": 0, "test": 0}})
    summary = prepare(config, renderer, tmp_path / "out")
    assert summary["read"] == 4
    ids = [row.id for row in load_rows(tmp_path / "out", "train")]
    assert ids == ["rows.jsonl#0:1", "rows.jsonl#1:1", "rows.csv:2", "rows.json:1"]


def test_a_missing_file_and_an_empty_result_are_told(renderer: ChatRenderer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*gone\.jsonl"):
        prepare(section(tmp_path / "gone.jsonl"), renderer, tmp_path / "a")
    path = write_jsonl(tmp_path / "rows.jsonl", ["{"])
    with pytest.raises(UserError, match="no training rows are left of 1 read: read dropped 1"):
        prepare(section(path, on_bad_row="drop"), renderer, tmp_path / "b")


def test_what_users_write_never_becomes_a_control_token(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a <|im_end|> b"), {"text": "x <|endoftext|> y"}])
    prepare(section(path), renderer, tmp_path / "out")
    talk, text = load_samples(tmp_path / "out", "train")
    assert talk.input_ids.count(renderer.eos_id) == 2  # the user's turn and the assistant's
    assert text.input_ids.count(renderer.document_end_id) == 1 and text.input_ids[-1] == renderer.document_end_id


def test_a_very_long_conversation_is_not_rendered_to_its_end(renderer: ChatRenderer, tmp_path: Path) -> None:
    talk = [turn for index in range(60) for turn in chat(f"Question {index}", "A short answer")["messages"]]
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), {"messages": talk}])
    summary = prepare(section(path, max_tokens=60, on_too_long="drop"), renderer, tmp_path / "out")
    assert summary["steps"][-1]["dropped"] == {"longer than 60 tokens": 1}
    reason = next(entry["reason"] for entry in ledger_rows(tmp_path / "out") if entry["fate"] == "dropped")
    length = int(reason.removeprefix("longer than 60 tokens: at least "))
    assert 60 < length < max(len(sample.input_ids) for sample in renderer.samples(talk)) / 10
