"""Distances of distributions, against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from danlu.data.drift.measures import (
    chi_squared,
    jensen_shannon,
    kolmogorov_smirnov,
    pearson,
    pooled_bins,
    psi,
)

RANDOM = np.random.default_rng(5)
PAIRS = [
    (np.array([10, 20, 30]), np.array([30, 20, 10])),
    (np.array([5, 0, 7, 100]), np.array([1, 9, 0, 3])),
    (RANDOM.integers(1, 400, 12), RANDOM.integers(1, 50, 12)),
]


@pytest.mark.parametrize(("train", "reference"), PAIRS)
def test_jensen_shannon_is_scipys_distance_squared(train: np.ndarray, reference: np.ndarray) -> None:
    assert jensen_shannon(train, reference) == pytest.approx(jensenshannon(train, reference, base=2) ** 2)


@pytest.mark.parametrize(("train", "reference"), PAIRS)
def test_chi_squared_is_scipys(train: np.ndarray, reference: np.ndarray) -> None:
    expected = stats.chi2_contingency(np.stack([train, reference]), correction=False).statistic
    assert chi_squared(train, reference) == pytest.approx(expected)


def test_an_empty_column_counts_nothing() -> None:
    assert chi_squared(np.array([3, 0, 4]), np.array([5, 0, 1])) == pytest.approx(
        chi_squared(np.array([3, 4]), np.array([5, 1]))
    )


def test_pearson_of_larger_tables_is_scipys() -> None:
    tables = RANDOM.integers(1, 60, (4, 3, 5)).astype(float)
    expected = [stats.chi2_contingency(table, correction=False).statistic for table in tables]
    assert pearson(tables) == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0, 3])
def test_kolmogorov_smirnov_is_scipys(shift: int) -> None:
    a, b = RANDOM.poisson(20, 300), RANDOM.poisson(20 + shift, 170)
    values = np.unique(np.concatenate([a, b]))
    counts = [np.array([(sample == value).sum() for value in values]) for sample in (a, b)]
    assert kolmogorov_smirnov(counts[0], counts[1]) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_psi_by_hand() -> None:
    p, q = [30.5 / 101, 70.5 / 101], [50.5 / 101, 50.5 / 101]
    expected = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert psi(np.array([30, 70]), np.array([50, 50])) == pytest.approx(expected)
    assert psi(np.array([30, 70]), np.array([300, 700])) == pytest.approx(0, abs=1e-4)
    assert np.isfinite(psi(np.array([0, 100]), np.array([100, 0])))


def test_many_pairs_at_once_are_each_pair_alone() -> None:
    many = RANDOM.integers(1, 90, (6, 4)), RANDOM.integers(1, 90, (6, 4))
    for measure in (psi, jensen_shannon, kolmogorov_smirnov, chi_squared):
        assert measure(*many) == pytest.approx([measure(a, b) for a, b in zip(*many, strict=True)])


def test_bins_hold_about_equal_shares() -> None:
    values, counts = np.unique(RANDOM.integers(0, 1000, 20_000), return_counts=True)
    edges = pooled_bins(values, counts)
    shares = np.diff([0, *(counts[values <= edge].sum() for edge in edges)]) / counts.sum()
    assert len(edges) == 10 and edges[-1] == values[-1]
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.005)


def test_a_value_that_fills_many_bins_is_one() -> None:
    assert pooled_bins(np.array([1, 2, 3]), np.array([1, 98, 1])).tolist() == [2, 3]
