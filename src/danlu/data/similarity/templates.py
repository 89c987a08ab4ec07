"""Instructions that many questions share: found by what these begin and end with, taken off before comparing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from danlu.data.similarity.checking import similarities

_SHORTEST = 16  # characters of a template; a longer one counts beside a shorter if it goes on by as many
_LEAST_ROWS, _LEAST_SHARE = 4, 0.001
_ALIKE = 0.5  # what follows a template differs; texts whose rests are this similar are copies of each other
_SHORT_REST, _ROWS_OF_SHORT = 16, 20  # what goes on for less must do so in more rows: it could be a copy's edited end
_COMPARED = 10


@dataclass(frozen=True)
class Templates:
    """Shared beginnings and ends, longest first."""

    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    _by_start: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _by_end: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for part in self.prefixes:
            self._by_start.setdefault(part[:_SHORTEST], []).append(part)
        for part in self.suffixes:
            self._by_end.setdefault(part[-_SHORTEST:], []).append(part)

    def __bool__(self) -> bool:
        return bool(self.prefixes or self.suffixes)

    def strip(self, text: str) -> str:
        """The text without the longest beginning and end that it shares."""
        known = self._by_start.get(text[:_SHORTEST], ())
        text = next((text[len(part) :] for part in known if text.startswith(part)), text)
        known = self._by_end.get(text[-_SHORTEST:], ())
        return next((text[: -len(part)] for part in known if text.endswith(part)), text)


def templates_in(questions: Sequence[str]) -> Templates:
    """What at least four questions (and one in a thousand) begin or end with, going on differently from there."""
    least = max(_LEAST_ROWS, int(len(questions) * _LEAST_SHARE))
    beginnings = Templates(_beginnings(sorted(questions), least))
    backwards = _beginnings(sorted(beginnings.strip(text)[::-1] for text in questions), least)
    return Templates(beginnings.prefixes, tuple(part[::-1] for part in backwards))


def _beginnings(ordered: list[str], least: int) -> tuple[str, ...]:
    """The shared beginnings of sorted texts, longest first."""
    accepted: set[str] = set()
    for part in _candidates(ordered, least):
        if not any(part[:end] in accepted for end in range(len(part) - _SHORTEST + 1, len(part))) and _goes_on(
            part, ordered
        ):
            accepted.add(part)
    return tuple(sorted(accepted, key=lambda part: (-len(part), part)))


def _candidates(ordered: list[str], least: int) -> Iterator[str]:
    """Beginnings that so many texts share, shortest first: these stand side by side."""
    found = set()
    for first, last in zip(ordered, ordered[least - 1 :], strict=False):
        length = _common_length(first, last)
        if length >= _SHORTEST:
            found.add(first[:length])
    yield from sorted(found, key=lambda part: (len(part), part))


def _goes_on(part: str, ordered: list[str]) -> bool:
    """Whether the texts that begin so, of which there are several, differ in what follows."""
    start, end = bisect_left(ordered, part), bisect_left(ordered, part + "\U0010ffff")
    step = max(1, (end - start) // _COMPARED)
    rests = [text[len(part) :] for text in ordered[start:end:step][:_COMPARED]]
    if end - start < _ROWS_OF_SHORT and median(map(len, rests)) < _SHORT_REST:
        return False
    pairs = np.stack(np.triu_indices(len(rests), 1), axis=1)
    return bool(np.median(similarities(rests, pairs)) < _ALIKE)


def _common_length(a: str, b: str) -> int:
    return next((index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
