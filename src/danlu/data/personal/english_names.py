"""English and other Latin-script person names: tables of given names and surnames, titles, and the words around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from danlu.data.personal.spans import Span
from danlu.data.personal.tables import table

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞŁŚŞŠŽČĆİ", "a-zß-öø-ÿłśşšžčćęąńżźğıěřů"
_WORD = (
    rf"(?:[OD]['’])?(?:Mc|Mac|De|Di|Da|Le|La|Van|"
    rf"Fitz)?[{_UPPER}][{_LOWER}]+(?:['’][{_LOWER}]+)?(?:-[{_UPPER}][{_LOWER}]+)*"
)
_TOKEN = rf"(?:{_WORD}|[{_UPPER}]\.(?:-?[{_UPPER}]\.)*|[{_UPPER}](?=[ ]))"
_PARTICLE = (
    r"(?:van der|van den|van de|von der|de la|de los|de|del|della|di|da|dos|du|van|von|bin|ibn|al|el|ter|ten|la|le|y)"
)
_GLUED = re.compile(rf"[{_UPPER}{_LOWER}0-9_@/.#'’-]")
_CAPITAL = re.compile(rf"[{_UPPER}]")
_RUN = re.compile(rf"{_TOKEN}(?: (?:{_PARTICLE} )?{_TOKEN})*(?![{_LOWER}{_UPPER}0-9_@]|-[{_LOWER}{_UPPER}])")
_PART = re.compile(rf"{_PARTICLE}(?= )|{_TOKEN}")
_REVERSED = re.compile(
    rf"({_WORD}), ({_WORD})(?: ([{_UPPER}])\.?)?(?![{_LOWER}{_UPPER}0-9_@]|"
    rf"-[{_LOWER}])(?! [{_UPPER}][{_LOWER}])"
)
_LAST_WORD = re.compile(rf"(?<![{_UPPER}{_LOWER}0-9_@/.#'’-])[{_UPPER}][{_UPPER}{_LOWER}'’-]*$")
_COMMA = re.compile(rf", [{_UPPER}]")
_THREE = re.compile(r"[A-Z]{3}.{0,3} [A-Z]{3}")
_BEFORE = re.compile(rf"([{_UPPER}][{_LOWER}'’-]+) $")
_CAPITALS = re.compile(r"(?<![A-Z0-9_ -])([A-Z]{3,})( [A-Z]\.?)? ([A-Z]{3,})(?![A-Za-z0-9_-]| [A-Z]{2,})")
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


@dataclass(frozen=True)
class _Tables:
    given: frozenset[str]
    frequent: frozenset[str]
    common: frozenset[str]
    surnames: frozenset[str]
    word_names: frozenset[str]
    words: frozenset[str]
    ordinary: frozenset[str]
    titles: frozenset[str]
    roles: frozenset[str]
    famous: frozenset[str]


def _key(token: str) -> str:
    key = token.lower().replace("’", "'").rstrip(".")
    return key.removesuffix("'s").replace("'", "")


# Irish names and Vietnamese ones: a part that belongs to the next, and surnames that stand first.
_JOINED = frozenset(("ní", "ni", "nic", "uí", "ua", "ó", "mac"))
_VIETNAMESE = frozenset(
    ("nguyen", "tran", "le", "pham", "hoang", "huynh", "phan", "vu", "vo", "dang", "bui", "do", "ngo")
)
_VIETNAMESE_MIDDLE = frozenset(
    ("thi", "van", "minh", "duc", "thanh", "ngoc", "quang", "hoang", "huu", "xuan", "anh", "quoc", "thuy", "thu", "kim")
)


@cache
def _tables() -> _Tables:
    t = table("english_names")
    keys = {name: [_key(word) for word in words] for name, words in t.items()}
    given = frozenset(keys["given"] + keys["given_more"])
    return _Tables(
        given=frozenset(key for key in given if key not in keys["words"] or key in keys["word_names"]),
        frequent=frozenset(keys["surnames"][:1500]),
        common=frozenset(keys["surnames"][:300]),
        surnames=frozenset(keys["surnames"] + keys["surnames_more"]),
        word_names=frozenset(keys["word_names"]),
        words=frozenset(keys["words"]),
        ordinary=frozenset(keys["words"] + keys["word_names"]),
        titles=frozenset(keys["titles"]),
        roles=frozenset(keys["titles"] + keys["roles"]),
        famous=frozenset(word.replace("_", " ") for word in keys["famous"]),
    )


def english_names(text: str) -> Iterator[Span]:
    """Spans of names, without titles; the text is folded."""
    for comma in _COMMA.finditer(text):
        word = _LAST_WORD.search(text, max(0, comma.start() - 24), comma.start())
        match = _REVERSED.match(text, word.start()) if word else None
        span = _reversed(text, match) if match else None
        if span:
            yield span
    for match in _CAPITALS.finditer(text) if _THREE.search(text) else ():
        t = _tables()
        first, last = match.group(1).lower(), match.group(3).lower()
        if first in t.given and last in t.surnames and not {first, last} & (t.words | t.word_names):
            yield Span(match.start(), match.end(), "EN_NAME", 0.65)
    done = 0
    for capital in _CAPITAL.finditer(text):
        start = capital.start()
        if start < done or (start and _GLUED.match(text, start - 1) and not _quoted(text, start)):
            continue
        run = _RUN.match(text, start)
        if run is None:
            continue
        done = run.end()
        if " " in run.group() or _key(run.group()) in _tables().given or text[start - 2 : start] == ". ":
            yield from _in_run(text, run)


def _quoted(text: str, start: int) -> bool:
    """Whether a quotation mark and no apostrophe stands in front: ('Mary Smith', not O'Mary."""
    return text[start - 1] in "'’" and not text[start - 2 : start - 1].isalnum()


def _reversed(text: str, match: re.Match[str]) -> Span | None:
    t = _tables()
    last, first = _key(match.group(1)), _key(match.group(2))
    ordinary = (last in t.ordinary, first in t.ordinary)
    if (
        not (_surname(last) and _is_given(first))
        or all(ordinary)
        or first in t.words
        or (ordinary[0] and last not in t.common)
    ):
        return None
    previous = _BEFORE.search(text, max(0, match.start() - 20), match.start())
    if previous and _key(previous.group(1)) not in t.words and _key(previous.group(1)) not in t.titles:
        return None  # Mary Smith, John Brown
    if text[match.start() - 2 : match.start()] == "& " or text[match.end() : match.end() + 2] == " &":
        return None  # a firm
    if (
        _is_given(last)
        and re.match(r",| (?:and|or|&) ", text[match.end() : match.end() + 5])
        and last not in t.frequent
    ):
        return None  # a list of given names
    return Span(
        match.start(), match.end(), "EN_NAME", 0.8 if last not in t.given else 0.7 if last in t.frequent else 0.4
    )


def _is_given(key: str) -> bool:
    t = _tables()
    return key in t.given or ("-" in key and all(part in t.given for part in key.split("-")))


def _surname(key: str) -> bool:
    t = _tables()
    return key in t.surnames or ("-" in key and any(part in t.surnames for part in key.split("-")))


def _in_run(text: str, run: re.Match[str]) -> Iterator[Span]:
    parts = [(run.start() + m.start(), run.start() + m.end(), m.group()) for m in _PART.finditer(run.group())]
    i = 0
    while i < len(parts):
        size, confidence = _name_at(text, parts, i)
        if size:
            start, end = parts[i][0], parts[i + size - 1][1]
            suffix = _SUFFIX.match(text, end)
            end = suffix.end() if suffix and size > 1 else end - 2 * text.startswith(("'s", "’s"), end - 2)
            yield Span(start, end, "EN_NAME", confidence)
            i += size
        else:
            i += 1


def _name_at(text: str, parts: list[tuple[int, int, str]], i: int) -> tuple[int, float]:
    """How many parts from `i` are a name (0: none), and how sure."""
    t = _tables()
    start, _, first = parts[i]
    key = _key(first)
    titled = _titled(text, parts, i)
    labelled = titled or _labelled(text, start)
    if (key in t.roles and key not in t.given) or (key == "per" and _begins_name(parts, i + 1)):
        return 0, 0.0
    if key in _VIETNAMESE and len(parts) - i > 2 and _key(parts[i + 1][2]) in _VIETNAMESE_MIDDLE:
        return 3, 0.85
    size = _extent(parts, i)
    if size > 1:
        confidence = _pair(parts, i, size, labelled, _inside(text, start))
        if confidence >= 0.3:
            return size, confidence
    if titled and key not in t.words and len(key) > 1 and (size == 1 or not _is_given(key)):
        return 1, 0.75
    alone = i == len(parts) - 1 and i < 2 and len(key) > 2 and _is_given(key) and key not in t.words
    if alone and (labelled or _GREETING_BEFORE.search(text, max(0, start - 24), start)):
        return 1, 0.6 if key in t.word_names else 0.7
    return 0, 0.0


def _begins_name(parts: list[tuple[int, int, str]], i: int) -> bool:
    """Whether a part is a given name or stands first as one: Per Anna Smith, the client will not sign."""
    key = _key(parts[i][2]) if i + 1 < len(parts) else ""
    return _is_given(key) or key in _VIETNAMESE


def _titled(text: str, parts: list[tuple[int, int, str]], i: int) -> bool:
    """Whether a title stands in front, with its dot (Dr. Watson) or without (Officer Hall)."""
    start = parts[i][0]
    if i and _key(parts[i - 1][2]) in _tables().titles:
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


def _inside(text: str, start: int) -> bool:
    """Whether a small letter stands in front, so that a capital here is no beginning of a sentence or title."""
    return start > 1 and text[start - 1] == " " and text[start - 2].islower()


def _extent(parts: list[tuple[int, int, str]], i: int) -> int:
    """Parts of a full name from `i`: given names and initials, particles, one surname (two where both are known)."""
    t = _tables()
    j = i + 1
    while j < len(parts) and (parts[j][2].endswith(".") or len(parts[j][2]) == 1 or parts[j][2][0].islower()):
        j += 1
    if j >= len(parts):
        return 1
    j += 2 if _key(parts[j][2]) in _JOINED and j + 1 < len(parts) else 1
    while j < len(parts) and j - i < 5:
        key = _key(parts[j][2])
        lower = parts[j][2][0].islower()
        middle = _is_given(_key(parts[j - 1][2])) or not _surname(_key(parts[j - 1][2]))
        if (
            lower
            or (len(key) == 1 and j + 1 < len(parts))
            or (_surname(key) and (key not in t.words or key in t.common) and (middle or key in t.frequent))
        ):
            j += 1
        else:
            break
    while parts[j - 1][2][0].islower() or len(_key(parts[j - 1][2])) == 1:
        j -= 1
    return max(1, j - i)


# (given name, surname), each 2: certain, 1: also an ordinary word or place, 0: not in the tables
_GRADES = {(2, 2): 0.9, (2, 1): 0.75, (2, 0): 0.65, (1, 2): 0.7, (1, 1): 0.3, (1, 0): 0.2, (0, 2): 0.2}


def _pair(parts: list[tuple[int, int, str]], i: int, size: int, labelled: bool, inside: bool) -> float:
    """Confidence that the parts are given name(s) and surname; 0 where a phrase or an organisation is likelier."""
    t = _tables()
    first, last = _key(parts[i][2]), _key(parts[i + size - 1][2])
    after = _key(parts[i + size][2]) if i + size < len(parts) else ""
    if f"{first} {last}" in t.famous:
        return 0.0
    given = (1 if first in t.ordinary else 2) if _is_given(first) else 0
    family = (1 if last in t.ordinary else 2) if _surname(last) else 0
    if labelled and given and family and not after:
        return 0.85
    if labelled and not {first, last} & t.words:
        return 0.9 if given or family or len(first) == 1 else 0.65
    if after in t.words:
        return 0.45 if given == family == 2 else 0.0
    if given == 1 and last in t.common and not after:
        return 0.6
    if last in t.words:
        return 0.55 if given == 2 and family and not after else 0.0
    alone = len(parts) == size
    return _strange(first, last, alone and inside, alone) if not given else _GRADES[given, family]


def _strange(first: str, last: str, inside: bool, alone: bool) -> float:
    """Confidence for a first part that is no known given name: an initial, a surname (Wang Wei), or a rare name."""
    t = _tables()
    if len(first) == 1:
        return 0.55 if alone and first not in "ai" and last in t.frequent else 0.0  # no article, no pronoun
    if first in t.words or last in t.word_names:
        return 0.0
    if _surname(first) and _is_given(last) and first not in t.word_names:
        return 0.55
    return 0.5 if inside and _surname(last) and last not in t.given else 0.0
