"""ROUGE-L by rouge-score, with words that exist in every script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from danlu.evaluation.metric import Array, Metric, MetricStyle
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.evaluate import RougeMetric

# On ASCII text these are rouge-score's own words; unlike it they keep letters with accents and other alphabets.
# Han and kana are written without spaces, so outside Chinese rows (cut by jieba) each of them is a word
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


class Rouge(Metric):
    """Mean over rows of the ROUGE-L F-measure (Lin 2004); statistics are [F, 1]."""

    style: ClassVar[MetricStyle] = MetricStyle(
        "rouge",
        "ROUGE-L",
        "ROUGE-L",
        higher_is_better=True,
        digits=3,
        low=0.0,
        high=1.0,
        meaning_english="words shared with the reference, in the same order",
        meaning_chinese="与参考答案共有且顺序一致的词",
    )

    def __init__(self, config: RougeMetric) -> None:
        from rouge_score.rouge_scorer import RougeScorer

        self.config = config
        self._chinese: Any = RougeScorer(["rougeL"], tokenizer=JiebaWords())
        self._other: Any = RougeScorer(["rougeL"], tokenizer=UnicodeWords())

    def statistics(self, rows: Sequence[AnsweredRow]) -> Array:
        values = [[self._f_measure(row), 1.0] for row in rows]
        return np.array(values, dtype=np.float64).reshape(len(rows), 2)

    def combine(self, totals: Array) -> Array:
        return np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64)

    def _f_measure(self, row: AnsweredRow) -> float:
        if row.answer.strip() == row.reference.strip():
            return 1.0  # also when neither has a word, where rouge-score says 0
        scorer = self._chinese if row.language == "zh" else self._other
        return float(scorer.score(row.reference, row.answer)["rougeL"].fmeasure)


class UnicodeWords:
    """rouge-score's tokenizer interface: lower-case words of any alphabet."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        return _WORDS.findall(unicodedata.normalize("NFC", text).lower())


class JiebaWords:
    """rouge-score's tokenizer interface: jieba's words, without punctuation."""

    def __init__(self) -> None:
        import rjieba

        self._cut: Any = rjieba.cut

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        words = self._cut(unicodedata.normalize("NFC", text).lower())
        return [word for word in words if any(char.isalnum() for char in word)]
