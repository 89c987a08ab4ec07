"""What the engine finds: spans of text with a kind and a confidence, and how overlapping ones are settled."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

from danlu.recipe.redaction import Kind


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of personal data in a text.

    Attributes:
        start, end: offsets in characters, end exclusive.
        kind: what it is.
        confidence: between 0 and 1; what has a check digit or a label in front of it is near 1.
    """

    start: int
    end: int
    kind: Kind
    confidence: float


def sure(margin: float) -> float:
    """Confidence of what a scorer lets pass: 0.5 where it just does, at most 0.98.

    Args:
        margin: logarithm of the odds above what it asks for; 0 or more.
    """
    return round(min(0.98, 1 / (1 + exp(-max(margin, 0.0)))), 3)


# Where two overlap, the kind that is harder to match by chance wins.
_RANK: dict[str, int] = {
    kind: rank
    for rank, kind in enumerate(
        (
            "SECRET",
            "EMAIL",
            "IBAN",
            "CN_ID",
            "CN_USCC",
            "BANK_CARD",
            "CREDIT_CARD",
            "IP",
            "CN_PLATE",
            "CN_PASSPORT",
            "CN_MOBILE",
            "SSN",
            "CN_LANDLINE",
            "PHONE",
            "CN_ADDRESS",
            "CN_NAME",
            "EN_NAME",
        )
    )
}


def settle(spans: Iterable[Span]) -> list[Span]:
    """The spans without overlaps, sorted by place: of two that overlap the likelier kind stays, then the longer."""
    spans = list(spans)
    if len(spans) < 2:
        return spans
    spans.sort(key=lambda s: (_RANK[s.kind], s.start - s.end, s.start))
    kept: list[Span] = []  # in the order of the text
    for span in spans:
        place = bisect(kept, span.start, key=lambda other: other.start)
        before, behind = kept[place - 1 : place] if place else [], kept[place : place + 1]
        if all(other.end <= span.start for other in before) and all(span.end <= other.start for other in behind):
            kept.insert(place, span)
    return kept
