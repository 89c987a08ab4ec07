"""Synonyms replace whole words, keep grammar, and leave what must stay."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.augmenters.synonyms import NONE, UNKNOWN, Synonyms
from danlu.data.named_values import fixed_values
from danlu.data.quantities import numbers
from danlu.data.synonyms import entries, load_synonyms
from danlu.recipe.augmentation import SynonymsAugmenter
from tests.data.augmenting import EN, ZH, task


def all_drafts(text: str, replaced: float = 0.5, kept: str = "", seeds: int = 40) -> set[str]:
    augmenter = Synonyms(SynonymsAugmenter(replaced=replaced))
    drafts = augmenter.drafts([task(text, seed, kept=kept) for seed in range(seeds)])
    return {draft.text or draft.reason for draft in drafts}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("目前有货吗？", {"现在有货吗？", "当前有货吗？"}),
        ("A famous author.", {"A renowned author.", "A famous writer."}),
        ("Famous people", {"Renowned people"}),
        ("An attorney came.", {NONE}),  # 'a lawyer' needs another article
        ("The attorney came.", {"The lawyer came."}),
        ("It is an awful day", {NONE}),
        ("It was terrible.", {"It was awful."}),
        ("I want to go.", {"I would like to go."}),
        ("What's new?", {"What is new?"}),
        ("What’s new?", {"What is new?"}),
        ("my attorney's car", {NONE}),
        ("an attorney-general, pre-attorney", {NONE}),
        ("Ask Attorney Smith", {NONE}),
        ("ATTORNEY", {NONE}),
        ("see `attorney` and \"attorney\" at attorney.txt", {NONE}),
        ("我不着急，没高兴", {NONE}),
        ("他说“马上”和《因为》", {NONE}),
        ("Купить это", {UNKNOWN}),
        ("12345", {UNKNOWN}),
    ],
)  # fmt: skip
def test_examples(text: str, expected: set[str]) -> None:
    assert all_drafts(text) == expected


def test_the_longest_phrase_wins() -> None:
    assert all_drafts("怎么购买？") == {"如何购买？"}
    assert all_drafts("How do I pay?") == {"How can I pay?"}


def test_words_inside_other_words_stay() -> None:
    # 常用语 is a word of its own, and the table's 常用 must not be cut out of it.
    assert all_drafts("我的自行车公司") <= {"我的单车公司", "我的脚踏车公司", NONE}
    assert all_drafts("photographer") == {NONE}


def test_words_that_the_answer_may_quote_stay() -> None:
    assert all_drafts("马上付款", kept="马上") == {NONE}
    assert all_drafts("the attorney", kept='{"who": "Attorney"}') == {NONE}


def test_the_share_says_how_many_words_change() -> None:
    text = "马上、因为、如果、例如、许多、的确、早晨、照片、番茄、工资"
    changed = {
        sum(a != b for a, b in zip(text.split("、"), draft.split("、"), strict=True))
        for draft in all_drafts(text, replaced=0.3)
    }
    assert changed == {3}


@settings(deadline=None)
@given(st.sampled_from(ZH + EN), st.integers(0, 2**64 - 1), st.integers(2, 999))
def test_numbers_code_and_quotations_never_change(text: str, seed: int, number: int) -> None:
    full = f"{text} {number} `因为 movie` “马上” https://a.org/faulty [CN_MOBILE]"
    draft = Synonyms(SynonymsAugmenter(replaced=0.5)).drafts([task(full, seed)])[0]
    assert draft.text != full
    assert not draft.text or (numbers(draft.text) == numbers(full) and fixed_values(draft.text) == fixed_values(full))


def test_the_forms_of_an_entry() -> None:
    text = "# note\n\na = b = c\nd > e | f\n"
    assert list(entries(text)) == [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"]), ("d", ["e", "f"])]


def test_no_word_stands_in_two_entries_and_the_licence_travels_along() -> None:
    for names in (("chinese.txt",), ("english.txt", "wordnet.txt")):
        texts = [files("danlu.data.synonyms").joinpath(name).read_text(encoding="utf-8") for name in names]
        words = [word for text in texts for word, _ in entries(text)]
        assert len(words) == len(set(words)), sorted({word for word in words if words.count(word) > 1})
    for name in ("wordnet.txt", "words.txt"):
        text = files("danlu.data.synonyms").joinpath(name).read_text(encoding="utf-8")
        assert "WordNet 3.1 Copyright 2011 by Princeton University" in text and "Permission to use" in text


def test_an_unknown_language_has_no_table() -> None:
    assert load_synonyms("fr") == {}
