"""Cleaners: what normalisation must and must not change, and which rows are the same."""

from __future__ import annotations

import pytest

from danlu.data.cleaners.exact_duplicates import ExactDuplicates
from danlu.data.cleaners.normalize import Normalize, normalize_text
from danlu.data.row import Dropped, Row
from danlu.recipe.data import ExactDuplicatesCleaner, NormalizeCleaner

UNTOUCHED = [
    "a<b and c>d",
    "vector<int>",
    "x² + y₃ ≤ ½",
    "《红楼梦》",
    "你好，世界！",
    "，！",
    "👩‍👩‍👧‍👦 family",
    "می‌خواهم",
    "if x:\n\treturn 1\n\n\n\treturn 2",
    "a  b   c",
    "½",
    "ﬁ ① Ａ ｱ ™",
    "<think>\n\n</think>",
    "a\u00a0b",
    "don’t “quote” – dash — … ",
    "&lt;p&gt; %20 \\n",
]

CHANGED = [
    ("e\u0301te\u0301", "été"),
    ("a\r\nb\rc", "a\nb\nc"),
    ("a\u200bb", "ab"),
    ("\ufefftext", "text"),
    ("  outer \n", "outer"),
    ("\n\tascii only \n", "ascii only"),
    ("a\x00b\x1bc", "abc"),
    ("a\u2028b\x85c", "a\nb\nc"),
    ("\u200b \u2060", ""),
    ("\u1112\u1161\u11ab", "한"),
]


def row(number: int, question: str, answer: str = "Yes.") -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a.jsonl:{number}", "a.jsonl", number, messages=messages)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_normalisation_leaves_alone(text: str) -> None:
    assert normalize_text(text.strip()) == text.strip()


@pytest.mark.parametrize(("text", "expected"), CHANGED)
def test_normalisation_mends(text: str, expected: str) -> None:
    assert normalize_text(text) == expected
    assert normalize_text(expected) == expected


def test_normalise_books_a_change_only_where_there_is_one() -> None:
    clean, dirty = row(1, "a<b"), row(2, "cafe\u0301 ")
    first, second = Normalize(NormalizeCleaner())([clean, dirty])
    assert first is clean
    assert isinstance(second, Row) and second.changed_by == ("normalize",)
    assert second.messages[0]["content"] == "café" and second.id == dirty.id


def test_normalise_reaches_reasoning_and_text_rows() -> None:
    messages = ({"role": "assistant", "content": "a", "reasoning_content": "b\r\nc"},)
    thought, text = Row("1", "a", 1, messages=messages), Row("2", "a", 2, text="d\r\ne")
    first, second = Normalize(NormalizeCleaner())([thought, text])
    assert isinstance(first, Row) and first.messages[0]["reasoning_content"] == "b\nc"
    assert isinstance(second, Row) and second.text == "d\ne"


def test_exact_duplicates_keeps_the_first_and_names_it() -> None:
    rows = [row(1, "a  b"), row(2, "c"), row(3, "a b"), row(4, "A b"), row(5, "ａ b"), row(6, "a b", "No.")]
    results = list(ExactDuplicates(ExactDuplicatesCleaner())(rows))
    assert [isinstance(item, Dropped) for item in results] == [False, False, True, False, True, False]
    assert results[2] == Dropped(rows[2], "exact_duplicates", "same as a.jsonl:1")
    assert results[0] is rows[0]  # folding is for the comparison only


def test_exact_duplicates_ignoring_case() -> None:
    results = list(ExactDuplicates(ExactDuplicatesCleaner(ignore_case=True))([row(1, "Straße"), row(2, "STRASSE")]))
    assert isinstance(results[1], Dropped)


def test_tools_make_rows_differ() -> None:
    plain = row(1, "a")
    tools = ({"type": "function", "function": {"name": "f"}},)
    other = Row("b", "a.jsonl", 2, messages=plain.messages, tools=tools)
    assert not any(isinstance(item, Dropped) for item in ExactDuplicates(ExactDuplicatesCleaner())([plain, other]))
