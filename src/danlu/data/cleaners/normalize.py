"""Unicode and whitespace normalisation that leaves punctuation, code and mathematics alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from danlu.data.cleaning import rewrite_texts
from danlu.data.row import Dropped, Row
from danlu.recipe.data import NormalizeCleaner

# Control characters but tab and newline; byte order mark, zero-width space, word joiner and invisible operators.
# The zero-width joiner and non-joiner stay: emoji, Persian and Indic scripts are written with them.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\u200b\u2060-\u2064]")
_LINE_ENDS = re.compile("\r\n|\r|\x85|\u2028|\u2029")


def normalize_text(text: str) -> str:
    """NFC, newline as the only line end, no invisible characters, no whitespace around the whole.

    NFC and not NFKC: the latter turns `，` into `,` and `x²` into `x2` (Unicode Standard Annex 15).
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    return unicodedata.normalize("NFC", text).strip()


class Normalize:
    """The cleaner of `{type: normalize}`."""

    def __init__(self, config: NormalizeCleaner) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Rewrites texts; drops nothing."""
        for row in rows:
            yield rewrite_texts(row, "normalize", normalize_text)
