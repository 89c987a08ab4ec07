"""Where Chinese names may begin, by characters alone: many texts are looked at together, as arrays.

Most places in a text end here, so that what this costs decides the speed of the whole. What characters of the name and
on both sides say is added up for all places at once. The segmenter is asked what a name is as a word only where that
can still make it likely.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np

from danlu.data.personal.chinese_tables import name_characters, name_tables, name_weights
from danlu.data.personal.name_features import ODD, plain
from danlu.data.personal.name_sums import name_sums
from danlu.data.personal.name_surroundings import is_title

Array = np.ndarray[Any, np.dtype[Any]]

# Left out: what the name by itself, then with two characters on both sides, makes unlikely.
_HOPELESS, _GATE = -5.0, -2.7
_ROUNDING = 1e-6
# Codes of characters are of the first plane; the last stands for those beyond it, the one before for a text's end.
_PLANE = 1 << 16
_END = "\ufffe"


def first_looks(texts: Sequence[str]) -> list[list[int]]:
    """For each text the offsets at which a name may begin, in order; texts are folded."""
    t = _tables()
    codes, at = _places(texts)
    found: list[list[int]] = [[] for _ in texts]
    if not at.size:
        return found
    surname, first, second = codes[at], codes[at + 1], codes[at + 2]
    key = {shift: t.keys[codes[at + shift]] for shift in (-2, -1, 2, 3, 4)}
    least = _GATE - t.front(key[-1], key[-2], key[-1])
    short = np.maximum(least - t.back(key[2], key[2], key[3]), _HOPELESS)
    short -= t.surnames_short[surname] + t.onlys[first]
    long = np.maximum(least - t.back(key[3], key[3], key[4]), _HOPELESS)
    lower = np.minimum(t.shares[first], t.shares[second])
    long -= t.surnames_long[surname] + t.firsts[first] + t.seconds[second] + t.sums.low * lower
    most, most_long, most_twice = t.most
    chance = (short <= most) | (long <= np.where(first == second, most_twice, most_long))
    chance |= t.title_heads[first] | (t.double_firsts[surname] & t.double_seconds[first])

    left = np.flatnonzero(chance)
    starts = np.fromiter(accumulate((len(text) + 2 for text in texts), initial=2), np.int64)
    owners = np.searchsorted(starts, at[left], side="right") - 1
    chosen = (owners, at[left] - starts[owners], short[left], long[left])
    for owner, offset, one, two in zip(*(values.tolist() for values in chosen), strict=True):
        text = texts[owner]
        if _is_likely(text, offset, one, two) or is_title(text, offset + 1):
            found[owner].append(offset)
    return found


def _places(texts: Sequence[str]) -> tuple[Array, Array]:
    """All texts' codes one after another, two ends before each and behind the last, and where names might begin."""
    t = _tables()
    joined = _END * 2 + "".join(text + _END * 2 for text in texts) + _END * 2
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.minimum(codes, _PLANE - 1)
    return codes, np.flatnonzero(t.begins[codes[2:-4]] & t.follows[codes[3:-3]]) + 2


def all_places(text: str) -> list[int]:
    """Every offset at which there is the first character of a surname and one that may follow it."""
    return (_places([text])[1] - 2).tolist()


def _is_likely(text: str, at: int, short: float, long: float) -> bool:
    """Whether a name may begin at an offset.

    Args:
        short, long: what a name of two and one of three characters must be worth as words.
    """
    name, t = text[at : at + 3], _tables()
    if name[:2] in name_tables().doubles:
        least = _GATE - _beside(text[max(0, at - 2) : at], front=True)
        ends = (at + 4, at + 3)
        return any(t.sums.whole(text[at:end], 2) + _beside(text[end : end + 2], front=False) >= least for end in ends)
    most, *most_long = t.most
    if short <= most and t.sums.words(name[:2]) >= short:
        return True
    return long <= max(most_long) and t.sums.words(name) >= long


def _beside(two: str, front: bool) -> float:
    """What the two characters on a side are worth, as `_Side` has it for many places."""
    weights = name_weights(gate=True)
    one, both = ("l", "ll") if front else ("r", "rr")
    near = two[-1:] if front else two[:1]
    return weights.get((one, plain(near)), 0.0) + weights.get((both, plain(two)), 0.0)


class _Tables:
    """What `name_sums` and the weights of the sides have, by the codes of characters."""

    def __init__(self) -> None:
        t, self.sums = name_tables(), name_sums(gate=True)
        self.most = tuple(most + _ROUNDING for most in self.sums.most())
        self.begins = _marks([*t.rank, *(name[0] for name in t.doubles)])
        shares = {c: share for c, (share, _) in name_characters().items()}
        self.follows = _marks([*(c for c, share in shares.items() if share > -3.0), *t.follow])
        self.title_heads = _marks(t.title_heads)
        self.double_firsts = _marks(name[0] for name in t.doubles)
        self.double_seconds = _marks(name[1] for name in t.doubles)
        self.surnames_short = _numbers({name: sides[0] for name, sides in self.sums.surnames.items()}, ODD)
        self.surnames_long = _numbers({name: sides[1] for name, sides in self.sums.surnames.items()}, ODD)
        self.onlys, self.firsts = _numbers(self.sums.onlys, ODD), _numbers(self.sums.firsts, ODD)
        self.seconds, self.shares = _numbers(self.sums.seconds, ODD), _numbers(shares, 0.0)
        self.keys = np.arange(_PLANE, dtype=np.int64)
        for code in range(_PLANE):
            c = chr(code)
            if c.isdigit() or c.isspace() or (code < 128 and c.isalpha()):
                self.keys[code] = ord(plain(c))
        self.front, self.back = _Side("l", "ll", front=True), _Side("r", "rr", front=False)


@cache
def _tables() -> _Tables:
    return _Tables()


def _marks(characters: Iterable[str]) -> Array:
    marks = np.zeros(_PLANE, dtype=np.bool_)
    marks[[ord(c) for c in characters]] = True
    return marks


def _numbers(values: dict[str, float], missing: float) -> Array:
    numbers = np.full(_PLANE, missing)
    numbers[[ord(c) for c in values]] = list(values.values())
    return numbers


class _Side:
    """What the one or two characters on a side of names are worth."""

    def __init__(self, one: str, both: str, front: bool) -> None:
        weights = name_weights(gate=True)
        near = {value: w for (kind, value), w in weights.items() if kind == one}
        near[_END] = near.get("^", 0.0)
        self._near = _numbers(near, 0.0)
        pairs = {}
        for (kind, value), w in weights.items():
            if kind == both:
                pairs[_code(value if len(value) > 1 else _END + value if front else value + _END)] = w
        pairs[_code(_END * 2)] = weights.get((both, "^"), 0.0)
        self._pairs = np.array(sorted(pairs))
        self._weights = np.array([pairs[pair] for pair in self._pairs.tolist()])

    def __call__(self, near: Array, first: Array, second: Array) -> Array:
        """For keys of the character beside the name, and of the two on that side from left to right."""
        pairs = first * _PLANE + second
        found = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        value: Array = self._near[near] + np.where(self._pairs[found] == pairs, self._weights[found], 0.0)
        return value


def _code(two: str) -> int:
    return ord(two[0]) * _PLANE + ord(two[1])
