"""The project's pages, and what stands in them: fenced blocks, links, `danlu` commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`(danlu [^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the html comment right before it ('' if there is none)."""

    language: str
    body: str
    mark: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(m["language"], m["body"], m["mark"] or "") for m in _BLOCK.finditer(text)]


def links(text: str) -> list[str]:
    """Targets of links and pictures to files of this repository."""
    outside = _BLOCK.sub("", text)
    return [target for target in _LINK.findall(outside) if not target.startswith(("http://", "https://", "#"))]


def inline_commands(text: str) -> list[list[str]]:
    """`danlu ...` in running text, as words behind `danlu`; may leave out arguments."""
    return [shlex.split(command)[1:] for command in _INLINE.findall(_BLOCK.sub("", text))]


def block_commands(text: str) -> list[list[str]]:
    """`danlu ...` in bash blocks, as words behind `danlu`; complete commands."""
    return [
        words for block in blocks(text) if block.language == "bash" for words in _commands_of(_without_files(block))
    ]


def _without_files(block: Block) -> str:
    """A block's text without here-documents."""
    return re.sub(r"<<'(\w+)'\n.*?^\1$", "", block.body, flags=re.M | re.S)


def _commands_of(script: str) -> Iterator[list[str]]:
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words and words[0] == "danlu":
            yield words[1:]
