"""Exact duplicates: the first of equal rows stays."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import xxhash

from danlu.data.cleaning import rewrite_texts
from danlu.data.operators import Corpus, Features, Verdict
from danlu.data.row import Row
from danlu.data.similarity.connecting import ids_of
from danlu.recipe.cleaners import ExactDuplicatesCleaner


class ExactDuplicates:
    """The cleaner of `{type: exact_duplicates}`: equal after NFKC and whitespace folding, used for comparison only."""

    def __init__(self, config: ExactDuplicatesCleaner) -> None:
        self.config = config

    def features(self, rows: Sequence[Row]) -> Features:
        """`key`: the 128-bit hash of each row's folded content, [rows, 2]."""
        digests = b"".join(xxhash.xxh3_128_digest(rewrite_texts(row, "", self._fold).content()) for row in rows)
        return {"key": np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)}

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """Drops every row whose key an earlier one has, and names the first."""
        if not len(corpus):
            return Verdict(report={"rows": 0, "dropped": 0})
        key = features["key"]
        order = np.lexsort((key[:, 1], key[:, 0]))  # stable: the first of equals comes first
        fresh = np.ones(len(order), np.bool_)
        fresh[1:] = (key[order[1:]] != key[order[:-1]]).any(axis=1)
        first = order[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))]
        names = ids_of(corpus, first[~fresh].tolist())
        dropped = {
            int(row): f"same as {names[int(one)]}" for row, one in zip(order[~fresh], first[~fresh], strict=True)
        }
        return Verdict(dict(sorted(dropped.items())), {"rows": len(corpus), "dropped": len(dropped)})

    def _fold(self, text: str) -> str:
        folded = " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
        return folded.casefold() if self.config.ignore_case else folded
