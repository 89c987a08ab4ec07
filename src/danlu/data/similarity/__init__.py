"""Which rows are alike: signatures, candidate pairs, the exact check and clusters; TF-IDF and encoders for meaning."""

from danlu.data.similarity.checking import jaccard, near_pairs, verify
from danlu.data.similarity.connecting import clusters
from danlu.data.similarity.folding import fold
from danlu.data.similarity.lsh import candidate_pairs
from danlu.data.similarity.minhash import signatures
from danlu.data.similarity.nearrows import NearRows, near_rows, row_signatures
from danlu.data.similarity.rowtext import row_text
from danlu.data.similarity.shingles import grams

__all__ = [
    "NearRows",
    "candidate_pairs",
    "clusters",
    "fold",
    "grams",
    "jaccard",
    "near_pairs",
    "near_rows",
    "row_signatures",
    "row_text",
    "signatures",
    "verify",
]
