"""Where the sentences of a Chinese or English text end, outside of code, formulas and URLs."""

from __future__ import annotations

import re
from bisect import bisect_right

from danlu.data.protected import protected_spans

# Chinese ends need no space behind them. English ends need one, and something that can begin a sentence.
_END = re.compile(r"""[。！？!?…]++[”’」』）)"'》]*+(?=\S)|[。！？!?….;；]++[”’」』）)"']*+(?=\s)|\n""")
_STARTS = re.compile(r"""\s*["'“‘(]?[^\sa-z]""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|e\.g|i\.e|no|vol|fig|approx|inc|ltd|co|dept|est|a\.m|p\.m|u\.s|u\.k|[a-z])\.$",
    re.IGNORECASE,
)  # fmt: skip


def split_sentences(text: str) -> list[str]:
    """The sentences in order, each with the white space behind it: joined, they are the text."""
    spans = protected_spans(text)
    starts = [start for start, _ in spans]
    sentences: list[str] = []
    begin = 0
    for match in _END.finditer(text):
        at = bisect_right(starts, match.start()) - 1
        if at >= 0 and match.start() < spans[at][1]:
            continue
        end = match.end()
        if not _ends_here(text, begin, match):
            continue
        while end < len(text) and text[end].isspace():
            end += 1
        if text[begin:end].strip():
            sentences.append(text[begin:end])
            begin = end
    if begin < len(text):
        sentences.append(text[begin:])
    return sentences


def _ends_here(text: str, begin: int, match: re.Match[str]) -> bool:
    mark = match[0]
    if mark == "\n" or mark[0] in "。！？…":
        return True
    if mark[0] in ";；":
        return False
    # An English full stop: not behind an abbreviation, and not before a small letter.
    if mark[0] == "." and _ABBREVIATION.search(text[max(begin, match.end() - 8) : match.end()]):
        return False
    if mark[0] in "!?" and not text[match.end() : match.end() + 1].isspace():
        return not text[match.end()].isascii()
    return _STARTS.match(text, match.end()) is not None
