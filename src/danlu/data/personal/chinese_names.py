"""Chinese person names by rules: surname table, given-name characters, word boundaries and the words around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from danlu.data.personal.chinese_tables import NameTables, name_tables
from danlu.data.personal.chinese_words import Words, is_known, is_ordinary, tag_of
from danlu.data.personal.name_surroundings import (
    LEADS,
    LINKS,
    after,
    alone,
    before,
    done_by_people,
    ends_at,
    head_at,
    is_title,
    title_at,
)
from danlu.data.personal.spans import Span
from danlu.data.personal.spelt_names import spelt_names

_HAN_RUN = re.compile("[\u4e00-\u9fff]+")
_PEEL_LEFT = frozenset(
    "找说求托劝夸骂谢催陪盼由和请与让跟给对向找被把叫问同据是为及以从将替帮陪比令使在到去问接送见看听约派选写因而或但就又也还当"
)
_PEEL_RIGHT = frozenset(
    "问系收打叫做看听拿用交买卖请帮给刚说去在是的了来会到和与今明昨先也已就都又还要想把被让跟对向从将于曾正很称因可能应该并等"
    "及为至未不没有最个这那带住"
)
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


def chinese_names(text: str) -> Iterator[Span]:
    """Spans of names, without titles; the text is folded."""
    if ":" in text:
        yield from _labelled(text)
    yield from _said_surnames(text)
    if "·" in text or "•" in text or "・" in text or "‧" in text:
        yield from spelt_names(text, Words(text, 0, len(text)))
    t = name_tables()
    done = edge = 0
    words: Words | None = None
    for match in _pairs().finditer(text):
        at = match.start()
        if at < done or not _promising(text, at, t):
            continue
        if words is None or at >= edge:  # only runs that may hold a name are cut into words, as that is what costs
            low, edge = _run(text, at)
            words = Words(text, low, edge)
        best = _best(text, at, words, t)
        if best is not None:
            yield Span(at, at + best[0], "CN_NAME", round(min(0.98, 0.5 + 0.12 * (best[1] - _ENOUGH)), 3))
            done = at + best[0]


def _run(text: str, at: int) -> tuple[int, int]:
    """The run of Chinese characters around an offset."""
    low = at
    while low and "\u4e00" <= text[low - 1] <= "\u9fff":
        low -= 1
    run = _HAN_RUN.match(text, low)
    return low, run.end() if run else at + 1


@cache
def _pairs() -> re.Pattern[str]:
    """A surname's first character and, looking ahead, one that a given name or a title may have."""
    t = name_tables()
    firsts = "".join(sorted({*t.rank, *(name[0] for name in t.doubles)}))
    return re.compile(f"[{firsts}](?=[{''.join(sorted(t.follow))}])")


def _promising(text: str, at: int, t: NameTables) -> bool:
    """Whether what stands at `at` is worth the segmenter's time, by its characters alone."""
    grade = _grade(text[at : at + 3])
    if grade == _ALWAYS or (grade and text[at - 1 : at] in (t.head_ends if grade == _BEHIND_HEAD else LEADS)):
        return True
    return text[at + 1 : at + 2] in t.title_heads and is_title(text, at + 1)


@lru_cache(maxsize=1 << 17)
def _grade(three: str) -> int:
    """Where a name can begin with these characters: nowhere, behind a word such as 患者, a lead, or anywhere."""
    t = name_tables()
    if three[:2] in t.doubles:
        return _ALWAYS
    if three[0] not in t.rank:
        return _NEVER
    shapes = [_shape(three[:size], 1) for size in (2, 3) if len(three) >= size]
    hope = max((shape for shape in shapes if shape is not None), default=-9.0)
    if hope <= _LEAST - 1.5:
        return _NEVER
    if (is_ordinary(three[:2]) and three[2:] not in t.telling) or hope <= _LEAST:
        return _BEHIND_HEAD
    return _LED if hope < _POOR else _ALWAYS


def _may_begin(text: str, at: int, words: Words, t: NameTables) -> bool:
    """Whether a name may begin at `at`: at the head of a word, or behind what is glued to it."""
    word = words.start(at)
    if word is None:
        return words.start(at - 1) is not None or text[at - 1 : at] in t.head_ends
    return (
        len(word) == 1
        or word[:2] in t.doubles
        or not is_ordinary(word)
        or text[at - 1 : at] in t.head_ends
        or (len(word) == 2 and text[at + 2 : at + 3] in t.telling)
    )


_ENOUGH = 1.2
_NEVER, _BEHIND_HEAD, _LED, _ALWAYS = 0, 1, 2, 3
_POOR = -0.25
_LEAST = -0.75  # what the words around a name make up for


def _best(text: str, at: int, words: Words, t: NameTables) -> tuple[int, float] | None:
    """The best candidate at `at` that is good enough; a longer one wins unless it is clearly worse."""
    lead = _boundary_left(text, at, words)
    if lead is None or not _may_begin(text, at, words, t):
        return None
    enough = [c for c in _candidates(text, at, words, lead) if c[1] >= _ENOUGH]
    if len(enough) < 2:
        return enough[0] if enough else None
    longest = max(enough)
    last = text[at + longest[0] - 1]
    if longest[0] == 3 and last in t.telling:
        return longest
    top = max(score for _, score in enough)
    return max(c for c in enough if c[1] >= top - 1.0)


def _candidates(text: str, at: int, words: Words, lead: float) -> list[tuple[int, float]]:
    """(length, score) of each name that could begin here."""
    t = name_tables()
    double = text[at : at + 2] in t.doubles
    family = text[at : at + 2] if double else text[at]
    if not double and family not in t.rank:
        return []
    if text[at + len(family) : at + len(family) + 1] in t.title_heads and title_at(text, at + len(family), words):
        alone_fits = (lead >= 0 or text[at - 1] in LINKS) and family not in _NOT_ALONE
        return [(len(family), 2.0 + _family(family))] if alone_fits else []
    found: list[tuple[int, float]] = []
    left: float | None = None
    for size in (4, 3) if double else (3, 2):
        name = text[at : at + size]
        end = at + size
        shape = _shape(name, len(family)) if len(name) == size else None
        tail = _boundary_right(text, end, words) if shape is not None else None
        if shape is None or tail is None:
            continue
        base = shape + lead + tail + _whole(at, size, words)
        if base < -3.0:
            continue
        left = before(text, at, words) if left is None else left
        if size == 2 and left >= 1.5 and ends_at(text, end) and is_ordinary(name):
            base += 1.3  # a word like any other, but where only a name stands: 联系人高强,
        around = left + after(text, end, words) + alone(text, at, end)
        if name in t.famous and around < 2.0:
            continue
        base -= 2.0 if name[:2] in t.not_names and not double else 0.3 if size == 2 and around < 0.6 else 0.0
        found.append((size, base + around))
    return found


@lru_cache(maxsize=65536)
def _shape(name: str, family: int) -> float | None:
    """What surname and given name are worth by themselves; None for what is no name."""
    t = name_tables()
    given = name[family:]
    if name in t.not_names or not all("\u4e00" <= c <= "\u9fff" for c in given):
        return None
    return _family(name[:family]) + _given(given) + (0.3 if len(given) == 2 and name[:family] in t.rare else 0.0)


# Surnames that before a title are more often another word: 和女士, 全老师.
_NOT_ALONE = frozenset(
    "和时向位来强全都应水元平明干经路别终步满国广利越那母须红权但由况单包关连车边计官保通易管谈麻支宣富牧暴束幸充慎弘养占候帅"
)


def _boundary_left(text: str, at: int, words: Words) -> float | None:
    """A score for a word boundary in front of `at`, None where a name cannot begin."""
    if words.start(at) is not None:
        return 0.0
    word = words.start(at - 1)
    if word and text[at - 1] in _PEEL_LEFT and (len(word) >= 3 or not is_known(word)):
        return -0.3
    if word and len(word) == 2 and word[0] in _GLUED and word[1] != word[0]:
        return -0.8
    return -0.3 if head_at(text, at) else None


def _boundary_right(text: str, end: int, words: Words) -> float | None:
    if words.end(end) is not None:
        word = words.start(end)
        if text[end : end + 1] in _ASPECTS:
            return -0.8  # what stands before 了 is a verb
        # A word that the segmenter made up of what follows is more likely the rest of the name.
        return -1.0 if word and len(word) > 1 and not is_known(word) else 0.0
    if done_by_people(text, end):
        return -0.2
    word = words.end(end + 1)
    if word and (text[end] in _JOINS or text[end + 1 : end + 2] in _ASPECTS):
        return -0.2  # 丁振维和..., 王晶燕留了...: what follows is a word of its own
    if word and (len(word) == 1 or not is_ordinary(word)):
        after, t = text[end], name_tables()
        if after in _PEEL_RIGHT or (after not in t.strong and after not in t.weak):
            return -0.4
    return None


def _family(family: str) -> float:
    t = name_tables()
    if len(family) == 2:
        return 1.5
    base = 0.6 if t.rank[family] < 30 else 0.3 if t.rank[family] < 100 else 0.0 if t.rank[family] < 250 else -0.5
    return base - (1.2 if family in LINKS else 0.6 if family in t.rare else 0.0)


_JOINS = frozenset("和与及跟")
_ASPECTS = frozenset(("了", "着", "过"))
# Characters in front of a name that make a word with its surname: 和田|依诺, 附上任|彬.
_GLUED = LINKS | frozenset("上")
_NEVER_LAST = frozenset("于和与的了在是说有不我你他她它这那着过吗呢吧啊到去会也都就还被把给让跟对从将氏姓总住又称收问")


def _given(given: str) -> float:
    t = name_tables()
    if given[-1] in _NEVER_LAST:
        return -3.0
    values = [(0.2 if c in t.weak else 1.0) if c in t.strong else (-0.6 if c in t.weak else -1.6) for c in given]
    if given[-1] not in t.strong and given[-1] not in t.weak:
        values.append(-0.8)
    return sum(values) * (0.8 if len(given) == 2 else 1.0)


def _whole(at: int, size: int, words: Words) -> float:
    """What the segmenter thinks of the candidate."""
    word = words.start(at)
    if word is None:
        return 0.5 if words.start(at - 1) is not None else 0.0
    if len(word) == size:
        tag = tag_of(word)
        if tag.startswith("nr"):
            return 0.9 if size == 2 else 1.2
        return 0.8 if not tag else -2.5 if size == 2 else -0.8
    if len(word) > size:
        tag = tag_of(word)
        return 0.5 if tag.startswith("nr") or not tag else -2.5
    rest = words.start(at + len(word))
    if rest is None:
        return -1.0
    covered = len(word) + len(rest)
    if covered == size + 1 and rest[-1] in _JOINS:
        return 0.2
    if covered != size:
        return 0.0 if covered < size or not is_known(rest) else -1.0
    if len(rest) == 1:
        return -1.6 if tag_of(rest)[:1] in _FUNCTION and rest not in name_tables().strong else 0.2
    return -0.6 if tag_of(rest)[:1] in _FUNCTION or tag_of(rest)[:1] == "v" else 0.0


_FUNCTION = frozenset("pcurmqtdy")


def _labelled(text: str) -> Iterator[Span]:
    """What stands alone behind a label such as 姓名: is a name when it begins with a surname."""
    t = name_tables()
    for match in _NAME_LABEL.finditer(text):
        value = re.sub(r"\s", "", match.group(1))
        surname = (value[0] in t.rank and len(value) <= 3) or value[:2] in t.doubles
        if surname and value not in t.not_names:
            yield Span(match.start(1), match.end(1), "CN_NAME", 0.97)


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
