"""Capitalised words in a row and what the tables know of each: given name, surname, ordinary word, title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from danlu.data.personal.tables import table, words

UPPER, LOWER = "A-ZÀ-ÖØ-ÞŁŚŞŠŽŻŹČĆĐİŐŰĀĒĪŌŪŅĻĶĢ", "a-zß-öø-ÿłśşšžčćđęąńňţțșăžżźğıěřťďůőűāēīōūņļķģėįųạ-ỹơư"
# al-Masri, Dong-hyun, O'Neil, McDonald, De'Andre
WORD = (
    rf"(?:(?:al|el|as|ash|an|ar|at|ad|az|abu|ben|bin|ibn)-)?(?:[ODN]['’])?(?:Mc|Mac|De|Di|Da|Le|La|Van|Fitz)?"
    rf"[{UPPER}][{LOWER}]+(?:['’][{UPPER}]?[{LOWER}]+)?(?:-(?:[OD]['’])?(?:Mc|Mac)?[{UPPER}{LOWER}][{LOWER}]+)*"
)
_TOKEN = rf"(?:{WORD}|[{UPPER}]\.(?:-?[{UPPER}]\.)*|[{UPPER}](?=[ ]))"
PARTICLE = (
    r"(?:van der|van den|van ['’]t|van de|von der|de la|de los|delos|dela|de|del|della|di|da|dos|du|van|von|zu|bin|"
    r"binti|ibn|bint|al|el|ter|ten|la|le|y|e|ap)"
)
_RUN = re.compile(rf"{_TOKEN}(?: (?:{PARTICLE} )?{_TOKEN})*(?![{LOWER}{UPPER}0-9_@]|-[{LOWER}{UPPER}])")
_PART = re.compile(rf"{PARTICLE}(?= )|{_TOKEN}")
_GLUED = re.compile(rf"[{UPPER}{LOWER}0-9_@/.#'’-]")
_CAPITAL = re.compile(rf"[{UPPER}]|(?<![A-Za-z])(?:al|el|as|ash|an|ar|at|ad|az|abu|ben|bin|ibn)-(?=[{UPPER}])")


class Part(NamedTuple):
    """A word of a run: where it stands, its text, its key in the tables, and what `kind_of` says of it."""

    start: int
    end: int
    text: str
    key: str
    kind: str


@dataclass(frozen=True)
class EnglishTables:
    """Words by what they are, each as its key.

    Attributes:
        given: a given name's class: G the 600 commonest in the United States, g others there, w of elsewhere.
        family: a surname's: S the 1,500 commonest in the United States, s others, v of elsewhere.
        words: words that are hardly ever part of a name.
        word_names: words that are names as well.
        roles: what stands before a name: titles and professions.
        titles: those that make even an unknown word behind them a name.
        famous: two words that together are something else.
    """

    given: dict[str, str]
    family: dict[str, str]
    words: frozenset[str]
    word_names: frozenset[str]
    roles: frozenset[str]
    titles: frozenset[str]
    famous: frozenset[str]


_STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"})


def _without_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word.translate(_STROKES)) if not unicodedata.combining(c))


@lru_cache(maxsize=1 << 16)
def key_of(token: str) -> str:
    """A word as the tables hold it: small, without accents, apostrophes and dots."""
    key = token.lower().replace("’", "'").replace(" ", "_").rstrip(".")
    key = key.removesuffix("'s").replace("'", "")
    return key if key.isascii() else _without_accents(key)


@cache
def english_tables() -> EnglishTables:
    """The tables, read once."""
    t = table("english_names")
    keys = {name: [key_of(word) for word in words] for name, words in t.items()}
    given = dict.fromkeys(keys["given_world"], "w") | dict.fromkeys(keys["given_more"], "w")
    given |= dict.fromkeys(keys["given"], "g") | dict.fromkeys(keys["given"][:600], "G")
    family = dict.fromkeys(keys["surnames_world"], "v") | dict.fromkeys(keys["surnames_more"], "v")
    family |= dict.fromkeys(keys["surnames"], "s") | dict.fromkeys(keys["surnames"][:1500], "S")
    return EnglishTables(
        given=given,
        family=family,
        words=frozenset(keys["words"]),
        word_names=frozenset(keys["word_names"]),
        roles=frozenset(keys["titles"] + keys["roles"]),
        titles=frozenset(keys["titles"]),
        famous=frozenset(word.replace("_", " ") for word in keys["famous"]),
    )


@cache
def ordinary() -> frozenset[str]:
    """Small words of a dictionary, without those that others are the bases of."""
    return frozenset(table("ordinary_words")["words"])


def is_ordinary(word: str) -> bool:
    """Whether a dictionary has it, or what is left without an ending, as a small word."""
    known = ordinary()
    return word in known or any(base in known for base in bases(word))


def bases(word: str) -> Iterator[str]:
    """What may be left of a word without the ending of a plural, a verb or a comparison."""
    if word.endswith(("ies", "ied")):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
    for ending in ("ed", "ing", "er", "est", "ly"):
        if word.endswith(ending):
            rest = word[: -len(ending)]
            yield rest
            yield rest + "e"
            if rest[-1:] == rest[-2:-1]:
                yield rest[:-1]


@lru_cache(maxsize=1 << 16)
def kind_of(token: str) -> str:
    """What a word is: its class as a given name, as a surname, and as a word; initials and particles by themselves."""
    if token.endswith(".") or len(token) == 1:
        return "I"
    if token[0].islower() and "-" not in token:
        return "p"
    t, key = english_tables(), key_of(token)
    parts = key.split("-") if "-" in key else [key]
    given = t.given.get(key) or max((t.given.get(part, "-") for part in parts), key="-wgG".index)
    family = t.family.get(key) or max((t.family.get(part, "-") for part in parts), key="-vsS".index)
    word = "T" if key in t.roles else "W" if key in t.words else "N" if key in t.word_names else "-"
    if word == "-" and all(is_ordinary(part) for part in parts):
        word = "o"
    return given + family + word + ("h" if len(parts) > 1 else "")


# They begin a sentence and no name: As Mary Smith's report says.
_OPENERS = frozenset(
    words(
        "As When If While Since Because After Before Although Though Until Unless Whether That Then But And Yet "
        "For At In On By From To With Of Per Is Are Was Does Has Had Could Please "
        "Dear Hello Hi Hey Thanks"
    )
)


def runs(text: str) -> Iterator[list[Part]]:
    """Rows of capitalised words with single spaces, and particles, between them; of single words those that may matter.

    A single word is of use where it is a given name or stands behind a title's dot.
    """
    done = 0
    for capital in _CAPITAL.finditer(text):
        start = capital.start()
        if start < done or (start and _GLUED.match(text, start - 1) and not _marked(text, start)):
            continue
        run = _RUN.match(text, start)
        if run is None:
            continue
        done = run.end()
        word = run.group()
        if " " not in word:
            if kind_of(word)[0] in "wgG" or text[start - 2 : start] == ". ":
                yield [_part(word, start)]
            continue
        parts = [_part(m.group(), start + m.start()) for m in _PART.finditer(word)]
        if len(parts) > 1 + (parts[0].text == "Per") and parts[0].text in _OPENERS:  # Per Hansson
            parts = parts[1:]
        spoken = parts[0].text in ("A.", "Q.") and len(parts) > 2 and text[max(0, start - 1) : start] in ("", "\n")
        yield parts[1:] if spoken else parts  # the A. and Q. of a transcript are no initials


def _part(word: str, start: int) -> Part:
    return Part(start, start + len(word), word, key_of(word), kind_of(word))


def _marked(text: str, start: int) -> bool:
    """Whether a quotation mark and no apostrophe, or the @ of a mention stands in front: 'Mary Smith', not O'Mary."""
    return text[start - 1] in "'’@" and not text[start - 2 : start - 1].isalnum()
