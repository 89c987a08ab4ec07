"""Symbol filter: answers that are mostly neither letters nor digits, or text decoded with the wrong encoding."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import orjson

from danlu.data.cleaning import judge_rows
from danlu.data.languages import letters_of
from danlu.data.mojibake import mojibake_share
from danlu.data.protected import without_protected
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import SymbolsFilter

_SYMBOLS = re.compile(r"[^\w\s]+|_+")
# Shorter texts are labels, marks, operators, emoji: an answer may be nothing else.
_LEAST = 20
_NO_CODE, _SOUP = 0.75, 0.9
# What a line of code, data or mathematics has; such lines are full of signs.
_CODE = re.compile(
    r"[;{}]\s*$|^\s*[\])}]|\w\(|[=<>]=|->|=>|\w = |</?\w|^\s*(?:[#$>]|//)|^\s*[\[{(\"']|[:：] ?[\[{(\"']", re.MULTILINE
)
_RULE = re.compile(r"\s*([^\w\s])(?:\1|\s)+")


class Symbols:
    """The cleaner of `{type: symbols}`."""

    def __init__(self, config: SymbolsFilter) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer that is mostly symbols, or broken text."""
        return judge_rows(rows, "symbols", self._judge)

    def _judge(self, text: str) -> str:
        broken = mojibake_share(text)
        if broken > self.config.max_mojibake:
            return f"is broken text to {broken:.0%}, more than {self.config.max_mojibake:.0%}"
        # Most texts are done by their letters, which the other filters count too.
        if letters_of(text) >= (1 - self.config.max_share) * len(text) or _rough_share(text) <= self.config.max_share:
            return ""
        # What is nearly all symbols is no code either, whatever its backticks and dollar signs enclose.
        share = _share(text)
        if share <= max(_SOUP, self.config.max_share):
            share = _share(without_protected(text))
        if share <= self.config.max_share or _is_json(text):
            return ""
        return f"is {share:.0%} symbols, more than {self.config.max_share:.0%}"


def _is_json(text: str) -> bool:
    """Whether the whole text is one JSON value, which may well be mostly quotes and brackets."""
    try:
        return isinstance(orjson.loads(text), (dict, list))
    except orjson.JSONDecodeError:
        return False


def _rough_share(text: str) -> float:
    """Symbols among all characters but white space, marks (the vowels of Indic scripts) and emoji among them."""
    total = len(text) - text.count(" ") - text.count("\n")
    return _length(_SYMBOLS, text) / total if total >= _LEAST else 0.0


def _share(text: str) -> float:
    """As the rough share, but marks and emoji are no symbols, rules (`-----`) are left out, and lines of code count
    as symbols only where they are nothing else; 0 for a text too short to judge.
    """
    lines = [line for line in text.split("\n") if line.strip() and not _RULE.fullmatch(line)]
    text = "\n".join(lines)
    total = sum(map(len, text.split()))
    if total < _LEAST:
        return 0.0
    share = (_length(_SYMBOLS, text) - sum(map(_is_letter, text))) / total
    is_code = sum(bool(_CODE.search(line)) for line in lines) > len(lines) / 2
    return 0.0 if is_code and share < _NO_CODE else share


def _is_letter(sign: str) -> bool:
    """Marks and pictures are; arrows, box drawings and geometric shapes are not."""
    category = unicodedata.category(sign)
    return category[0] == "M" or (category == "So" and not "\u2190" <= sign <= "\u25ff")


def _length(runs: re.Pattern[str], text: str) -> int:
    return sum(map(len, runs.findall(text)))
