"""Wrong labels: rows whose label a classifier that has not seen them contradicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danlu.data.operators import Corpus, Features, Verdict
from danlu.data.row import Row
from danlu.data.similarity.arrays import F64, I64, U64, Bools, mix
from danlu.data.similarity.connecting import ids_of
from danlu.data.similarity.rowtext import keys, question_text
from danlu.recipe.choices import optional
from danlu.recipe.cleaners import LabelErrorsCleaner

_ROWS = 50_000  # that one classifier learns from; a larger data set is judged in parts of that size
_CHARACTERS = 2000  # of a text that are looked at
_LISTED = 200


class LabelErrors:
    """The cleaner of `{type: label_errors}`, for rows with one label each.

    Out-of-fold probabilities of a logistic regression over TF-IDF of character 1- to 3-grams, judged by confident
    learning (Northcutt, Jiang and Chuang, JAIR 2021; the package cleanlab). Equal texts share a fold, so that a row is
    never judged by its copy.
    """

    def __init__(self, config: LabelErrorsCleaner) -> None:
        self.config = config

    def features(self, rows: Sequence[Row]) -> Features:
        """`text`: key of what is classified; `labels`: how many the row has."""
        return {
            "text": keys([question_text(row) for row in rows]),
            "labels": np.array([len(row.labels) for row in rows], np.int64),
        }

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """Ranks suspected labels, the least probable first; drops them if the recipe says so."""
        single = np.flatnonzero(features["labels"] == 1) if len(corpus) else np.empty(0, np.int64)
        report: dict[str, Any] = {"rows": len(corpus), "checked": 0, "suspected": 0, "issues": []}
        names, given = _labels(corpus, single)
        folds = _folds(features["text"][single] if len(single) else np.empty(0, np.uint64), given, self.config.folds)
        enough = folds >= 0
        few = {names[label]: int((given == label).sum()) for label in np.unique(given[~enough]).tolist()}
        classes = np.unique(given[enough])
        if few:
            report["too_few_rows"] = few
        if len(classes) < 2:
            least = self.config.folds
            report["problem"] = f"fewer than two labels have {least} different texts, so nothing can be checked"
            return Verdict(report=report)
        rows, given, folds = single[enough], np.searchsorted(classes, given[enough]), folds[enough]
        names = [names[label] for label in classes.tolist()]
        probabilities = _out_of_fold(corpus, rows, given, folds, len(names))
        ranked = _suspected(given, probabilities)
        return self._verdict(corpus, report, names, (rows, given, probabilities), ranked)

    def _verdict(
        self, corpus: Corpus, report: dict[str, Any], names: list[str], judged: tuple[I64, I64, F64], ranked: I64
    ) -> Verdict:
        rows, given, probabilities = judged
        ids = ids_of(corpus, rows[ranked].tolist())
        suggested = probabilities.argmax(axis=1)
        found = [
            {
                "row": ids[int(rows[at])],
                "given": names[given[at]],
                "suggested": names[suggested[at]],
                "score": round(float(probabilities[at, given[at]]), 4),
            }
            for at in ranked.tolist()
        ]
        report |= {"checked": len(rows), "suspected": len(found), "issues": found[:_LISTED]}
        report["labels"] = {
            name: {"rows": int((given == label).sum()), "suspected": int((given[ranked] == label).sum())}
            for label, name in enumerate(names)
        }
        if self.config.on_found == "report":
            return Verdict(report=report)
        dropped = {
            int(rows[at]): f"labelled '{issue['given']}', probably '{issue['suggested']}' (p={issue['score']:.2f})"
            for at, issue in zip(ranked.tolist(), found, strict=True)
        }
        return Verdict(dict(sorted(dropped.items())), report)


def _labels(corpus: Corpus, single: I64) -> tuple[list[str], I64]:
    """(names of the labels, sorted; the label of each of these rows as its place among them)."""
    given = [row.labels[0] for row in _rows(corpus, single)]
    names = sorted(set(given))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[name] for name in given], np.int64)


def _rows(corpus: Corpus, indices: I64) -> Iterator[Row]:
    wanted = np.zeros(len(corpus), np.bool_)
    wanted[indices] = True
    at = 0
    for rows in corpus.batches():
        yield from (row for row, one in zip(rows, wanted[at : at + len(rows)], strict=True) if one)
        at += len(rows)


def _folds(text: U64, given: I64, folds: int) -> I64:
    """The fold of each row, stratified and by text, in an order fixed by the texts; -1: its label has too few texts."""
    distinct, first, group = np.unique(text, return_index=True, return_inverse=True)
    label = given[first]
    order = np.lexsort((mix(distinct.copy()), label))
    ordered = label[order]
    place = np.empty(len(distinct), np.int64)
    place[order] = np.arange(len(distinct)) - np.searchsorted(ordered, ordered)
    counts = np.bincount(label, minlength=int(given.max(initial=-1)) + 1)
    result = (place % folds)[group.ravel()] if len(text) else np.empty(0, np.int64)
    return np.where(counts[given] >= folds, result, -1)


def _out_of_fold(corpus: Corpus, rows: I64, given: I64, folds: I64, classes: int) -> F64:
    """The probability of each class for each row, by a classifier that saw neither the row nor its copies."""
    parts = -(-len(rows) // _ROWS)
    part = np.arange(len(rows)) * parts // len(rows)
    probabilities = np.zeros((len(rows), classes))
    texts: list[str] = []
    for at, row in enumerate(_rows(corpus, rows)):
        texts.append(question_text(row)[:_CHARACTERS])
        if at + 1 == len(rows) or part[at + 1] != part[at]:
            inside = part == part[at]
            probabilities[inside] = _cross_predicted(texts, given[inside], folds[inside], classes)
            texts = []
    return probabilities


def _cross_predicted(texts: list[str], given: I64, folds: I64, classes: int) -> F64:
    feature = optional("sklearn.feature_extraction.text", "data")
    linear = optional("sklearn.linear_model", "data")
    hashing = feature.HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=1 << 18, alternate_sign=False, norm=None, dtype=np.float32
    )
    vectors = feature.TfidfTransformer(sublinear_tf=True).fit_transform(hashing.transform(texts)).astype(np.float32)
    vectors = vectors[:, np.unique(vectors.indices)]  # a weight for every hash would make small data slow
    probabilities = np.zeros((len(texts), classes))
    for fold in np.unique(folds).tolist():
        held: Bools = folds == fold
        model = linear.LogisticRegression(C=10.0, max_iter=1000, tol=1e-3)
        model.fit(vectors[~held], given[~held])
        probabilities[np.ix_(held, model.classes_)] = model.predict_proba(vectors[held])
    return probabilities


def _suspected(given: I64, probabilities: F64) -> I64:
    """Places of the suspected rows, the least probable label first."""
    filtering = optional("cleanlab.filter", "data")
    ranked: NDArray[np.int64] = filtering.find_label_issues(
        given,
        probabilities,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return ranked.astype(np.int64)
