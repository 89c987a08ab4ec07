"""Texts with known near-duplicates, and the slow and obvious way to compare them."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from danlu.data.similarity.arrays import I64

CHINESE = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
LETTERS = [*"etaoinshrdlucmfwyp", *"    "]


def text(rng: random.Random, characters: int, alphabet: Sequence[str] = CHINESE) -> str:
    return "".join(rng.choice(alphabet) for _ in range(characters))


def edited(rng: random.Random, original: str, rate: float, alphabet: Sequence[str] = CHINESE) -> str:
    """The text with about `rate` of its characters replaced, left out or followed by another one."""
    result = []
    for character in original:
        kind = int(rng.random() / rate * 3)  # 0: replaced, 1: left out, 2: followed by another; the others stay
        result.append({0: rng.choice(alphabet), 1: "", 2: character + rng.choice(alphabet)}.get(kind, character))
    return "".join(result)


def plain_grams(value: str) -> set[str]:
    folded = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if len(folded) < 5:
        return {folded} if folded else set()
    return {folded[at : at + 5] for at in range(len(folded) - 4)}


def plain_jaccard(a: str, b: str) -> float:
    left, right = plain_grams(a), plain_grams(b)
    return len(left & right) / len(left | right) if left | right else 1.0


def plain_pairs(texts: Sequence[str], threshold: float) -> dict[tuple[int, int], float]:
    """All pairs that reach the threshold, by counting the grams that any two texts share."""
    sets = [plain_grams(value) for value in texts]
    holders: dict[str, list[int]] = {}
    for row, grams in enumerate(sets):
        for gram in grams:
            holders.setdefault(gram, []).append(row)
    shared = Counter(pair for rows in holders.values() for pair in combinations(rows, 2))
    similarity = {(i, j): count / (len(sets[i]) + len(sets[j]) - count) for (i, j), count in shared.items()}
    return {pair: value for pair, value in similarity.items() if value >= threshold - 1e-12}


def plain_clusters(n: int, pairs: Sequence[tuple[int, int]] | I64) -> list[int]:
    """Components by walking, each named by its smallest member."""
    neighbours: dict[int, set[int]] = {row: set() for row in range(n)}
    for one, other in pairs:
        neighbours[int(one)].add(int(other))
        neighbours[int(other)].add(int(one))
    labels = [-1] * n
    for start in range(n):
        waiting = [start] if labels[start] < 0 else []
        while waiting:
            row = waiting.pop()
            if labels[row] < 0:
                labels[row] = start
                waiting.extend(neighbours[row])
    return labels
