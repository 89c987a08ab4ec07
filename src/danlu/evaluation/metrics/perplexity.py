"""Perplexity: how surprised the model is by the reference answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from danlu.evaluation.metric import Array, Metric, MetricStyle
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import PerplexityMetric

# exp of more is not a float any more; a diverged model still gets a number, and JSON has no infinity
LARGEST_MEAN = 700.0


class Perplexity(Metric):
    """exp(sum of nll / sum of tokens) over all learned tokens; statistics are [nll in nats, tokens]."""

    style: ClassVar[MetricStyle] = MetricStyle(
        "perplexity",
        "Perplexity",
        "困惑度",
        higher_is_better=False,
        digits=2,
        low=1.0,
        meaning_english="how surprised the model is by the reference answers",
        meaning_chinese="模型对参考答案的意外程度",
    )

    def __init__(self, config: PerplexityMetric) -> None:
        self.config = config

    def statistics(self, rows: Sequence[AnsweredRow]) -> Array:
        for row in rows:
            if row.tokens < 1:
                raise UserError("has no token to measure perplexity on", where=row.row_id, fix="drop the row")
            if not math.isfinite(row.nll):
                raise UserError(
                    f"the model's loss is {row.nll}, not a number",
                    where=row.row_id,
                    fix="the weights are broken, or training diverged: lower train.optimizer.learning_rate",
                )
        return np.array([[row.nll, row.tokens] for row in rows], dtype=np.float64).reshape(len(rows), 2)

    def combine(self, totals: Array) -> Array:
        return np.asarray(np.exp(np.minimum(totals[..., 0] / totals[..., 1], LARGEST_MEAN)), dtype=np.float64)
