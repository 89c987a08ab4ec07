"""Permutation nulls, corrections and intervals, against shuffled rows, scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from danlu.data.drift import nulls
from danlu.data.drift.measures import chi_squared, jensen_shannon, kolmogorov_smirnov
from danlu.data.drift.nulls import generator, holm, measured, needed_permutations, permuted, wilson, with_nulls

TRAIN, REFERENCE = np.array([30, 50, 20, 4]), np.array([10, 25, 30, 1])


def test_drawn_tables_keep_every_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "_CELLS", 40)
    draws = list(permuted(TRAIN, REFERENCE, 25, generator(1)))
    assert sum(len(a) for a, _ in draws) == 25 and len(draws) == 3
    for a, b in draws:
        assert (a + b == TRAIN + REFERENCE).all() and (a.sum(axis=1) == TRAIN.sum()).all() and (b >= 0).all()


def test_the_null_is_that_of_shuffled_rows() -> None:
    random = np.random.default_rng(3)
    values = np.repeat(np.arange(4), TRAIN + REFERENCE)
    shuffled = []
    for _ in range(4000):
        dealt = random.permutation(values)
        sides = (np.bincount(part, minlength=4) for part in (dealt[: TRAIN.sum()], dealt[TRAIN.sum() :]))
        shuffled.append(float(chi_squared(*sides)))
    drawn = np.concatenate([chi_squared(a, b) for a, b in permuted(TRAIN, REFERENCE, 4000, generator(2))])
    assert stats.ks_2samp(shuffled, drawn).pvalue > 0.001
    (measure,) = with_nulls({"chi_squared": chi_squared}, (TRAIN, REFERENCE), 4000, generator(2))
    asymptotic = stats.chi2_contingency(np.stack([TRAIN, REFERENCE]), correction=False).pvalue
    assert measure.p == pytest.approx(asymptotic, abs=0.01)


def test_kolmogorov_smirnov_null_on_ties_is_scipys_permutation_test() -> None:
    random = np.random.default_rng(8)
    a, b = random.poisson(3, 60), random.poisson(3.6, 50)
    counts = [np.bincount(sample, minlength=15) for sample in (a, b)]
    (measure,) = with_nulls({"ks": kolmogorov_smirnov}, (counts[0], counts[1]), 4000, generator(4))

    def statistic(x: np.ndarray, y: np.ndarray) -> float:
        return float(kolmogorov_smirnov(np.bincount(x, minlength=15), np.bincount(y, minlength=15)))

    expected = stats.permutation_test((a, b), statistic, n_resamples=4000, alternative="greater", rng=5).pvalue
    assert measure.p == pytest.approx(expected, abs=0.03)


def test_p_is_never_zero_and_counts_equals() -> None:
    assert measured("x", 5.0, np.zeros(99)).p == pytest.approx(0.01)
    assert measured("x", 1.0, np.ones(99)).p == 1
    found = measured("x", 96.0, np.arange(100.0))
    assert [found.p, found.null_median, found.null_95] == pytest.approx([5 / 101, 49.5, 94.05])


def test_the_floor_of_a_divergence_is_shown() -> None:
    """Two halves of one set: Jensen-Shannon is above zero, and its null says that this is chance."""
    random = np.random.default_rng(1)
    counts = [np.bincount(random.integers(0, 40, 200), minlength=40) for _ in range(2)]
    (measure,) = with_nulls({"js": jensen_shannon}, (counts[0], counts[1]), 500, generator(1))
    assert measure.value > 0.05 and measure.null_median > 0.05 and measure.p > 0.05


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_fewest_permutations_can_decide() -> None:
    for tests in range(1, 12):
        enough = needed_permutations(tests)
        assert holm([1 / (enough + 1), *[1.0] * (tests - 1)])[0] <= 0.05
        assert holm([1 / (enough - 1), *[1.0] * (tests - 1)])[0] > 0.05


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (57, 400)])
def test_wilson_is_scipys(count: int, total: int) -> None:
    expected = stats.binomtest(count, total).proportion_ci(0.95, "wilson")
    assert wilson(count, total) == pytest.approx((expected.low, expected.high))


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_purposes_draw_different_numbers() -> None:
    draws = [generator(seed, name).random() for seed, name in ((1, "a"), (1, "b"), (2, "a"), (-3, "a"))]
    assert len(set(draws)) == 4 and generator(1, "a").random() == draws[0]
