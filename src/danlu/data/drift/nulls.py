"""What chance alone does: permutation nulls from counts, p values, corrections and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import xxhash

from danlu.data.drift.report import Measure

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]

ALPHA = 0.05
# Cells of permuted tables held at a time.
_CELLS = 2_000_000
# Standard normal quantile of a 95 % interval.
_Z = 1.959963984540054


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers for one purpose, whatever others draw."""
    return np.random.default_rng([seed & 0xFFFFFFFF, *(xxhash.xxh32_intdigest(name.encode()) for name in names)])


def permuted(
    train: np.ndarray, reference: np.ndarray, permutations: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Counts of both sides after rows were dealt to them anew, some permutations at a time.

    To shuffle which side each row is on and count again is to draw the training side's counts from the multivariate
    hypergeometric distribution of the column sums: the same null without touching a row.
    """
    both = train + reference
    step = max(1, _CELLS // len(both))
    for start in range(0, permutations, step):
        size = min(step, permutations - start)
        drawn = random.multivariate_hypergeometric(both, int(train.sum()), size=size, method="marginals")
        yield drawn, both - drawn


def with_nulls(
    statistics: Mapping[str, Statistic],
    counts: tuple[np.ndarray, np.ndarray],
    permutations: int,
    random: np.random.Generator,
) -> list[Measure]:
    """Each statistic of the two sides' counts, with its permutation null (the same permutations for all)."""
    draws: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
    for train, reference in permuted(*counts, permutations, random):
        for name, statistic in statistics.items():
            draws[name].append(np.atleast_1d(statistic(train, reference)))
    return [
        measured(name, float(statistic(*counts)), np.concatenate(draws[name])) for name, statistic in statistics.items()
    ]


def measured(name: str, value: float, null: np.ndarray) -> Measure:
    """A statistic with its null: large values are extreme.

    The p value is (1 + draws at least as large) / (1 + draws), which never is 0 and never too small (Phipson and Smyth,
    Stat. Appl. Genet. Mol. Biol. 9, 2010).
    """
    # A draw that deals the same counts must count as equal in spite of rounding.
    reached = int(np.sum(null >= value - 1e-9 * max(1.0, abs(value))))
    p = (1 + reached) / (1 + len(null))
    return Measure(name, value, p, float(np.median(null)), float(np.quantile(null, 0.95)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number: any at most a means a family-wise error of at most a (Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def needed_permutations(tests: int) -> int:
    """The fewest permutations with which the smallest p value of `tests` can still survive Holm's correction."""
    return math.ceil(tests / ALPHA)


def wilson(count: int, total: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson, JASA 22, 1927); (0, 1) without rows."""
    if not total:
        return 0.0, 1.0
    share, z2 = count / total, _Z * _Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)
