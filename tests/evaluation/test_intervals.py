"""Intervals that hold what they promise, measured by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from danlu.evaluation.intervals import Resampling, compare_rows, in_order, resampled_totals, score
from danlu.evaluation.metrics.exact_match import ExactMatch
from danlu.evaluation.metrics.perplexity import Perplexity
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import ExactMatchMetric, PerplexityMetric
from tests.evaluation.answers import answered, many

PERPLEXITY = Perplexity(PerplexityMetric())
MATCH = ExactMatch(ExactMatchMetric())


def with_losses(losses: Iterable[float]) -> list[AnsweredRow]:
    return [answered(f"{index:05}", nll=float(loss), tokens=1) for index, loss in enumerate(losses)]


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for trial in range(400):
        found = score(PERPLEXITY, with_losses(generator.gamma(4.0, 0.5, size=80)), Resampling(0.95, 300, trial))
        hits += found.low <= math.exp(2.0) <= found.high
    assert 0.91 <= hits / 400 <= 0.98


def test_a_narrower_confidence_covers_less() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(400):
        found = score(PERPLEXITY, with_losses(generator.gamma(4.0, 0.5, size=80)), Resampling(0.6, 300, trial))
        hits += found.low <= math.exp(2.0) <= found.high
    assert 0.52 <= hits / 400 <= 0.68


def test_equal_models_are_seldom_told_apart() -> None:
    generator = np.random.default_rng(2)
    false = 0
    for trial in range(400):
        shared = generator.gamma(4.0, 0.5, size=60)
        one, other = (with_losses(shared + generator.normal(0, 0.3, size=60)) for _ in range(2))
        false += compare_rows(PERPLEXITY, one, other, Resampling(0.95, 300, trial)).verdict != "no clear difference"
    assert 0.01 <= false / 400 <= 0.09


def test_a_few_lucky_rows_are_no_evidence() -> None:
    base = [answered(f"{i:04}", answer="no") for i in range(300)]
    for lucky, verdict in ((1, "no clear difference"), (5, "no clear difference"), (12, "better")):
        tuned = [replace(row, answer="yes") if index < lucky else row for index, row in enumerate(base)]
        assert compare_rows(MATCH, base, tuned, Resampling(seed=3)).verdict == verdict


def test_pairing_sees_what_two_separate_intervals_hide() -> None:
    hard = np.random.default_rng(4).gamma(4.0, 0.5, size=60)
    found = compare_rows(PERPLEXITY, with_losses(hard), with_losses(hard - 0.05), Resampling(seed=1))
    assert found.tuned.high > found.base.low  # the two intervals overlap
    assert found.verdict == "better" and found.high < 0
    assert found.p_value == pytest.approx(2 / 1001)


def test_the_numbers_of_a_comparison_agree() -> None:
    base, tuned = many(50, quality=0.4), many(50, quality=0.4)
    tuned = [replace(row, nll=row.nll * 0.9) for row in tuned]
    found = compare_rows(PERPLEXITY, base, tuned, Resampling(seed=2))
    assert found.base == score(PERPLEXITY, base, Resampling(seed=2))
    assert found.tuned == score(PERPLEXITY, tuned, Resampling(seed=2))
    assert found.difference == pytest.approx(found.tuned.value - found.base.value)
    assert found.low <= found.difference <= found.high
    back = compare_rows(PERPLEXITY, tuned, base, Resampling(seed=2))
    assert (back.difference, back.low, back.high) == pytest.approx((-found.difference, -found.high, -found.low))


def test_a_seed_decides_the_resamples() -> None:
    rows = many(40)
    assert score(PERPLEXITY, rows, Resampling(seed=1)) == score(PERPLEXITY, rows, Resampling(seed=1))
    assert score(PERPLEXITY, rows, Resampling(seed=1)) != score(PERPLEXITY, rows, Resampling(seed=2))


def test_resamples_draw_as_many_rows_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.ones((50, 1))
    assert set(resampled_totals(ones, Resampling(resamples=130)).ravel()) == {50.0}
    statistics = np.random.default_rng(0).random((50, 2))
    whole = resampled_totals(statistics, Resampling(resamples=130, seed=9))
    assert whole.shape == (130, 2)
    monkeypatch.setattr("danlu.evaluation.intervals._WEIGHTS_AT_ONCE", 1000)
    assert np.allclose(resampled_totals(statistics, Resampling(resamples=130, seed=9)), whole)


def test_different_rows_are_refused_with_an_example() -> None:
    base, tuned = many(5), many(6)
    with pytest.raises(UserError, match=r"row-0005.*1 only in the tuned"):
        compare_rows(PERPLEXITY, base, tuned, Resampling())


def test_the_same_rows_with_other_references_are_refused() -> None:
    base = many(5)
    tuned = [replace(row, reference="else") if row.row_id == "row-0003" else row for row in base]
    with pytest.raises(UserError, match=r"row-0003.*another reference"):
        compare_rows(PERPLEXITY, base, tuned, Resampling())


def test_a_row_twice_is_refused() -> None:
    with pytest.raises(UserError, match="more than once"):
        in_order([*many(3), *many(1)])
