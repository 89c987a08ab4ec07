"""What counts as the same answer."""

from __future__ import annotations

import pytest

from danlu.evaluation.metrics.exact_match import ExactMatch
from danlu.recipe.evaluate import ExactMatchMetric
from tests.evaluation.answers import answered


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        ("yes", " yes\n", True),
        ("a b", "a \t\n b", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("生效", "生效", True),
        ("yes", "Yes", False),
        ("yes", "yes.", False),
        ("x²", "x2", False),  # NFKC would say they are equal
        ("yes", "", False),
    ],
)
def test_equality(reference: str, answer: str, same: bool) -> None:
    statistics = ExactMatch(ExactMatchMetric()).statistics([answered("a", reference, answer)])
    assert statistics.tolist() == [[float(same), 1.0]]
