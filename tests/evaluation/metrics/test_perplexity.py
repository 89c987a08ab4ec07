"""Perplexity by hand, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from danlu.evaluation.metrics.perplexity import Perplexity
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import PerplexityMetric
from tests.evaluation.answers import answered

METRIC = Perplexity(PerplexityMetric())


def test_is_weighted_by_tokens() -> None:
    rows = [answered("a", nll=10.0, tokens=5), answered("b", nll=2.0, tokens=10)]
    assert float(METRIC.combine(METRIC.statistics(rows).sum(axis=0))) == pytest.approx(math.exp(12 / 15))
    assert METRIC.per_row(METRIC.statistics(rows)) == pytest.approx([math.exp(2), math.exp(0.2)])


def test_a_diverged_model_still_gets_a_finite_number() -> None:
    assert np.isfinite(METRIC.combine(METRIC.statistics([answered(nll=1e9, tokens=1)])[0]))


@pytest.mark.parametrize("nll", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_refused_with_the_row(nll: float) -> None:
    with pytest.raises(UserError, match=r"row-7.*not a number"):
        METRIC.statistics([answered("a"), answered("row-7", nll=nll)])


def test_a_row_without_tokens_is_refused() -> None:
    with pytest.raises(UserError, match="no token"):
        METRIC.statistics([answered(tokens=0)])
