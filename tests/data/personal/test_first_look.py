"""The first look's tables against the sum of features that they stand for."""

from __future__ import annotations

import random

import pytest

from danlu.data.personal.chinese_tables import name_characters, name_tables, name_weights, short_places
from danlu.data.personal.first_look import at_first_look
from danlu.data.personal.name_features import ODD, by_itself


def test_tables_and_features_give_the_same_sum() -> None:
    r, t, gate = random.Random(4), name_tables(), name_weights(gate=True)
    surnames, characters = sorted(t.rank), [*name_characters(), *"村镇家家家"]
    names = [r.choice(surnames) + "".join(r.choices(characters, k=r.choice((1, 2)))) for _ in range(3000)]
    names += [name for name in {*t.not_names, *short_places()} if name[0] in t.rank and 2 <= len(name) <= 3]
    names += [surname + twice * 2 for surname, twice in zip(surnames, characters, strict=False)]
    for name in names:
        assert at_first_look(name, 1) == pytest.approx(by_itself(name, 1, gate), abs=1e-9), name
    assert at_first_look("欧阳修远", 2) == by_itself("欧阳修远", 2, gate)


def test_what_is_no_name_at_all_is_worth_nothing() -> None:
    assert {at_first_look(name, 1) for name in ("王", "王㐂", "王小㐂")} == {ODD}
