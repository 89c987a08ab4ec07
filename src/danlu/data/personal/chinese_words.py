"""Where words of a Chinese text begin and end, and what the segmenter's dictionary says of a word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any

from danlu.data.personal.chinese_tables import name_tables


@cache
def segmenter() -> Any:
    """rjieba, whose words nobody adds to."""
    import rjieba  # 35 MB, which a run without personal data does not take

    return rjieba


class Words:
    """Where words begin and end in a part of a text; offsets are the text's."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, text: str, low: int, high: int) -> None:
        words = segmenter().cut(text[low:high])
        edges = list(accumulate(map(len, words), initial=low))
        self._starts = dict(zip(edges, words, strict=False))
        self._ends = dict(zip(edges[1:], words, strict=True))

    def start(self, at: int) -> str | None:
        """The word that begins at an offset."""
        return self._starts.get(at)

    def end(self, at: int) -> str | None:
        """The word that ends at an offset."""
        return self._ends.get(at)


@lru_cache(maxsize=65536)
def tag_of(word: str) -> str:
    """The segmenter's tag of a word of its dictionary, empty for a word that it made up."""
    if not segmenter().has_word(word):
        return ""
    tagged: Sequence[tuple[str, str]] = segmenter().tag(word, False) if len(word) > 1 or word >= "\u4e00" else ()
    return tagged[0][1] if len(tagged) == 1 else ""


@lru_cache(maxsize=65536)
def is_ordinary(word: str) -> bool:
    """Whether a word of two characters or more is one of the language and no name."""
    if len(word) == 2:
        return word in name_tables().not_names or (is_known(word) and not tag_of(word).startswith("nr"))
    return word in name_tables().not_names or (len(word) > 3 and is_known(word) and not tag_of(word).startswith("nr"))


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """Whether the dictionary has this word."""
    return bool(segmenter().has_word(word))
