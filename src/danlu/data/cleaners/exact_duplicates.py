"""Exact duplicates: the first of equal rows stays."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import xxhash

from danlu.data.cleaning import rewrite_texts
from danlu.data.row import Dropped, Row
from danlu.recipe.data import ExactDuplicatesCleaner


class ExactDuplicates:
    """The cleaner of `{type: exact_duplicates}`: equal after NFKC and whitespace folding, used for comparison only."""

    def __init__(self, config: ExactDuplicatesCleaner) -> None:
        self.config = config
        self._first: dict[bytes, str] = {}

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops a row that equals an earlier one, naming that one."""
        for row in rows:
            folded = rewrite_texts(row, "", self._fold)
            key = xxhash.xxh3_128_digest(folded.content().encode("utf-8", "surrogatepass"))
            first = self._first.setdefault(key, row.id)
            yield row if first == row.id else Dropped(row, "exact_duplicates", f"same as {first}")

    def _fold(self, text: str) -> str:
        folded = " ".join(unicodedata.normalize("NFKC", text).split())
        return folded.casefold() if self.config.ignore_case else folded
