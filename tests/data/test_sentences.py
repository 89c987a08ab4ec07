"""Sentences end where a reader would say so, and joined they are the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("你好。再见！真的？好……", ["你好。", "再见！", "真的？", "好……"]),
        ("他说：“好。”她走了。", ["他说：“好。”", "她走了。"]),
        ("真的？！好。", ["真的？！", "好。"]),
        ("Hi there. How are you? Fine!", ["Hi there. ", "How are you? ", "Fine!"]),
        ("Dr. Smith paid $3.50 at 5 p.m. today. It rained.", ["Dr. Smith paid $3.50 at 5 p.m. today. ", "It rained."]),
        ("See e.g. Paris. Go.", ["See e.g. Paris. ", "Go."]),
        ("end. not here", ["end. not here"]),
        ("one\ntwo\n\nthree", ["one\n", "two\n\n", "three"]),
        ("看`a。b`吧。好。", ["看`a。b`吧。", "好。"]),
        ("See https://a.org/b?c=D. Yes.", ["See https://a.org/b?c=D. ", "Yes."]),
        ("Wow! 好。", ["Wow! ", "好。"]),
        ("", []),
        ("no end", ["no end"]),
    ],
)
def test_examples(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@settings(deadline=None)
@given(st.text(alphabet="aA 。？.!\n`“”$", max_size=60))
def test_joined_they_are_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text
