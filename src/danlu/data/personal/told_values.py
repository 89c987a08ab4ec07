"""Values that were found in one place of a row, where they stand in it again without what gave them away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from danlu.data.personal.chinese_words import is_known
from danlu.data.personal.spans import Span
from danlu.recipe.redaction import Kind

_SHORTEST = 6  # characters of what is no name
_PASSPHRASE = 16  # letters that are no ordinary word any more
_NO_LETTER = re.compile(r"[\W_]+")
_SYMBOL = re.compile(r"[^\w\s.'’-]")


class Told:
    """The values of a row that are replaced wherever they stand in it."""

    def __init__(self) -> None:
        self._values: dict[str, Span] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def note(self, text: str, spans: Sequence[Span]) -> None:
        """Remember the values of these spans that can be told from ordinary words and numbers."""
        for span in spans:
            value = text[span.start : span.end]
            known = self._values.get(value)
            if (known is None or known.confidence < span.confidence) and is_telling(value, span.kind):
                self._values[value] = span

    def places(self, text: str) -> Iterator[Span]:
        """Where they stand in a text as whole words; places may overlap."""
        for value, span in self._values.items():
            at = text.find(value)
            while at >= 0:
                end = at + len(value)
                if not (_joined(text[at - 1 : at], value[0]) or _joined(value[-1], text[end : end + 1])):
                    yield Span(at, end, span.kind, span.confidence)
                at = text.find(value, end)


def is_telling(value: str, kind: Kind) -> bool:
    """Whether a value means the same wherever it stands.

    Given names alone, words of two Chinese characters, passwords that are a word and short numbers may stand elsewhere
    and mean something else.
    """
    if kind == "EN_NAME":
        return len(value.split()) > 1
    if kind == "CN_NAME":
        return len(value) > 2 or (len(value) == 2 and not is_known(value))
    if len(value) < _SHORTEST:
        return False
    letters = _NO_LETTER.sub("", value)
    if kind != "SECRET" or not letters.isalpha() or _SYMBOL.search(value):
        return True
    inner = letters[1:]
    return len(letters) >= _PASSPHRASE or inner not in (inner.lower(), inner.upper())


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word or number; Chinese ones are words by themselves."""
    return _in_word(left) and _in_word(right)


def _in_word(character: str) -> bool:
    return character.isalnum() and not "\u2e80" <= character <= "\u9fff"
