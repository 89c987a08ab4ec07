"""The split: in the shares asked for, stable under added rows, and never with a copy on another side."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.dataset import load_rows
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.data.splitting import SPLITS, Assignment, assign_splits, leaks, split_features
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import SplitSection
from tests.data.making import chat, ledger_rows, prepare, section, write_jsonl

SHARES = SplitSection(validation=0.1, test=0.2)
WORDS = [
    f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "pu", "ra", "si", "to") for b in ("bel", "dor", "fen", "gim", "hut")
]


def row(question: str, answer: str = "Yes.", number: int = 1, **fields: Any) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a:{number}", "a", number, messages=messages, **fields)


def sentence(seed: int, length: int = 14) -> str:
    """A text that shares little with that of another seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def assign(rows: Sequence[Row], config: SplitSection = SHARES, batch: int = 7) -> Assignment:
    corpus = MemoryCorpus(rows, batch)
    parts = [split_features(part, config) for part in corpus.batches()]
    features = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found = assign_splits(features, corpus, config)
    alive = found.splits >= 0
    kept = MemoryCorpus([r for r, lives in zip(rows, alive, strict=True) if lives])
    mine = {name: values[alive] for name, values in features.items()}
    assert leaks(mine, kept, found.splits[alive], config.near_duplicates) == []
    return found


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(), st.text(), st.integers(1, 10**6))
def test_the_same_question_has_the_same_split(question: str, one: str, other: str, number: int) -> None:
    found = assign([row(question, one), row(sentence(number)), row(question, other, number)])
    assert found.splits[0] == found.splits[2]


def test_shares_are_about_right() -> None:
    config = SplitSection(validation=0.1, test=0.2, near_duplicates=None)
    found = assign([row(f"Question {index}?") for index in range(20_000)], config, batch=5000)
    counts = Counter(SPLITS[index] for index in found.splits)
    assert set(counts) == set(SPLITS)
    assert abs(counts["test"] / 20_000 - 0.2) < 0.01  # three and a half standard deviations
    assert abs(counts["validation"] / 20_000 - 0.1) < 0.01


def test_nothing_is_held_out_when_nothing_is_asked_for() -> None:
    found = assign([row(sentence(index)) for index in range(300)], SplitSection(validation=0, test=0))
    assert set(found.splits) == {0} and not found.dropped


def test_text_rows_are_split_by_their_text() -> None:
    found = assign([Row(f"a:{index}", "a", index, text=sentence(index)) for index in range(200)])
    assert set(found.splits) == {0, 1, 2}


def test_rows_in_which_nobody_asks_are_not_all_tied_together() -> None:
    answers = [Row(f"a:{n}", "a", n, messages=({"role": "assistant", "content": sentence(n)},)) for n in range(200)]
    assert set(assign(answers).splits) == {0, 1, 2}


def test_near_duplicates_share_a_split() -> None:
    rows = []
    for index in range(120):
        text = sentence(index, 30)
        rows += [row(text, number=2 * index), row(text.replace("ka", "ko", 1), number=2 * index + 1)]
    found = assign(rows)
    assert set(found.splits) == {0, 1, 2}
    assert [s for s in found.splits[::2]] == [s for s in found.splits[1::2]]
    apart = assign(rows, SplitSection(validation=0.1, test=0.2, near_duplicates=None))
    assert [s for s in apart.splits[::2]] != [s for s in apart.splits[1::2]]


def test_a_group_shares_a_split() -> None:
    rows = [row(sentence(index), number=index, metadata={"user": index % 40}) for index in range(400)]
    found = assign(rows, SplitSection(validation=0.1, test=0.2, group_by="user"))
    for user in range(40):
        assert len(set(found.splits[user::40])) == 1
    assert set(found.splits) == {0, 1, 2}


def test_a_row_that_ties_two_splits_is_dropped_and_the_earlier_ones_stay() -> None:
    rows = [row(sentence(index), number=index, metadata={"user": index}) for index in range(60)]
    config = SplitSection(validation=0.1, test=0.2, group_by="user")
    before = assign(rows, config)
    train, test = int(np.flatnonzero(before.splits == 0)[0]), int(np.flatnonzero(before.splits == 2)[0])
    bridge = row(rows[train].messages[0]["content"], number=99, metadata={"user": test})
    after = assign([*rows, bridge], config)
    assert list(after.splits) == [*before.splits, -1]
    assert after.dropped == {60: "is tied to rows of train and test; keeping it would leak one into the other"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=1, max_size=40), st.lists(st.integers(0, 25), max_size=40))
def test_appended_rows_never_move_old_ones(old: list[int], new: list[int]) -> None:
    made = [row(sentence(n // 2) + (" ka" if n % 2 else ""), number=i) for i, n in enumerate([*old, *new])]
    config = SplitSection(validation=0.2, test=0.3, stratify_by="language")
    before, after = assign(made[: len(old)], config), assign(made, config)
    assert list(after.splits[: len(old)]) == list(before.splits)


def test_strata_have_equal_shares() -> None:
    """Far closer than chance: a rare label has its rows in every split."""
    labels = ["rare"] * 30 + ["common"] * 970
    rows = [row(sentence(n), number=n, labels=(label,)) for n, label in enumerate(labels)]
    found = assign(rows, SplitSection(validation=0.1, test=0.2, stratify_by="label", near_duplicates=None))
    rare, common = found.splits[:30], found.splits[30:]
    assert abs((rare == 2).sum() - 6) <= 1 and abs((rare == 1).sum() - 3) <= 1
    assert abs((common == 2).sum() - 194) <= 2 and abs((common == 1).sum() - 97) <= 2


@pytest.mark.parametrize("why", ["prompt", "group", "near duplicate"])
def test_a_leak_is_found_whatever_the_split_says(why: str) -> None:
    config = SplitSection(group_by="user")
    one = row(sentence(1), number=1, metadata={"user": "a"})
    others = {
        "prompt": row(sentence(1), sentence(5, 40), number=2),
        "group": row(sentence(2), number=2, metadata={"user": "a"}),
        "near duplicate": row(sentence(1) + " ka", number=2),
    }
    corpus = MemoryCorpus([one, others[why]])
    features = split_features([one, others[why]], config)
    assert leaks(features, corpus, np.array([0, 2]), 0.8) == [(0, 1, why)]
    assert leaks(features, corpus, np.array([2, 2]), 0.8) == []


def test_added_rows_never_move_old_ones_in_the_data_set(renderer: ChatRenderer, tmp_path: Path) -> None:
    old = [chat(sentence(index)) for index in range(60)]
    new = [chat(sentence(1000 + index)) for index in range(60)]
    shares = {"validation": 0.2, "test": 0.3}
    found = []
    for name, records in (("old", old), ("more", [*new[:30], *old, *new[30:]])):
        path = write_jsonl(tmp_path / f"{name}.jsonl", records)
        prepare(section(path, split=shares), renderer, tmp_path / name)
        found.append({s: {r.prompt() for r in load_rows(tmp_path / name, s)} for s in SPLITS})
    before, after = found
    for split in SPLITS:
        assert before[split] and before[split] < after[split]


def test_a_bridge_is_booked(renderer: ChatRenderer, tmp_path: Path) -> None:
    records = [{**chat(sentence(index)), "metadata": {"user": f"u{index}"}} for index in range(40)]
    for index in range(1, 40):
        records.append({**chat(sentence(index)), "metadata": {"user": f"u{index - 1}"}})
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    config = section(path, clean=[], split={"validation": 0.2, "test": 0.3, "group_by": "user"})
    summary = prepare(config, renderer, tmp_path / "out")
    step = next(step for step in summary["steps"] if step["step"] == "split")
    booked = [entry for entry in ledger_rows(tmp_path / "out") if entry["step"] == "split"]
    assert len(booked) == sum(step["dropped"].values()) > 0
    assert all("would leak one into the other" in entry["reason"] for entry in booked)
