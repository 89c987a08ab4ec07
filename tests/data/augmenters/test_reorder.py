"""Parts change places only where nothing depends on their order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.augmenters import reorder
from danlu.data.augmenters.reorder import Reorder
from danlu.recipe.augmentation import ReorderAugmenter
from tests.data.augmenting import task


def draft(text: str, seed: int = 1, unit: str = "sentence") -> str:
    config = ReorderAugmenter.model_validate({"unit": unit})
    found = Reorder(config).drafts([task(text, seed)])[0]
    return found.text or found.reason


def test_the_first_part_and_the_closing_question_keep_their_places() -> None:
    texts = {draft("我家有三个房间。厨房朝南。窗户很大。阳台种满花草。请推荐窗帘。", seed) for seed in range(40)}
    assert all(text.startswith("我家有三个房间。") and text.endswith("请推荐窗帘。") for text in texts)
    assert len(texts) == 5  # all orders of three parts but the given one
    english = "Our flat is old. The kitchen faces south. Windows are large. What curtains fit?"
    assert draft(english) == "Our flat is old. Windows are large. The kitchen faces south. What curtains fit?"


def test_nothing_is_lost_and_gaps_keep_their_places() -> None:
    text = "总结会议。\n\n产品部人手紧张。 销售部业绩很好。\n市场部预算充足。"
    found = draft(text)
    assert sorted(found) == sorted(text) and found != text
    assert [found.index("\n\n"), found.count(" "), found.count("\n")] == [5, 1, 3]


def test_paragraphs_change_places_whole() -> None:
    text = "Our house.\nThe kitchen is big. Walls are red.\nWindows are large.\n\nWhat curtains fit?"
    assert draft(text, unit="paragraph") == (
        "Our house.\nWindows are large.\nThe kitchen is big. Walls are red.\n\nWhat curtains fit?"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("房间很大。窗户朝南。", reorder.FEW),
        ("房间很大。窗户朝南。请推荐窗帘。", reorder.FEW),
        ("房间很大。窗户朝南。窗户朝南。", reorder.FEW),
        ("步骤很多。首先打开盖子。其次放入电池。最后盖上。", reorder.LINKED),
        ("房间很大。所以空调费电。窗户朝南。", reorder.LINKED),
        ("房间很大。但是窗户小。厨房朝南。", reorder.LINKED),
        ("房间很大。它朝南。窗户小。", reorder.LINKED),
        ("房间很大。这让人舒服。窗户小。", reorder.LINKED),
        ("1. 房间大。\n2. 窗户小。\n3. 厨房新。", reorder.NUMBERED),
        ("一、房间大。\n二、窗户小。\n三、厨房新。", reorder.NUMBERED),
        ("（1）房间大。（2）窗户小。（3）厨房新。", reorder.NUMBERED),
        ("A. 房间大。\nB. 窗户小。\nC. 厨房新。", reorder.NUMBERED),
        ("Step 1 is easy. Step 2 is hard. Step 3 is fun.", reorder.NUMBERED),
        ("Take care. Open the lid. Insert the card. Press start.", reorder.NUMBERED),
        ("注意安全。打开盖子。插入卡片。按下开关。", reorder.NUMBERED),
        ("我来到车站。买了票。上了车。", reorder.STORY),
        ("The day began. Snow covered roads. Trains stopped. Work ended.", reorder.STORY),
        ("小明：早上好。\n小红：早。\n小明：吃饭吗。", reorder.DIALOGUE),
        ("A man spoke. \"Good day.\" \"Hello.\" Rain fell.", reorder.DIALOGUE),
        ("请看下列要求。\n房间大。\n窗户小。\n厨房新。", reorder.HEADED),
        ("Consider a box. Sides are red. Edges are blue.", reorder.HEADED),
        ("房间很大。窗户朝南吗？厨房新。阳台小。", reorder.ASKED),
        ("Please help me. Rooms are large. Windows are small.", reorder.ASKED),
        ("The rooms are big. Therefore heating costs much. Windows are small.", reorder.LINKED),
        ("The rooms are big. It faces south. Windows are small.", reorder.LINKED),
        ("The rooms are big. However, windows are small. Doors are red.", reorder.LINKED),
        ("The rooms are big. And cold. Doors are red.", reorder.LINKED),
        ("Rooms are big. Run `ls`. Doors are red. Walls are blue.", reorder.CODE),
        ("x = 1\ny = 2\nz = 3", reorder.CODE),
    ],
)  # fmt: skip
def test_parts_that_depend_on_each_other_stay(text: str, reason: str) -> None:
    assert draft(text) == reason


WORDS = st.sampled_from(["房间很大", "窗户朝南", "厨房新", "阳台小", "价格合理", "光线充足", "地铁很近"])


@settings(deadline=None)
@given(st.lists(WORDS, min_size=4, max_size=7, unique=True), st.integers(0, 2**64 - 1))
def test_the_same_sentences_come_back(words: list[str], seed: int) -> None:
    text = "".join(f"{word}。" for word in words)
    found = draft(text, seed)
    assert sorted(found.split("。")) == sorted(text.split("。"))
    assert found != text and found.startswith(words[0])
