"""Train the scorer of English names: tables/english_weights.txt out of generated sentences.

Usage: python benchmarks/data/train_english_names.py [--without second] [--rounds 300]

Needs numpy, scipy and python-stdnum. Sentences are those of the evaluation sets up to the sixth but for the fifth, and
of `name_training/english_*`; names are drawn from the tables by frequency, and from whole names of a list. A fifth of
the words count as in no table, so that the rest learns to do without.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import train_names  # noqa: E402
from tests.data.personal import carriers, unseen  # noqa: E402
from tests.data.personal.generate import _SLOT, _decoy  # noqa: E402
from tests.data.personal.values import MAKERS  # noqa: E402
from train_names import Choice, Hiding, Text, fit  # noqa: E402

from danlu.data.personal import english_words  # noqa: E402
from danlu.data.personal import english_names as engine  # noqa: E402
from danlu.data.personal.context import folded  # noqa: E402
from danlu.data.personal.english_words import Part  # noqa: E402
from danlu.data.personal.tables import table  # noqa: E402

# Features that know single words; a tenth of them is hidden at random.
WORDS = {"first word", "last word", "middle word", "word in front", "word behind", "left", "right"}
UNLISTED = 0.2


class Names:
    """Draws names: of the tables by frequency, whole ones, and all the forms that full names have."""

    def __init__(self) -> None:
        t = table("english_names")
        self.given, self.family = t["given"], t["surnames"]
        self.shares = [1 / (place + 20) for place in range(len(self.given))]
        self.weights = [1 / (place + 30) ** 0.8 for place in range(len(self.family))]
        self.world_given = [w[:1].upper() + w[1:] for w in (*t["given_more"], *t["given_world"]) if len(w) > 2]
        self.world_family = [w[:1].upper() + w[1:] for w in (*t["surnames_more"], *t["surnames_world"]) if len(w) > 2]
        self.whole = [*train_names._lines("english_names"), *train_names._lines("english_tenth_names")]
        self.word_names = [w for w in t["word_names"] if len(w) > 2]

    def draw(self, r: random.Random) -> str:
        """One full name."""
        kind = r.random()
        if kind < 0.25:
            return r.choice(self.whole)
        if kind < 0.3:
            return f"{r.choice(self.word_names)} {self.last(r)}"
        first, last = self.first(r), self.last(r)
        if kind < 0.34:
            return self._asian(r)
        form = r.random()
        if form < 0.06:
            return f"{first} {r.choice('ABCDEFGHJKLMNPRSTW')}. {last}"
        if form < 0.1:
            return f"{first} {self.first(r)} {last}"
        if form < 0.13:
            return f"{first} {last}-{self.last(r)}"
        if form < 0.16:
            return f"{first} {last} {r.choice(self.world_family)}"
        if form < 0.19:
            particle = r.choice(
                ("van der", "de la", "dela", "van", "de", "bin", "von", "di", "da", "dos", "del", "al", "el")
            )
            return f"{first} {particle} {last}"
        if form < 0.21:
            return f"{first} {r.choice(('al-', 'El-', 'Al-', 'el-'))}{r.choice(self.world_family)}"
        if form < 0.23:  # Park Dong-hyun
            second = r.choice(self.world_given).lower()
            return f"{last} {first}-{second}" if "-" not in first + second else f"{last} {first}"
        if form < 0.25:
            return f"{r.choice('ABCDEFGHJKLMNPRSTW')}. {last}"
        return f"{first} {last}"

    def _asian(self, r: random.Random) -> str:
        """Surname first and two given syllables: Nguyen Thi Lan, Kwok Chi Ho."""
        first, second, family = r.choice((VIETNAMESE, CANTONESE, KOREAN))
        one, two = r.choice(first), r.choice(second)
        last = r.choice(family)
        form = r.random()
        if form < 0.6:
            return f"{last} {one} {two}"
        return f"{last} {one}-{two.lower()}" if form < 0.8 else f"{one} {two} {last}"

    def first(self, r: random.Random) -> str:
        """A given name."""
        return r.choices(self.given, self.shares)[0] if r.random() < 0.5 else r.choice(self.world_given)

    def last(self, r: random.Random) -> str:
        """A surname."""
        return r.choices(self.family, self.weights)[0] if r.random() < 0.5 else r.choice(self.world_family)


def generated(names: Names, without: str, r: random.Random) -> Iterator[Text]:
    """Documents of the sets and of name_training, without one set if it is to be tested on."""
    first = (
        [s for (language, _), pool in carriers.CARRIERS.items() if language == "en" for s in pool],
        [*carriers.DECOYS["en"], *carriers.NEUTRAL["en"]],
    )
    pools: dict[str, tuple[list[str], list[str]]] = {"first": first}
    for part in PARTS:
        pools[part] = (unseen._lines("en", part, "carriers"), unseen._lines("en", part, "decoys"))
    for part in ("english", "english_2", "english_tenth"):
        pools[part] = (train_names._lines(f"{part}_carriers"), train_names._lines(f"{part}_decoys"))
    pools.pop(without, None)
    others = [s for carrying, decoys in pools.values() for s in (*carrying, *decoys)]
    for name, (carrying, decoys) in pools.items():
        everything = [(s, 12) for s in carrying if "_NAME" in s] + [(s, 5) for s in decoys]
        everything += [(s, 3) for s in carrying if "_NAME" not in s]
        for number, (sentence, times) in enumerate(everything):
            for _ in range(times):
                gold: dict[int, int] = {}
                text = ""
                for part_of in (r.choice(others), sentence, r.choice(others)):
                    text = _filled(part_of, text, gold, names, r)
                yield Text(folded(text), gold, 2.0 / times, source=name, sentence=number)


def _filled(sentence: str, text: str, gold: dict[int, int], names: Names, r: random.Random) -> str:
    at = 0
    template = sentence.replace("\\n", "\n").replace("\\t", "\t")
    for slot in _SLOT.finditer(template):
        text += template[at : slot.start()]
        kind = slot.group(1)
        value = _value(kind, names, r)
        if kind == "EN_NAME":
            gold[len(text)] = len(text) + len(value)
        text += value
        at = slot.end()
    text += template[at:]
    closed = text[-1:] in ".!?" and "\n" not in template
    return text + (" " if closed and r.random() < 0.7 else "\n")


def _value(kind: str, names: Names, r: random.Random) -> str:
    own = {"EN_NAME": names.draw, "FIRST": names.first, "LAST": names.last}
    if kind in own:
        return own[kind](r)
    if kind in MAKERS:
        return str(MAKERS[kind](r))
    try:
        return str(unseen._value(r, kind))
    except KeyError:
        return str(_decoy(r, kind))


def _less_known(rows: Iterable[list[Part]], r: random.Random) -> Iterator[list[Part]]:
    """The rows, a fifth of the words as if no table of names had them."""
    hidden: dict[str, bool] = {}
    for parts in rows:
        yield [
            part._replace(kind="--" + part.kind[2:])
            if len(part.kind) > 2 and part.kind[2] not in "TWN" and hidden.setdefault(part.text, r.random() < UNLISTED)
            else part
            for part in parts
        ]


def choices(texts: Iterable[Text], r: random.Random) -> Iterator[Choice]:
    """The places of all texts where a name may begin."""
    for text in texts:
        rows = _less_known(english_words.runs(text.text), r)
        seen = set()
        for at, candidates in engine.places(text.text, rows):
            end = text.gold.get(at, 0)
            seen.add(at)
            ends = [end_at for end_at, _ in candidates]
            right = ends.index(end) if end in ends else -1
            if end and right < 0:
                LOST[text.text[at:end]] += 1
            yield Choice(
                [[(f, 1.0) for f in found] for _, found in candidates], right, text.weight, text.source, text.sentence
            )
        for at, end in text.gold.items():
            if at not in seen:
                LOST[text.text[at:end]] += 1


VIETNAMESE = (
    "Thi Van Minh Duc Thanh Ngoc Quang Hoang Huu Xuan Anh Quoc Thuy Thu Kim Bao Gia Hong Tuan Phuong".split(),
    "Lan Hung Khang Dat Huong Linh Nam Tuan Anh Mai Hoa Long Son Phuc Thao Trang Duy Khoa Nhi Vy".split(),
    "Nguyen Tran Le Pham Hoang Huynh Phan Vu Vo Dang Bui Do Ngo Duong Ly Truong Dinh Mai".split(),
)
CANTONESE = (
    "Chi Wai Ka Siu Kwok Wing Yuk Mei Tsz Hiu Ming Chun Man Hoi Pui Lai Sze Yat Kin Shuk".split(),
    "Ho Ming Yan Ying Fai Kit Lam Ching Wah Keung Ling Fong Hang Lok Yee Man Kei Hin Tung Wa".split(),
    "Kwok Chan Wong Lam Cheung Leung Ng Ho Chow Yuen Tsang Lau Tam Mak Fung Kwan Siu Tse Yip Lai".split(),
)
KOREAN = (
    "Ji Min Soo Hyun Dong Sung Young Eun Hye Jae Seo Yoo Kyung Joon Mi Tae Chan Woo Na Bo".split(),
    "Hyun Min Woo Jin Young Ah Hee Won Seok Ho Kyung Hoon Mi Yeon Jun Soo Rin Ra Bin Joo".split(),
    "Kim Lee Park Choi Jung Kang Cho Yoon Jang Lim Han Oh Seo Shin Kwon Hwang Ahn Song Bae Noh".split(),
)


LOST: Counter[str] = Counter()
PARTS = ("second", "third", "fourth", "sixth")
SCOWL = """\
// English words that are no names, from SCOWL (Debian's wamerican-small), whose notice follows.
// Copyright 2000-2011 by Kevin Atkinson
// Permission to use, copy, modify, distribute and sell these word lists, the associated scripts, the output created
// from the scripts, and its documentation for any purpose is hereby granted without fee, provided that the above
// copyright notice appears in all copies and that both that copyright notice and this permission notice appear in
// supporting documentation. Kevin Atkinson makes no representations about the suitability of this array for any
// purpose. It is provided "as is" without express or implied warranty.
"""


def write_ordinary(dictionary: Path) -> None:
    """tables/ordinary_words.txt: the small words of a dictionary, without those whose bases are there."""
    small = {w for w in dictionary.read_text("utf-8").split() if w.islower() and w.isascii() and w.isalpha()}
    small = {w for w in small if len(w) > 2}
    kept = sorted(w for w in small if not any(base in small for base in english_words.bases(w) if len(base) > 2))
    lines = ["# words", *(" ".join(kept[at : at + 14]) for at in range(0, len(kept), 14))]
    (train_names.TABLES / "ordinary_words.txt").write_text(SCOWL + "\n".join(lines) + "\n", "utf-8")


def main() -> None:
    """Read texts, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", default="", help="a set that is left out")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--penalty", type=float, default=0.4)
    parser.add_argument("--least", type=int, default=3)
    parser.add_argument("--hidden", type=float, default=0.1)
    parser.add_argument("--dictionary", type=Path, help="/usr/share/dict/american-english-small: its words are written")
    options = parser.parse_args()
    if options.dictionary:
        write_ordinary(options.dictionary)
    r = random.Random(20261125)
    data = list(choices(generated(Names(), options.without, r), r))
    print("never looked at:", sum(LOST.values()), LOST.most_common(40))
    print(Counter(c.source for c in data), Counter(c.source for c in data if c.right >= 0))
    weights = fit(data, options.least, options.penalty, options.rounds, Hiding(WORDS, options.hidden))
    train_names.write_weights(weights, "english_weights.txt")


if __name__ == "__main__":
    main()
