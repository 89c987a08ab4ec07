"""Spans of a text that no rewrite may touch: code, LaTeX, tables, URLs; found in linear time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["code", "latex", "table", "url"]
Span = tuple[int, int]

ALL: tuple[Kind, ...] = ("code", "latex", "table", "url")

# No pattern below has two neighbouring repeats that can match the same character, and none can start in the middle of
# its own repeat: that is what keeps the time linear in the text, whatever the text.
_FENCE = re.compile(r"^([^`~\n]*)(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_INFO = re.compile(r"[\w+#.-]*[ \t]*")
_TICKS = re.compile(r"`+")
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
_LATEX = re.compile(r"\\(?:begin|end)\{([A-Za-z]{1,30}\*?)\}|\\\\(?:\[[^\]\n]{0,20}\])?|\\[\[\]()$]|\$\$?")
_MATHS = re.compile(r"[\\^_{}=]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_FUNCTION_NAMES = "sin cos tan cot sec csc log ln lg exp max min lim mod gcd lcm det dim arg sup inf Pr"
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_RULE_ROW = re.compile(r"^[-|: \t>]+$", re.MULTILINE)
_URL = re.compile(
    r"(?:https?|ftps?|sftp|wss?|file|git|ssh|s3|jdbc:[a-z0-9]{2,20}|postgres(?:ql)?|mysql|redis|mongodb)://"
    r"[^\s<>\"'`|\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+"
    r"|(?<![\w.@/])www\.[^\s<>\"'`|\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+",
    re.IGNORECASE,
)
_AFTER_URL = ".,;:!?*_"
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))


def protected_spans(text: str, kinds: Iterable[Kind] = ALL) -> list[Span]:
    """Where code, LaTeX, Markdown tables and URLs stand, as sorted, disjoint (start, end) in characters.

    Code is fences (to the end of the text where one is left open) and inline code as CommonMark pairs backticks. LaTeX
    is environments, `\\[..\\]`, `\\(..\\)`, `$$..$$`, and `$..$` where what is inside looks like mathematics, so that
    prices ("$5 and $10") are none. What stands in code is nothing else. The time is linear in the text.
    """
    kinds = tuple(kinds)
    spans: list[Span] = []
    if "`" in text or "~~~" in text:
        spans = _code(text)
        masked = _masked(text, spans)
        spans = spans if "code" in kinds else []
    else:
        masked = text
    if "latex" in kinds and ("$" in text or "\\" in text):
        spans += _latex(masked)
    if "table" in kinds and "|" in text and "-" in text:
        spans += _tables(masked)
    if "url" in kinds and ("://" in text or "www." in text or "WWW." in text):
        spans += _urls(masked)
    return _merged(spans)


def rewrite_outside(text: str, rewrite: Callable[[str], str], kinds: Iterable[Kind] = ALL) -> str:
    """`text` with `rewrite` applied to each piece between protected spans."""
    spans = protected_spans(text, kinds)
    if not spans:
        return rewrite(text)
    return "".join(piece if kept else rewrite(piece) for piece, kept in pieces(text, spans))


@lru_cache(maxsize=1024)  # the filters of a chain ask the same of one row after the other
def without_protected(text: str) -> str:
    """The prose of a text: each protected span becomes a line break; `text` itself where there is none."""
    spans = protected_spans(text)
    if not spans:
        return text
    return "\n".join(piece for piece, kept in pieces(text, spans) if not kept)


def pieces(text: str, spans: list[Span]) -> Iterator[tuple[str, bool]]:
    """The text cut at the spans, in order: (piece, whether it is a span). No piece is empty."""
    at = 0
    for start, end in spans:
        if start > at:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < len(text):
        yield text[at:], False


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def _masked(text: str, spans: list[Span]) -> str:
    """The text with every span blanked out, places unchanged. A form feed belongs to no other construct."""
    return "".join("\f" * len(piece) if kept else piece for piece, kept in pieces(text, spans)) if spans else text


def _code(text: str) -> list[Span]:
    fences = _fences(text)
    return _merged(fences + _inline_code(_masked(text, fences)))


def _fences(text: str) -> list[Span]:
    spans: list[Span] = []
    opened: _Fence | None = None
    for match in _FENCE.finditer(text):
        in_front, marks, rest = match.groups()
        if opened is None:
            opened = _opening(match)
        elif marks[0] == opened.marks[0] and len(marks) >= len(opened.marks) and not in_front.strip(" \t>"):
            if not rest.strip():
                spans.append((opened.start, match.end()))
                opened = None
            elif opened.in_line:
                spans.append((opened.start, match.end(2)))
                opened = None
    if opened is not None:
        spans.append((opened.start, len(text)))
    return spans


class _Fence(NamedTuple):
    start: int
    marks: str
    in_line: bool


def _opening(match: re.Match[str]) -> _Fence | None:
    """The fence that a line opens. CommonMark has it at the beginning of the line only, models write it behind words
    too (`code: ```python`); then nothing but the language may follow, and words may follow the closing fence.
    """
    in_front, marks, rest = match.groups()
    if not in_front.strip(" \t>"):
        # An info string with a backtick is inline code on a line of its own (CommonMark 0.31, section 4.5).
        return None if marks[0] == "`" and "`" in rest else _Fence(match.start(), marks, False)
    return _Fence(match.start(2), marks, True) if marks[0] == "`" and _INFO.fullmatch(rest) else None


def _inline_code(text: str) -> list[Span]:
    """Runs of backticks paired with the next run of the same length; up to two backticks only within a paragraph."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    partner: list[int] = [0] * len(runs)
    last: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        partner[index] = last.get(length, 0)
        last[length] = index
    blanks = [match.start() for match in _BLANK_LINE.finditer(text)] if runs else []
    spans: list[Span] = []
    index = 0
    while index < len(runs):
        other, (start, after) = partner[index], runs[index]
        if other and (after - start >= 3 or not _crosses(blanks, start, runs[other][0])):
            spans.append((start, runs[other][1]))
            index = other
        index += 1
    return spans


def _crosses(places: list[int], start: int, end: int) -> bool:
    """Whether one of the sorted places lies between start and end."""
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end


def _latex(text: str) -> list[Span]:
    tokens = [match for match in _LATEX.finditer(text) if not match[0].startswith("\\\\") and match[0] != "\\$"]
    blanks = [match.start() for match in _BLANK_LINE.finditer(text)] if tokens else []
    spans = _environments(tokens)
    spans += _delimited(tokens, "\\[", "\\]") + _delimited(tokens, "\\(", "\\)")
    spans += _dollars(text, [match for match in tokens if match[0][0] == "$"], blanks)
    return spans


def _environments(tokens: list[re.Match[str]]) -> list[Span]:
    """Outermost `\\begin{name}` to the `\\end{name}` that closes it."""
    spans: list[Span] = []
    opened: dict[str, list[int]] = {}
    for token in tokens:
        name = token[1]
        if not name:
            continue
        starts = opened.setdefault(name, [])
        if token[0].startswith("\\begin"):
            starts.append(token.start())
        elif starts:
            spans.append((starts.pop(), token.end()))
    return spans


def _delimited(tokens: list[re.Match[str]], left: str, right: str) -> list[Span]:
    spans: list[Span] = []
    start = -1
    for token in tokens:
        if token[0] == left and start < 0:
            start = token.start()
        elif token[0] == right and start >= 0:
            spans.append((start, token.end()))
            start = -1
    return spans


def _dollars(text: str, tokens: list[re.Match[str]], blanks: list[int]) -> list[Span]:
    """Neighbouring dollar signs of one kind that enclose mathematics (the edges are pandoc's rule for `$..$`)."""
    spans: list[Span] = []
    index = 0
    while index + 1 < len(tokens):
        left, right = tokens[index], tokens[index + 1]
        index += 1
        if left[0] != right[0]:
            continue
        inside = text[left.end() : right.start()]
        if left[0] == "$":
            follower = text[right.end() : right.end() + 1]
            is_math = (
                bool(inside)
                and not inside[0].isspace()
                and not inside[-1].isspace()
                and not follower.isdigit()
                and not _crosses(blanks, left.start(), right.start())
                and _is_math(inside)
            )
        else:
            is_math = bool(_MATHS.search(inside)) or (
                bool(inside) and not _crosses(blanks, left.start(), right.start())
            )
        if is_math:
            spans.append((left.start(), right.end()))
            index += 1
    return spans


def _is_math(inside: str) -> bool:
    """A sign that prose has not, or no word but names of functions."""
    return bool(_MATHS.search(inside)) or all(word in _FUNCTIONS for word in _WORD.findall(inside))


def _tables(text: str) -> list[Span]:
    """A line with a bar, a rule row (`|---|:-:|`), and the lines with bars that follow."""
    spans: list[Span] = []
    done = 0
    for match in _RULE_ROW.finditer(text):
        rule = match[0]
        if match.start() < max(done, 1) or "-" not in rule or "|" not in rule:
            continue
        start = text.rfind("\n", 0, match.start() - 1) + 1
        if "|" not in text[start : match.start()]:
            continue
        end = match.end()
        while end < len(text):
            following = text.find("\n", end + 1)
            following = len(text) if following < 0 else following
            if "|" not in text[end:following]:
                break
            end = following
        spans.append((start, end))
        done = end
    return spans


def _urls(text: str) -> list[Span]:
    spans: list[Span] = []
    for match in _URL.finditer(text):
        start, end = match.span()
        # A bracket that ends a URL belongs to it only if it was opened in it, as in Wikipedia's addresses.
        unopened = {closing: match[0].count(closing) - match[0].count(opening) for opening, closing in _BRACKETS}
        while end > start:
            last = text[end - 1]
            if unopened.get(last, 0) > 0:
                unopened[last] -= 1
            elif last not in _AFTER_URL:
                break
            end -= 1
        spans.append((start, end))
    return spans
