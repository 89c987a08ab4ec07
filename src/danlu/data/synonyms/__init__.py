"""Tables of words that may stand for each other, and how they are read (origins: docs/data/augmentation.md)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

TABLES = {"zh": ("chinese.txt",), "en": ("english.txt", "wordnet.txt")}


@cache
def load_synonyms(language: str) -> dict[str, tuple[str, ...]]:
    """Word or phrase -> what may take its place, for 'zh' or 'en'; empty for any other language."""
    found: dict[str, list[str]] = {}
    for name in TABLES.get(language, ()):
        for word, others in entries(files(__name__).joinpath(name).read_text(encoding="utf-8")):
            found.setdefault(word, []).extend(others)
    return {word: tuple(others) for word, others in found.items()}


def entries(text: str) -> Iterator[tuple[str, list[str]]]:
    """(word, replacements) of a table: `a = b = c` for words that stand for each other, `a > b | c` for one way."""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if " > " in line:
            word, _, others = line.partition(" > ")
            yield word, others.split(" | ")
        else:
            words = line.split(" = ")
            for word in words:
                yield word, [other for other in words if other != word]
