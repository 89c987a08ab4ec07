"""What the rows say: topics by clustering, a classifier two-sample test, and the n-grams that separate the sides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from danlu.data.drift.nulls import generator, measured
from danlu.data.drift.report import SHOWN_ROWS, Measure
from danlu.recipe.choices import optional

CHARACTERS = 1000
DIMENSIONS, FOLDS, TOPICS = 100, 5, 8
# Times the mean variance of a direction, added to each by the classifier. With a fiftieth of it the noise of the weak
# directions hides a change in the share of a language (figures: benchmarks/data/drift-2026-11-24.md).
RIDGE = 5.0
SHOWN_TERMS = 10
# Standard errors by which an n-gram's two shares must differ: among the thousands looked at, chance hardly reaches it.
CLEAR = 4.0
_COLUMNS = 256
# Letters that touch no digit.
_TERMS = re.compile(r"(?<![\w'’])[^\W\d_]+(?:['’][^\W\d_]+)*(?!\w)")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")


@dataclass(frozen=True)
class Space:
    """Texts of both sides as vectors, made without knowing which side a text is on.

    Attributes:
        vectors: [rows, directions].
        train: whether each row is of the training side.
        keys: content hash of each row.
        terms: rows x terms, whether a row holds a term (sparse).
        names: of the terms.
    """

    vectors: np.ndarray
    train: np.ndarray
    keys: np.ndarray
    terms: Any
    names: np.ndarray


def space_of(texts: Sequence[str], train: np.ndarray, keys: np.ndarray, seed: int) -> Space:
    """TF-IDF of character 2- to 4-grams, projected on its main directions (latent semantic analysis).

    Raises:
        UserError: scikit-learn is not installed.
    """
    features = optional("sklearn.feature_extraction.text", "data")
    algebra = optional("sklearn.utils.extmath", "data")
    terms, names = _terms(texts, features)
    common = max(2, len(texts) // 1000)
    vectorizer = features.TfidfVectorizer(
        analyzer="char", ngram_range=(2, 4), min_df=common, max_features=40_000, sublinear_tf=True, dtype=np.float32
    )
    try:
        weights = vectorizer.fit_transform(texts)
    except ValueError:
        # No n-gram is in two texts: nothing can be told from them.
        return Space(np.zeros((len(texts), 1)), train, keys, terms, names)
    size = max(1, min(DIMENSIONS, weights.shape[1] - 1, len(texts) // 4))
    random = int(generator(seed, "directions").integers(2**31))
    left, strengths, _ = algebra.randomized_svd(weights, size, n_iter=4, random_state=random)
    return Space(np.asarray(left * strengths, np.float64), train, keys, terms, names)


def topics_of(space: Space, seed: int) -> tuple[np.ndarray, list[str]]:
    """K-means over the directions of both sides together: each row's cluster, and the clusters' names.

    A cluster is named by the three terms that are most its own.
    """
    cluster = optional("sklearn.cluster", "data")
    count = min(TOPICS, max(2, len(space.vectors) // 60))
    norms = np.linalg.norm(space.vectors, axis=1, keepdims=True)
    unit = np.divide(space.vectors, norms, out=np.zeros_like(space.vectors), where=norms > 0)
    # Fewer distinct rows than clusters would be a warning.
    count = min(count, len(np.unique(np.round(unit, 6), axis=0)))
    random = int(generator(seed, "topics").integers(2**31))
    labels = cluster.KMeans(count, n_init=3, random_state=random).fit_predict(unit)
    names = []
    for number in range(count):
        inside = labels == number
        chosen = [name for _, name, _, _ in _separating(space, inside, telling=True)[:3]]
        names.append(f"{number + 1}: {', '.join(chosen)}" if chosen else f"{number + 1}")
    return labels, names


def separable(space: Space, permutations: int, seed: int) -> tuple[Measure, dict[str, Any]] | None:
    """Can a classifier tell the sides apart? (Classifier two-sample test: Lopez-Paz and Oquab, ICLR 2017.)

    A regularised linear discriminant is fitted on four fifths of the rows and ranks the last fifth; the statistic is
    the area under the ROC curve, averaged over folds. The null is exact: for each permutation of the sides all folds
    are fitted anew, which least squares can do for hundreds of permutations at once. Rows with one content share a
    fold.

    Returns:
        The AUC with its null, and details: balanced accuracy, n-grams that separate. None where a fold has one side
        only.
    """
    side = np.where(space.train, 1.0, -1.0)
    folds = (space.keys % np.uint64(FOLDS)).astype(int)
    if any(len(np.unique(side[folds == fold])) < 2 for fold in range(FOLDS)):
        return None
    random = generator(seed, "wording")
    value, accuracy = _areas(space.vectors, side[:, None], folds)
    null = []
    for start in range(0, permutations, _COLUMNS):
        columns = min(_COLUMNS, permutations - start)
        null.append(_areas(space.vectors, random.permuted(np.repeat(side[:, None], columns, 1), axis=0), folds)[0])
    terms = [
        {"ngram": name, "train": a, "reference": b, "z": z}
        for more in (space.train, ~space.train)
        for z, name, a, b in _sided(space, more)
    ]
    measure = measured("auc", float(value[0]), np.concatenate(null))
    return measure, {"balanced_accuracy": float(accuracy[0]), "ngrams": terms}


def _areas(vectors: np.ndarray, sides: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(AUC, balanced accuracy) out of fold for each column of `sides` (+1 and -1)."""
    rankdata = optional("scipy.stats", "data").rankdata
    areas, accuracies = [], []
    for fold in range(FOLDS):
        test = folds == fold
        seen, marks = vectors[~test], sides[~test]
        middle = seen.mean(axis=0)
        centred = seen - middle
        gram = centred.T @ centred
        gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram) + 1e-12
        weights = np.linalg.solve(gram, centred.T @ (marks - marks.mean(axis=0)))
        scores = (vectors[test] - middle) @ weights
        # Rows with the same text must tie, whatever the order in which the products were summed.
        scores = np.round(scores / (np.abs(scores).max(axis=0) + 1e-300), 9)
        own = sides[test] > 0
        ones = own.sum(axis=0)
        zeros = len(own) - ones
        ranks = np.where(own, rankdata(scores, axis=0), 0).sum(axis=0)
        pairs = np.maximum(ones * zeros, 1)
        areas.append(np.where(ones * zeros > 0, (ranks - ones * (ones + 1) / 2) / pairs, 0.5))
        cut = np.median(scores, axis=0)
        right = (own & (scores > cut)).sum(axis=0) / np.maximum(ones, 1)
        accuracies.append((right + (~own & (scores <= cut)).sum(axis=0) / np.maximum(zeros, 1)) / 2)
    return np.mean(areas, axis=0), np.mean(accuracies, axis=0)


def _terms(texts: Sequence[str], features: Any) -> tuple[Any, np.ndarray]:
    """Which row holds which word or Han 2- to 4-gram; only those in enough rows to be shown."""
    try:
        vectorizer = features.CountVectorizer(analyzer=_terms_in, binary=True, min_df=SHOWN_ROWS, dtype=np.int32)
        table = vectorizer.fit_transform(texts)
    except ValueError:
        return None, np.zeros(0, str)
    return table, vectorizer.get_feature_names_out()


def _terms_in(text: str) -> list[str]:
    """Words without Han, and runs of two to four Han characters; nothing that touches a digit or an @."""
    found = []
    if "@" in text:
        text = " ".join(word for word in text.split() if "@" not in word)
    for match in _TERMS.finditer(text.casefold()):
        word = match.group()
        runs = _HAN.findall(word)
        if not runs:
            found.append(word)
        for run in runs:
            found += [run[i : i + size] for size in (2, 3, 4) for i in range(len(run) - size + 1)]
    return found


def _separating(space: Space, inside: np.ndarray, *, telling: bool = False) -> list[tuple[float, str, float, float]]:
    """(z, term, share inside, share outside), the most typical of the inside first; nested terms once.

    z is the difference of the two shares in standard errors of the pooled share; `telling` ranks by it times the
    logarithm of the shares' ratio, which puts words of a subject before words of a language.
    """
    if space.terms is None or not inside.any() or inside.all():
        return []
    total, mine = int(inside.sum()), np.asarray(space.terms[inside].sum(axis=0)).ravel()
    others, theirs = len(inside) - total, np.asarray(space.terms[~inside].sum(axis=0)).ravel()
    shares = mine / total, theirs / others
    pooled = (mine + theirs) / len(inside)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / total + 1 / others))
    z = (shares[0] - shares[1]) / error
    allowed = np.flatnonzero((np.maximum(mine, theirs) >= SHOWN_ROWS) & (z >= CLEAR))
    chosen: list[tuple[float, str, float, float]] = []
    rank = z * np.log((mine + 0.5) / total / ((theirs + 0.5) / others)) if telling else z
    for index in allowed[np.lexsort((space.names[allowed], -rank[allowed]))].tolist():
        name = str(space.names[index])
        if len(chosen) < SHOWN_TERMS and not any(name in other or other in name for _, other, _, _ in chosen):
            chosen.append((float(z[index]), name, float(shares[0][index]), float(shares[1][index])))
    return chosen


def _sided(space: Space, inside: np.ndarray) -> list[tuple[float, str, float, float]]:
    """`_separating` with the shares as (training, reference)."""
    found = _separating(space, inside)
    return found if np.array_equal(inside, space.train) else [(z, name, b, a) for z, name, a, b in found]
