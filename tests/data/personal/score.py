"""Precision and recall of the engine on generated documents, per kind and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from danlu.data.personal import Span, find
from tests.data.personal.generate import Document


class Score:
    """Counts per kind: found, missed, wrong. A span counts as found where kind, start and end are all right."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.errors: list[tuple[str, str, str]] = []

    def add(self, document: Document, spans: Iterable[Span]) -> None:
        """Compare one document's spans with what is in it."""
        found = {(span.start, span.end, span.kind) for span in spans}
        gold = set(document.spans)
        for _, _, kind in gold & found:
            self.hits[kind] += 1
        for name, counter, places in (("missed", self.missed, gold - found), ("wrong", self.wrong, found - gold)):
            for start, end, kind in sorted(places):
                counter[kind] += 1
                shown = (
                    document.text[max(0, start - 12) : start],
                    document.text[start:end],
                    document.text[end : end + 10],
                )
                self.errors.append((name, kind, "{}[{}]{}".format(*shown)))

    def recall(self, *kinds: str) -> float:
        """Share of what is there that was found; of all kinds when none is named."""
        hits, missed = self._sums(kinds, self.hits, self.missed)
        return hits / (hits + missed) if hits + missed else 1.0

    def precision(self, *kinds: str) -> float:
        """Share of what was found that is there."""
        hits, wrong = self._sums(kinds, self.hits, self.wrong)
        return hits / (hits + wrong) if hits + wrong else 1.0

    def kinds(self) -> list[str]:
        """All kinds seen, sorted."""
        return sorted(self.hits | self.missed | self.wrong)

    @staticmethod
    def _sums(kinds: tuple[str, ...], *counters: Counter[str]) -> list[int]:
        return [sum(counter[kind] for kind in kinds or counter) for counter in counters]


def scored(documents: Iterable[Document], names: str = "rules") -> Score:
    """The engine's score on documents."""
    score = Score()
    for document in documents:
        score.add(document, find(document.text, names=names))
    return score
