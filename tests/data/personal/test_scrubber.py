"""Texts that leave the data set: tags for all that the recipe's settings or the defaults find."""

from __future__ import annotations

from typing import Any

import pytest

from danlu.data.personal.scrubber import Scrubber
from danlu.recipe.redaction import RedactSection

MOBILE = "13912345678"


@pytest.mark.parametrize("policy", ["keep", "drop_row", "pseudonym"])
def test_it_always_tags(policy: Any) -> None:
    scrub = Scrubber(RedactSection(policy=policy, kinds={"CN_MOBILE": policy})).scrub
    assert scrub(f'{{"t": "打{MOBILE}"}}') == '{"t": "打[CN_MOBILE]"}'


def test_it_sees_what_a_lower_threshold_sees() -> None:
    text = f"订单编号{MOBILE}"
    assert Scrubber().scrub(text) == Scrubber(RedactSection()).scrub(text) == text
    assert Scrubber(RedactSection(min_confidence=0.1)).scrub(text) == "订单编号[CN_MOBILE]"


def test_it_is_never_less_strict_than_the_default() -> None:
    text = f"王小明说：打{MOBILE}"
    for section in (RedactSection(names="off"), RedactSection(min_confidence=0.99), None):
        assert Scrubber(section).scrub(text) == "[CN_NAME]说：打[CN_MOBILE]"


def test_a_value_goes_wherever_the_text_has_it() -> None:
    text = "user: My password is Tr0ub4dor&3\nassistant: OK, I stored Tr0ub4dor&3 for you."
    assert "Tr0ub4dor" not in Scrubber().scrub(text)


def test_many_texts_are_each_as_alone() -> None:
    texts = [f"打{MOBILE}", "没有", "", "找王小明，"] * 100
    assert Scrubber().scrub_many(texts) == [Scrubber().scrub(text) for text in texts[:4]] * 100
