"""Semantic duplicates: rows that ask or say the same in other words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from danlu.data.operators import Corpus, Features, Verdict
from danlu.data.row import Row
from danlu.data.similarity import meaning
from danlu.data.similarity.arrays import F64, I64, Bools, mix
from danlu.data.similarity.connecting import cluster_report, ids_of, keep_one
from danlu.data.similarity.encoder import embed
from danlu.data.similarity.rowtext import answer_text, find_templates, keys, label_keys, question_text
from danlu.recipe.cleaners import SemanticDuplicatesCleaner

_BATCH = 64  # texts of a call of the encoder: fixed, so that results do not depend on the batches of the data


class SemanticDuplicates:
    """The cleaner of `{type: semantic_duplicates}`.

    Compares what rows ask (text rows: what they say), without the instructions that many share. A row is only ever
    dropped for one with the same labels and the same answers: no encoder tells 取消 (cancel) from 预订 (book).
    """

    def __init__(self, config: SemanticDuplicatesCleaner) -> None:
        self.config = config

    def features(self, rows: Sequence[Row]) -> Features:
        """Keys of labels, answers and questions: what must be equal, and what is equal anyway."""
        return {
            "labels": label_keys(rows),
            "answer": keys([answer_text(row) for row in rows]),
            "question": keys([question_text(row) for row in rows]),
        }

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """Reports pairs and clusters; drops the later of two rows that may be dropped, if the recipe says so."""
        if not len(corpus):
            return Verdict(report={"rows": 0, "pairs": 0, "clusters": 0})
        same = mix(features["question"] + mix(features["answer"] + mix(features["labels"].copy())))
        _, first, group = np.unique(same, return_index=True, return_inverse=True)
        standing = np.sort(first)
        vectors, pairs, similarity = self._similar(corpus, standing)
        pairs, similarity = _with_equal_rows(standing[pairs], similarity, first[group])
        allowed = _allowed(features, pairs)
        report: dict[str, Any] = {
            "threshold": self.config.threshold,
            "encoder": "tfidf" if self.config.encoder == "tfidf" else "folder",
            **cluster_report(corpus, pairs, similarity, self.config.threshold),
            "pairs_with_other_labels_or_answers": int((~allowed).sum()),
        }
        place = np.searchsorted(standing, first[group])
        check = partial(self._check, vectors=vectors, place=place)
        gone = keep_one(pairs[allowed], similarity[allowed], np.arange(len(corpus)), check)
        report["duplicates"] = len(gone)
        if self.config.on_found == "report":
            return Verdict(report=report)
        names = ids_of(corpus, [stays for stays, _ in gone.values()])
        reasons = {
            row: f"means the same as {names[stays]} (cosine {value:.2f})" for row, (stays, value) in gone.items()
        }
        return Verdict(dict(sorted(reasons.items())), report)

    def _similar(self, corpus: Corpus, standing: I64) -> tuple[Any, I64, F64]:
        texts = _texts(corpus, standing)
        if self.config.encoder == "tfidf":
            vectors = meaning.tfidf(texts)
            return vectors, *meaning.similar_tfidf(vectors, self.config.threshold)
        vectors = embed(self.config.encoder, texts)
        return vectors, *meaning.similar_embeddings(vectors, self.config.threshold)

    def _check(self, pairs: I64, *, vectors: Any, place: I64) -> tuple[I64, F64]:
        # All rows of a cluster of allowed pairs have one answer and one set of labels
        values = np.minimum(meaning.cosine(vectors, place[pairs]), 1.0)
        reached = values >= self.config.threshold
        return pairs[reached], values[reached]


def _texts(corpus: Corpus, standing: I64) -> Iterator[list[str]]:
    """The questions of these rows, 64 at a time."""
    templates = find_templates(corpus)
    wanted = np.zeros(len(corpus), np.bool_)
    wanted[standing] = True
    waiting: list[str] = []
    at = 0
    for rows in corpus.batches():
        waiting += [
            question_text(row, templates) for row, one in zip(rows, wanted[at : at + len(rows)], strict=True) if one
        ]
        at += len(rows)
        full = len(waiting) - len(waiting) % _BATCH
        for start in range(0, full, _BATCH):
            yield waiting[start : start + _BATCH]
        waiting = waiting[full:]
    if waiting:
        yield waiting


def _with_equal_rows(pairs: I64, similarity: F64, first: I64) -> tuple[I64, F64]:
    """The pairs, and each row with the first that is the same in all three keys; sorted."""
    later = np.flatnonzero(first != np.arange(len(first)))
    pairs = np.concatenate([pairs, np.stack([first[later], later], axis=1)])
    similarity = np.concatenate([similarity, np.ones(len(later))])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], similarity[order]


def _allowed(features: Features, pairs: I64) -> Bools:
    """Whether two rows have equal labels and answers."""
    left, right = pairs[:, 0], pairs[:, 1]
    same: Bools = (features["labels"][left] == features["labels"][right]) & (
        features["answer"][left] == features["answer"][right]
    )
    return same
