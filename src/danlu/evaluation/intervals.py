"""How sure a score is: percentile bootstrap over rows, alone and paired.

Legend: N rows, K statistics per row, R resamples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from danlu.evaluation.metric import Array, Metric
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.errors import UserError

Verdict = Literal["better", "worse", "no clear difference"]
_WEIGHTS_AT_ONCE = 4_000_000  # numbers held in memory while resampling (32 MB)


@dataclass(frozen=True)
class Resampling:
    """Settings of a bootstrap: `confidence` of the interval (0 to 1), number of `resamples`, `seed`."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """A metric's value on `rows` rows, with the bounds of its bootstrap interval."""

    metric: str
    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes:
        metric: name of the metric.
        base, tuned: each model's own score.
        difference: tuned minus base, in the metric's unit.
        low, high: bounds of the paired bootstrap interval of the difference.
        p_value: two-sided bootstrap p of no difference.
        verdict: 'better' or 'worse' (tuned, in the metric's sense) when the interval excludes zero.
    """

    metric: str
    base: Score
    tuned: Score
    difference: float
    low: float
    high: float
    p_value: float
    verdict: Verdict


def score(metric: Metric, rows: Sequence[AnsweredRow], resampling: Resampling) -> Score:
    """A metric on rows, with its interval. The order of rows does not matter.

    Raises:
        UserError: no rows, or an id twice.
    """
    statistics = metric.statistics(in_order(rows))
    values = metric.combine(resampled_totals(statistics, resampling))
    return _score(metric, statistics, values, resampling)


def compare_rows(
    metric: Metric, base: Sequence[AnsweredRow], tuned: Sequence[AnsweredRow], resampling: Resampling
) -> Comparison:
    """Tuned against base on the same rows: each resample draws the same rows for both.

    Raises:
        UserError: no rows, an id twice, or rows of one that the other does not have.
    """
    base, tuned = in_order(base), in_order(tuned)
    _check_same(base, tuned)
    of_base, of_tuned = metric.statistics(base), metric.statistics(tuned)
    width = of_base.shape[1]
    totals = resampled_totals(np.concatenate([of_base, of_tuned], axis=1), resampling)
    base_values, tuned_values = metric.combine(totals[:, :width]), metric.combine(totals[:, width:])
    differences = tuned_values - base_values
    low, high = _bounds(differences, resampling.confidence)
    base_score = _score(metric, of_base, base_values, resampling)
    tuned_score = _score(metric, of_tuned, tuned_values, resampling)
    differing = int((of_base != of_tuned).any(axis=1).sum())
    return Comparison(
        metric=metric.name,
        base=base_score,
        tuned=tuned_score,
        difference=tuned_score.value - base_score.value,
        low=low,
        high=high,
        p_value=_two_sided(differences),
        verdict=_verdict(low, high, metric.higher_is_better, _enough(differing, resampling.confidence)),
    )


def in_order(rows: Sequence[AnsweredRow]) -> list[AnsweredRow]:
    """Rows by id, so that a seed means the same resamples whatever order they came in.

    Raises:
        UserError: no rows, or an id twice.
    """
    if not rows:
        raise UserError("there are no rows to evaluate", where="evaluate.split", fix="give the split a larger share")
    twice = [row_id for row_id, count in Counter(row.row_id for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{len(twice)} row ids occur more than once", where=twice[0], fix="evaluate each row once")
    return sorted(rows, key=lambda row: row.row_id)


def resampled_totals(statistics: Array, resampling: Resampling) -> Array:
    """Summed statistics [R, K] of R draws of N rows with replacement, from per-row statistics [N, K]."""
    count = len(statistics)
    generator = np.random.default_rng(resampling.seed)
    chance = np.full(count, 1.0 / count)
    parts = []
    left = resampling.resamples
    while left > 0:
        now = min(left, max(1, _WEIGHTS_AT_ONCE // count))
        weights = generator.multinomial(count, chance, size=now)  # [now, N]: how often each row was drawn
        parts.append(weights.astype(np.float64) @ statistics)
        left -= now
    return np.concatenate(parts)


def _score(metric: Metric, statistics: Array, values: Array, resampling: Resampling) -> Score:
    low, high = _bounds(values, resampling.confidence)
    value = float(metric.combine(statistics.sum(axis=0)))
    return Score(metric.name, value, low, high, len(statistics))


def _bounds(values: Array, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _two_sided(differences: Array) -> float:
    """Twice the smaller tail beyond zero; the added one keeps a finite number of resamples from claiming p = 0."""
    resamples = len(differences)
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2.0 * (tail + 1) / (resamples + 1))


def _enough(differing: int, confidence: float) -> bool:
    """Whether the rows on which two models differ could carry a verdict at all.

    Were the models equal, each of those rows would favour either by a coin toss, so that all n favour the same one has
    a chance of 2^(1-n). A bootstrap does not see this: on one row, or four of a thousand, its interval is too narrow.
    """
    return 2.0 ** (1 - differing) <= 1 - confidence


def _verdict(low: float, high: float, higher_is_better: bool, enough: bool) -> Verdict:
    if not enough or low <= 0 <= high:
        return "no clear difference"
    return "better" if (low > 0) == higher_is_better else "worse"


def _check_same(base: Sequence[AnsweredRow], tuned: Sequence[AnsweredRow]) -> None:
    base_ids, tuned_ids = {row.row_id for row in base}, {row.row_id for row in tuned}
    if base_ids != tuned_ids:
        example = min(base_ids ^ tuned_ids)
        raise UserError(
            f"the two evaluations are not of the same rows: {len(base_ids - tuned_ids)} only in the base's, "
            f"{len(tuned_ids - base_ids)} only in the tuned model's",
            where=example,
            fix="evaluate both models on the same split of the same dataset",
        )
    for one, other in zip(base, tuned, strict=True):
        if one.reference != other.reference:
            raise UserError(
                "has another reference answer in the two evaluations",
                where=one.row_id,
                fix="evaluate both models on the same split of the same dataset",
            )
