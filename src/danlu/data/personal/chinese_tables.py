"""What the rules for Chinese names know: surnames, given-name characters, titles, and words that are no names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from danlu.data.personal.tables import table, weights


@dataclass(frozen=True)
class NameTables:
    """Surnames by frequency, characters of given names, and the words that stand around names or look like them."""

    rank: dict[str, int]
    doubles: frozenset[str]
    rare: frozenset[str]
    strong: frozenset[str]
    weak: frozenset[str]
    not_names: frozenset[str]
    famous: frozenset[str]
    titles: frozenset[str]
    heads: frozenset[str]
    head_ends: frozenset[str]
    title_heads: frozenset[str]
    follow: frozenset[str]


@cache
def name_tables() -> NameTables:
    """The tables, read once."""
    t = table("chinese_names")
    return NameTables(
        rank={name: place for place, name in enumerate(t["surnames_common"])},
        doubles=frozenset(t["surnames_double"]),
        rare=frozenset(t["surnames_rare"]),
        strong=frozenset(t["given_strong"]),
        weak=frozenset(t["given_weak"]),
        not_names=frozenset(t["not_names"]),
        famous=frozenset(t["famous"]),
        titles=frozenset(t["titles"]),
        heads=frozenset(t["heads"]),
        head_ends=frozenset(word[-1] for word in t["heads"]) | {":", " "},
        title_heads=frozenset(word[0] for word in t["titles"]),
        follow=frozenset(
            (*t["given_strong"], *t["given_weak"], *(w[0] for w in t["titles"]), *(w[1] for w in t["surnames_double"]))
        ),
    )


@cache
def short_places() -> frozenset[str]:
    """Regions of the country by their names without 市 or 县, of two characters or more."""
    full = {word for words in table("regions").values() for word in words}
    short = {word[:-1] for word in full if word[-1] in "省市县区旗" and len(word) > 2}
    return frozenset(full | short)


@cache
def name_characters() -> dict[str, tuple[float, float]]:
    """For a character: the logarithms of its share among given names against its share in text, and of the former."""
    found = {}
    for word in table("name_characters")["characters"]:
        share, often = word[1:].split(",")
        found[word[0]] = (int(share) / 10, int(often) / 10)
    return found


@cache
def name_surnames() -> dict[str, float]:
    """For a surname of one character: the logarithm of its share among surnames against its share in text."""
    return {word[0]: int(word[1:]) / 10 for word in table("name_characters")["surnames"]}


@cache
def name_weights(gate: bool = False) -> dict[tuple[str, str], float]:
    """The scorer's weight of each feature, or those by characters alone, made by `benchmarks/data/train_names.py`."""
    return {
        (section.removeprefix("gate "), value): weight
        for (section, value), weight in weights("name_weights").items()
        if section.startswith("gate ") is gate
    }
