"""Grams, signatures, the exact check and clusters, against sets of strings and a walk over all pairs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from danlu.data import similarity
from danlu.data.similarity.checking import GetTexts, near_pairs
from danlu.data.similarity.lsh import band_size
from tests.data.similarity.making import (
    CHINESE,
    LETTERS,
    edited,
    plain_clusters,
    plain_grams,
    plain_jaccard,
    plain_pairs,
    text,
)

ODD = [
    "",
    " ",
    "a",
    "abcd",
    "abcde",
    "ABCDE",
    "你好",
    "你好，",
    "👍🏽👍🏽",
    "👍🏽👍🏽!",
    "aaaaaaaaaa",
    "a" * 400,
    "\ud800x",
    "ﬁne day",
]


def getter(texts: Sequence[str]) -> GetTexts:
    return lambda rows: [texts[row] for row in rows]


def corpus(rng: random.Random, alphabet: Sequence[str], rows: int, characters: int) -> list[str]:
    texts = [text(rng, rng.randrange(characters // 2, characters * 3 // 2), alphabet) for _ in range(rows)]
    for _ in range(rows // 2):
        rate = rng.choice([0.002, 0.005, 0.01, 0.02, 0.03, 0.05])
        texts.append(edited(rng, texts[rng.randrange(rows)], rate, alphabet))
    rng.shuffle(texts)
    return texts


def test_jaccard_and_grams_are_those_of_sets() -> None:
    rng = random.Random(2)
    texts = ODD + corpus(rng, "ab ", 20, 12) + corpus(rng, CHINESE, 6, 60)
    for one in texts:
        grams = similarity.grams(one)
        assert len(grams) == len(plain_grams(one)) and grams.dtype == np.uint64
        assert (np.diff(grams.astype(np.int64)) > 0).all()
        for other in texts:
            assert similarity.jaccard(one, other) == pytest.approx(plain_jaccard(one, other), abs=1e-12)


def test_a_short_text_is_one_shingle() -> None:
    assert similarity.jaccard("ok", "OK ") == 1
    assert similarity.jaccard("ok", "no") == 0
    assert similarity.jaccard("", "  ") == 1
    assert similarity.jaccard("", "no") == 0


def test_signatures_do_not_depend_on_the_batch() -> None:
    rng = random.Random(3)
    texts = ODD + corpus(rng, CHINESE, 40, 200) + [text(rng, 70_000, LETTERS)]
    whole = similarity.signatures(texts)
    assert whole.shape == (len(texts), 128) and whole.nbytes <= 256 * len(texts)
    alone = np.concatenate([similarity.signatures([one]) for one in texts])
    parts = np.concatenate([similarity.signatures(texts[:7]), similarity.signatures(texts[7:])])
    assert np.array_equal(whole, alone) and np.array_equal(whole, parts)
    assert np.array_equal(similarity.signatures(["Ａ  b c d e f"]), similarity.signatures(["a b c d e f"]))
    assert similarity.signatures([]).shape == (0, 128)


def test_signatures_stay_what_they_are() -> None:
    # stored with finished shards: another value here means that their features must be made again
    signature = similarity.signatures(["The quick brown fox 快速的棕色狐狸"])[0]
    assert signature[:4].tolist() == [2624, 7005, 14404, 60454]


@pytest.mark.parametrize("characters", [40, 300])
def test_signatures_estimate_as_well_as_datasketch(characters: int) -> None:
    datasketch = pytest.importorskip("datasketch")
    rng = random.Random(4)
    ours, theirs = [], []
    for _ in range(150):
        one = text(rng, characters)
        other = edited(rng, one, rng.choice([0.01, 0.03, 0.08]))
        signatures = similarity.signatures([one, other])
        true = plain_jaccard(one, other)
        ours.append((signatures[0] == signatures[1]).mean() - true)
        sketches = [datasketch.MinHash(num_perm=128, seed=1) for _ in range(2)]
        for sketch, value in zip(sketches, (one, other), strict=True):
            sketch.update_batch([gram.encode() for gram in plain_grams(value)])
        theirs.append(sketches[0].jaccard(sketches[1]) - true)
    assert abs(np.mean(ours)) < 0.01  # unbiased
    assert np.std(ours) < 1.3 * np.std(theirs)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
@pytest.mark.parametrize(("alphabet", "characters"), [(CHINESE, 25), (CHINESE, 120), (LETTERS, 120)])
def test_near_pairs_are_those_of_brute_force(threshold: float, alphabet: Sequence[str], characters: int) -> None:
    texts = corpus(random.Random(5), alphabet, 400, characters)
    true = plain_pairs(texts, threshold)
    pairs, values = near_pairs(similarity.signatures(texts), getter(texts), threshold)
    found = dict(zip(map(tuple, pairs.tolist()), values.tolist(), strict=True))
    assert found.keys() <= true.keys()
    assert found == pytest.approx({pair: true[pair] for pair in found})
    assert len(found) >= 0.99 * len(true) > 25


def test_candidates_are_sorted_pairs_each_once() -> None:
    texts = corpus(random.Random(6), CHINESE, 300, 60) + ["same"] * 40 + [""] * 3
    pairs = similarity.candidate_pairs(similarity.signatures(texts), 0.8)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert list(map(tuple, pairs.tolist())) == sorted(set(map(tuple, pairs.tolist())))
    for rows in (0, 1):
        assert similarity.candidate_pairs(similarity.signatures(texts[:rows])).shape == (0, 2)


def test_bands_adapt_to_the_threshold() -> None:
    sizes = [band_size(threshold) for threshold in (0.5, 0.6, 0.7, 0.8, 0.9, 0.99)]
    assert sizes == sorted(sizes)
    for threshold, r in zip((0.5, 0.6, 0.7, 0.8, 0.9, 0.99), sizes, strict=True):
        assert 1 - (1 - threshold**r) ** (128 // r) >= 0.995


@pytest.mark.parametrize(
    ("prefix", "tail", "threshold"),
    [
        (200, 60, 0.8),  # boilerplate is not enough: 4,800 rows in one bucket, no two of them alike but the planted
        (225, 36, 0.75),  # boilerplate is enough: all one cluster, found without all 12 million pairs
    ],
)
def test_five_thousand_rows_with_one_beginning(prefix: int, tail: int, threshold: float) -> None:
    rng = random.Random(7)
    beginning = text(rng, prefix)
    texts = [beginning + text(rng, tail) for _ in range(4800)]
    planted = []
    for _ in range(200):
        original = rng.randrange(4800)
        at = rng.randrange(len(texts[original]))
        planted.append((original, len(texts)))
        texts.append(texts[original][:at] + rng.choice(CHINESE) + texts[original][at + 1 :])
    candidates = similarity.candidate_pairs(similarity.signatures(texts), threshold)
    assert len(candidates) < 30 * len(texts)
    pairs, _ = similarity.verify(candidates, getter(texts), threshold)
    labels = similarity.clusters(len(texts), pairs)
    if threshold == 0.75:
        # any two of these rows share the beginning: 221 of at most 293 grams
        assert (labels == 0).all()
        return
    alike = {pair for pair in planted if plain_jaccard(texts[pair[0]], texts[pair[1]]) >= threshold}
    assert len(alike) > 100
    truth = _clusters_by_tail(texts, prefix, threshold)
    assert labels.tolist() == truth
    assert alike <= set(map(tuple, pairs.tolist()))


def _clusters_by_tail(texts: list[str], prefix: int, threshold: float) -> list[int]:
    """Brute force among those rows only that could be alike: such share a gram behind the beginning."""
    holders: dict[str, list[int]] = {}
    for row, value in enumerate(texts):
        for gram in plain_grams(value[prefix - 20 :]):
            holders.setdefault(gram, []).append(row)
    few = [rows for rows in holders.values() if len(rows) <= 1000]
    possible = {(one, other) for rows in few for at, one in enumerate(rows) for other in rows[at + 1 :]}
    return plain_clusters(len(texts), [p for p in possible if plain_jaccard(texts[p[0]], texts[p[1]]) >= threshold])


def test_verify_in_many_blocks_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(random.Random(8), CHINESE, 300, 80)
    candidates = similarity.candidate_pairs(similarity.signatures(texts), 0.6)
    pairs, values = similarity.verify(candidates, getter(texts), 0.7)
    for name, value in (("_PAIRS", 7), ("_CHARACTERS", 500), ("_GRAMS", 300), ("_FIRST_PAIRS", 3)):
        monkeypatch.setattr(f"danlu.data.similarity.checking.{name}", value)
    asked: list[int] = []

    def get(rows: Sequence[int]) -> list[str]:
        assert list(rows) == sorted(rows)
        asked.append(len(rows))
        return [texts[row] for row in rows]

    again, same = similarity.verify(candidates, get, 0.7)
    assert np.array_equal(pairs, again) and np.array_equal(values, same)
    assert len(asked) > 10 and max(asked) <= 14
    assert {(i, j) for i, j in pairs.tolist()} == {
        (i, j) for i, j in candidates.tolist() if plain_jaccard(texts[i], texts[j]) >= 0.7
    }


def test_clusters_against_a_walk() -> None:
    rng = random.Random(9)
    for edges in (0, 1, 30, 100, 400):
        pairs = np.array([(rng.randrange(200), rng.randrange(200)) for _ in range(edges)], np.int64).reshape(-1, 2)
        assert similarity.clusters(200, pairs).tolist() == plain_clusters(200, pairs)
    order = list(range(3000))
    rng.shuffle(order)
    chain = np.array(list(pairwise(order)), np.int64)
    assert (similarity.clusters(3000, chain) == 0).all()
