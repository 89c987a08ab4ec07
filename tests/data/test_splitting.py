"""The split: in about the shares asked for, by what rows say, and never with a copy on another side."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.dataset import load_rows
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.data.row_keys import keep_keys, key_name
from danlu.data.splitting import SPLITS, Assignment, assign_splits, leaks, split_features
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import SplitSection
from danlu.recipe.errors import UserError
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


def test_of_rows_that_tie_two_splits_those_nearer_to_training_are_dropped() -> None:
    rows = [row(sentence(index), number=index, metadata={"user": index}) for index in range(60)]
    config = SplitSection(validation=0.1, test=0.2, group_by="user")
    before = assign(rows, config)
    train, test = int(np.flatnonzero(before.splits == 0)[0]), int(np.flatnonzero(before.splits == 2)[0])
    bridge = row(rows[train].messages[0]["content"], number=99, metadata={"user": test})
    after = assign([bridge, *rows], config)
    assert after.dropped == {train + 1: "is tied to a row of test; keeping it would leak one into the other"}
    expected = before.splits.copy()
    expected[train] = -1
    assert list(after.splits) == [2, *expected]


def by_number(rows: Sequence[Row], config: SplitSection) -> dict[int, int]:
    found = assign(rows, config, batch=5000)
    return {row.line: int(split) for row, split in zip(rows, found.splits, strict=True)}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=1, max_size=40), st.randoms(), st.sampled_from([None, "language", "n"]))
def test_the_order_of_the_rows_does_not_matter(chosen: list[int], rng: random.Random, key: str | None) -> None:
    rows = [row(sentence(n // 2) + (" ka" if n % 2 else ""), number=i, metadata={"n": n % 3}) for i, n in
            enumerate(chosen)]  # fmt: skip
    config = SplitSection(validation=0.2, test=0.3, stratify_by=key)
    assert by_number(rows, config) == by_number(rng.sample(rows, len(rows)), config)


def test_added_rows_that_are_near_no_old_one_move_none() -> None:
    rows = [row(sentence(n), number=n, metadata={"user": n % 150}) for n in range(600)]
    for key in (None, "user"):
        config = SplitSection(validation=0.1, test=0.2, group_by=key)
        before, after = by_number(rows[200:], config), by_number(rows, config)
        assert before == {number: after[number] for number in before}


def test_an_added_near_duplicate_moves_a_row_only_out_of_training() -> None:
    rows = [row(sentence(n, 30), number=n) for n in range(300)]
    before = by_number(rows, SHARES)
    for copies in (1, 2):
        copied = [row(sentence(n, 30) + f" x{m}", number=1000 + n + 300 * m) for m in range(copies) for n in range(300)]
        after = by_number([*copied, *rows], SHARES)
        moved = {n: after[n] for n in before if before[n] != after[n]}
        assert moved and all(after[n] > before[n] for n in moved)
        assert all(after[1000 + n + 300 * m] == after[n] for m in range(copies) for n in range(300))


def test_large_clusters_are_held_out_as_often_as_single_rows() -> None:
    rows = [row(sentence(n, 30) + f" x{m}", number=100 * n + m) for n in range(300) for m in range(6)]
    found = by_number(rows, SHARES)
    assert all(found[100 * n + m] == found[100 * n] for n in range(300) for m in range(6))
    counts = Counter(found[100 * n] for n in range(300))
    assert abs(counts[2] - 60) < 25 and abs(counts[1] - 30) < 20  # three and a half standard deviations


def of_labels(sizes: dict[str, int], start: int = 0) -> list[Row]:
    names = [name for name, size in sizes.items() for _ in range(size)]
    return [row(f"{name} {n + start}", number=n + start, labels=(name,)) for n, name in enumerate(names)]


STRATIFIED = SplitSection(validation=0.1, test=0.2, stratify_by="label", near_duplicates=None)


@pytest.mark.parametrize("start", range(0, 20_000, 1000))
def test_every_stratum_has_about_its_shares(start: int) -> None:
    """Closer than chance: a rare label has its rows in every split."""
    rows = of_labels({"rare": 30, "rarer": 12, "common": 958}, start)
    found = assign(rows, STRATIFIED).splits
    for name, size in Counter(row.labels[0] for row in rows).items():
        own = found[[row.labels[0] == name for row in rows]]
        for split, share in ((2, 0.2), (1, 0.1)):
            wanted = share * size
            assert min(int(wanted + 1e-9), 0.75 * wanted - 1) <= (own == split).sum() <= 1.25 * wanted + 1
            assert (own == split).any()


def test_an_added_row_moves_at_most_three_rows_and_only_of_its_stratum() -> None:
    moved = 0
    for start in range(0, 40_000, 1000):
        rows = of_labels({"a": 40, "b": 40, "c": 400}, start)
        [new] = of_labels({"a": 1}, start + 900)
        before, after = by_number(rows, STRATIFIED), by_number([new, *rows], STRATIFIED)
        changed = [r.labels[0] for r in rows if before[r.line] != after[r.line]]
        assert len(changed) <= 3 and set(changed) <= {"a"}
        moved += len(changed)
    assert moved < 40  # less than one a row, where strata are this small


def test_a_stratum_that_has_its_shares_by_itself_is_cut_by_the_rows_own_hashes() -> None:
    rows = of_labels({"a": 2000, "b": 2000})
    plain = by_number(rows, SplitSection(validation=0.1, test=0.2, near_duplicates=None))
    assert by_number(rows, STRATIFIED) == plain


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


def phones(tmp_path: Path) -> Path:
    """Eight rows each of 30 people, who are known by their phone numbers; two rows are nobody's."""
    records = [{**chat(sentence(n)), "metadata": {"user": f"138{n % 30:04d}5678"}} for n in range(240)]
    return write_jsonl(tmp_path / "rows.jsonl", [*records, chat(sentence(998)), chat(sentence(999))])


@pytest.mark.parametrize("policy", ["tag", "mask", "pseudonym"])
def test_groups_are_those_before_redaction(renderer: ChatRenderer, tmp_path: Path, policy: str) -> None:
    split = {"validation": 0.2, "test": 0.3, "group_by": "user"}
    config = section(phones(tmp_path), redact={"policy": policy}, split=split)
    summary = prepare(config, renderer, tmp_path / "out", key=b"k" * 32)
    assert summary["lacking"] == [{"field": "data.split.group_by", "key": "user", "rows": 2, "of": 242}]
    sides = {entry["line"]: entry["split"] for entry in ledger_rows(tmp_path / "out") if entry["line"] <= 240}
    assert len(sides) == 240 and set(sides.values()) == set(SPLITS)
    for user in range(1, 31):
        assert len({sides[line] for line in range(user, 241, 30)}) == 1
    for path in tmp_path.joinpath("out").iterdir():
        assert b"1380" not in path.read_bytes()
    kept = b"".join(path.read_bytes() for path in tmp_path.joinpath("out-work").rglob("*.rows"))
    assert b'"keys":{"user":"' in kept and b"138000" not in kept


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"split": {"group_by": "usr"}}, "data.split.group_by: none of the 242 rows has 'usr'.*did you mean 'user'"),
        ({"split": {"stratify_by": "nope"}}, "data.split.stratify_by: none of the 242 rows.*known: user"),
        ({"split": {"stratify_by": "label"}}, "data.split.stratify_by: none of the 242 rows has a label"),
    ],
)
def test_a_key_that_no_row_has_is_refused(
    renderer: ChatRenderer, tmp_path: Path, fields: dict[str, Any], fix: str
) -> None:
    with pytest.raises(UserError, match=f"(?s){fix}"):
        prepare(section(phones(tmp_path), **fields), renderer, tmp_path / "out")


def test_slices_are_those_before_redaction(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = phones(tmp_path)
    reference: dict[str, Any] = {"source": {"path": str(path)}, "slice": "user"}
    config = section(path, redact={"policy": "tag"}, reference=reference)
    summary = prepare(config, renderer, tmp_path / "out", key=b"k" * 32)
    assert [found["rows"] for found in summary["lacking"]] == [2, 2]
    with pytest.raises(UserError, match=r"data\.reference\.slice: none of the 242 rows has 'nope'"):
        prepare(section(path, reference={**reference, "slice": "nope"}), renderer, tmp_path / "none")
    rows = [entry for batch in MemoryCorpus(load_rows(tmp_path / "out", "train")).batches() for entry in batch]
    assert {r.metadata.get("user") for r in rows} == {"[CN_MOBILE]", None}


def test_a_slice_that_redaction_changed_is_marked() -> None:
    rows = [row("q", metadata={"user": user, "team": "a"}) for user in ("x1", "x2", "x1")]
    after = [replace(r, metadata={"user": "[CN_MOBILE]", "team": "a"}) for r in rows]
    kept = [r for r in keep_keys(rows, after, ("user", "team"), b"k" * 32) if isinstance(r, Row)]
    names = [key_name(r, "user") for r in kept]
    assert names[0] == names[2] != names[1] and all(str(name).startswith("[CN_MOBILE] #") for name in names)
    assert {key_name(r, "team") for r in kept} == {"a"}
    others = [r for r in keep_keys(rows, after, ("user",), b"l" * 32) if isinstance(r, Row)]
    assert key_name(others[0], "user") != names[0]
