"""Units of comparison: what makes two texts the same, against a plain implementation with regular expressions."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data import comparison_units
from danlu.data.comparison_units import HashTable, mixed, units_of, wholes, windows

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3005-\u3007\u3040-\u30ff"
HAN += r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"


def plain(text: str) -> list[str]:
    """The units of a text, the slow way."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = "".join(c for c in text if c not in "'’‘ʼ" and unicodedata.category(c) != "Cf")
    text = re.sub("[\ufe00-\ufe0f]", "", text)
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text)
    return re.findall(f"[{HAN}]|[^{HAN} ]+", kept)


def numbered(texts: list[str]) -> tuple[list[list[int]], list[list[str]]]:
    units = units_of(texts)
    bounds = zip(units.starts, units.starts[1:], strict=False)
    return [units.hashes[a:b].tolist() for a, b in bounds], [plain(text) for text in texts]


TEXTS = [
    "Don’t STOP, re-read it: e\u0301te\u0301 (1st) x² ½ ﬁne…",
    "中国的首都是哪里？Ａｉｒ\u3000２０２６年，iPhone15很好！",
    "",
    "！？……",
    "ひらがなとカタカナ ｶﾞｷﾞ",
    "हिन्दी भाषा ไทย한국어 \u1112\u1161\u11ab",
    "a\u200bb soft\u00adhyphen 👩‍👩‍👧 ok\ufe0f",
    "Straße STRASSE İstanbul ㎡",
    "tail\U0010ffffcut",
]


def test_units_are_those_of_the_plain_implementation() -> None:
    ours, theirs = numbered(TEXTS)
    assert [len(units) for units in ours] == [len(units) for units in theirs]
    name_of: dict[int, str] = {}
    for mine, expected in zip(ours, theirs, strict=True):
        for number, name in zip(mine, expected, strict=True):
            assert name_of.setdefault(number, name) == name
    assert len(set(name_of.values())) == len(name_of)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.characters(max_codepoint=0x1FFFF, exclude_categories=["Cs", "Cn"]), max_size=30), max_size=5)
)
def test_any_text_has_the_units_of_the_plain_implementation(texts: list[str]) -> None:
    ours, theirs = numbered(texts)
    assert [len(units) for units in ours] == [len(units) for units in theirs]
    pairs = [pair for mine, names in zip(ours, theirs, strict=True) for pair in zip(mine, names, strict=True)]
    assert len({number for number, _ in pairs}) == len({name for _, name in pairs}) == len(set(pairs))


@pytest.mark.parametrize("block", [1, 7, 1 << 18])
def test_grouping_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = units_of(TEXTS)
    runs, texts = windows(expected.hashes, expected.starts, 3), wholes(expected.hashes, expected.starts)
    monkeypatch.setattr(comparison_units, "BLOCK", block)
    found = units_of(TEXTS)
    assert np.array_equal(found.hashes, expected.hashes)
    assert np.array_equal(found.starts, expected.starts)
    assert np.array_equal(found.single, expected.single)
    again = windows(found.hashes, found.starts, 3)
    assert np.array_equal(again[0], runs[0]) and np.array_equal(again[1], runs[1])
    assert np.array_equal(wholes(found.hashes, found.starts), texts)


def test_windows_are_all_runs_within_a_text() -> None:
    texts = ["a b c d b c d", "b c d", "x y", "", "中文字中文字"]
    units = units_of(texts)
    keys, positions = windows(units.hashes, units.starts, 3)
    expected = []
    for text, start in zip(texts, units.starts.tolist(), strict=False):
        own = plain(text)
        expected += [(start + i, tuple(own[i : i + 3])) for i in range(len(own) - 2)]
    assert positions.tolist() == [position for position, _ in expected]
    by_key: dict[int, set[tuple[str, ...]]] = {}
    for key, (_, run) in zip(keys.tolist(), expected, strict=True):
        by_key.setdefault(key, set()).add(run)
    assert all(len(runs) == 1 for runs in by_key.values())
    assert len(by_key) == len({run for _, run in expected})


def test_wholes_tell_texts_apart_and_see_equal_ones() -> None:
    texts = ["Hello, world", "hello world!", "world hello", "hello", "", "。", "你好", "好你"]
    units = units_of(texts)
    keys = wholes(units.hashes, units.starts).tolist()
    assert keys[0] == keys[1] and keys[4] == keys[5]
    assert len(set(keys)) == 6


def test_lone_surrogates_are_no_units() -> None:
    units = units_of(["ab\ud800cd"])
    assert units.lengths().tolist() == [2]


def test_a_table_finds_every_value_of_a_key_and_nothing_else() -> None:
    random = np.random.default_rng(4)
    keys = random.integers(0, 2**63, 500, dtype=np.uint64).repeat(2)
    keys[::2] = mixed(keys[::2])
    values = random.permutation(1000)
    table = HashTable(keys, values)
    asked = np.concatenate([keys[:40], random.integers(0, 2**63, 300, dtype=np.uint64), keys[10:20]])
    which, found = table.lookup(asked)
    expected = [
        (index, value) for index, key in enumerate(asked.tolist()) for value in sorted(values[keys == key].tolist())
    ]
    assert list(zip(which.tolist(), found.tolist(), strict=True)) == expected
    empty = HashTable(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    assert len(empty.lookup(asked)[0]) == 0 and len(table.lookup(asked[:0])[0]) == 0
