"""Negations are counted where something is denied; opposites and times are found."""

from __future__ import annotations

import pytest

from danlu.data.polarity import negations, reverses, times


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("不能登录", 1),
        ("没有收到，也未发货", 2),
        ("无法打开，别关", 2),
        ("能不能、有没有、是不是、可不可以、喜不喜欢", 0),
        ("能否、是否、不过、非常、不仅、不管、特别、未来、不同、差不多、不好意思", 0),
        ("发货了没？", 0),
        ("I can't, cannot, don’t, dont, never", 5),
        ("not only, no matter, whether or not, No. 5", 0),
        ("nothing without none", 3),
        ("notable knot normal another", 0),
        ("", 0),
    ],
)
def test_negations(text: str, count: int) -> None:
    assert negations(text) == count


def test_times() -> None:
    assert times("今日上午") == times("今天上午") == {"今天", "上午"}
    assert times("next week, Monday at midday") == {"next week", "monday", "noon"}
    assert times("下个月、这周、早晨") == {"下月", "本周", "早上"}
    assert times("Mondays are in the past") == set()


@pytest.mark.parametrize(
    ("old", "new", "turned"),
    [
        ("增加内存", "减少内存", True),
        ("before lunch", "after lunch", True),
        ("左边", "右边", True),
        ("增加或减少内存", "减少或增加内存", False),
        ("open it", "shut it", False),
        ("reopen it", "disclose it", False),
        ("增加内存", "提升内存", False),
    ],
)
def test_opposites(old: str, new: str, turned: bool) -> None:
    assert reverses(old, new) is turned and reverses(new, old) is turned
