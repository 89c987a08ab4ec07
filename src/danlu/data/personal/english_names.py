"""English and other Latin-script person names: rows of capitalised words, each judged by a scorer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from danlu.data.personal.english_alone import names_alone
from danlu.data.personal.english_features import (
    LONGEST,
    Feature,
    both_features,
    left_features,
    name_features,
    right_features,
    sizes,
)
from danlu.data.personal.english_forms import (
    CHINESE_PLACES,
    FIRM,
    NOBODY,
    REVERSED,
    is_a_line,
    is_in_a_field,
    is_pinyin_given,
    is_place,
    pinyin_surnames,
    usual_case,
)
from danlu.data.personal.english_words import (
    LOWER,
    UPPER,
    Part,
    english_tables,
    is_ordinary,
    key_of,
    kind_of,
    ordinary,
    runs,
)
from danlu.data.personal.spans import Span, sure
from danlu.data.personal.tables import weights, words

_LAST_WORDS = re.compile(
    rf"(?<![{UPPER}{LOWER}0-9_@/.#'’-])(?:(?:van|von|de|der|den|ter|la|di|da|del|el|al|bin|['’]t) )*"
    rf"(?:[{UPPER}][{LOWER}'’-]+ )?(?:[a-z]{{2}}-)?[{UPPER}][{UPPER}{LOWER}'’-]*$"
)
_COMMA = re.compile(rf", [{UPPER}]")
_BEFORE = re.compile(rf"([{UPPER}](?:[{LOWER}'’-]+|\.)) $")
_TITLE_BEFORE = re.compile(
    r"(?:^|[^A-Za-z])(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Sir|Dame|Lord|Rev|Capt|Captain|Lt|Sgt|Sergeant|Col|"
    r"Officer|Detective|Inspector|"
    r"Judge|Senator|Nurse|Coach|Aunt|Uncle|Mister|Madam|Mme|Herr|Frau)\.? $"
)
_LABEL_BEFORE = re.compile(
    r"(?:\b(?:[Nn]ame|NAME|[Cc]ustomer|[Pp]atient|[Cc]lient|[Cc]ontact|[Cc]ontact [Pp]erson|[Aa]ttn|ATTN|"
    r"[Rr]ecipient|[Ss]ender|[Ee]mployee|"
    r"[Aa]pplicant|[Pp]assenger|[Gg]uest|[Ss]igned(?: by)?|[Bb]ooked by|[Cc]ardholder|[Aa]ccount holder|"
    r"[Bb]eneficiary|[Ii]nsured|[Tt]enant|"
    r"[Ss]tudent|[Tt]eacher|[Ss]hip to|[Bb]ill to|[Aa]uthor|[Mm]anager|[Ww]itness|[Pp]laintiff|[Dd]efendant)"
    r" ?[:：] ?|"
    r"\b(?:[Mm]y name is|[Mm]y name's|name is|named|called|I am|I'm|[Tt]his is) |(?:姓名|联系人|客户|英文名|名字|"
    r"收件人|我是|我叫|叫)[:：]? ?)$"
)
_GREETING_BEFORE = re.compile(
    r"(?:^|[\n.!?\"'“] ?|, )(?:Dear|Hi|Hello|Hey|Thanks|Thank you|Cheers|Regards|Best|Best regards|Kind regards|"
    r"Sincerely|Yours|Love),? ?\n? ?$"
)
_LABEL_ENDS = frozenset(":：sdm是叫户名人字")
_SUFFIX = re.compile(r",? (?:Jr\.?|Sr\.?|III|IV|II)(?![A-Za-z])")

# A name where the scorer finds it likelier than none by this much (in logarithms of the odds).
_ENOUGH = -0.6
# What it adds where the tables of the United States know both names and neither is a word that stands in the way: the
# training sentences have more firms and dishes that are called like people than real text has.
_WELL_KNOWN = 2.0
# What a field with a surname, a comma and a given name adds to what the words themselves say.
_FIELD = 2.5
_UNLIKELY = -99.0


def english_names(text: str) -> Iterator[Span]:
    """Spans of names, without titles; the text is folded."""
    yield from names_alone(text)
    written, capitals = usual_case(text)
    for span in _surname_first(written):
        yield replace(span, confidence=min(span.confidence, 0.7)) if text[span.start : span.end].isupper() else span
    for parts in runs(written):
        row = list(_in_run(written, parts)) or list(_spelt_from_chinese(parts))
        row = [span for span in row if not FIRM.match(written, span.end)]
        if capitals and any(low < parts[-1].end and parts[0].start < high for low, high in capitals):
            row = [
                span for span in row if not text[span.start : span.end].isupper() or _is_in_capitals(text, parts, span)
            ]
        yield from row


_LED = re.compile(r"(?:[:：]|\bNAME|\bOF|\bBY|\bAND|,|v\.)\s?$|[\u4e00-\u9fff]\s?$")


def _is_in_capitals(text: str, parts: Sequence[Part], span: Span) -> bool:
    """Whether a name in capitals is one: some table knows a word of it, and no heading or brand is written so."""
    own = [part for part in parts if span.start <= part.start < span.end]
    famous = english_tables().famous
    if any(f"{first.key} {second.key}" in famous for first, second in pairwise(parts)):
        return False
    if all(part.kind[:2] == "--" for part in own):
        return False
    led = _LED.search(text, max(0, span.start - 6), span.start) is not None
    return led or not any(len(part.key) > 1 and is_ordinary(part.key) for part in own)


def _surname_first(text: str) -> Iterator[Span]:
    for comma in _COMMA.finditer(text):
        last = _LAST_WORDS.search(text, max(0, comma.start() - 36), comma.start())
        match = REVERSED.match(text, last.start()) if last else None
        while match is None and last is not None:  # Surname Street, Mary: without the first word
            last = _LAST_WORDS.search(text, last.start() + 1, comma.start())
            match = REVERSED.match(text, last.start()) if last else None
        span = _reversed(text, match) if match else None
        if span:
            yield span


def _spelt_from_chinese(parts: Sequence[Part]) -> Iterator[Span]:
    """Yang Guilan and Guilan Yang: a surname and two syllables that are no other word."""
    if len(parts) != 2 or any(part.kind[2:3] in ("T", "W") for part in parts):
        return
    if parts[0].key in CHINESE_PLACES:
        return
    for family, given in (parts, reversed(parts)):
        if family.key in pinyin_surnames() and is_pinyin_given(given.key) and given.key not in ordinary():
            yield replace(_named(parts[1], 0.65), start=parts[0].start)
            return


def _in_run(text: str, parts: list[Part]) -> Iterator[Span]:
    """Names in a row of capitalised words: the best of those that overlap, then given names and surnames alone."""
    if _is_street(text, parts):
        return
    kept: tuple[int, int, float] | None = None
    chosen = []
    for i in range(len(parts) - 1):
        if kept and i >= kept[1]:
            chosen.append(kept)
            kept = None
        best = _best(text, parts, i)
        if best and (kept is None or best[1] > kept[2]):
            kept = i, i + best[0], best[1]
    if kept:
        chosen.append(kept)
    done = 0
    for i, end, score in chosen:
        while i > done and _is_initial(parts[i - 1]):  # D. Jeff Dionne
            i -= 1
        yield from _alone(text, parts, done, i)
        done = end
        yield _span(text, parts[i].start, parts[end - 1].end, score)
    yield from _alone(text, parts, done, len(parts))


_STREETS = frozenset(
    words(
        "street lane avenue road drive court terrace crescent way close place boulevard square row gardens grove hill "
        "walk parade mews highway parkway circle trail"
    )
)
_HOUSE = re.compile(r"(?<![0-9A-Za-z])[0-9]{1,5}[A-Za-z]? $")


_AT = re.compile(r"(?:\b(?:at|near|of|to|on|from|in|is|outside|by)|[Aa]ddress:?|,) [0-9]{1,5}[A-Za-z]? $")
_SURNAMES_TOO = frozenset(words("lane court close way place grove hill walk"))


def _is_street(text: str, parts: Sequence[Part]) -> bool:
    """Whether a house number stands in front and a street's word in the row: 12 Prince George Terrace.

    A word that is a surname as well counts only where the number stands in a place: near 51 Ruby Lane, but not in
    Room 12 Mary Lane.
    """
    start = parts[0].start
    kinds = {part.key for part in parts[1:]} & _STREETS
    where = _AT if kinds <= _SURNAMES_TOO else _HOUSE
    return bool(kinds) and bool(where.search(text, max(0, start - 20), start))


def _is_initial(part: Part) -> bool:
    return part.kind == "I" and part.text.endswith(".")


def _span(text: str, start: int, end: int, score: float) -> Span:
    suffix = _SUFFIX.match(text, end)
    end = suffix.end() if suffix else end - 2 * text.startswith(("'s", "’s"), end - 2)
    return Span(start, end, "EN_NAME", sure(score - _ENOUGH))


def _best(text: str, parts: Sequence[Part], i: int) -> tuple[int, float] | None:
    """The size and score of the best name that begins with the word at `i`, if it is good enough."""
    if parts[i].key in CHINESE_PLACES or (_is_phrase(parts[i].kind) and _is_phrase(parts[i + 1].kind)):
        return None
    left = left_features(text, parts, i)
    around = _sum(left)
    best: tuple[int, float] | None = None
    for size in sizes(parts, i):
        right = right_features(text, parts, i + size)
        score = around + _sum(name_features(parts, i, size)) + _sum(right)
        score += _sum(both_features(parts, i, size, left, right))
        score += _WELL_KNOWN * _well_known(parts[i].kind, parts[i + size - 1].kind)
        if score >= _ENOUGH and (best is None or score > best[1]):
            best = size, score
    if best and f"{parts[i].key} {parts[i + best[0] - 1].key}" in english_tables().famous:
        return None
    return best


def _well_known(first: str, last: str) -> bool:
    return first[0] in "Gg" and last[1:2] in ("S", "s") and first[2] == "-" and last[2] in "-o"


def _is_phrase(kind: str) -> bool:
    """Whether a word is an ordinary one and no name: two such begin no name, and looking closely is what costs."""
    return kind.startswith("--") and kind[2] in "oWT"


def _sum(found: Sequence[Feature]) -> float:
    weigh = weights("english_weights").get  # made by benchmarks/data/train_english_names.py
    return sum([weigh(feature, 0.0) for feature in found])


def places(text: str, rows: Iterable[list[Part]]) -> Iterator[tuple[int, list[tuple[int, list[Feature]]]]]:
    """For training: each offset where a name may begin, and each candidate's end and features.

    Args:
        text: folded.
        rows: what `runs` gives, or the same with less said of some words.
    """
    for parts in rows:
        for i in range(len(parts) - 1):
            left = left_features(text, parts, i)
            found = []
            for size in sizes(parts, i):
                right = right_features(text, parts, i + size)
                both = both_features(parts, i, size, left, right)
                found.append((parts[i + size - 1].end, [*left, *name_features(parts, i, size), *right, *both]))
            if found:
                yield parts[i].start, found


def _alone(text: str, parts: Sequence[Part], start: int, end: int) -> Iterator[Span]:
    """A given name behind a greeting or a label, and any word behind a title."""
    t = english_tables()
    for i in range(start, end):
        part = parts[i]
        if len(part.key) < 2 or part.key in t.words or part.key in NOBODY:
            continue
        last = end == len(parts) and i == end - 1
        titled = _titled(text, parts, i)
        name = part.key in t.family or not is_ordinary(part.key)  # Chief Revenue Officer
        if titled and f"{_title_of(text, parts, i)} {part.key}" in t.famous:  # Dr Pepper
            continue
        if titled and name and part.key not in t.roles and (last or not _is_given(part.key)):
            yield _named(part, 0.75)
        elif last and i < 2 and len(part.key) > 2 and _is_given(part.key) and part.key not in t.roles:
            greeted = _GREETING_BEFORE.search(text, max(0, part.start - 24), part.start)
            if titled or greeted or _labelled(text, part.start):
                yield _named(part, 0.6 if part.key in t.word_names else 0.7)


def _named(part: Part, confidence: float) -> Span:
    return Span(part.start, part.end - 2 * part.text.endswith(("'s", "’s")), "EN_NAME", confidence)


def _reversed(text: str, match: re.Match[str]) -> Span | None:
    if is_place(match["first"]):
        return None
    if is_in_a_field(text, match.start(), match.end()):
        return _in_usual_order(match)
    t = english_tables()
    if is_a_line(text, match.start(), match.end()):
        known = _is_family(key_of(match["last"].split()[-1])) and _is_given(key_of(match["first"].split()[0]))
        return _in_usual_order(match) if known else None
    second = match["first"].partition(" ")[2]
    behind = text[match.end() : match.end() + 3]
    if " " in match["last"] or (second and not second.endswith(".")) or re.match(rf" [{UPPER}][{LOWER}]", behind):
        return None
    last, first = key_of(match["last"]), key_of(match["first"].split()[0])
    if last in pinyin_surnames() and is_pinyin_given(first) and first not in ordinary():
        return Span(match.start(), match.end(), "EN_NAME", 0.7)
    common = (last in t.words or last in t.word_names, first in t.words or first in t.word_names)
    frequent = t.family.get(last) == "S"
    if not (_is_family(last) and _is_given(first)) or all(common) or first in t.words or (common[0] and not frequent):
        return None
    previous = _BEFORE.search(text, max(0, match.start() - 20), match.start())
    if previous and key_of(previous.group(1)) not in t.words and key_of(previous.group(1)) not in t.titles:
        return None  # Mary Smith, John Brown
    if text[match.start() - 2 : match.start()] == "& " or text[match.end() : match.end() + 2] == " &":
        return None  # a firm
    if _is_given(last) and re.match(r",| (?:and|or|&) ", text[match.end() : match.end() + 5]) and not frequent:
        return None  # a list of given names
    return Span(match.start(), match.end(), "EN_NAME", 0.8 if not _is_given(last) else 0.7 if frequent else 0.4)


def _in_usual_order(match: re.Match[str]) -> Span | None:
    """A field such as `Ochieng, Kamau`, judged by the words of `Kamau Ochieng`."""
    front, _, second = match["last"].partition(" ")
    if second and front[0].isupper() and kind_of(front)[0] != "-":
        return None  # two persons, or one and a firm: Claire Sherwood, Tuan Dang
    turned = f"{match['first']} {match['last']}"
    for parts in runs(turned):
        score = _sum(name_features(parts, 0, len(parts))) if 1 < len(parts) <= LONGEST else _UNLIKELY
        score += _WELL_KNOWN * (len(parts) > 1 and _well_known(parts[0].kind, parts[-1].kind))
        whole = parts[0].start == 0 and parts[-1].end == len(turned)
        if whole and score + _FIELD >= _ENOUGH:
            return Span(match.start(), match.end(), "EN_NAME", sure(score + _FIELD - _ENOUGH))
    return None


def _is_given(key: str) -> bool:
    t = english_tables()
    if key in t.words and key not in t.word_names:
        return False
    return key in t.given or ("-" in key and all(part in t.given for part in key.split("-")))


def _is_family(key: str) -> bool:
    t = english_tables()
    return key in t.family or ("-" in key and any(part in t.family for part in key.split("-")))


def _title_of(text: str, parts: Sequence[Part], i: int) -> str:
    """The title in front of a word, as its key."""
    start = parts[i].start
    return key_of(parts[i - 1].text if i else text[max(0, start - 16) : start].split()[-1])


def _titled(text: str, parts: Sequence[Part], i: int) -> bool:
    """Whether a title stands in front, with its dot (Dr. Watson) or without (Officer Hall)."""
    start = parts[i].start
    if i and parts[i - 1].key in english_tables().titles:
        return True
    return text[start - 2 : start] == ". " and _TITLE_BEFORE.search(text, max(0, start - 16), start) is not None


def _labelled(text: str, start: int) -> bool:
    """Whether words such as `my name is` or `Customer:` stand in front."""
    # What ends none of the labels is most of what there is, and the pattern is long.
    mark = text[start - 1 : start]
    if mark == " " and text[start - 2 : start - 1] not in _LABEL_ENDS:
        return False
    if mark.isascii() and mark not in " :":
        return False
    return _LABEL_BEFORE.search(text, max(0, start - 32), start) is not None
