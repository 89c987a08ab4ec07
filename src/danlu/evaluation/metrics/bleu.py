"""Corpus BLEU with sacrebleu's tokenizers and counts, combined so that a bootstrap is vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from danlu.evaluation.metric import Array, Metric, MetricStyle
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.evaluate import BleuMetric

ORDERS = 4


class Bleu(Metric):
    """sacrebleu's corpus BLEU (Papineni et al. 2002; exponential smoothing of orders without a match).

    Statistics are [answer tokens, reference tokens, matches of 1- to 4-grams, n-grams of the answer]. A Chinese row
    (by its reference) is cut by the `zh` tokenizer, any other by `13a`; counts of both add up.
    """

    style: ClassVar[MetricStyle] = MetricStyle(
        "bleu",
        "BLEU",
        "BLEU",
        higher_is_better=True,
        digits=1,
        low=0.0,
        high=100.0,
        meaning_english="word sequences shared with the reference",
        meaning_chinese="与参考答案共有的词串",
    )

    def __init__(self, config: BleuMetric) -> None:
        from sacrebleu.metrics.bleu import BLEU

        self.config = config
        self._chinese: Any = BLEU(tokenize="zh", effective_order=True)
        self._other: Any = BLEU(tokenize="13a", effective_order=True)

    def statistics(self, rows: Sequence[AnsweredRow]) -> Array:
        counted = []
        for row in rows:
            bleu = self._chinese if row.language == "zh" else self._other
            found = bleu.sentence_score(row.answer, [row.reference])
            counted.append([found.sys_len, found.ref_len, *found.counts, *found.totals])
        return np.array(counted, dtype=np.float64).reshape(len(rows), 2 + 2 * ORDERS)

    def combine(self, totals: Array) -> Array:
        return bleu_of_counts(totals, effective_order=False)

    def per_row(self, statistics: Array) -> Array:
        """Sentence BLEU [N]: over the orders that the answer is long enough for, as sacrebleu's sentence_bleu."""
        return bleu_of_counts(statistics, effective_order=True)


def bleu_of_counts(totals: Array, *, effective_order: bool) -> Array:
    """BLEU [...] from counts [..., 2 + 2 * ORDERS], the formula of sacrebleu's `BLEU.compute_bleu`."""
    answer, reference = totals[..., 0], totals[..., 1]
    matches, ngrams = totals[..., 2 : 2 + ORDERS], totals[..., 2 + ORDERS :]
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.where(answer < reference, np.exp(1 - reference / answer), 1.0)
        # NIST smoothing: the k-th order without a match counts as 1 / 2^k of one match
        missing = (matches == 0) & (ngrams > 0)
        smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=-1), matches)
        logs = np.where(ngrams > 0, np.log(100.0 * smoothed / ngrams), 0.0)
    usable = (ngrams > 0).sum(axis=-1)
    orders = np.maximum(usable, 1) if effective_order else np.full_like(usable, ORDERS)
    value = brevity * np.exp(logs.sum(axis=-1) / orders)
    defined = (matches.sum(axis=-1) > 0) & ((usable == ORDERS) | effective_order)
    return np.asarray(np.where(defined, value, 0.0), dtype=np.float64)
