"""Near duplicates: of rows that say almost the same, one stays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from danlu.data.operators import Corpus, Features, Verdict
from danlu.data.row import Row
from danlu.data.similarity import NearRows, row_signatures, verify
from danlu.data.similarity.arrays import F64, I64
from danlu.data.similarity.connecting import cluster_report, ids_of, keep_one
from danlu.data.similarity.rowtext import answer_text, keys, label_keys, texts_of
from danlu.recipe.cleaners import NearDuplicatesCleaner

# Answers that differ are near duplicates only if they are long enough for a few edits not to change what they say
# ("42" and "43", yes and no), and their 5-grams overlap by this share of the threshold.
_LONG_ANSWER = 40
_ANSWER_SHARE = 0.75


class NearDuplicates:
    """The cleaner of `{type: near_duplicates}`.

    Two rows are near duplicates if the Jaccard similarity of what they say (`similarity.row_text`) reaches the
    threshold, they have the same labels, and their answers are equal but for case, width and spaces, or long and
    similar. Rows that ask the same and answer something else are a conflict, not a duplicate: see `conflicts`.
    """

    def __init__(self, config: NearDuplicatesCleaner) -> None:
        self.config = config

    def features(self, rows: Sequence[Row]) -> Features:
        """`signature`, and what decides besides it: keys of labels and answers, and how long the answers are."""
        answers = [answer_text(row) for row in rows]
        sizes = [len(answer) if row.messages else len(row.text) for row, answer in zip(rows, answers, strict=True)]
        return {
            "signature": row_signatures(rows),
            "labels": label_keys(rows),
            "answer": keys(answers),
            "size": np.array(sizes, np.int64),
        }

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """Drops every row that is similar to a better (or earlier) one that stays, and names that one."""
        if not len(corpus):
            return Verdict(report={"rows": 0, "pairs": 0, "clusters": 0})
        near = NearRows(corpus, features["signature"], self.config.threshold)
        protected = {"labels": 0, "answers": 0}
        allowed = partial(self._allowed, features=features, corpus=corpus)
        pairs, similarity = allowed(*near.pairs(), protected=protected)
        report: dict[str, Any] = {
            "threshold": self.config.threshold,
            **cluster_report(corpus, pairs, similarity, self.config.threshold),
            "pairs_with_other_labels": protected["labels"],
            "pairs_with_other_answers": protected["answers"],
            "templates": len(near.templates.prefixes) + len(near.templates.suffixes),
        }
        gone = keep_one(pairs, similarity, self._rank(features["size"]), lambda some: allowed(*near.check(some)))
        report["duplicates"] = len(gone)
        if self.config.on_found == "report":
            return Verdict(report=report)
        names = ids_of(corpus, [stays for stays, _ in gone.values()])
        reasons = {row: f"near duplicate of {names[stays]} (J={value:.2f})" for row, (stays, value) in gone.items()}
        return Verdict(dict(sorted(reasons.items())), report)

    def _rank(self, sizes: I64) -> I64:
        rank = np.arange(len(sizes))
        if self.config.keep == "best":
            rank[np.lexsort((rank, -sizes))] = np.arange(len(sizes))
        return rank

    def _allowed(
        self,
        pairs: I64,
        similarity: F64,
        *,
        features: Features,
        corpus: Corpus,
        protected: dict[str, int] | None = None,
    ) -> tuple[I64, F64]:
        """The pairs that may be called duplicates; how many may not is added to `protected`."""
        same_labels = _equal(features["labels"], pairs)
        same_answers = _equal(features["answer"], pairs)
        long = (features["size"][pairs] >= _LONG_ANSWER).all(axis=1)
        open_ones = np.flatnonzero(same_labels & ~same_answers & long)
        similar, _ = verify(
            pairs[open_ones], lambda rows: texts_of(corpus, rows, answer_text), _ANSWER_SHARE * self.config.threshold
        )
        same_answers[open_ones] = np.isin(
            pairs[open_ones] @ np.array([len(corpus), 1]), similar @ np.array([len(corpus), 1])
        )
        if protected is not None:
            protected["labels"] += int((~same_labels).sum())
            protected["answers"] += int((same_labels & ~same_answers).sum())
        fitting = same_labels & same_answers
        return pairs[fitting], similarity[fitting]


def _equal(values: Any, pairs: I64) -> Any:
    return values[pairs[:, 0]] == values[pairs[:, 1]]
