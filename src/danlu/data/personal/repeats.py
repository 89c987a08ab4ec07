"""A person who is named once is mostly named again, where what stands around says less."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from danlu.data.personal.chinese_words import is_known
from danlu.data.personal.spans import Span

_NAMES = ("CN_NAME", "EN_NAME")


def repeats(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Other places of the full names that were found in a text; the text is folded.

    Chinese names of two characters count where no dictionary has them as a word, English ones from two words on.

    Args:
        text: the whole text.
        found: spans in it, settled.
    """
    surest: dict[str, Span] = {}
    for span in found:
        if span.kind in _NAMES and _is_full(text[span.start : span.end], span.kind):
            name = text[span.start : span.end]
            if name not in surest or surest[name].confidence < span.confidence:
                surest[name] = span
    starts = [span.start for span in found]
    for name, span in surest.items():
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            latin = span.kind == "EN_NAME" and (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum())
            before = bisect_left(starts, end) - 1  # the last span that begins in front of the place's end
            if not latin and (before < 0 or found[before].end <= at):
                yield Span(at, end, span.kind, span.confidence)
            at = text.find(name, end)


def _is_full(name: str, kind: str) -> bool:
    if kind == "EN_NAME":
        return " " in name
    return len(name) > 2 or (len(name) == 2 and not is_known(name))
