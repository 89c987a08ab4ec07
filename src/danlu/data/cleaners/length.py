"""Length filter: answers too short or too long, in characters for Chinese and in words for spaced languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from danlu.data.cleaning import judge_rows
from danlu.data.languages import size_of
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import LengthFilter


class Length:
    """The cleaner of `{type: length}`."""

    def __init__(self, config: LengthFilter) -> None:
        self.config = config
        # No text has more units than characters, and none has less than one unit.
        self._shortest = max(config.min_characters, config.min_words)
        self._longest = min(config.max_characters, config.max_words)

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer outside the limits."""
        return judge_rows(rows, "length", self._judge)

    def _judge(self, text: str) -> str:
        limits = {
            "characters": (self.config.min_characters, self.config.max_characters),
            "words": (self.config.min_words, self.config.max_words),
        }
        if len(text) <= self._longest and self._shortest <= 1:
            return ""
        size, unit = size_of(text)
        least, most = limits[unit]
        # A text without any word, such as "+" or an emoji, is an answer of one.
        size = size or 1
        if size < least:
            return f"is {size} {unit} long, fewer than {least}"
        return f"is {size} {unit} long, more than {most}" if size > most else ""
