"""The first look at a Chinese name by its characters alone: the same sum as of `name_features`, out of few tables.

Most places in a text end here, so that what it costs decides the speed of the whole. What depends on the surname or on
one character of the given name is added up once for each.
"""

from __future__ import annotations

from functools import cache, lru_cache

from danlu.data.personal.chinese_tables import name_characters, name_tables, name_weights, short_places
from danlu.data.personal.name_features import ODD, SITES, by_itself, name_features, name_numbers, tag_key


@lru_cache(maxsize=1 << 17)
def at_first_look(name: str, family: int) -> float:
    """What a name is worth by itself to the first look; `ODD` with an odd character or without a given name.

    Args:
        name: surname and given name.
        family: characters of the surname.
    """
    known = name_characters()
    if family != 1 or len(name) > 3:
        return by_itself(name, family, name_weights(gate=True))
    if len(name) == 2:
        if name[1] not in known:
            return ODD
        return _surname(name[0], 1) + _only(name[1]) + _as_words(name)
    if len(name) < 2 or name[1] not in known or name[2] not in known:
        return ODD
    lower = min(known[name[1]][0], known[name[2]][0])
    return _surname(name[0], 2) + _first(name[1]) + _second(name[2]) + _numbers()["low two"] * lower + _as_words(name)


@cache
def _numbers() -> dict[str, float]:
    keys = (f"{kind} {size}" for kind in ("llr", "low", "often", "surname") for size in ("one", "two"))
    return {key: name_weights(gate=True).get((key, ""), 0.0) for key in keys}


def _weight(kind: str, value: str) -> float:
    return name_weights(gate=True).get((kind, value), 0.0)


@cache
def _surname(surname: str, given: int) -> float:
    """What surname and length say, whatever the given name is."""
    kind = f"1{given}"
    own = name_features(surname + "\u3000" * given, 1)
    total = sum(_weight(*feature) for feature in own if feature[0] in ("kind", "rank", "surname", "rare"))
    key, number = name_numbers(surname + "\u3000" * given, 1)[2]
    assert key.startswith("surname") and ("kind", kind) in own
    return total + _numbers()[key] * number


@cache
def _only(c: str) -> float:
    """A character that is the whole given name."""
    share, often = name_characters()[c]
    by = _numbers()
    total = (by["llr one"] + by["low one"]) * share + by["often one"] * (often + 7.0)
    return total + _weight("first", c) + _weight("last", "1" + c)


@cache
def _first(c: str) -> float:
    share, often = name_characters()[c]
    by = _numbers()
    return by["llr two"] * share + by["often two"] * (often / 2 + 7.0) + _weight("first", c)


@cache
def _second(c: str) -> float:
    share, often = name_characters()[c]
    by = _numbers()
    total = by["llr two"] * share + by["often two"] * often / 2 + _weight("last", "2" + c)
    return total + (_weight("site", "12") if c in SITES else 0.0)


def _as_words(name: str) -> float:
    """What the name and its parts are as words."""
    weigh, begin, listed = name_weights(gate=True).get, name[:2], name_tables().not_names
    kind = f"1{len(name) - 1}"
    total = weigh(("whole", kind + tag_key(name)), 0.0)
    total += weigh(("listed", f"{name in listed}{begin in listed}"), 0.0)
    if len(name) == 3:
        total += weigh(("begin", tag_key(begin)), 0.0) + weigh(("given", tag_key(name[1:])), 0.0)
        total += weigh(("twice", str(name[1] == name[2])), 0.0)
    if name in short_places():
        total += weigh(("place", kind), 0.0)
    if name[1] == "家" and name[-1] in SITES:
        total += weigh(("home", name[-1]), 0.0)
    return total
