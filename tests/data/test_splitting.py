"""The split: decided by the question alone, in the shares asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from danlu.data.dataset import load_rows
from danlu.data.row import Row
from danlu.data.splitting import SPLITS, split_of
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import SplitSection
from tests.data.making import chat, prepare, section, write_jsonl

SHARES = SplitSection(validation=0.1, test=0.2)


def row(question: str, answer: str = "Yes.", number: int = 1) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a:{number}", "a", number, messages=messages)


@given(st.text(), st.text(), st.text(), st.integers(1, 10**6))
def test_the_same_question_has_the_same_split(question: str, one: str, other: str, number: int) -> None:
    assert split_of(row(question, one), SHARES) == split_of(row(question, other, number), SHARES)


def test_shares_are_about_right() -> None:
    counts = Counter(split_of(row(f"Question {index}?"), SHARES) for index in range(20_000))
    assert set(counts) == set(SPLITS)
    assert abs(counts["test"] / 20_000 - 0.2) < 0.01  # three and a half standard deviations
    assert abs(counts["validation"] / 20_000 - 0.1) < 0.01


def test_nothing_is_held_out_when_nothing_is_asked_for() -> None:
    none = SplitSection(validation=0, test=0)
    assert {split_of(row(str(index)), none) for index in range(500)} == {"train"}


def test_text_rows_are_split_by_their_text() -> None:
    splits = {split_of(Row("a", "a", 1, text=f"Text {index}"), SHARES) for index in range(200)}
    assert splits == set(SPLITS)


def test_added_rows_never_move_old_ones(renderer: ChatRenderer, tmp_path: Path) -> None:
    old = [chat(f"Question {index}?") for index in range(60)]
    new = [chat(f"Added {index}?") for index in range(60)]
    shares = {"validation": 0.2, "test": 0.3}
    found = []
    for name, records in (("old", old), ("more", [*new[:30], *old, *new[30:]])):
        path = write_jsonl(tmp_path / f"{name}.jsonl", records)
        prepare(section(path, split=shares), renderer, tmp_path / name)
        found.append({s: {r.prompt() for r in load_rows(tmp_path / name, s)} for s in SPLITS})
    before, after = found
    for split in SPLITS:
        assert before[split] and before[split] < after[split]
