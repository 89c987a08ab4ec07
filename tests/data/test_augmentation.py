"""The stage: which rows get children, that every attempt is booked, and what the result does not depend on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data import augmentation
from danlu.data.augmentation import Rejected, attempts_of, augment
from danlu.data.guard import NUMBERS, SAME, changes
from danlu.data.operators import MemoryCorpus
from danlu.data.quantities import numbers
from danlu.data.row import Row
from danlu.recipe.errors import InternalFault, UserError
from tests.data.augmenting import EN, ZH, FakeWriter, chat_row, questions, run, section

SYNONYMS = {"type": "synonyms", "replaced": 0.3}
PARAPHRASE = {"type": "paraphrase"}


def rows(count: int = 20, **fields: Any) -> list[Row]:
    texts = [*ZH, *EN]
    return [chat_row(f"a.jsonl:{i}", texts[i % len(texts)].replace("？", f"{i}？"), **fields) for i in range(count)]


def polite(text: str, _: object) -> str:
    """A wording that the guard lets pass, for questions of both languages."""
    return (
        f"麻烦问一下，{text}"
        if any("\u4e00" <= letter <= "\u9fff" for letter in text)
        else f"Sorry to bother you: {text}"
    )


def test_children_say_who_made_them_from_what() -> None:
    parent = chat_row("a.jsonl:3", ZH[0], "打开设置。", metadata={"user": "u"}, changed_by=("normalize",))
    children, rejected, stage = run([parent], section(SYNONYMS))
    assert not rejected
    child = children[0]
    assert (child.id, child.parent, child.changed_by) == ("a.jsonl:3~synonyms.1", "a.jsonl:3", ("synonyms",))
    assert child.messages[1] == parent.messages[1] and child.metadata == parent.metadata
    assert child.messages[0]["content"] != ZH[0]
    assert (child.file, child.line) == (parent.file, parent.line)
    assert stage.report == {
        "tried": 1,
        "made": 1,
        "steps": [{"step": "synonyms", "tried": 1, "made": 1, "rejected": {}}],
    }


def test_only_the_last_question_of_a_conversation_changes() -> None:
    turns = [("system", ZH[1]), ("user", ZH[2]), ("assistant", ZH[3]), ("user", ZH[0]), ("assistant", "好")]
    parent = Row("a:1", "a", 1, messages=tuple({"role": role, "content": text} for role, text in turns))
    child = run([parent], section(SYNONYMS))[0][0]
    assert [a == b for a, b in zip(parent.messages, child.messages, strict=True)] == [True, True, True, False, True]


def test_preference_and_text_rows() -> None:
    liked_less = ({"role": "assistant", "content": "滚。"},)
    pair = chat_row("a:1", ZH[0], rejected=liked_less)
    text = Row("a:2", "a", 2, text="马上付款，因为价格很好。")
    children, _, _ = run([pair, text], section(SYNONYMS))
    assert [child.id for child in children] == ["a:1~synonyms.1", "a:2~synonyms.1"]
    assert children[0].rejected == liked_less
    assert children[1].text != text.text and not children[1].messages


def test_every_attempt_is_booked_once() -> None:
    config = section({**SYNONYMS, "children": 3}, {"type": "reorder"}, {**PARAPHRASE, "children": 2}, SYNONYMS)
    given = [
        *rows(),
        chat_row("b:1", "请翻译：马上付款"),
        Row("b:2", "b", 2, messages=({"role": "assistant", "content": "x"},)),
    ]
    children, rejected, stage = run(given, config, {2: FakeWriter(polite)})
    ids = [child.id for child in children] + [each.child_id for each in rejected]
    expected = [
        f"{row.id}~{kind}"
        for row in given
        for kind in (
            "synonyms.1",
            "synonyms.2",
            "synonyms.3",
            "reorder.1",
            "paraphrase.1",
            "paraphrase.2",
            "synonyms.4",
        )
    ]
    assert sorted(ids) == sorted(expected)
    report = stage.report
    assert report["tried"] == len(expected) and report["made"] == len(children)
    assert all(step["tried"] == step["made"] + sum(step["rejected"].values()) for step in report["steps"])
    reasons = Counter(each.reason for each in rejected)
    assert reasons == sum((Counter(step["rejected"]) for step in report["steps"]), Counter())
    assert {each.reason for each in rejected if each.parent_id == "b:1"} == {augmentation.OWN_WORDS}
    assert {each.reason for each in rejected if each.parent_id == "b:2"} == {augmentation.UNASKED}
    assert all(each.child_id.startswith(f"{each.parent_id}~{each.step}.") for each in rejected)


def test_what_the_guard_refuses_is_booked_and_not_made() -> None:
    writer = FakeWriter(lambda text, _: polite(text, 0).replace("7", "8"))
    given = [chat_row("a:1", "订单7何时发货？"), chat_row("a:2", "订单何时发货？")]
    children, rejected, _ = run(given, section(PARAPHRASE), {0: writer})
    assert [child.id for child in children] == ["a:2~paraphrase.1"]
    assert rejected == [Rejected("a:1", "a:1~paraphrase.1", "paraphrase", NUMBERS)]


def test_children_ask_what_no_other_row_and_no_other_child_asks() -> None:
    asked = {"订单何时发货？": "请问订单何时发货？", "货何时发？": "请问订单何时发货？"}
    writer = FakeWriter(lambda text, _: asked.get(text, text))
    given = [chat_row("a:1", "订单何时发货？"), chat_row("a:2", "货何时发？")]
    children, rejected, _ = run(given, section({**PARAPHRASE, "children": 2}), {0: writer})
    assert [child.id for child in children] == ["a:1~paraphrase.1"]
    assert {each.reason for each in rejected} == {augmentation.TAKEN}
    given.append(chat_row("a:3", "请问，订单何时发货", "别的回答"))
    children, rejected, _ = run(given, section(PARAPHRASE), {0: writer})
    assert not children
    assert [each.reason for each in rejected] == [augmentation.TAKEN, augmentation.TAKEN, SAME]


def test_children_near_held_out_rows_are_refused() -> None:
    children, rejected, _ = run(rows(6), section(SYNONYMS), held_out_hit=lambda text: "地址" in text)
    assert len(children) == 5 and [each.reason for each in rejected] == [augmentation.HELD_OUT]


def test_no_question_is_augmented_whose_words_are_the_task() -> None:
    asked = [
        "把“马上”翻译成英文",
        "润色：马上付款",
        "What does prompt mean for example?",
        "Summarize how do I pay",
        "马上的近义词",
    ]
    children, rejected, _ = run([chat_row(f"a:{i}", text) for i, text in enumerate(asked)], section(SYNONYMS))
    assert not children and {each.reason for each in rejected} == {augmentation.OWN_WORDS}
    labelled = chat_row("a:9", "判断以下内容的情感：马上付款", "正面", labels=("正面",))
    assert len(run([labelled], section(SYNONYMS))[0]) == 1


@pytest.mark.parametrize("batch", [1, 7, 300])
def test_batches_do_not_matter(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config = section({**SYNONYMS, "children": 2, "share": 0.7}, {**PARAPHRASE, "share": 0.5})
    whole = run(rows(40), config, {1: FakeWriter(polite)})
    parts = run(rows(40), config, {1: FakeWriter(polite)}, batch=batch)
    assert parts[:2] == whole[:2] and parts[2].report == whole[2].report
    monkeypatch.setattr(augmentation, "CHUNK", 3)
    assert run(rows(40), config, {1: FakeWriter(polite)})[:2] == whole[:2]


def test_added_rows_change_nothing_for_the_others() -> None:
    config = section({**SYNONYMS, "children": 2, "share": 0.7}, {"type": "reorder"})
    few = run(rows(15), config)
    more = run([chat_row("z:1", "完全不同的问题，因为没人问过。"), *rows(15)], config)
    assert [child for child in more[0] if not child.id.startswith("z")] == few[0]
    assert [each for each in more[1] if not each.child_id.startswith("z")] == few[1]


def test_the_place_of_a_row_does_not_matter_but_its_content_and_the_seed_do() -> None:
    config = section({**SYNONYMS, "share": 0.5})
    one = run(rows(20), config)[0]
    moved = [replace(row, id=f"m:{i}", line=i) for i, row in enumerate(rows(20)[::-1])]
    assert sorted(questions(run(moved, config)[0])) == sorted(questions(one))
    assert questions(run(rows(20), config, seed=8)[0]) != questions(one)
    assert questions(run(rows(20), config, seed=7)[0]) == questions(one)


def test_share_takes_about_that_share_and_more_is_a_superset() -> None:
    def parents(share: float) -> set[str]:
        children, rejected, _ = run(rows(400), section({**SYNONYMS, "share": share}))
        return {child.parent for child in children} | {each.parent_id for each in rejected}

    some, more = parents(0.2), parents(0.6)
    assert 50 < len(some) < 110 and 200 < len(more) < 280 and some < more
    assert len(parents(1.0)) == 400


def test_a_writer_gets_the_rows_of_a_chunk_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "CHUNK", 8)
    writer = FakeWriter(polite)
    run(rows(20), section({**PARAPHRASE, "children": 2}), {0: writer})
    assert writer.calls == [16, 16, 8]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([*ZH, *EN]), min_size=1, max_size=6, unique=True), st.integers(0, 2**63))
def test_whatever_is_made_passes_the_guard(texts: list[str], seed: int) -> None:
    given = [chat_row(f"a:{i}", f"{text} 17 `x = 1`", "正面", labels=("正面",)) for i, text in enumerate(texts)]
    config = section({**SYNONYMS, "children": 2}, {"type": "reorder"}, max_similarity=1.0)
    children, rejected, _ = run(given, config, seed=seed)
    parents = {row.id: row for row in given}
    assert len(children) + len(rejected) == 3 * len(given)
    for child in children:
        parent = parents[child.parent]
        assert changes(parent, child, 1.0) is None
        assert numbers(questions([child])[0]) == numbers(questions([parent])[0])
        assert "`x = 1`" in questions([child])[0]
        assert child.labels == parent.labels and child.messages[1:] == parent.messages[1:]


class TestBalance:
    """`balance: label`."""

    def given(self, common: int = 30, rare: int = 8) -> list[Row]:
        made = [chat_row(f"c:{i}", f"{ZH[i % 12]}{i}", "常见", labels=("常见",)) for i in range(common)]
        made += [chat_row(f"r:{i}", f"{ZH[i % 12]} 稀 {i}", "少见", labels=("少见",)) for i in range(rare)]
        return [*made, chat_row("n:1", ZH[0])]

    def test_rare_labels_come_level_and_frequent_ones_get_nothing(self) -> None:
        config = section({**PARAPHRASE, "children": 5}, balance="label")
        writer = FakeWriter(lambda text, asked: f"{asked[0]['content'][25:33]}{text}")
        children, rejected, stage = run(self.given(), config, {0: writer})
        assert {child.labels for child in children} == {("少见",)}
        report = stage.report
        assert report["labels"] == {"常见": {"before": 30, "after": 30}, "少见": {"before": 8, "after": 30}}
        assert report["balance"] == {"level": 30, "missing": {}, "reached": True}
        assert len(children) == 22 and report["tried"] == len(children) + len(rejected) == len(writer.asked)
        spread = Counter(child.parent for child in children)
        assert len(spread) == 8 and max(spread.values()) - min(spread.values()) <= 1

    def test_it_says_how_far_it_got_when_the_attempts_are_used_up(self) -> None:
        config = section({**PARAPHRASE, "children": 1}, balance="label")
        children, _, stage = run(self.given(), config, {0: FakeWriter(polite)})
        assert len(children) == 8
        assert stage.report["balance"] == {"level": 30, "missing": {"少见": 14}, "reached": False}

    def test_refused_attempts_are_made_up_for(self) -> None:
        config = section({**PARAPHRASE, "children": 1}, balance="label")
        given = self.given(common=30, rare=26)
        bad = FakeWriter(lambda text, _: "" if int(text.split()[-1]) % 2 else polite(text, 0))
        children, rejected, stage = run(given, config, {0: bad})
        assert len(children) == 4 and stage.report["balance"]["reached"]
        assert stage.report["tried"] == len(children) + len(rejected) < 26

    def test_a_row_of_a_frequent_label_is_not_chosen_for_a_rare_one_beside_it(self) -> None:
        both = chat_row("b:1", ZH[1], labels=("常见", "少见"))
        children, _, _ = run([*self.given(), both], section(PARAPHRASE, balance="label"), {0: FakeWriter(polite)})
        assert children and "b:1" not in {child.parent for child in children}

    def test_batches_and_the_order_of_rows_do_not_matter(self) -> None:
        config = section({**SYNONYMS, "children": 3, "replaced": 0.5}, {**PARAPHRASE, "share": 0.5}, balance="label")
        whole = run(self.given(), config, {1: FakeWriter(polite)})
        assert run(self.given(), config, {1: FakeWriter(polite)}, batch=5)[:2] == whole[:2]

    def test_level_labels_get_nothing(self) -> None:
        writer = FakeWriter(polite)
        children, rejected, stage = run(self.given(9, 9), section(PARAPHRASE, balance="label"), {0: writer})
        assert not children and not rejected and not writer.asked and stage.report["balance"]["reached"]

    def test_no_labels_are_an_error(self) -> None:
        with pytest.raises(UserError, match="no training row with a label"):
            run(rows(3), section(SYNONYMS, balance="label"))


def test_nothing_to_do_gives_nothing() -> None:
    assert run(rows(3), section())[:2] == ([], [])
    assert run([], section(SYNONYMS, balance="label"))[:2] == ([], [])


@pytest.mark.parametrize(("balance", "labels"), [("none", ()), ("label", ("a",))])
def test_progress_ends_at_the_total(balance: str, labels: tuple[str, ...]) -> None:
    seen: list[tuple[int, int]] = []
    given = [*rows(9, labels=labels), *rows(12, labels=("b",))[9:]]
    config = section({**SYNONYMS, "children": 5}, balance=balance)
    list(augment(MemoryCorpus(given), config, {}, 1, lambda done, total: seen.append((done, total))))
    assert seen and seen[-1][0] == seen[-1][1] and sorted(seen) == seen


def test_a_missing_writer_is_our_fault() -> None:
    with pytest.raises(InternalFault, match=r"steps\[1\] \(paraphrase\)"):
        run(rows(1), section(SYNONYMS, PARAPHRASE))


def test_several_steps_of_one_kind_count_on() -> None:
    steps = section({**SYNONYMS, "children": 2}, {"type": "reorder"}, SYNONYMS).steps
    assert [(each.step, each.kind, each.number) for each in attempts_of(steps)] == [
        (0, "synonyms", 1), (0, "synonyms", 2), (1, "reorder", 1), (2, "synonyms", 3),
    ]  # fmt: skip
