"""What the terminal says of a data set: the ledger adds up, children included."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from danlu.pipeline.display import ledger_table, reasons


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def summary(added: int) -> dict[str, Any]:
    """A ledger of 120 rows, 42 of them dropped, with so many children."""
    children = {"added": added, "rejected": 235 if added else 0, "dropped": 0}
    steps = [
        ("read", 120, 120),
        ("contamination", 120, 78),
        ("augment", 78, 78 + added),
        (
            "render",
            78 + added,
        )
        * 2,
    ]
    return {
        "read": 120,
        "fates": {"kept": 78, "changed": 0, "truncated": 0, "dropped": 42},
        "steps": [{"step": s[0], "in": s[1], "out": s[-1], "changed": 0, "dropped": {}} for s in steps],
        "children": children,
        "splits": {"train": 59 + added, "validation": 6, "test": 13},
        "lacking": [
            {"field": "data.split.group_by", "key": "user", "rows": 1200, "of": 5000},
            {"field": "data.split.stratify_by", "key": "team", "rows": 0, "of": 5000},
        ],
    }


def shown(added: int) -> str:
    console = Console(width=160, file=io.StringIO(), color_system=None)
    console.print(ledger_table(summary(added)))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_children_are_added_and_not_dropped_with_a_minus() -> None:
    said = shown(60)
    assert "│ augment │ 78 │ 0 │ 60 │ 0 │ 138 │" in said and "│ contamination │ 120 │ 0 │ 0 │ 42 │ 78 │" in said
    assert "children: 60 added, 235 attempts rejected, 0 dropped later" in said
    assert "138 = 119 train + 6 validation + 13 test" in said


def test_a_ledger_without_children_says_nothing_of_them() -> None:
    said = shown(0)
    assert "added" not in said and "children" not in said and "78 = 59 train + 6 validation + 13 test" in said


def test_rows_that_lack_a_key_are_told() -> None:
    assert reasons(summary(0)) == ["data.split.group_by: 1,200 of 5,000 rows have no 'user'"]
