"""What a candidate for an English name shows a scorer: what its words are and how they end, and what stands around."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from danlu.data.personal.english_words import Part

Feature = tuple[str, str]
LONGEST = 5
"""Words of a name, particles and initials included."""
_OPENING = " \n\"'“‘("
_NEXT_WORD = re.compile(r"\s?[\"'”’),]?\s?([^\W\d_]+)")


def sizes(parts: Sequence[Part], i: int) -> list[int]:
    """How many words a name that begins with the word at `i` may have: two or more, the last no initial or particle."""
    if parts[i].kind == "p":
        return []
    most = min(LONGEST, len(parts) - i)
    return [size for size in range(2, most + 1) if parts[i + size - 1].kind not in ("I", "p")]


def left_features(text: str, parts: Sequence[Part], i: int) -> list[Feature]:
    """What stands in front, the same for each candidate that begins with the word at `i`."""
    start = parts[i].start
    if i:
        previous = parts[i - 1]
        return [("in front", previous.kind), ("word in front", previous.key), ("place", str(min(i, 3)))]
    before = text[max(0, start - 24) : start]
    found = [("mark", _mark(before))]
    words = before.rstrip(_OPENING).rsplit(None, 1)
    if words and words[-1].replace("'", "").replace("’", "").isalpha():
        found.append(("left", words[-1].lower()))
    return found


def right_features(text: str, parts: Sequence[Part], end: int) -> list[Feature]:
    """What stands behind a candidate whose last word is the one before `end`."""
    if end < len(parts):
        after = parts[end]
        rest = len(parts) - end
        return [("behind", after.kind), ("word behind", after.key), ("rest", str(min(rest, 3)))]
    place = parts[end - 1].end
    behind = text[place : place + 24]
    found = [("next mark", _next_mark(behind))]
    word = _NEXT_WORD.match(behind)
    if word:
        found.append(("right", word.group(1).lower()))
    return found


def name_features(parts: Sequence[Part], i: int, size: int) -> list[Feature]:
    """What the words show: what each is, the pattern they make, how those end that no table has."""
    kinds = [part.kind for part in parts[i : i + size]]
    first, last = parts[i], parts[i + size - 1]
    found = [
        ("first", kinds[0]),
        ("last", kinds[-1]),
        ("pair", f"{kinds[0]}|{kinds[-1]}"),
        ("size", str(size)),
        ("pattern", "".join(_brief(kind) for kind in kinds)),
        ("first word", first.key),
        ("last word", last.key),
        *_shape("first", first.key, kinds[0]),
        *_shape("last", last.key, kinds[-1]),
    ]
    for part, kind in zip(parts[i + 1 : i + size - 1], kinds[1:-1], strict=True):
        found += [("middle", kind), ("middle word", part.key)]
    return found


def both_features(
    parts: Sequence[Part], i: int, size: int, left: Sequence[Feature], right: Sequence[Feature]
) -> list[Feature]:
    """What stands on both sides together, of what `left_features` and `right_features` found."""
    marks = [found[0][1] if found[0][0] in ("mark", "next mark") else "C" for found in (left, right)]
    return [("whole", f"{i == 0}{i + size == len(parts)}"), ("sides", "|".join(marks))]


@lru_cache(maxsize=1 << 15)
def _shape(which: str, key: str, kind: str) -> tuple[Feature, ...]:
    """How a word begins and ends, as far as no table has it."""
    if kind in ("I", "p"):
        return ()
    if kind[which == "last"] != "-":
        return ()
    known = "odd" if kind[:2] != "--" else "plain" if kind[2] == "o" else "new"
    short = key.split("-")[-1]
    return (
        (f"{which} {known} 3", short[-3:]),
        (f"{which} {known} 2", short[-2:]),
        (f"{which} {known} begins", short[:2]),
        (f"{which} {known} long", str(min(len(short), 9))),
    )


def _brief(kind: str) -> str:
    """A word's class in a pattern: initial, particle, title, word, both kinds of name, given name, surname, unknown."""
    if kind in ("I", "p"):
        return kind
    if kind[2] in "TW":
        return kind[2]
    if kind.startswith("--o"):
        return "o"
    both = (kind[0] != "-") + 2 * (kind[1] != "-")
    letter = "ugsb"[both]
    return letter.upper() if kind[2] in "No" else letter


def _mark(before: str) -> str:
    """What stands in front as a class: a line's beginning, a letter, a digit, a Chinese character, or the mark."""
    near = before.rstrip()
    if not near or "\n" in before[len(near) :]:
        return "^"
    return _class(near[-1], near == before)


def _next_mark(behind: str) -> str:
    """What stands behind as a class."""
    if behind[:2] in ("'s", "’s"):
        return "'s"
    near = behind.lstrip()
    if not near or "\n" in behind[: len(behind) - len(near)]:
        return "$"
    return _class(near[0], near == behind)


def _class(mark: str, glued: bool) -> str:
    if mark.isdigit():
        return "0"
    if "\u4e00" <= mark <= "\u9fff":
        return "han"
    if mark.isalpha():
        return "glued" if glued else "a"
    return mark
