"""What every metric of the table promises."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from danlu.evaluation.intervals import Resampling, compare_rows, score
from danlu.evaluation.metric import Metric
from danlu.evaluation.metrics import METRICS, build_metrics, style_of
from danlu.recipe import evaluate as recipe
from danlu.recipe.errors import UserError
from tests.evaluation.answers import many

CONFIGS: dict[str, Any] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(recipe.Metric)[0])}
QUICK = Resampling(resamples=200, seed=1)


@pytest.fixture(params=sorted(METRICS), scope="module")
def metric(request: pytest.FixtureRequest) -> Metric:
    return build_metrics([CONFIGS[request.param]()])[0]


def total(metric: Metric, statistics: Any) -> float:
    return float(metric.combine(statistics.sum(axis=0)))


def test_the_table_and_the_recipe_name_the_same_metrics() -> None:
    assert set(METRICS) == set(CONFIGS)


def test_it_says_what_it_is(metric: Metric) -> None:
    style = metric.style
    assert style == style_of(metric.name)
    assert METRICS[style.name].startswith("danlu.evaluation.metrics.")
    assert style.english and style.chinese and style.meaning_english and style.meaning_chinese
    assert metric.label in (style.english, style.chinese)
    assert style.best is not None


def test_statistics_have_one_row_per_row_and_none_for_none(metric: Metric) -> None:
    rows = many(9)
    statistics = metric.statistics(rows)
    assert statistics.shape[0] == 9 and statistics.ndim == 2 and statistics.dtype == np.float64
    assert metric.per_row(statistics).shape == (9,)
    assert metric.statistics([]).shape == (0, statistics.shape[1])


def test_rows_are_measured_by_themselves(metric: Metric) -> None:
    rows = many(8)
    alone = [metric.statistics([row])[0] for row in rows]
    assert np.array_equal(metric.statistics(rows), np.stack(alone))


def test_the_order_of_rows_does_not_matter(metric: Metric) -> None:
    rows = many(30)
    shuffled = random.Random(1).sample(rows, k=len(rows))
    assert score(metric, rows, QUICK) == score(metric, shuffled, QUICK)


def test_doubling_the_rows_leaves_the_value(metric: Metric) -> None:
    statistics = metric.statistics(many(20))
    assert total(metric, np.concatenate([statistics, statistics])) == pytest.approx(total(metric, statistics))


def test_combine_takes_any_leading_shape(metric: Metric) -> None:
    totals = np.stack([metric.statistics(many(6, seed=seed)).sum(axis=0) for seed in range(4)])
    flat = metric.combine(totals)
    assert flat.shape == (4,)
    assert np.array_equal(metric.combine(totals.reshape(2, 2, -1)), flat.reshape(2, 2))


def test_perfect_answers_get_the_best_value_and_others_do_not(metric: Metric) -> None:
    rows = many(20, quality=0.5)
    perfect = [replace(row, answer=row.reference, nll=0.0) for row in rows]
    best = metric.style.best
    assert total(metric, metric.statistics(perfect)) == pytest.approx(best)
    assert metric.per_row(metric.statistics(perfect)) == pytest.approx([best] * 20)
    assert total(metric, metric.statistics(rows)) != pytest.approx(best)


def test_empty_answers_get_a_finite_value_within_bounds(metric: Metric) -> None:
    rows = [replace(row, answer="", nll=50.0 * row.tokens) for row in many(5)]
    value, style = total(metric, metric.statistics(rows)), metric.style
    assert np.isfinite(value)
    assert (style.low is None or value >= style.low) and (style.high is None or value <= style.high)


def test_much_better_answers_are_found_better_and_the_reverse_worse(metric: Metric) -> None:
    bad, good = many(60, quality=0.3), many(60, quality=0.3)
    good = [replace(row, answer=row.reference, nll=row.nll / 3) for row in good]
    assert compare_rows(metric, bad, good, QUICK).verdict == "better"
    assert compare_rows(metric, good, bad, QUICK).verdict == "worse"
    assert compare_rows(metric, bad, bad, QUICK).verdict == "no clear difference"


def test_no_rows_are_refused(metric: Metric) -> None:
    with pytest.raises(UserError, match="no rows"):
        score(metric, [], QUICK)
