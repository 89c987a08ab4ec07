"""Near-duplicate rows of a corpus: what the cleaner and the split stage both ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from danlu.data.operators import Corpus
from danlu.data.row import Row
from danlu.data.similarity.arrays import F64, I64, U16
from danlu.data.similarity.checking import GetTexts, verify
from danlu.data.similarity.lsh import candidate_pairs
from danlu.data.similarity.minhash import signatures
from danlu.data.similarity.rowtext import NO_TEMPLATES, find_templates, row_text, texts_of
from danlu.data.similarity.templates import Templates


def row_signatures(rows: Sequence[Row]) -> U16:
    """The signature of what each row of a batch says, [rows, 128]: the feature that `NearRows` starts from."""
    return signatures([row_text(row) for row in rows])


class NearRows:
    """The rows of a corpus, compared.

    Where many first questions share a beginning or an end (an instruction, say), two rows are near duplicates only if
    they are with it *and* without it: a long instruction alone makes no two rows alike.

    Args:
        corpus: the rows.
        row_signatures: of all of them in order; `pairs` may write over them, since at 256 bytes a row two copies are
            what most memory would go to.
        threshold: least Jaccard similarity.
    """

    def __init__(self, corpus: Corpus, row_signatures: U16, threshold: float) -> None:
        self.templates: Templates = find_templates(corpus)
        self.threshold = threshold
        self._corpus = corpus
        self._signatures = row_signatures

    def pairs(self) -> tuple[I64, F64]:
        """(pairs i < j that reach the threshold, their similarities); see `candidate_pairs` for those of a crowd."""
        if self.templates:
            end = 0
            for rows in self._corpus.batches():
                start, end = end, end + len(rows)
                self._signatures[start:end] = signatures([row_text(row, self.templates) for row in rows])
        return self.check(candidate_pairs(self._signatures, self.threshold))

    def check(self, pairs: I64) -> tuple[I64, F64]:
        """Those of the pairs that reach the threshold, and their similarities."""
        pairs, similarity = verify(pairs, self._get_texts(self.templates), self.threshold)
        if not self.templates:
            return pairs, similarity
        both, whole = verify(pairs, self._get_texts(NO_TEMPLATES), self.threshold)
        kept = np.isin(_codes(pairs, len(self._corpus)), _codes(both, len(self._corpus)))
        return both, np.minimum(similarity[kept], whole)

    def _get_texts(self, templates: Templates) -> GetTexts:
        text = partial(row_text, templates=templates)
        return lambda indices: texts_of(self._corpus, indices, text)


def near_rows(corpus: Corpus, row_signatures: U16, threshold: float) -> tuple[I64, F64]:
    """Pairs (i < j) of near-duplicate rows and their Jaccard similarities.

    Args:
        corpus: the rows.
        row_signatures: of all of them in order, from `row_signatures` batch by batch; may be written over.
        threshold: least Jaccard similarity of the sets of 5-grams.
    """
    return NearRows(corpus, row_signatures, threshold).pairs()


def _codes(pairs: I64, rows: int) -> I64:
    return pairs[:, 0] * rows + pairs[:, 1]
