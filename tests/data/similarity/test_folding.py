"""Folding: the batch and the single text agree, for every code point there is."""

from __future__ import annotations

import random
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.data.similarity.folding import COMPLEX, PAD, fold, fold_batch, fold_code

# Planes 3 to 13 hold ideographs and nothing, planes 15 and 16 are for private use: neither folds
EVERY_CODE = [code for code in range(sys.maxunicode + 1) if code < 0x30000 or code >> 16 == 14]


def batch(texts: list[str]) -> list[str]:
    codes, sizes = fold_batch(texts)
    starts = np.cumsum(sizes + PAD) - (sizes + PAD)
    assert len(codes) == (sizes + PAD).sum()
    pad = np.concatenate([np.arange(PAD) + start + size for start, size in zip(starts, sizes, strict=True)] or [[]])
    assert not codes[pad.astype(int)].any()
    return ["".join(map(chr, codes[at : at + size])) for at, size in zip(starts, sizes, strict=True)]


def test_every_code_point_folds_as_alone() -> None:
    for code in EVERY_CODE:
        folded = fold_code(code)
        assert folded == COMPLEX or (chr(folded).strip() or "") == fold(chr(code)), hex(code)
    assert sum(fold_code(code) == COMPLEX for code in EVERY_CODE) < 10_000


def test_what_folds_alone_never_joins_its_neighbour() -> None:
    # What can be the second half of a composed character: that of a canonical decomposition, and Hangul's
    decompositions = [unicodedata.decomposition(chr(code)).split() for code in EVERY_CODE]
    seconds = {int(parts[1], 16) for parts in decompositions if len(parts) == 2 and not parts[0].startswith("<")}
    seconds |= set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    joining = seconds | {code for code in EVERY_CODE if unicodedata.combining(chr(code))}
    assert len(joining) > 900
    through = {code for code in EVERY_CODE if ord(unicodedata.normalize("NFKC", chr(code))[0]) in joining}
    assert [hex(code) for code in sorted(joining | through) if fold_code(code) != COMPLEX] == []


@given(st.lists(st.text(max_size=30), max_size=8))
def test_batch_is_fold_of_each(texts: list[str]) -> None:
    assert batch(texts) == [fold(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("  \t\n ", ""),
        (" a \u3000\u00a0 b\n", "a b"),
        ("ＡＢＣ，１２！", "abc,12!"),
        ("Straße", "strasse"),
        ("e\u0301", "é"),
        ("\u1112\u1161\u11ab", "한"),
        ("ﬁ…½", "fi...1⁄2"),
        ("👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"),
        ("\0a\0", "\0a\0"),
    ],
)
def test_cases(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert batch(["x ", text, " y"]) == ["x", folded, "y"]


def test_mixed_random_batches() -> None:
    rng = random.Random(1)
    pool = [*"aB  \t，。ｘé", "e\u0301", "ﬁ", "ß", "\u3000", "한", "\u11ab", "❤️", "\u0345", "ͅΑ"]
    for _ in range(300):
        texts = ["".join(rng.choice(pool) for _ in range(rng.randrange(12))) for _ in range(rng.randrange(7))]
        assert batch(texts) == [fold(text) for text in texts]
