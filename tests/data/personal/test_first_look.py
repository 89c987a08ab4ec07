"""The first look's tables and arrays against the sums of features that they stand for."""

from __future__ import annotations

import random
from functools import cache

import pytest

from danlu.data.personal.chinese_names import chinese_names
from danlu.data.personal.chinese_tables import name_characters, name_tables, name_weights, short_places
from danlu.data.personal.first_look import all_places, first_looks
from danlu.data.personal.name_features import ODD, by_itself, plain
from danlu.data.personal.name_sums import name_sums
from danlu.data.personal.name_surroundings import is_title

_ODDITIES = ("", "^", "^^", "1", "٣", "x", " ", "\u3000", "\n", "。", "，“", "😀", "\ud800", "\uffff", "\ufffe", "\x00")


@pytest.mark.parametrize("gate", [True, False])
def test_tables_and_features_give_the_same_sum(gate: bool) -> None:
    r, t, weights, sums = random.Random(4), name_tables(), name_weights(gate=gate), name_sums(gate=gate)
    surnames, characters = sorted(t.rank), [*name_characters(), *"村镇家家家"]
    names = [r.choice(surnames) + "".join(r.choices(characters, k=r.choice((1, 2)))) for _ in range(3000)]
    names += [name for name in {*t.not_names, *short_places()} if name[0] in t.rank and 2 <= len(name) <= 3]
    names += [surname + twice * 2 for surname, twice in zip(surnames, characters, strict=False)]
    most, most_long, most_twice = sums.most()
    for name in names:
        assert sums.whole(name, 1) == pytest.approx(by_itself(name, 1, weights), abs=1e-9), name
        limit = most if len(name) < 3 else most_twice if name[1] == name[2] else most_long
        assert sums.words(name) <= limit + 1e-9, name
    assert sums.whole("欧阳修远", 2) == by_itself("欧阳修远", 2, weights)


def test_what_is_no_name_at_all_is_worth_nothing() -> None:
    assert {name_sums(gate=True).whole(name, 1) for name in ("王", "王㐂", "王小㐂")} == {ODD}


@cache
def _beside(two: str, front: bool) -> float:
    weights = name_weights(gate=True)
    one, both, near = ("l", "ll", two[-1:]) if front else ("r", "rr", two[:1])
    return weights.get((one, plain(near)), 0.0) + weights.get((both, plain(two)), 0.0)


def _looked_at(text: str, at: int) -> bool:
    """One place by itself, from the features."""
    t, gate = name_tables(), name_weights(gate=True)
    family = 2 if text[at : at + 2] in t.doubles else 1 if text[at] in t.rank else 0
    for size in {0: (), 1: (2, 3), 2: (3, 4)}[family]:
        name, end = text[at : at + size], at + size
        own = by_itself(name, family, gate) if len(name) == size else ODD
        least = -5.0 if family == 1 else ODD
        sides = _beside(text[max(0, at - 2) : at], True) + _beside(text[end : end + 2], False)
        if own >= least and own + sides >= -2.7:
            return True
    return is_title(text, at + 1)


def test_many_texts_at_once_give_what_each_place_gives_by_itself() -> None:
    r, t = random.Random(7), name_tables()
    surnames = [*sorted(t.rank), *sorted(t.doubles) * 6]
    given = [c for c, (share, _) in name_characters().items() if share > -1]
    sides = [value for kind, value in name_weights(gate=True) if kind in ("ll", "rr")]

    def some() -> str:
        name = r.choice(surnames) + "".join(r.choices(given, k=r.choice((0, 1, 2, 2))))
        return (
            r.choice((r.choice(_ODDITIES), r.choice(sides))) + name + r.choice((r.choice(_ODDITIES), r.choice(sides)))
        )

    texts = ["".join(some() for _ in range(r.choice((0, 1, 1, 4)))) for _ in range(1500)]
    texts += ["", "王", "我姓王", "司马", "司马光", "诸葛孔明", "找张伟", "王伟\ufffe李强", "请王老师来", "张😀伟"]
    looks = first_looks(texts)
    wrong = [
        (text, at)
        for text, found in zip(texts, looks, strict=True)
        for at in all_places(text)
        if (at in found) is not _looked_at(text, at) and "\ufffe" not in text
    ]
    assert wrong == []
    assert sum(map(len, looks)) > 1000 and [first_looks([text])[0] for text in texts[:200]] == looks[:200]


def test_names_of_many_texts_are_those_of_each() -> None:
    texts = ["患者王秀兰入院", "", "没有谁", "😀李国强说：“好”", "联系人：张伟"]
    together = list(chinese_names(texts))
    assert together == [next(chinese_names([text])) for text in texts]
    assert [len(spans) for spans in together][:4] == [1, 0, 0, 1]
