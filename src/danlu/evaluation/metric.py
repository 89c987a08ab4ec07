"""What a metric is: sufficient statistics per row that add up, and a function of their sums.

Because rows enter only through sums, a bootstrap over rows is one matrix product (`evaluation.intervals`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.language import tr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is named and printed.

    Attributes:
        name: its `type` in the recipe.
        english, chinese: its label.
        higher_is_better: which way is up.
        digits: decimals when printed.
        low, high: the smallest and largest possible value; None for no bound.
        meaning_english, meaning_chinese: one clause for people who have not met it.
    """

    name: str
    english: str
    chinese: str
    higher_is_better: bool
    digits: int
    low: float | None = None
    high: float | None = None
    meaning_english: str = ""
    meaning_chinese: str = ""

    @property
    def label(self) -> str:
        """The label in the user's language."""
        return tr(self.english, self.chinese)

    @property
    def meaning(self) -> str:
        """The explanation in the user's language."""
        return tr(self.meaning_english, self.meaning_chinese)

    @property
    def best(self) -> float | None:
        """The best value there can be, if there is one."""
        return self.high if self.higher_is_better else self.low


class Metric(ABC):
    """A number for a set of answered rows; constructed from its recipe config."""

    style: ClassVar[MetricStyle]

    @property
    def name(self) -> str:
        """The metric's `type` in the recipe."""
        return self.style.name

    @property
    def label(self) -> str:
        """The metric's label in the user's language."""
        return self.style.label

    @property
    def higher_is_better(self) -> bool:
        """Which way is up."""
        return self.style.higher_is_better

    @abstractmethod
    def statistics(self, rows: Sequence[AnsweredRow]) -> Array:
        """Sufficient statistics per row [N, K]; those of a set of rows are their sum.

        Raises:
            UserError: a row that cannot be measured.
        """

    @abstractmethod
    def combine(self, totals: Array) -> Array:
        """Values [...] from summed statistics [..., K]."""

    def per_row(self, statistics: Array) -> Array:
        """A value for each row [N] by itself, from `statistics` [N, K]."""
        return self.combine(statistics)
