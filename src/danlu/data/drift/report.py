"""What a comparison found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Decision = Literal["differs", "no clear difference", "too few rows"]
DIFFERS: Decision = "differs"
ALIKE: Decision = "no clear difference"
TOO_FEW: Decision = "too few rows"
# Fewer rows on a side than this decide nothing.
FEW = 30
# An n-gram or a user slice is named only if so many rows have it, so that it can be nobody's own.
SHOWN_ROWS = 20


@dataclass(frozen=True)
class Measure:
    """A distance of the two samples, and what it would be if only chance parted them.

    Attributes:
        name: psi, jensen_shannon, kolmogorov_smirnov, chi_squared or auc.
        value: what was found.
        p: share of the null at least as large (with +1 in both counts), by itself.
        null_median: what rows dealt at random give, half of the time at most.
        null_95: what they stay below 95 times in 100.
    """

    name: str
    value: float
    p: float
    null_median: float
    null_95: float


@dataclass(frozen=True)
class Dimension:
    """One way to look at the rows.

    Attributes:
        name: length, answer length, language, label, slice, topic or wording.
        train_rows: training rows looked at.
        reference_rows: reference rows looked at.
        measures: the first one decides; empty where there are too few rows.
        p_adjusted: of the first measure, corrected for the number of dimensions (Holm).
        verdict: what can be said.
        details: what a chart shows: shares per value, quantiles and bins of a number, n-grams that separate.
        sentence: the finding in words, in the user's language.
    """

    name: str
    train_rows: int
    reference_rows: int
    measures: tuple[Measure, ...] = ()
    p_adjusted: float = 1.0
    verdict: Decision = TOO_FEW
    details: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""

    def measure(self, name: str) -> Measure:
        """The measure of that name (a KeyError if there is none)."""
        return {measure.name: measure for measure in self.measures}[name]


@dataclass(frozen=True)
class DriftReport:
    """Everything a comparison found.

    Attributes:
        train_rows: rows of the training side.
        reference_rows: rows of the reference.
        dimensions: in the order they are shown.
        permutations: draws behind each null.
        sampled: rows of (training, reference) read for topic and wording, chosen by a hash of their content.
        sentences: the report in words, in the user's language.
    """

    train_rows: int
    reference_rows: int
    dimensions: tuple[Dimension, ...]
    permutations: int
    sampled: tuple[int, int]
    sentences: tuple[str, ...] = ()

    def dimension(self, name: str) -> Dimension:
        """The dimension of that name (a KeyError if it was not looked at)."""
        return {dimension.name: dimension for dimension in self.dimensions}[name]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
