"""What a candidate for a Chinese name shows a scorer: its characters, how it is cut into words, what stands around."""

from __future__ import annotations

from functools import lru_cache

from danlu.data.personal.chinese_tables import name_characters, name_surnames, name_tables, short_places
from danlu.data.personal.chinese_words import Words, is_known, tag_of
from danlu.data.personal.name_surroundings import after, alone, before, head_at, title_at

Feature = tuple[str, str]
ODD = -99.0
"""What a name with a character that no given name has is worth."""
_RANKS = (10, 30, 60, 100, 180, 300)
# 郭家镇, 冯家塔: what a village or a street of one family is called.
SITES = frozenset("镇村庄屯沟桥港湾店集乡营堡寨坝坪塔山岭河岛坡沱汇浜渡祠院巷咀嘴口窑洼台圩渠铺坊园")
_TAGS = frozenset(("left tag", "right tag"))
_MARKS = frozenset(("", "，", "。", "、", ":", ",", "(", ")"))
_OPEN = frozenset("，。！？；、：\n,.;!?:\"“「(（|/ \t<>《》”」)）'‘’@*#-=")


def name_numbers(name: str, family: int) -> list[tuple[str, float]]:
    """How likely surname and given name are by their characters: each a number that has one weight."""
    values = [name_characters().get(c, (-5.0, -11.0)) for c in name[family:]]
    size = "one" if len(values) == 1 else "two"
    return [
        (f"llr {size}", sum(v[0] for v in values)),
        (f"low {size}", min(v[0] for v in values)),
        (f"surname {size}", name_surnames().get(name[:family], 5.0)),
        (f"often {size}", sum(v[1] for v in values) / len(values) + 7.0),
    ]


def name_features(name: str, family: int) -> list[Feature]:
    """What the name itself shows: surname, last character, and whether parts of it are words."""
    t = name_tables()
    surname, given = name[:family], name[family:]
    kind = f"{family}{len(given)}"
    found = [
        *surname_features(surname, len(given)),
        ("first", given[0]),
        ("last", kind[1] + given[-1]),
        ("whole", kind + tag_key(name)),
        ("listed", str(name in t.not_names) + str(name[:2] in t.not_names)),
    ]
    if len(name) > 2 and given[-1] in SITES:
        found.append(("site", kind))
    if len(given) == 2:
        found += [("begin", tag_key(name[:2])), ("given", tag_key(given)), ("twice", str(given[0] == given[1]))]
    if name in short_places():
        found.append(("place", kind))
    if given[0] == "家" and given[-1] in SITES:
        found.append(("home", given[-1]))
    return found


def surname_features(surname: str, given: int) -> list[Feature]:
    """What a surname shows beside a given name of so many characters."""
    t = name_tables()
    kind = f"{len(surname)}{given}"
    place = t.rank.get(surname, 999)
    rank = "double" if len(surname) == 2 else str(sum(place >= limit for limit in _RANKS))
    found = [("kind", kind), ("rank", rank + kind[1]), ("surname", surname)]
    return [*found, ("rare", kind)] if surname in t.rare else found


def by_itself(name: str, family: int, weights: dict[Feature, float]) -> float:
    """The sum of a name's own features; `ODD` with an odd character or without a given name."""
    known = name_characters()
    if len(name) <= family or any(c not in known for c in name[family:]):
        return ODD
    weigh = weights.get
    total = sum([weigh(feature, 0.0) for feature in name_features(name, family)])
    return total + sum([weigh((key, ""), 0.0) * number for key, number in name_numbers(name, family)])


def left_features(text: str, at: int, words: Words) -> list[Feature]:
    """What stands in front, the same for each candidate that begins at an offset."""
    last = plain(text[at - 1 : at] if at else "")
    found = [("before", f"{before(text, at, words):.1f}"), ("l", last), ("ll", plain(text[max(0, at - 2) : at]))]
    if head_at(text, at):
        found.append(("head", ""))
    if words.start(at) is None:
        glued = words.start(at - 1)
        found.append(("glued", text[at - 1] if glued else ""))
        found.append(("glued to", f"{min(len(glued), 4)}{is_known(glued)}" if glued else ""))
    word = words.end(at)
    if word and last not in _OPEN:
        found += [("left word", word), ("left tag", _brief(word))]
    return found


def cut_features(text: str, at: int, size: int, words: Words) -> list[Feature]:
    """How the segmenter cuts the candidate: the lengths of its words, what they are, and what hangs over its end."""
    place, end = at, at + size
    cut = []
    while place < end:
        word = words.start(place)
        cut.append(word or "")  # "": begins inside a word, of which this is what is left
        place += len(word) if word else 1
    found = list(_cut(size, tuple(cut)))
    if place > end:
        found.append(("hangs", plain(text[end:place])))
    return found


@lru_cache(maxsize=1 << 15)
def _cut(size: int, words: tuple[str, ...]) -> tuple[Feature, ...]:
    lengths = "".join(str(min(len(word), 5)) if word else "x" for word in words)
    tags = [
        tag_key(word) if len(word) > 1 else "1" + tag_of(word)[:1]
        for number, word in enumerate(words)
        if word and (number or len(word) > 1)
    ]
    over = sum(len(word) or 1 for word in words) - size
    found = [("cut", f"{size}:{lengths}"), ("cut tags", f"{size}:{lengths}:{','.join(tags)}")]
    return (*found, ("over", f"{min(over, 3)}{is_known(words[-1])}")) if over > 0 else tuple(found)


def right_features(text: str, end: int, words: Words) -> list[Feature]:
    """What stands behind a candidate."""
    first = plain(text[end : end + 1])
    found = [("after", f"{after(text, end, words):.1f}"), ("r", first), ("rr", plain(text[end : end + 2]))]
    if title_at(text, end, words):
        found.append(("title", ""))
    word = words.start(end)
    if word and first not in _OPEN:
        found += [("right word", word), ("right tag", _brief(word))]
    return found


def both_features(text: str, at: int, size: int, left: list[Feature], right: list[Feature]) -> list[Feature]:
    """What stands on both sides together."""
    end = at + size
    sides = f"{size}{_side(left, text[at - 1 : at])}|{_side(right, text[end : end + 1])}"
    return [("sides", sides), ("alone", f"{size}{alone(text, at, end):.1f}")]


def _side(found: list[Feature], near: str) -> str:
    """A side in a word: the tag of the word there, or the kind of mark."""
    name, value = found[-1]
    if name in _TAGS:
        return value[:1]
    return "0" if near.isdigit() else near if near in _MARKS else "."


@lru_cache(maxsize=1 << 16)
def _brief(word: str) -> str:
    """The tag of a word, and whether it is a single character."""
    return f"{tag_of(word)[:2]}{min(len(word), 2)}"


@lru_cache(maxsize=1 << 16)
def tag_key(word: str) -> str:
    """A word's tag, or whether the segmenter knows it without one."""
    return tag_of(word)[:2] or ("known" if is_known(word) else "-")


def plain(text: str) -> str:
    """Characters as a key: digits and letters as one each, no spaces."""
    return text.translate(_KEYS) or "^"


class _Keys(dict[int, str]):
    """The key of each character that was seen."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        letter = c.isascii() and c.isalpha()
        self[code] = "0" if c.isdigit() else "a" if letter else "|" if c == "\n" else "_" if c.isspace() else c
        return self[code]


_KEYS = _Keys()
