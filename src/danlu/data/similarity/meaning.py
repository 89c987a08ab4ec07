"""Rows that mean the same: cosine similarity of TF-IDF vectors or sentence embeddings, without all pairs in memory.

The vectors are rows of a matrix, each of length one. `similar_rows` gives at most 64 later rows for each row, the
nearest in the data set first, so that a thousand copies are a thousand pairs and not a million.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danlu.data.similarity.arrays import F64, I64, blocks
from danlu.data.similarity.folding import fold
from danlu.recipe.choices import optional

F32 = NDArray[np.float32]

_FEATURES = 1 << 20
_PARTNERS = 64
_PRODUCTS = 1 << 22  # multiplications of one sparse block
_TILE = 2048
_ROUNDING = 1e-6

# Scripts written without spaces: Thai, kana, Chinese
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKENS = re.compile(f"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])\\w)+")


def tokens(text: str) -> list[str]:
    """Words; pairs of characters where a script has no spaces."""
    result: list[str] = []
    for run in _TOKENS.findall(fold(text)):
        if run[0] >= "\u0e00" and len(run) > 1 and re.match(f"[{_UNSPACED}]", run):
            result.extend(run[at : at + 2] for at in range(len(run) - 1))
        else:
            result.append(run)
    return result


def tfidf(batches: Iterable[list[str]]) -> Any:
    """TF-IDF vectors of texts that come in batches: a SciPy sparse matrix, about eight bytes for each token of a row.

    weight = count * (ln((1 + rows) / (1 + rows with the token)) + 1), then length one.

    Raises:
        UserError: scikit-learn is not installed.
    """
    vectorizer = optional("sklearn.feature_extraction.text", "data")
    sparse = optional("scipy.sparse", "data")
    hashing = vectorizer.HashingVectorizer(
        analyzer=tokens, n_features=_FEATURES, alternate_sign=False, norm=None, dtype=np.float32
    )
    parts = [hashing.transform(batch) for batch in batches if batch]
    counts = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, _FEATURES), dtype=np.float32)
    weighting = vectorizer.TfidfTransformer()
    return weighting.fit_transform(counts).astype(np.float32, copy=False) if parts else counts


def similar_tfidf(vectors: Any, threshold: float) -> tuple[I64, F64]:
    """Pairs (i < j) of rows whose cosine similarity reaches the threshold, and their similarities.

    Exact, by prefix filtering (Bayardo, Ma and Srikant, "Scaling Up All Pairs Similarity Search", WWW 2007): with the
    tokens of each row in order of rarity, two rows that reach the threshold share a token of the part that is left when
    the commonest tokens, together shorter than the threshold, are cut off.
    """
    rare = _rare_parts(vectors, threshold)
    across = rare.T.tocsr()
    work = rare @ np.diff(across.indptr)
    taken: list[tuple[I64, F64]] = []
    for start, end in blocks(work.tolist(), _PRODUCTS):
        shared = (rare[start:end] @ across).tocoo()
        left, right = shared.row.astype(np.int64) + start, shared.col.astype(np.int64)
        later = right > left
        taken.append(_reaching(vectors, np.stack([left[later], right[later]], axis=1), threshold))
    return _few_each(taken)


def cosine(vectors: Any, pairs: I64) -> F64:
    """The cosine similarity of pairs of rows, sparse or dense."""
    values = np.empty(len(pairs))
    for start in range(0, len(pairs), 8192):
        left, right = vectors[pairs[start : start + 8192, 0]], vectors[pairs[start : start + 8192, 1]]
        products = left.multiply(right) if hasattr(left, "multiply") else left * right
        values[start : start + 8192] = np.asarray(products.sum(axis=1)).ravel()
    return values


def similar_embeddings(vectors: F32, threshold: float) -> tuple[I64, F64]:
    """Pairs (i < j) of rows whose cosine similarity reaches the threshold, tile by tile: rows^2 / 2 products."""
    return _few_each(_tiles(vectors, threshold))


def _tiles(vectors: F32, threshold: float) -> Iterator[tuple[I64, F64]]:
    for top in range(0, len(vectors), _TILE):
        found = []
        rows = np.arange(top, min(top + _TILE, len(vectors)))
        for side in range(top, len(vectors), _TILE):
            similarity = vectors[rows] @ vectors[side : side + _TILE].T
            left, right = np.nonzero(similarity >= threshold - _ROUNDING)
            later = right + side > rows[left]
            left, right = left[later], right[later]
            found.append((np.stack([rows[left], right + side], axis=1), similarity[left, right].astype(np.float64)))
            rows = rows[np.bincount(left, minlength=len(rows)) < _PARTNERS]  # the others have enough
        yield np.concatenate([pairs for pairs, _ in found]), np.concatenate([values for _, values in found])


def _reaching(vectors: Any, pairs: I64, threshold: float) -> tuple[I64, F64]:
    values = cosine(vectors, pairs)
    reached = values >= threshold - _ROUNDING
    return pairs[reached], values[reached]


def _few_each(parts: Iterable[tuple[I64, F64]]) -> tuple[I64, F64]:
    """Of each row's later partners the first 64; sorted."""
    kept_pairs, kept_values = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for pairs, values in parts:  # all pairs of a row i < j are in one part
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        pairs, values = pairs[order], values[order]
        left = pairs[:, 0]
        place = np.arange(len(left)) - np.searchsorted(left, left)
        kept_pairs.append(pairs[place < _PARTNERS])
        kept_values.append(values[place < _PARTNERS])
    return np.concatenate(kept_pairs), np.minimum(np.concatenate(kept_values), 1.0)


def _rare_parts(vectors: Any, threshold: float) -> Any:
    """Ones at the tokens of each row that are left when its commonest tokens, shorter than the threshold, are cut."""
    rows = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    frequency = np.bincount(vectors.indices, minlength=vectors.shape[1])[vectors.indices]
    order = np.lexsort((vectors.indices, frequency, rows))
    squares = np.concatenate([[0.0], np.cumsum(vectors.data[order].astype(np.float64) ** 2)])
    remaining = squares[vectors.indptr[1:]][rows] - squares[:-1]
    kept = order[remaining >= threshold**2 - 1e-5]
    sparse = optional("scipy.sparse", "data")
    ones = np.ones(len(kept), np.float32)
    return sparse.csr_matrix((ones, (rows[kept], vectors.indices[kept])), shape=vectors.shape)
