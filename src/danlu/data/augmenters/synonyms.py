"""Words of the question replaced by synonyms from the tables that ship with Danlu."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from danlu.data.drafts import Draft, Task, Write
from danlu.data.named_values import fixed_spans, segmenter
from danlu.data.protected import pieces
from danlu.data.synonyms import load_synonyms
from danlu.recipe.augmentation import SynonymsAugmenter

NONE = "no word has a synonym in the table"
UNKNOWN = "there is no table of synonyms for its language"

# A place where a synonym fits: start, end, and what may stand there.
_Place = tuple[int, int, tuple[str, ...]]

_LONGEST_PHRASE = 7  # words or tokens of a table entry
_NEGATIONS = frozenset("不没无未别非")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_VOWEL = re.compile(r"(?!uni|use|usu|uti|eu|one\b)[aeiou]|hour|honest|honou?r|heir", re.IGNORECASE)
_ARTICLE = re.compile(r"\ban?\s+$", re.IGNORECASE)


class Synonyms:
    """Replaces a share of the words that have synonyms; nothing in code, quotations, names or numbers.

    A word that a label, a short answer or a tool call quotes stays. English words keep their capital and a or an.
    """

    def __init__(self, config: SynonymsAugmenter, write: Write | None = None) -> None:
        self._share = config.replaced

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """A draft for each task."""
        return [self._draft(task) for task in tasks]

    def _draft(self, task: Task) -> Draft:
        table = load_synonyms(task.language)
        if not table:
            return Draft(reason=UNKNOWN)
        kept = task.kept.lower()
        places: list[_Place] = []
        at = 0
        for piece, fixed in pieces(task.text, fixed_spans(task.text)):
            if not fixed:
                found = _chinese(piece, table) if task.language == "zh" else _english(piece, table)
                places += [(at + start, at + end, others) for start, end, others in found]
            at += len(piece)
        places = [place for place in places if task.text[place[0] : place[1]].lower() not in kept]
        if not places:
            return Draft(reason=NONE)
        chance = random.Random(task.seed)
        count = max(1, round(self._share * len(places)))
        text, at = [], 0
        for start, end, others in sorted(chance.sample(places, count)):
            text += [task.text[at:start], chance.choice(others)]
            at = end
        return Draft("".join([*text, task.text[at:]]))


def _chinese(piece: str, table: dict[str, tuple[str, ...]]) -> Iterator[_Place]:
    """Entries that are whole tokens of the segmenter, or several in a row; the longest first."""
    tokens: list[str] = segmenter().cut(piece)
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    index = 0
    while index < len(tokens):
        for size in range(min(_LONGEST_PHRASE, len(tokens) - index), 0, -1):
            start, end = starts[index], starts[index + size]
            # 不怎样 and 别着急 are idioms more often than not: what a negation stands before stays.
            if (others := table.get(piece[start:end])) and piece[start - 1 : start] not in _NEGATIONS:
                yield start, end, others
                index += size
                break
        else:
            index += 1


def _english(piece: str, table: dict[str, tuple[str, ...]]) -> Iterator[_Place]:
    """Entries that are whole words with single spaces between them; the longest first."""
    words = list(_WORD.finditer(piece))
    index = 0
    while index < len(words):
        for size in range(min(_LONGEST_PHRASE, len(words) - index), 0, -1):
            start, end = words[index].start(), words[index + size - 1].end()
            others = _fitting(piece, start, end, table)
            if others:
                yield start, end, others
                index += size
                break
        else:
            index += 1


def _fitting(piece: str, start: int, end: int, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The replacements that keep case, and a or an; none for names, parts of compounds and words in capitals."""
    found = piece[start:end]
    others = table.get(found.replace("’", "'").lower(), ())
    if not others or piece[end : end + 1] in ("-", "_") or piece[start - 1 : start] in ("-", "_", "/"):
        return ()
    if piece[end : end + 1] in ("'", "’") or "  " in found:
        return ()
    lowered = found[0].lower() + found[1:]
    if lowered != lowered.lower() and not re.fullmatch(r"(?:[a-z'’ ]|\bI\b)+", lowered):
        return ()
    if found[0].isupper() and not found.startswith("I") and not _begins(piece, start):
        return ()
    if _ARTICLE.search(piece, max(0, start - 4), start):
        others = tuple(other for other in others if bool(_VOWEL.match(other)) == bool(_VOWEL.match(found)))
    return tuple(_cased(other, found[0].isupper() and _begins(piece, start)) for other in others)


def _begins(piece: str, start: int) -> bool:
    """Whether a sentence begins there."""
    before = piece[:start].rstrip(" \"'“‘(")
    return not before or before[-1] in ".!?:\n;。！？"


def _cased(words: str, capital: bool) -> str:
    words = re.sub(r"\bi\b", "I", words)
    return words[0].upper() + words[1:] if capital else words
