"""Exact match: the share of answers that are the reference, up to Unicode form and white space."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from danlu.evaluation.metric import Array, Metric, MetricStyle
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.evaluate import ExactMatchMetric


class ExactMatch(Metric):
    """Mean over rows of answer = reference; statistics are [1 if equal, 1]."""

    style: ClassVar[MetricStyle] = MetricStyle(
        "exact_match",
        "Exact match",
        "完全匹配",
        higher_is_better=True,
        digits=3,
        low=0.0,
        high=1.0,
        meaning_english="share of answers that equal the reference",
        meaning_chinese="与参考答案完全一致的比例",
    )

    def __init__(self, config: ExactMatchMetric) -> None:
        self.config = config

    def statistics(self, rows: Sequence[AnsweredRow]) -> Array:
        values = [[float(normalise(row.answer) == normalise(row.reference)), 1.0] for row in rows]
        return np.array(values, dtype=np.float64).reshape(len(rows), 2)

    def combine(self, totals: Array) -> Array:
        return np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64)


def normalise(text: str) -> str:
    """NFC, with each run of white space as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())
