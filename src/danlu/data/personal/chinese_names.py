"""Chinese person names: surnames with what may be a given name or a title behind them, each judged by a scorer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from danlu.data.personal.chinese_tables import name_characters, name_tables, name_weights
from danlu.data.personal.chinese_words import Words, is_known, tag_of
from danlu.data.personal.first_look import all_places, first_looks
from danlu.data.personal.name_features import (
    Feature,
    both_features,
    cut_features,
    left_features,
    name_features,
    name_numbers,
    right_features,
)
from danlu.data.personal.name_sums import worth
from danlu.data.personal.name_surroundings import LINKS, before, is_cut_short, is_firm, title_at
from danlu.data.personal.spans import Span, sure
from danlu.data.personal.spelt_names import joined_names, spelt_names

_HAN_RUN = re.compile("[\u4e00-\u9fff]+")
_SURNAME_SAID = re.compile(
    r"(?:[我他她您你]|免贵|贵|先生|女士|客户|老板)姓([\u4e00-\u9fff]{1,2})(?=[，。,.;；、!！?？)）\s]|名|$)"
)
_NAME_LABEL = re.compile(
    r"(?:姓\s?名|名\s?字|联系人|收件人|收货人|寄件人|发件人|户\s?名|持卡人|开户人|申请人|投保人|被保险人|受益人|"
    r"患者姓名|法定代表人|法人代表|"
    r"经办人|经手人|签收人|监护人|紧急联系人|委托人|当事人|负责人|审核人|填表人|记录人|承租人|出租人|借款人|担保人|"
    r"真实姓名|员工姓名|学生姓名|客户姓名)"
    r"(?:是|为|叫)?\s?[:：]\s?([\u4e00-\u9fff](?:\s{0,2}[\u4e00-\u9fff]){1,3})"
    r"(?=[，。,.;；、!！?？)）\]】\n\s|/（(]|$)"
)


# A name where the scorer finds it likelier than none by this much (in logarithms of the odds).
_ENOUGH = 0.0
# What name and all that is in front make unlikely is left without a look at what is behind.
_FAINT = -2.5


def chinese_names(texts: Sequence[str]) -> Iterator[list[Span]]:
    """For each text the spans of names, without titles; texts are folded."""
    for text, places in zip(texts, first_looks(texts), strict=True):
        yield list(_names_at(text, places))


def _names_at(text: str, places: Sequence[int]) -> Iterator[Span]:
    if ":" in text:
        yield from _labelled(text)
    yield from _said_surnames(text)
    if "·" in text or "•" in text or "・" in text or "‧" in text:
        yield from spelt_names(text, Words(text, 0, len(text)))
    yield from joined_names(text)
    if " " in text:
        yield from _spaced(text)
    kept: tuple[int, int, float] | None = None
    for at, words in _cut(text, places):
        if kept and at >= kept[1]:
            yield _span(*kept)
            kept = None
        best = _best(text, at, words)
        if best and (kept is None or (best[1] > kept[2] and best[0] > 1)):  # 经石磊: the better of two that overlap
            kept = at, at + best[0], best[1]
    if kept:
        yield _span(*kept)


def _span(start: int, end: int, score: float) -> Span:
    return Span(start, end, "CN_NAME", sure(score - _ENOUGH))


def _cut(text: str, places: Iterable[int]) -> Iterator[tuple[int, Words]]:
    """Each place and the words around; only runs of Chinese characters that have one are cut into words."""
    edge = 0
    words: Words | None = None
    for at in places:
        if words is None or at >= edge:
            low, edge = _run(text, at)
            words = Words(text, low, edge)
        yield at, words


def _run(text: str, at: int) -> tuple[int, int]:
    """The run of Chinese characters around an offset."""
    low = at
    while low and "\u4e00" <= text[low - 1] <= "\u9fff":
        low -= 1
    run = _HAN_RUN.match(text, low)
    return low, run.end() if run else at + 1


def _sizes(text: str, at: int) -> tuple[int, tuple[int, ...]]:
    """The surname's length and the lengths that a name at an offset may have."""
    t = name_tables()
    if text[at : at + 2] in t.doubles:
        return 2, (4, 3)
    return 1, (3, 2) if text[at] in t.rank else ()


def _best(text: str, at: int, words: Words) -> tuple[int, float] | None:
    """The length and score of the best name that begins at `at`, if it is good enough."""
    t = name_tables()
    family, sizes = _sizes(text, at)
    if text[at + family : at + family + 1] in t.title_heads and title_at(text, at + family, words):
        brand = text[at : at + 3] in t.famous or text[at : at + 3] in t.not_names  # 康师傅
        return (family, 4.0) if sizes and not brand and _is_surname_alone(text, at, family, words) else None
    if not sizes:
        return None
    own = [worth(text[at : at + size], family) for size in sizes]
    left = left_features(text, at, words)
    around = _sum(left)
    best: tuple[int, float] | None = None
    for size, score in zip(sizes, own, strict=True):
        score += around
        if score < _FAINT or at + size > len(text) or is_cut_short(text, at, size) or is_firm(text, at + size):
            continue
        found = [*cut_features(text, at, size, words), *right_features(text, at + size, words)]
        score += _sum(found) + _sum(both_features(text, at, size, left, found))
        if score >= _ENOUGH and (best is None or score > best[1]):
            best = size, score
    return best if best and not _is_famous(text, at, text[at : at + best[0]], words) else None


def _is_surname_alone(text: str, at: int, family: int, words: Words) -> bool:
    """Whether what stands in front of a title is a surname and no part of another word, as in 班主任."""
    if text[at : at + family] in _NOT_ALONE:
        return False
    word = words.start(at)
    if word is None:
        return text[at - 1] in LINKS
    return len(word) <= family or not is_known(word) or tag_of(word).startswith("nr")


def _sum(found: list[Feature]) -> float:
    weigh = name_weights().get
    return sum([weigh(feature, 0.0) for feature in found])


def _is_famous(text: str, at: int, name: str, words: Words) -> bool:
    """Whether it is somebody everybody knows, and nothing in front says that it is another of that name."""
    return name in name_tables().famous and before(text, at, words) < 1.2


def places(text: str) -> Iterator[tuple[int, list[tuple[int, list[tuple[Feature, float]]]]]]:
    """For training: each place where a name may begin, and each candidate's length and features."""
    for at, words in _cut(text, all_places(text)):
        family, sizes = _sizes(text, at)
        if title_at(text, at + family, words):
            continue
        found = []
        for size in sizes:
            name = text[at : at + size]
            if len(name) < size or any(c not in name_characters() for c in name[family:]):
                continue
            left = left_features(text, at, words)
            right = [*cut_features(text, at, size, words), *right_features(text, at + size, words)]
            both = both_features(text, at, size, left, right)
            numbers = [((key, ""), number) for key, number in name_numbers(name, family)]
            found.append((size, [(f, 1.0) for f in (*name_features(name, family), *left, *right, *both)] + numbers))
        if found:
            yield at, found


# Surnames that before a title are more often another word: 和女士, 全老师.
_NOT_ALONE = frozenset(
    "和时向位来强全都应水元平明干经路别终步满国广利越那母须红权但由况单包关连车边计官保通易管谈麻支宣富牧暴束幸充慎弘养占候帅"
)


def _labelled(text: str) -> Iterator[Span]:
    """What stands alone behind a label such as 姓名: is a name when it begins with a surname."""
    t = name_tables()
    for match in _NAME_LABEL.finditer(text):
        value = re.sub(r"\s", "", match.group(1))
        surname = (value[0] in t.rank and len(value) <= 3) or value[:2] in t.doubles
        if surname and value not in t.not_names:
            yield Span(match.start(1), match.end(1), "CN_NAME", 0.97)


# 王 芳: a name of two characters as lists write it beside those of three
_APART = re.compile(
    r"(?<![\u4e00-\u9fff])([\u4e00-\u9fff]) ([\u4e00-\u9fff])(?![\u4e00-\u9fff])(?! [\u4e00-\u9fff](?![\u4e00-\u9fff]))"
)


def _spaced(text: str) -> Iterator[Span]:
    """Names of two characters with a space between them."""
    for match in _APART.finditer(text):
        surname, given = match.groups()
        place = name_tables().rank.get(surname, 999)
        if place < 200 and not is_known(surname + given) and name_characters().get(given, (-5.0, 0.0))[0] > 0.5:
            yield Span(match.start(), match.end(), "CN_NAME", 0.7)


def _said_surnames(text: str) -> Iterator[Span]:
    """The surname of 他姓苗 and 免贵姓苗."""
    for match in _SURNAME_SAID.finditer(text) if "姓" in text else ():
        if match.group(1) in name_tables().rank or match.group(1) in name_tables().doubles:
            yield Span(match.start(1), match.end(1), "CN_NAME", 0.8)


def could_be_name(word: str) -> str | None:
    """The name in a word that a tagger takes for a person, without its title; None for what cannot be one."""
    t = name_tables()
    for size in (4, 3, 2):
        if len(word) > size and word[-size:] in t.titles:
            word = word[:-size]
            break
    han = all("\u4e00" <= c <= "\u9fff" or c in "·•・‧" for c in word)
    if not han or word in t.famous or word in t.not_names or word in t.heads or word in t.titles:
        return None
    if any(c in "·•・‧" for c in word[1:-1]):
        return word
    surname = word[0] in t.rank or word[:2] in t.doubles
    return word if surname and 2 <= len(word) <= 4 and (len(word) < 4 or word[:2] in t.doubles) else None
