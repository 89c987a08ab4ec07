"""How far two distributions are apart, from their counts; each function takes one pair of counts or many at once."""

from __future__ import annotations

import numpy as np

# Added to every cell of PSI, whose logarithm cannot bear an empty one.
PSI_SMOOTHING = 0.5
BINS = 10


def psi(train: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Population stability index: the sum of (p - q) ln(p / q) over cells (Siddiqi, Credit Risk Scorecards, 2006).

    Symmetric, 0 for equal shares. Half a row is added to each cell. Its usual reading: below 0.1 little, above 0.25
    large; but with few rows or many cells it is large by chance, so read it beside its null.

    Args:
        train: counts, cells along the last axis.
        reference: counts in the same cells.
    """
    p, q = _shares(train + PSI_SMOOTHING), _shares(reference + PSI_SMOOTHING)
    return np.sum((p - q) * np.log(p / q), axis=-1)


def jensen_shannon(train: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits, 0 (equal shares) to 1 (no cell in common) (Lin, IEEE Trans. IT 37, 1991).

    The divergence, not its square root. Above 0 by chance in any two samples: read it beside its null.
    """
    p, q = _shares(train), _shares(reference)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def kolmogorov_smirnov(train: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Largest distance of the two cumulative distributions, 0 to 1; cells are the distinct values in order."""
    return np.max(np.abs(np.cumsum(_shares(train) - _shares(reference), axis=-1)), axis=-1)


def chi_squared(train: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Pearson's statistic of homogeneity of the 2 x K table; empty columns count nothing."""
    table = np.stack([train, reference], axis=-2).astype(float)
    return pearson(table)


def pearson(table: np.ndarray) -> np.ndarray:
    """Pearson's chi-squared statistic of independence of tables whose rows and columns are the last two axes."""
    rows, columns = table.sum(axis=-1, keepdims=True), table.sum(axis=-2, keepdims=True)
    expected = rows * columns / table.sum(axis=(-2, -1), keepdims=True)
    return np.sum(
        np.divide((table - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0), (-2, -1)
    )


def pooled_bins(values: np.ndarray, counts: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Upper edges of bins that hold about equal shares of both samples together; fewer where values repeat.

    PSI is often taken over the deciles of one of the samples. Edges of the pooled sample do not change when rows change
    sides, which is what makes the permutation null exact.

    Args:
        values: the distinct values, rising.
        counts: how often each is in both samples together.
        bins: their number at most.
    """
    reached = np.cumsum(counts) / counts.sum()
    wanted = np.arange(1, bins) / bins
    edges = values[np.searchsorted(reached, wanted)]
    return np.unique(np.append(edges, values[-1]))


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _relative_entropy(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    ratio = np.divide(p, middle, out=np.ones_like(p), where=p > 0)
    return np.asarray(np.sum(p * np.log2(ratio), axis=-1))
