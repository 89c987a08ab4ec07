"""The form in which texts are compared: NFKC, case folded, whitespace collapsed; a text, or a batch as one array."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from danlu.data.similarity.arrays import I64, U32, Bools

PAD = 4  # zero code points behind each text, so that a window of five never reaches into the next one

_SPACE = ord(" ")
COMPLEX = 0xFFFFFFFE  # neighbours matter, or it becomes several
_UNKNOWN = 0xFFFFFFFF
# What each code point becomes. Filled as code points are met: a pure function remembered, 4.4 MB.
_folded = np.full(0x110000, _UNKNOWN, np.uint32)


def fold(text: str) -> str:
    """The text for comparison: NFKC (Unicode Standard Annex 15), case folded, runs of whitespace as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fold_batch(texts: Sequence[str]) -> tuple[U32, I64]:
    """`fold` of each text as code points: (all of them, PAD zeros behind each text; lengths without the zeros).

    Most code points fold alone and one to one, so texts made of these go through a table; the others through `fold`.
    """
    joined, sizes = _encoded(texts)
    codes = _look_up(joined)
    complex_ones = codes == COMPLEX
    if complex_ones.any():
        owner = np.repeat(np.arange(len(texts)), sizes + PAD)
        folded = np.zeros(len(texts), np.bool_)
        folded[owner[complex_ones]] = True
        joined, sizes = _encoded([fold(text) if done else text for text, done in zip(texts, folded, strict=True)])
        codes = np.where(np.repeat(folded, sizes + PAD), joined, _look_up(joined))
    return _collapse_spaces(codes, sizes)


def _encoded(texts: Sequence[str]) -> tuple[U32, I64]:
    joined = ("\0" * PAD).join([*texts, ""]).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, "<u4").astype(np.uint32, copy=False), np.fromiter(
        map(len, texts), np.int64, len(texts)
    )


def _look_up(joined: U32) -> U32:
    codes = _folded[joined]
    unknown = codes == _UNKNOWN
    if unknown.any():
        for code in np.unique(joined[unknown]).tolist():
            _folded[code] = fold_code(code)
        codes = _folded[joined]
    return codes


def fold_code(code: int) -> int:
    """What a code point folds to whatever stands beside it; COMPLEX if neighbours matter or it becomes several."""
    composed = unicodedata.normalize("NFKC", chr(code))
    if len(composed) != 1 or _joins_its_neighbour(composed):
        return COMPLEX
    folded = composed.casefold()
    if len(folded) != 1:
        return COMPLEX
    return _SPACE if folded.isspace() else ord(folded)


def _joins_its_neighbour(character: str) -> bool:
    """Whether NFKC may merge it with, or move it before, the one in front: marks, and vowels and finals of Hangul."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def _collapse_spaces(codes: U32, sizes: I64) -> tuple[U32, I64]:
    """Keep the first space of each run, and none at the edges of a text."""
    spaces = codes == _SPACE
    if not spaces.any():
        return codes, sizes
    ends = np.cumsum(sizes + PAD) - PAD
    drop = np.zeros(len(codes), np.bool_)
    np.logical_and(spaces[1:], spaces[:-1], out=drop[1:])
    starts = (ends - sizes)[sizes > 0]
    drop[starts] |= spaces[starts]
    last = (ends - 1)[sizes > 0]
    for position in last[spaces[last]].tolist():  # few texts end in a space
        drop[_run_start(spaces, position)] = True
    if not drop.any():
        return codes, sizes
    removed = np.concatenate([[0], np.cumsum(drop)])
    return codes[~drop], sizes - (removed[ends] - removed[ends - sizes])


def _run_start(spaces: Bools, position: int) -> int:
    while position and spaces[position - 1]:
        position -= 1
    return position
