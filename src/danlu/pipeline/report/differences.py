"""Where an answer says what the reference says: shared runs of words, marked."""

from __future__ import annotations

import difflib
import re
from itertools import groupby

from markupsafe import Markup, escape

# A Han, kana or Hangul character is a word here; then words; then anything else, which is never marked by itself
_PIECES = re.compile(
    r"(?P<word>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)|.", re.S
)
_MOST_WORDS = 600  # matching takes time with the square of the length
_MOST_CHARACTERS = 2400
_LONG_WORD = 6


def shorten(text: str) -> str:
    """The beginning of a text that is too long for a report."""
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS].rstrip() + " …"


def shared_with(reference: str, answer: str) -> Markup:
    """The answer as safe HTML, with <mark> around runs of at least two words (or a long one) from the reference."""
    pieces = [(match.group(), match.group("word") is not None) for match in _PIECES.finditer(shorten(answer))]
    words = [index for index, (_, is_word) in enumerate(pieces) if is_word]
    wanted = [match.group().lower() for match in _PIECES.finditer(shorten(reference)) if match.group("word")]
    if not words or not wanted or len(words) > _MOST_WORDS or len(wanted) > _MOST_WORDS:
        return escape(shorten(answer))
    said = [pieces[index][0].lower() for index in words]
    marked = [False] * len(pieces)
    for block in difflib.SequenceMatcher(None, wanted, said, autojunk=False).get_matching_blocks():
        run = said[block.b : block.b + block.size]
        if len(run) >= 2 or any(len(word) >= _LONG_WORD for word in run) or (run and run == said):
            first, last = words[block.b], words[block.b + block.size - 1]
            marked[first : last + 1] = [True] * (last + 1 - first)
    result = Markup()
    for is_marked, group in groupby(zip(pieces, marked, strict=True), key=lambda pair: pair[1]):
        text = "".join(piece for (piece, _), _ in group)
        result += Markup("<mark>{}</mark>").format(text) if is_marked else escape(text)
    return result
