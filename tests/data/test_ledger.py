"""The ledger: adds up to the rows read, whatever is in them, and says row by row what its sums say."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from danlu.data.dataset import read_summary
from danlu.data.ledger import FATES, Ledger
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import InternalFault, UserError
from tests.data.making import chat, ledger_rows, prepare, section, write_jsonl

KINDS: dict[str, Any] = {
    "good": chat("Good question", "Good answer."),
    "dirty": chat("Dirty question\r\nhere ", "e\u0301"),
    "text": {"text": "A plain text."},
    "broken": "{broken",
    "blank": "",
    "array": "[]",
    "role": {"messages": [{"role": "bot", "content": "x"}]},
    "empty": chat("q", ""),
    "invisible": chat("q", "\u200b"),
    "long_answer": chat("Write", "a long answer " * 60),
    "long_question": chat("a long question " * 60, "ok"),
}
MIXTURES = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 5)), max_size=30)


def variant(kind: str, number: int) -> Any:
    """Record `number` of a kind: equal numbers are duplicates."""
    record = KINDS[kind]
    if not isinstance(record, dict):
        return record
    text = json.dumps(record, ensure_ascii=False)
    return json.loads(text.replace("uestion", f"uestion {number}").replace("Write", f"Write {number}"))


def check_books(summary: dict[str, Any], booked: list[dict[str, Any]], read: int) -> None:
    """The sums equal the rows, and the funnel runs without a gap."""
    assert summary["read"] == read == sum(summary["fates"].values()) == len(booked)
    assert len({entry["row_id"] for entry in booked}) == len(booked)
    assert Counter(entry["fate"] for entry in booked) == Counter(summary["fates"])
    alive = [entry for entry in booked if entry["fate"] != "dropped"]
    splits = Counter(summary["splits"])
    assert Counter(entry["split"] for entry in alive) == splits and splits.total() == len(alive)
    assert summary["tokens"]["total"] == sum(entry["tokens"] for entry in alive)
    assert summary["tokens"]["learned"] == sum(entry["learned"] for entry in alive)
    assert sum(count for _, count in summary["tokens"]["histogram"]) == len(alive)
    remaining = read
    for step in summary["steps"]:
        lost = sum(entry["fate"] == "dropped" and entry["step"] == step["step"] for entry in booked)
        assert step["in"] == remaining and lost == sum(step["dropped"].values())
        remaining -= lost
        assert step["out"] == remaining
    assert remaining == len(alive)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MIXTURES, st.sampled_from(["drop", "truncate"]), st.booleans())
def test_it_adds_up_and_equals_the_rows(
    renderer: ChatRenderer, mixture: list[tuple[str, int]], on_too_long: str, cleaning: bool
) -> None:
    records = [chat("The row that always trains"), *(variant(kind, number) for kind, number in mixture)]
    fields: dict[str, Any] = {} if cleaning else {"clean": []}
    with tempfile.TemporaryDirectory() as folder:
        path, out = write_jsonl(Path(folder) / "rows.jsonl", records), Path(folder) / "out"
        config = section(path, on_bad_row="drop", on_too_long=on_too_long, max_tokens=64, **fields)
        summary = prepare(config, renderer, out)
        booked = ledger_rows(out)
        assert read_summary(out) == json.loads(json.dumps(summary))
    read = [number for number, record in enumerate(records, start=1) if record != ""]
    check_books(summary, booked, len(read))
    assert sorted(entry["line"] for entry in booked) == read
    assert set(summary["fates"]) == set(FATES)


def test_a_step_that_loses_rows_is_noticed(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.parquet", ["read"]) as ledger:
        ledger.read = 2
        ledger.dropped_row("a:1", ("a", 1), "read", "broken JSON: x")
        with pytest.raises(InternalFault, match="does not add up: 2 rows read, 1 booked"):
            ledger.summary()


def test_changes_are_counted_by_step(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [KINDS["good"], KINDS["dirty"]])
    summary = prepare(section(path), renderer, tmp_path / "out")
    assert [(step["step"], step["changed"]) for step in summary["steps"]] == [
        ("read", 0),
        ("normalize", 1),
        ("exact_duplicates", 0),
        ("split", 0),
        ("contamination", 0),
        ("render", 0),
        ("max_tokens", 0),
    ]
    assert [(entry["fate"], entry["step"]) for entry in ledger_rows(tmp_path / "out")] == [
        ("kept", ""),
        ("changed", "normalize"),
    ]


def test_nothing_at_all_is_an_error_not_an_empty_book(renderer: ChatRenderer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rows\.jsonl: is empty"):
        prepare(section(write_jsonl(tmp_path / "rows.jsonl", [])), renderer, tmp_path / "out")
    with pytest.raises(UserError, match="the sources hold no rows"):
        prepare(section(write_jsonl(tmp_path / "blank.jsonl", ["", ""])), renderer, tmp_path / "blank")
