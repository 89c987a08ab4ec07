"""Texts as comparable units: words, or single characters of scripts without spaces; hashed a whole batch at a time."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

U64 = np.uint64
# Characters hashed as one array: larger blocks leave the processor's caches.
BLOCK = 1 << 18
# Keys noted in a bit map at a time.
_AT_ONCE = 1 << 20
# Noncharacter that parts the texts of a block; no text holds it (one that does has it replaced).
_SEPARATOR = "\U0010ffff"
# Everything above the last assigned ideograph plane is punctuation to us.
_TABLE = 0x40000
_BREAK, _GONE, _WORD, _SINGLE = range(4)
# Scripts written without spaces, whose units are characters: Thai to Myanmar, kana, Han.
_SPACELESS = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF))
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
_APOSTROPHES = "'’‘ʼ"
# Odd, so that powers can be undone modulo 2**64 (the inverse below is checked by a test).
_BASE = 0x9E3779B97F4A7C15
_SECOND_BASE = 0xD6E8FEB86659FD93


@dataclass(frozen=True)
class Units:
    """The units of consecutive texts.

    Attributes:
        hashes: 64-bit hash of each unit; equal units have equal hashes.
        single: whether a unit is one character of a script without spaces.
        starts: position of each text's first unit, and the number of units at the end.
    """

    hashes: np.ndarray
    single: np.ndarray
    starts: np.ndarray

    def lengths(self) -> np.ndarray:
        """Number of units of each text."""
        return np.diff(self.starts)


def units_of(texts: Sequence[str]) -> Units:
    """The units of texts after NFKC, case folding and removal of all that is neither letter, digit nor mark.

    A unit is a character of a script that is written without spaces, or a run of other letters and digits.
    Apostrophes and invisible characters do not part a word. Independent of how texts are grouped into calls.
    """
    parts = [_block_units(block) for block in _blocks(texts)]
    counts = np.concatenate([np.zeros(1, np.int64), *(part.lengths() for part in parts)])
    hashes = np.concatenate([np.zeros(0, U64), *(part.hashes for part in parts)])
    single = np.concatenate([np.zeros(0, bool), *(part.single for part in parts)])
    return Units(hashes, single, np.cumsum(counts))


def windows(hashes: np.ndarray, starts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Hash and first position of every run of `size` consecutive units that does not cross a text's end.

    Args:
        hashes: of the units.
        starts: position of each text's first unit, and the number of units at the end.
        size: units per window.
    """
    keys, places = [np.zeros(0, U64)], [np.zeros(0, np.int64)]
    for _, _, some, positions in window_blocks(hashes, starts, size):
        keys.append(some)
        places.append(positions)
    return np.concatenate(keys), np.concatenate(places)


def window_blocks(
    hashes: np.ndarray, starts: np.ndarray, size: int
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """`windows`, some texts at a time: (first text, end of the texts, hashes, positions)."""
    for first, end in _text_blocks(starts):
        low, own = starts[first], starts[first : end + 1] - starts[first]
        last = np.repeat(own[1:], np.diff(own)) - size
        positions = np.flatnonzero(np.arange(own[-1]) <= last)
        found = _between(hashes[low : starts[end]], positions, positions + size, _SECOND_BASE)
        yield first, end, found, positions + low


def window_keys(hashes: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
    """The hashes that `windows` gives to the runs at these positions."""
    powers, _ = _powers(_SECOND_BASE, 1 << 10)
    found = np.zeros(len(positions), U64)
    for offset in range(size):
        found += hashes[positions + offset] * powers[offset]
    return found


def wholes(hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """One hash per text over all its units in order; texts without units all have the same."""
    found = [np.zeros(0, U64)]
    for first, end in _text_blocks(starts):
        low, own = starts[first], starts[first : end + 1] - starts[first]
        found.append(_between(hashes[low : starts[end]], own[:-1], own[1:], _SECOND_BASE))
    return mixed(np.concatenate(found) + np.diff(starts).astype(U64))


def _text_blocks(starts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of texts of at most `BLOCK` units together (a longer text stands alone): what is hashed at a time."""
    first = 0
    while first < len(starts) - 1:
        end = max(first + 1, int(np.searchsorted(starts, starts[first] + BLOCK, side="right")) - 1)
        yield first, end
        first = end


class SortedKeys:
    """Sorted 64-bit keys behind a small bit map that turns most strangers away."""

    def __init__(self, keys: np.ndarray) -> None:
        self.keys = keys
        bits = min(26, max(12, int(len(keys) * 16).bit_length()))
        self._shift = U64(64 - bits)
        self._known = np.zeros(1 << bits, bool)
        for start in range(0, len(keys), _AT_ONCE):
            self._known[keys[start : start + _AT_ONCE] >> self._shift] = True

    def between(self, lowest: np.ndarray, highest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(index of the range asked for, place of a key in it) for every match, in the order of the ranges.

        The ends of a range must agree in their upper 32 bits.
        """
        maybe = np.flatnonzero(self._known[lowest >> self._shift])
        left = np.searchsorted(self.keys, lowest[maybe], side="left")
        counts = np.searchsorted(self.keys, highest[maybe], side="right") - left
        first = np.repeat(left - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) if len(counts) else left
        return np.repeat(maybe, counts), first + np.arange(len(first))


class HashTable:
    """64-bit keys with a value each."""

    def __init__(self, keys: np.ndarray, values: np.ndarray) -> None:
        order = np.lexsort((values, keys))
        self._sorted, self._values = SortedKeys(keys[order]), values[order]

    @property
    def hashes(self) -> np.ndarray:
        """The keys, sorted."""
        return self._sorted.keys

    def lookup(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(index of the key asked for, value) for every match, in the order of the keys."""
        which, places = self._sorted.between(keys, keys)
        return which, self._values[places]


def mixed(values: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit numbers whose every output bit depends on every input bit (the finaliser of SplitMix64)."""
    values = (values ^ (values >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> U64(27))) * U64(0x94D049BB133111EB)
    return values ^ (values >> U64(31))


def _between(values: np.ndarray, starts: np.ndarray, ends: np.ndarray, base: int) -> np.ndarray:
    """Polynomial hash modulo 2**64 of values[start:end] for each pair, from one prefix sum over all of them."""
    powers, inverses = _powers(base, 1 << max(10, len(values).bit_length()))
    prefix = np.zeros(len(values) + 1, U64)
    np.cumsum(values * powers[: len(values)], out=prefix[1:])
    return (prefix[ends] - prefix[starts]) * inverses[starts]


@lru_cache(maxsize=4)
def _powers(base: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    inverse = pow(base, -1, 1 << 64)
    both = []
    for factor in (base, inverse):
        powers = np.full(count, factor, U64)
        powers[0] = 1
        both.append(np.multiply.accumulate(powers))
    return both[0], both[1]


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for index, text in enumerate(texts):
        if size + len(text) > BLOCK and index > start:
            yield texts[start:index]
            start, size = index, 0
        size += len(text) + 1
    if start < len(texts):
        yield texts[start:]


def _block_units(texts: Sequence[str]) -> Units:
    folded, kinds, slow = _tables()
    codes = _codes(texts)
    if (bad := slow[np.minimum(codes, _TABLE)]).any():
        texts = list(texts)
        text_of = np.cumsum(codes == ord(_SEPARATOR))
        for index in np.unique(text_of[bad]).tolist():
            texts[index] = _fold(texts[index])
        codes = _codes(texts)
    clipped = np.minimum(codes, _TABLE)
    kind = kinds[clipped]
    text_of = np.cumsum(codes == ord(_SEPARATOR))
    if (kind == _GONE).any():
        stays = kind != _GONE
        clipped, kind, text_of = clipped[stays], kind[stays], text_of[stays]
    word = kind == _WORD
    start = kind == _SINGLE
    start |= word & ~np.concatenate([[False], word[:-1]])
    kept = np.flatnonzero(kind >= _WORD)
    begins = np.flatnonzero(start[kept])
    ends = np.append(begins[1:], len(kept)) if len(begins) else begins
    values = mixed(folded[clipped[kept]].astype(U64) + U64(1))
    hashes = mixed(_between(values, begins, ends, _BASE))
    first = kept[begins]
    counts = np.bincount(text_of[first], minlength=len(texts))
    return Units(hashes, kind[first] == _SINGLE, np.concatenate([[0], np.cumsum(counts)]))


def _codes(texts: Sequence[str]) -> np.ndarray:
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        joined = _SEPARATOR.join(text.replace(_SEPARATOR, " ") for text in texts)
    order = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
    return np.frombuffer(joined.encode(order, "surrogatepass"), np.uint32)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each code point: what it folds to, its kind, and whether only `unicodedata` folds it in its context."""
    folded = np.arange(_TABLE + 1, dtype=np.uint32)
    kinds = np.full(_TABLE + 1, _BREAK, np.uint8)
    slow = np.zeros(_TABLE + 1, bool)
    kinds[0x20000:_TABLE] = _SINGLE
    for code in range(0x20000):
        category = unicodedata.category(char := chr(code))
        if char in _APOSTROPHES or category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            kinds[code] = _GONE
        elif category[0] not in "CZ":
            _fill(code, category, folded, kinds, slow)
    return folded, kinds, slow


def _fill(code: int, category: str, folded: np.ndarray, kinds: np.ndarray, slow: np.ndarray) -> None:
    key = _fold(chr(code))
    if not any(unicodedata.category(char)[0] in "LNM" for char in key):
        return
    # A mark may join the letter before it, and a jamo its neighbours: that is for the whole text to say.
    slow[code] = len(key) != 1 or unicodedata.category(key)[0] == "M" or _within(code, _JAMO)
    target = code if slow[code] else ord(key)
    if category[0] in "LNM" or not slow[code]:
        folded[code] = target
        kinds[code] = _SINGLE if _within(target, _SPACELESS) or _within(target, _HAN) else _WORD


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)
