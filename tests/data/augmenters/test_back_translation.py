"""There and back again: two calls for all tasks, through the language that was asked for."""

from __future__ import annotations

import pytest

from danlu.data.augmenters.back_translation import BackTranslation
from danlu.data.drafts import Draft
from danlu.data.wordings import LANGUAGE, NOTHING
from danlu.recipe.augmentation import BackTranslationAugmenter
from danlu.recipe.errors import UserError
from tests.data.augmenting import WRITER, FakeWriter, task


def build(writer: FakeWriter, through: str = "auto") -> BackTranslation:
    return BackTranslation(BackTranslationAugmenter.model_validate({"writer": WRITER, "through": through}), writer)


def told(writer: FakeWriter) -> list[tuple[str, str]]:
    """(from, into) of every request."""
    words = [asked[0]["content"].split() for asked in writer.asked]
    return [(each[each.index("from") + 1], each[each.index("into") + 1].rstrip(".")) for each in words]


def test_chinese_goes_through_english_and_back() -> None:
    writer = FakeWriter(lambda text, _: {"怎么退？": "How to return?", "How to return?": "如何退货？"}.get(text, ""))
    assert build(writer).drafts([task("怎么退？")]) == [Draft("如何退货？")]
    assert told(writer) == [("Chinese", "English"), ("English", "Chinese")]


def test_all_tasks_share_two_calls_and_each_gets_its_own() -> None:
    def say(text: str, _: object) -> str:
        return {"一": "", "二": "two", "Go": "走", "two": "两", "走": ""}[text]

    writer = FakeWriter(say)
    drafts = build(writer).drafts([task("一"), task("二"), task("Да"), task("Go")])
    assert drafts == [Draft(reason=NOTHING), Draft("两"), Draft(reason=LANGUAGE), Draft(reason=NOTHING)]
    assert writer.calls == [3, 2]


def test_another_language_in_between() -> None:
    writer = FakeWriter(lambda text, _: text)
    build(writer, "fr").drafts([task("怎么退？"), task("How?")])
    assert told(writer) == [("Chinese", "French"), ("English", "French"), ("French", "Chinese"), ("French", "English")]


def test_a_text_is_not_translated_into_its_own_language() -> None:
    assert build(FakeWriter(lambda text, _: text), "en").drafts([task("How?")]) == [Draft(reason=LANGUAGE)]


def test_children_of_one_row_are_asked_for_differently() -> None:
    writer = FakeWriter(lambda text, _: text)
    build(writer).drafts([task("怎么退？", number=number) for number in range(1, 11)])
    assert len({asked[0]["content"] for asked in writer.asked[:10]}) == 10


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UserError, match="unknown language 'xx'"):
        build(FakeWriter(lambda text, _: text), "xx")
