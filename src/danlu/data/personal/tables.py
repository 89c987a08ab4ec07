"""Word tables that ship with the engine, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def table(name: str) -> dict[str, tuple[str, ...]]:
    """The sections of a table file: a line `# section`, then words between spaces or line ends."""
    sections: dict[str, list[str]] = {}
    section = ""
    for line in files("danlu.data.personal").joinpath("tables").joinpath(f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            section = line[2:].strip()
            sections[section] = []
        elif line and not line.startswith("//"):
            sections[section].extend(line.split())
    return {key: tuple(words) for key, words in sections.items()}


@cache
def weights(name: str) -> dict[tuple[str, str], float]:
    """A scorer's weights by (section, value), from a table of `value=weight in hundredths`."""
    return {
        (section, value): int(weight) / 100
        for section, words in table(name).items()
        for value, weight in (word.rsplit("=", 1) for word in words)
    }


def words(text: str) -> tuple[str, ...]:
    """The words of a list that is short enough to stand in code."""
    return tuple(text.split())
