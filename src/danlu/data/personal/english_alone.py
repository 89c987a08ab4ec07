"""English names of one word, where the form of the text says that it is somebody's: who speaks, is greeted or signs.

A word by itself says little, so each of these places has its own proof: a line of a conversation begins so, a letter
begins or ends so, a form asks for it, or a title stands in front.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from danlu.data.personal.english_forms import NOBODY, is_pinyin_given, is_pinyin_syllable, is_place, pinyin_surnames
from danlu.data.personal.english_words import LOWER, PARTICLE, UPPER, WORD, english_tables, key_of, kind_of
from danlu.data.personal.spans import Span
from danlu.data.personal.tables import words

_TIME = r"\(?(?:\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?)\)?"
_SPEAKER = re.compile(
    rf"^(?:[-*>] )?(?P<time>\[[0-9][0-9:., /TZAPMapm-]*\]\s?|{_TIME}\s(?:[-–|] )?)?(?P<mark>\*\*|<@?|@)?"
    rf"(?P<name>{WORD})(?: \([^()\n]{{2,20}}\))?"
    rf"(?:(?P<close> \d{{1,2}}:\d{{2}}(?: [AP]M)?$|\*\*:|:\*\*|>:?(?= ))|\*\*(?= )|:(?=\s)|(?P<dash> [-–] ))",
    re.MULTILINE,
)
_GREETED = re.compile(
    rf"(?:^|[\n.!?:\"'“]\s?|, )(?:Dear|Hi|Hello|Hey|[Gg]ood (?:morning|afternoon|evening|day)|Thanks|[Tt]hank you|"
    rf"Morning|Afternoon|Evening),? (?P<name>{WORD})(?=[,!.:;]|\s*\n|\s*$| [-–—])"
)
_LETTER = re.compile(r"(?:^|\n)(?:Subject|Re): |(?:^|\n)(?:Dear|Hi|Hello|Hey|Good (?:morning|afternoon|evening)) [A-Z]")
_ADDRESSED = re.compile(rf"(?:^|\n)(?P<name>{WORD}),\s?\n\s?\n")
_SIGNED = re.compile(
    rf"\n(?P<after>\n|(?:(?:(?:Many|With) )?[Tt]hanks(?: again)?|Cheers|Best|(?:(?:Best|Kind|Warm|Kindest) )?"
    rf"[Rr]egards|All the best|See you(?: \w+)?|Talk soon|Take care|Yours(?: \w+)?|Sincerely|Warmly|Love),?\s?\n)"
    rf"(?P<name>{WORD})\s*(?:$|\n\(|\n-- ?\n)"
)
_FIELD = re.compile(
    r"(?:[Ss]urname|SURNAME|(?:[Ll]ast|[Ff]amily|[Gg]iven|[Ff]irst|[Mm]iddle|LAST|FIRST|GIVEN)[ _]?(?:[Nn]ames?|NAME)|"
    r"[Ff]orenames?)[\"']?\*{0,2}\s?(?:[:：=|\t]|[._…]{3,}:?)\*{0,2}\s?[\"']?"
    rf"(?P<name>(?:{PARTICLE} )?(?:{WORD}|[{UPPER}]{{2,}})"
    rf"(?: {WORD})?)(?=[\"']?\s*(?:$|\n|[;,|\t}}\]]| {{2}}))"
)
_TITLED = re.compile(
    rf"(?<![A-Za-z])(?P<title>Mr|Mrs|Ms|Miss|Dr|Prof)(?:\. ?| )"
    rf"(?P<name>(?P<particle>{PARTICLE} )?{WORD})"
    rf"(?![{LOWER}{UPPER}0-9_@-]| [{UPPER}](?:[{LOWER}]|\.))"
)
_BY = re.compile(
    rf"\b(?:[Pp]osted|[Ww]ritten|[Rr]eviewed|[Ss]ubmitted|[Aa]pproved|[Ee]dited|[Rr]eported|[Uu]ploaded) by "
    rf"(?P<name>{WORD})(?! ?[{UPPER}&]|[-_@.]\w)"
)
_KNOWN_BY = re.compile(
    rf"(?:\b(?:[Ss]poke (?:with|to)|[Rr]oommate|[Pp]artner|[Hh]usband|[Ww]ife|[Ss]on|[Dd]aughter|[Bb]rother|"
    rf"[Ss]ister|[Mm]other|[Ff]ather|[Cc]olleague|[Nn]eighbou?r|[Ff]riend|[Cc]ousin|name tag says|thx|"
    rf"[Tt]hanks,?|[Rr]egards,|[Cc]heers,) |(?:[.?!] [-–—]|—) ?)(?P<name>{WORD})(?! ?[{UPPER}&]|[-_@.]\w|'s [{UPPER}])"
)
_CALLED = re.compile(
    rf"(?:^|[\n.!?\"“] ?)(?P<name>{WORD}), (?=(?:please|thanks|thank you)\b|(?:can|could|would|will|do|did) you\b)"
)
# A cell of a table, or a line, that is an initial and a word, or two Chinese syllables
_CELL = re.compile(
    rf"(?:^|[\n\t|;,]|  ) ?[\"“]?(?P<name>(?P<initial>(?:[{UPPER}]\. ?){{1,2}})"
    rf"(?:{PARTICLE} )?(?P<last>{WORD})|"
    rf"(?P<family>[A-Z][a-z]{{1,9}}) (?P<given>[A-Z][a-z]{{1,9}}))(?=[\"”]?(?:\s*(?:$|\n)| ?[\t|;,]|  ))"
)


# What a text must hold for a pattern to be tried at all: most hold none of it, and a look for plain words is quick
_GREETS = ("Dear ", "Hi", "Hello", "Hey", "ood ", "hank", "orning", "fternoon", "vening")
_TITLES = ("Mr", "Ms", "Miss", "Dr", "Prof")
_NEAR = (
    "poke with ", "poke to ", "oommate ", "artner ", "usband ", "wife ", "Wife ", " son ", "aughter ",
    "mother ", "Mother ", "father ", "Father ", "brother ", "Brother ", "sister ", "Sister ", "olleague ", "eighbo",
    "friend ", "Friend ", "ousin ", "tag says", "thx ", "hanks", "egards,", "heers,", " - ", " – ", "—",
)  # fmt: skip
_CALLS = (", please", ", thank", ", can you", ", could you", ", would you", ", will you", ", do you", ", did you")


def names_alone(text: str) -> Iterator[Span]:
    """Spans of such names; the text is folded."""
    yield from _speakers(text)
    if _has(text, _GREETS):
        yield from _greeted(text)
    if "\n" in text:
        yield from _in_letters(text)
    if "ame" in text or "AME" in text:
        yield from _in_forms(text)
    if _ROWS.search(text):
        yield from _in_cells(text)
    if _has(text, _TITLES):
        yield from _titled(text)
    for pattern, needs in ((_BY, (" by ",)), (_KNOWN_BY, _NEAR), (_CALLED, _CALLS)):
        for match in pattern.finditer(text) if _has(text, needs) else ():
            if _is_given(match["name"]) and (pattern is _BY or not _is_a_word_too(match["name"])):
                yield _found(match, 0.6)


def _has(text: str, needs: tuple[str, ...]) -> bool:
    return any(word in text for word in needs)


def _greeted(text: str) -> Iterator[Span]:
    for match in _GREETED.finditer(text):
        word = match["name"]
        if _is_given(word) or (_is_unknown(word) and text[match.end() : match.end() + 1] in ",!"):
            yield _found(match, 0.6 if _is_a_word_too(word) else 0.7)


def _in_letters(text: str) -> Iterator[Span]:
    """Whom a letter is addressed to, and who signs it."""
    letter = _LETTER.search(text) is not None
    for pattern in (_ADDRESSED, _SIGNED):
        for match in pattern.finditer(text):
            word = match["name"]
            closed = pattern is _SIGNED and match["after"] != "\n"
            if not (letter or closed or not match.start()):
                continue
            if _is_unknown(word) or (_is_given(word) and not is_place(word)):
                yield _found(match, 0.65)


def _in_forms(text: str) -> Iterator[Span]:
    for match in _FIELD.finditer(text):
        if all(_can_be_part(word) for word in match["name"].split() if word[0].isupper()):
            yield _found(match, 0.8)


def _in_cells(text: str) -> Iterator[Span]:
    for match in _CELL.finditer(text):
        if _is_surname(match["last"]) if match["initial"] else _is_pinyin(match["family"], match["given"]):
            yield _found(match, 0.6)


def _titled(text: str) -> Iterator[Span]:
    """Names that `english_names` leaves: with a particle, or another word as well: Ms. van der Meer, Mrs. Sun."""
    for match in _TITLED.finditer(text):
        if match["particle"] or match["title"] in ("Mr", "Mrs", "Ms"):
            key = key_of(match["name"].split()[-1])
            if key not in english_tables().roles and key not in _NO_SURNAMES:
                yield _found(match, 0.75)


_ROWS = re.compile(r"[\t|;]|, ?[^ ,\n]+,|   ")
_NO_SURNAMES = frozenset(
    words("president speaker chairman chair chairwoman mayor minister right clean universe america")
)


def _speakers(text: str) -> Iterator[Span]:
    """Who speaks, at the beginning of a line: `Mary: `, `[09:30] Mary: `, `<Mary> `, `**Mary**: `, `09:30 Mary - `."""
    lines = [m for m in _SPEAKER.finditer(text) if (m["dash"] is None or m["time"]) and _can_speak(m)]
    known = {m["name"] for m in lines if _is_given(m["name"]) and not _is_a_word_too(m["name"])}
    often = {name for name, times in Counter(m["name"] for m in lines).items() if times > 1}
    for match in lines:
        word = match["name"]
        others = len((known | often) - {word}) if word in often or len(known) > 1 else len(known - {word})
        if word in known or (_is_given(word) and (others or match["time"])) or (others and _is_surname(word)):
            yield _found(match, 0.7)


def _can_speak(match: re.Match[str]) -> bool:
    word = match["name"]
    return not (is_place(word) and not match["time"]) and key_of(word) not in NOBODY


def _is_given(word: str) -> bool:
    """Whether the tables have it as a given name and as nothing that stands in front of one."""
    key, t = key_of(word), english_tables()
    known = key in t.given or ("-" in key and all(part in t.given for part in key.split("-")))
    return known and key not in t.roles and key not in NOBODY and (key not in t.words or key in t.word_names)


def _is_a_word_too(word: str) -> bool:
    return kind_of(word)[2:3] in ("N", "o", "W", "T") or is_place(word)


def _is_surname(word: str) -> bool:
    """Whether the tables have it as a surname, or not at all."""
    kind = kind_of(word)
    if "-" in word:  # Delivered-To
        return False
    return _is_unknown(word) or (kind[1:2] in ("v", "s", "S") and kind[2:3] == "-" and not is_place(word))


def _is_pinyin(family: str, given: str) -> bool:
    """Zhu Fang, Wenjing Sun: a surname and syllables, not both of them words of English."""
    if "-" not in (kind_of(family)[2:3], kind_of(given)[2:3]):
        return False
    one, two = key_of(family), key_of(given)
    return any(
        last in pinyin_surnames() and first != "hi" and (is_pinyin_syllable(first) or is_pinyin_given(first))
        for last, first in ((one, two), (two, one))
    )


def _is_unknown(word: str) -> bool:
    """Whether no table has it, as a name or as a word."""
    return len(word) > 2 and kind_of(word) == "---" and key_of(word) not in NOBODY


def _can_be_part(word: str) -> bool:
    usual = word.capitalize() if word.isupper() else word
    kind = kind_of(usual)
    return kind[:2] != "--" or kind[2:3] == "-"


def _found(match: re.Match[str], confidence: float) -> Span:
    end = match.end("name") - 2 * match["name"].endswith(("'s", "’s"))
    return Span(match.start("name"), end, "EN_NAME", confidence)
