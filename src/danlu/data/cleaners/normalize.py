"""Unicode and whitespace normalisation that leaves punctuation, code and mathematics alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from danlu.data.cleaning import rewrite_texts
from danlu.data.protected import rewrite_outside
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import NormalizeCleaner

# Everything below that could need work; a text without any of it is done after one search.
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Windows-1252 read as Latin-1: what HTML 5 makes of these controls too (`it\x92s`); \x85 is a line end in Unicode.
_WINDOWS = {at: bytes([at]).decode("cp1252", "ignore") for at in range(0x80, 0xA0) if at != 0x85}
_TERMINAL_COLOURS = re.compile("\x1b\\[[0-9;]{0,20}[A-Za-z]")
# Controls but tab and newline; soft hyphen, grapheme joiner, byte order mark, word joiner, invisible operators,
# deprecated format characters, annotation marks, and the overrides, embeddings and isolates of bidirectional text:
# an override shows a reader another order than a tokenizer sees (CVE-2021-42574, "Trojan Source").
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u180e\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
# A zero-width space is a word boundary in Thai, Lao, Burmese and Khmer, and rubbish elsewhere.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_ZERO_WIDTH_SPACE = re.compile(f"(?<![{_SPACELESS}])\u200b|\u200b(?![{_SPACELESS}])")
# Joiners shape emoji and Arabic, Persian and Indic letters; after ASCII, Han and kana they are watermarks.
_IDLE_JOINER = re.compile("(?:^|(?<=[\x00-\x7f\u3000-\u30ff\u3400-\u9fff\uff00-\uff9f]))[\u200c\u200d]+")
_DIRECTION_MARK = re.compile("[\u200e\u200f\u061c]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Tag characters spell the flags of England, Scotland and Wales after a black flag; elsewhere they are hidden text.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,10}\U000e007f)|[\U000e0000-\U000e007f]")
_SELECTOR_RUN = re.compile("([\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
# White space at a line's end, but for two spaces behind a word: that is Markdown's line break. Tabs stay: empty cells.
_LINE_TAILS = re.compile(r"(?:(?<=[^ \n]) |(?<=[^ \n]) {3,}|(?<=\n) +)(?=\n)")
_BLANK_LINES_IN_FRONT = re.compile(r"\s*\n")
_CODE_LINE = re.compile(
    r"\s*(?:[@#}{\])]|//|--|/\*|<[!/a-z]|[\"']?[\w.\[\]]+[\"']? ?(?:[-+*/%|&]?=|:=|->|\()|"
    r"(?:return|pass|break|continue|raise|yield|import|from|def|class|if|elif|else|for|while|try|except|with|case|"
    r"func|fn|let|var|const|public|private|static|void|int|SELECT|echo|end)\b.*[(){}\[\];:=.]|"
    r"(?:return|raise|yield|import) |(?:pass|break|continue|return|end)$)|.*[;{}]\s*$"
)


def normalize_text(text: str) -> str:
    """NFC, newline as the only line end, no invisible characters, no idle white space.

    NFC and not NFKC: the latter turns `，` into `,` and `x²` into `x2` (Unicode Standard Annex 15). Invisible
    characters go everywhere, from code too; white space at line ends goes outside of code only. The indentation of the
    first line stays where it is that of code, or where other lines are indented too.
    """
    if _SUSPECT.search(text):
        text = _visible(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if " \n" in text:
        text = rewrite_outside(text, _without_tails, ("code",))
    return _trimmed(text)


def _without_tails(text: str) -> str:
    return _LINE_TAILS.sub("", text)


def _visible(text: str) -> str:
    text = _LINE_ENDS.sub("\n", text)
    if "\x1b" in text:
        text = _TERMINAL_COLOURS.sub("", text)
    text = _INVISIBLE.sub("", text.translate(_WINDOWS) if not text.isascii() else text)
    text = _ZERO_WIDTH_SPACE.sub("", text)
    if _DIRECTION_MARK.search(text) and not _RIGHT_TO_LEFT.search(text):
        text = _DIRECTION_MARK.sub("", text)
    text = _TAGS.sub(r"\1", text)
    text = _SELECTOR_RUN.sub(r"\1", text)
    # The last, because it looks at what stands in front.
    return _IDLE_JOINER.sub("", text)


def _trimmed(text: str) -> str:
    """Without white space around the whole, but for an indentation that means something."""
    stripped = text.strip()
    if not text[:1].isspace() or not stripped:
        return stripped
    text = text.rstrip()
    blank = _BLANK_LINES_IN_FRONT.match(text)
    text = text[blank.end() :] if blank else text
    first, _, rest = text.partition("\n")
    indent = first[: len(first) - len(first.lstrip())]
    if indent and ((indent != " " and _CODE_LINE.match(first)) or _is_indented(rest)):
        return text
    return stripped


def _is_indented(rest: str) -> bool:
    """Whether a later line begins with white space, as code and the paragraphs of Chinese books do."""
    return any(line[:1].isspace() and bool(line.strip()) for line in rest.split("\n"))


class Normalize:
    """The cleaner of `{type: normalize}`."""

    def __init__(self, config: NormalizeCleaner) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Rewrites texts; drops nothing."""
        for row in rows:
            yield rewrite_texts(row, "normalize", normalize_text)
