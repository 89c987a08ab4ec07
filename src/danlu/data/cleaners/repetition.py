"""Repetition filter: answers that say the same line, or loop over the same words, again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from danlu.data.cleaning import judge_rows
from danlu.data.languages import counted_in_characters
from danlu.data.protected import without_protected
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import RepetitionFilter

N = 10
# A shorter text that repeats itself may be a cheer, a chorus or an exercise.
_LEAST_CHARACTERS, _LEAST_WORDS = 40, 25
# A "word" without spaces that is longer is taken apart, so that `hahahaha...` has 10-grams too.
_LONGEST_WORD = 40
# Lines with fewer characters (`}`, `---`, `| - |`) are layout.
_LEAST_LINE = 4


class Repetition:
    """The cleaner of `{type: repetition}`."""

    def __init__(self, config: RepetitionFilter) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer whose repeated lines or 10-grams make up more than the given share."""
        return judge_rows(rows, "repetition", self._judge)

    def _judge(self, text: str) -> str:
        if len(text) < _LEAST_CHARACTERS:
            return ""
        prose = without_protected(text)
        share = repeated_line_share(prose)
        if share > self.config.max_line_share:
            return f"has {share:.0%} of its text in repeated lines, more than {self.config.max_line_share:.0%}"
        share = self._ngram_share(prose)
        if share > self.config.max_ngram_share:
            return f"has {share:.0%} of its text in repeated {N}-grams, more than {self.config.max_ngram_share:.0%}"
        return ""

    def _ngram_share(self, text: str) -> float:
        """Share of the units in repeated 10-grams; 0 without a count where it cannot exceed the limit."""
        if counted_in_characters(text):
            characters = "".join(text.split())
            return (
                repeated_share(characters, self.config.max_ngram_share) if len(characters) >= _LEAST_CHARACTERS else 0
            )
        words = text.split()
        if max(map(len, words), default=0) > _LONGEST_WORD:
            words = [piece for word in words for piece in (word if len(word) > _LONGEST_WORD else (word,))]
        if len(words) < _LEAST_WORDS:
            return 0.0
        # A unit inside a repeated 10-gram occurs twice, so a share s of them leaves at most 1 - s/2 different ones.
        if len(set(words)) >= (1 - self.config.max_ngram_share / 2) * len(words):
            return 0.0
        return repeated_share(words, self.config.max_ngram_share)


def repeated_line_share(text: str) -> float:
    """Share (0 to 1) of the characters of a text that stand in lines which occur more than once."""
    if text.count("\n") < 2:
        return 0.0
    lines = [line for line in map(str.strip, text.split("\n")) if len(line) >= _LEAST_LINE]
    if len(lines) < 3 or len(set(lines)) == len(lines):
        return 0.0
    counts = Counter(lines)
    total = sum(map(len, lines))
    return sum(len(line) * times for line, times in counts.items() if times > 1) / total


def repeated_share(units: str | Sequence[str], limit: float) -> float:
    """Share (0 to 1) of the units that are covered by a 10-gram which occurs more than once.

    Args:
        units: a string (its characters) or a list of words.
        limit: 0 is returned without the exact count where the share cannot be more than this.
    """
    if isinstance(units, str):
        codes = np.frombuffer(units.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    else:
        numbers: dict[str, int] = {}
        codes = np.fromiter((numbers.setdefault(word, len(numbers) + 1) for word in units), np.uint64, len(units))
    if len(codes) < N or _has_different_pairs(codes, limit):
        return 0.0
    grams = _hashed(codes)
    ordered = np.sort(grams)
    surplus = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    # Each surplus occurrence brings at most itself and a first one, of N units each.
    if 2 * N * surplus <= limit * len(units):
        return 0.0
    first, times = np.unique(ordered, return_counts=True)
    starts = np.flatnonzero(np.isin(grams, first[times > 1]))
    covered = np.zeros(len(units) + 1, dtype=np.int64)
    np.add.at(covered, starts, 1)
    np.add.at(covered, starts + N, -1)
    return float(np.count_nonzero(np.cumsum(covered)[:-1]) / len(units))


def _has_different_pairs(codes: np.ndarray, limit: float) -> bool:
    """Whether the pairs of neighbours differ too much for a share of repeated 10-grams above the limit.

    Ten units in a repeated 10-gram hold nine pairs that occur elsewhere too; with a share s of the units covered, at
    least 0.9 s of the pairs occur twice, which leaves at most 1 - 0.45 s of them different.
    """
    pairs = np.sort((codes[:-1] << np.uint64(32)) | codes[1:])
    different = 1 + int(np.count_nonzero(pairs[1:] != pairs[:-1]))
    return different > (1 - 0.45 * limit) * len(codes)


def _hashed(codes: np.ndarray) -> np.ndarray:
    """A 64-bit polynomial hash of each 10-gram, modulo 2**64, put together from those of 2, 4 and 8."""
    two = codes[:-1] * _BASES[0] + codes[1:]
    four = two[:-2] * _BASES[1] + two[2:]
    eight = four[:-4] * _BASES[2] + four[4:]
    return np.asarray(eight[:-2] * _BASES[1] + two[8:])


_ODD = 0x9E3779B97F4A7C15
# Powers of the base for parts of 1, 2 and 4 units.
_BASES = [np.uint64(pow(_ODD, power, 2**64)) for power in (1, 2, 4)]
