"""What every augmenter of the table promises."""

from __future__ import annotations

import pickle
from typing import Any, get_args

import pytest

from danlu.data.augmenters import AUGMENTERS
from danlu.data.drafts import Augmenter, Draft, Task
from danlu.data.synonyms import TABLES, load_synonyms
from danlu.recipe import augmentation as recipe
from tests.data.augmenting import EN, WRITER, ZH, FakeWriter, task

CONFIGS: dict[str, Any] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(recipe.AnyAugmenter)[0])
}
THREE = [
    "Our flat has two rooms. The kitchen faces south. The windows are large. Can you recommend curtains?",
    "我家有三个房间。厨房朝南。窗户很大。阳台种满花草。请推荐窗帘。",
]
ODD = ["", " ", "？", "🙂", "1 2 3", "`code`", "\n\n", "a" * 2000, "é", "Привет, как дела?", "<|im_end|>"]


def build(kind: str, say: Any = None) -> Augmenter:
    config = CONFIGS[kind]
    given = {"writer": WRITER} if "writer" in config.model_fields else {}
    writer = FakeWriter(say or (lambda text, _: f"{text} "))
    augmenter: Augmenter = AUGMENTERS.load(kind)(config.model_validate(given), writer)
    return augmenter


def tasks() -> list[Task]:
    return [task(text, seed) for seed, text in enumerate([*ZH, *EN, *THREE, *ODD])]


def test_the_table_and_the_recipe_name_the_same_augmenters() -> None:
    assert set(AUGMENTERS) == set(CONFIGS)


@pytest.mark.parametrize("kind", sorted(AUGMENTERS))
class TestEveryAugmenter:
    """Run for each name of the table."""

    def test_each_task_gets_a_draft_or_a_reason(self, kind: str) -> None:
        drafts = build(kind).drafts(tasks())
        assert len(drafts) == len(tasks())
        assert all(bool(draft.text) != bool(draft.reason) for draft in drafts)

    def test_some_texts_get_another_wording(self, kind: str) -> None:
        drafts = build(kind, lambda text, _: text[1:] + text[:1]).drafts(tasks())
        assert (
            sum(bool(draft.text) and draft.text != given.text for draft, given in zip(drafts, tasks(), strict=True)) > 1
        )

    def test_the_neighbours_do_not_matter(self, kind: str) -> None:
        augmenter = build(kind)
        together = augmenter.drafts(tasks())
        assert [augmenter.drafts([each])[0] for each in tasks()] == together
        assert list(reversed(augmenter.drafts(tasks()[::-1]))) == together

    def test_another_one_gives_the_same(self, kind: str) -> None:
        assert build(kind).drafts(tasks()) == build(kind).drafts(tasks())

    def test_no_tasks_give_no_drafts(self, kind: str) -> None:
        assert build(kind).drafts([]) == []

    def test_reasons_quote_no_text(self, kind: str) -> None:
        reasons = {draft.reason for draft in build(kind, lambda *_: "").drafts(tasks())} - {""}
        assert len(reasons) < 12
        assert not any(text.strip() and text in reason for text in [*ZH, *EN, *THREE] for reason in reasons)

    def test_drafts_travel_between_processes(self, kind: str) -> None:
        drafts: list[Draft] = build(kind).drafts(tasks())
        assert pickle.loads(pickle.dumps(drafts)) == drafts


@pytest.mark.parametrize("language", sorted(TABLES))
class TestEveryTable:
    """Run for each language that has synonyms."""

    def test_no_word_is_its_own_synonym_and_none_is_empty(self, language: str) -> None:
        table = load_synonyms(language)
        assert len(table) > 400
        for word, others in table.items():
            assert others and len(set(others)) == len(others) and word not in others
            assert all(other == other.strip() and other and "=" not in other and ">" not in other for other in others)

    def test_a_synonym_changes_no_number_negation_time_or_opposite(self, language: str) -> None:
        from danlu.data.polarity import negations, reverses, times
        from danlu.data.quantities import numbers

        for word, others in load_synonyms(language).items():
            for other in others:
                assert numbers(word) == numbers(other), (word, other)
                assert negations(word) == negations(other), (word, other)
                assert times(word) == times(other), (word, other)
                assert not reverses(word, other), (word, other)

    def test_english_entries_are_small_letters_and_chinese_ones_han(self, language: str) -> None:
        for word, others in load_synonyms(language).items():
            for text in (word, *others):
                if language == "en":
                    assert text.isascii() and text == text.lower()
                else:
                    assert all("\u4e00" <= character <= "\u9fff" for character in text), text
