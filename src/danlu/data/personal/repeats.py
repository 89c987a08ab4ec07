"""A person who is named once is mostly named again, where what stands around says less."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from danlu.data.personal.english_words import LOWER, UPPER, kind_of
from danlu.data.personal.spans import Span
from danlu.data.personal.told_values import is_telling

_NAMES = ("CN_NAME", "EN_NAME")
_GIVEN = ("w", "g", "G")
_MORE = re.compile(rf"[-_@./][{UPPER}{LOWER}0-9]|,? ?[{UPPER}]")
_LESS = re.compile(rf"[{UPPER}][{UPPER}{LOWER}.]* $|[-_@/.'’]$")


def repeats(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Other places of the names that were found in a text; the text is folded.

    Chinese names of two characters count where no dictionary has them as a word, English ones from two words on, or
    given names that are nothing else and stand by themselves.

    Args:
        text: the whole text.
        found: spans in it, settled.
    """
    surest: dict[str, Span] = {}
    for span in found:
        if span.kind in _NAMES and _counts(text[span.start : span.end], span):
            name = text[span.start : span.end]
            if name not in surest or surest[name].confidence < span.confidence:
                surest[name] = span
    starts = [span.start for span in found]
    for name, span in surest.items():
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            latin = span.kind == "EN_NAME" and not _stands_alone(text, at, end)
            before = bisect_left(starts, end) - 1  # the last span that begins in front of the place's end
            if not latin and (before < 0 or found[before].end <= at):
                yield Span(at, end, span.kind, span.confidence)
            at = text.find(name, end)


def _counts(name: str, span: Span) -> bool:
    given = span.kind == "EN_NAME" and kind_of(name)[:1] in _GIVEN and kind_of(name)[2:3] == "-"
    return is_telling(name, span.kind) or (given and span.confidence >= 0.7)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no letter is joined to a name, and no word of another name to a single one: Daniel Webster Street."""
    if text[start - 1 : start].isalnum() or text[end : end + 1].isalnum():
        return False
    return " " in text[start:end] or not (_MORE.match(text, end) or _LESS.search(text, max(0, start - 20), start))
