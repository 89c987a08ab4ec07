"""Texts of strangers on the dataset's page: what is hidden is seen, what changed is marked, long lists are cut."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from danlu.pipeline.report.dataset_reasons import folded
from danlu.pipeline.report.dataset_text import changes, isolated, listed, plain, shown
from danlu.pipeline.report.dataset_words import KINDS, called
from danlu.recipe.redaction import Kind


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\u202eb", 'a<i class="odd">U+202E</i>b'),
        ("a\u200bb\ufeff", 'a<i class="odd">U+200B</i>b<i class="odd">U+FEFF</i>'),
        ("x\x1b[31m", 'x<i class="odd">U+001B</i>[31m'),
        ("\ud800", '<i class="odd">U+D800</i>'),
        ("a\tb\nc", "a\tb\nc"),
        ("👩\u200d👧 نمی\u200cخواهم", "👩\u200d👧 نمی\u200cخواهم"),
        ("call [CN_MOBILE] or [x]", 'call <b class="tag">[CN_MOBILE]</b> or [x]'),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_hidden_characters_and_tags_are_seen(text: str, wanted: str) -> None:
    assert shown(text) == wanted
    assert isolated(text) == f"<bdi>{wanted}</bdi>"


def test_attributes_and_terminals_get_numbers_for_hidden_characters() -> None:
    assert plain("a\u202eb\x1b[0m") == "a⟨U+202E⟩b⟨U+001B⟩[0m"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_personal_data_has_a_name_and_a_tag(kind: str) -> None:
    assert shown(f"[{kind}]") == f'<b class="tag">[{kind}]</b>'
    assert kind in KINDS and called(KINDS, kind)


@pytest.mark.parametrize(
    ("before", "after", "left", "right"),
    [
        ("same text", "same text", "same text", "same text"),
        ("a  b", "a b", 'a <del><i class="blank">␣</i></del>b', "a b"),
        ("e\u0301", "é", '<del>e<i class="odd">U+0301</i></del>', "<ins>é</ins>"),
        ("你\ufeff好", "你好", '你<del><i class="odd">U+FEFF</i></del>好', "你好"),
        ("a\u00a0b", "a b", 'a<del><i class="odd">U+00A0</i></del>b', 'a<ins><i class="blank">␣</i></ins>b'),
        ("x<b>", "x", "x<del>&lt;b&gt;</del>", "x"),
        ("取消订单", "預訂订单", "<del>取消</del>订单", "<ins>預訂</ins>订单"),
    ],
)
def test_what_changed_is_marked(before: str, after: str, left: str, right: str) -> None:
    assert changes(before, after) == (left, right)


def test_marks_leave_the_texts_as_they_are() -> None:
    before, after = "The  quick\tbrown fox, 42.", "A quick brown fox 42!"
    for made, text in zip(changes(before, after), (before, after), strict=True):
        bare = re.sub(r"<[^>]*>", "", made).replace("␣", " ").replace("⇥", "\t")
        assert bare == text


def test_texts_too_long_to_compare_are_shown_unmarked() -> None:
    left, right = changes("word " * 2000, "other " * 2000)
    assert "<del>" not in left and "<ins>" not in right and left.startswith("word word")


@pytest.mark.parametrize(
    ("amounts", "wanted"),
    [
        ({"too short": 2, "too long": 5}, [("too long", 5), ("too short", 2)]),
        ({"longer than 256 tokens": 3}, [("longer than 256 tokens", 3)]),
        ({"near duplicate of a.jsonl:1 (J=0.90)": 1, "near duplicate of b/c.csv:2 (J=0.93)": 1},
         [("near duplicate of …", 2)]),
        ({"the answer is 3 words long, fewer than 5": 1, "the answer is 4 words long, fewer than 5": 2},
         [("the answer is … words long, fewer than 5", 3)]),
        ({"tied to a.jsonl:1~synonyms.0": 1, "tied to a.jsonl:2~synonyms.0": 1}, [("tied to …", 2)]),
        ({}, []),
    ],
)  # fmt: skip
def test_reasons_that_differ_in_ids_and_numbers_count_as_one(
    amounts: dict[str, int], wanted: list[tuple[str, int]]
) -> None:
    assert folded(amounts) == wanted


def test_long_lists_of_ids_are_cut_and_say_so() -> None:
    assert listed([f"r:{n}" for n in range(25)]).count("<code") == 20
    assert listed(range(25)).endswith("<small>+5</small>")
    assert "small" not in listed(range(20))
