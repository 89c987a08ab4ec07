"""HTML to text, only in texts that are HTML: tags become lines, entities characters; code and comparisons stay."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from html.entities import html5
from typing import NamedTuple

from danlu.data.cleaning import rewrite_texts
from danlu.data.protected import Span, protected_spans
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import HtmlCleaner

# Names of tags, by what becomes of them.
_INLINE = """
a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small span strike strong
sub sup time tt u var button legend option optgroup colgroup title
"""
_BLOCK = """
address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form
h1 h2 h3 h4 h5 h6 header hgroup html li main menu nav ol p pre section summary table tbody td tfoot th thead tr ul
"""
_UNSEEN = "head script style noscript template svg iframe object canvas select textarea audio video map"
_VOID = "area base br col embed hr img input link meta param source track wbr"
# Tags that people write in Markdown and in plain text on purpose: alone they make no HTML.
_MARKDOWN = "sub sup kbd u ins mark details summary code var s del q"
# Tags of chat models, which are no sign of XML.
_MODEL = "think thinking answer tool_call tool_response tools reasoning im_start im_end"
_PARAGRAPH = "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote hr article section figure"
_NAMES = frozenset(" ".join((_INLINE, _BLOCK, _UNSEEN, _VOID)).split())
_BLOCKS, _HIDDEN, _PARAGRAPHS = frozenset(_BLOCK.split()), frozenset(_UNSEEN.split()), frozenset(_PARAGRAPH.split())
_IN_MARKDOWN, _MODEL_TAGS = frozenset(_MARKDOWN.split()), frozenset(_MODEL.split())

_TAG = re.compile(
    r"<!--|<!(?:DOCTYPE|doctype)[^<>]{0,500}>|"
    r"<(/?)([A-Za-z][A-Za-z0-9]{0,15}(?:[:-][A-Za-z0-9-]{1,20})?)((?:\s[^<>]{0,4000})?/?)>"
)
# An attribute without a value is one of a few: `a<b and c>d` is no tag.
_ATTRIBUTES = re.compile(
    r"(?:\s+(?:[\w:@.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)|(?:checked|disabled|selected|hidden|async|defer|required|"
    r"readonly|multiple|nowrap|compact|noshade|open|controls|autoplay|loop|muted|reversed|ismap|allowfullscreen|itemscope|"
    r"download|data-[\w-]+)(?=[\s/]|$)))*\s*/?",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_PLAIN_ENTITY = re.compile(
    r"&(?:nbsp|quot|#39|#34|#160|amp|apos|[lr][sd]quo|[mn]dash|hellip|middot|bull|#x27|#8217|#8220|#8221);"
)
# Who talks about markup means the tags that he writes. Of a page that was scraped less is asked: it may well say
# "visit our website".
_ABOUT_MARKUP = (
    r"\b(?:x?html5?|xml|css|jsx|markup|javascript|front-?end)\b|\b(?:the|an?|opening|closing|html) (?:\w+ )?tags?\b|"
    r"标签(?:来|用|可|表|中|里|的|必|对|和|是)|[用个和]标签|前端|源代码|转义"
)
_PAGE_ABOUT_MARKUP = re.compile(_ABOUT_MARKUP, re.IGNORECASE)
_CHAT_ABOUT_MARKUP = re.compile(
    _ABOUT_MARKUP
    + r"|\b(?:web ?(?:page|site)|tags?|elements?|entit(?:y|ies)|escape[ds]?|code)\b|标签|標籤|网页|網頁|代码|实体|元素",
    re.IGNORECASE,
)
_SUPERSCRIPT = str.maketrans("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ")
_SUBSCRIPT = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
# What stands in front of a tag in a string or a regular expression of code: `print("<b>")`, `(?<=<b>)`.
_IN_STRING = re.compile(r"(?:[=(+,\[]\s?[\"'`]|['=?\\])$")
_SPACE_RUN = re.compile(r"[ \t\r\n\f]+")


class _Tag(NamedTuple):
    """A tag, comment or doctype (the latter two without a name) and where it stands."""

    start: int
    end: int
    name: str
    closing: bool
    attributes: str


class Html:
    """The cleaner of `{type: html}`."""

    def __init__(self, config: HtmlCleaner) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Rewrites texts that are HTML, in rows that do not talk about HTML; drops nothing."""
        for row in rows:
            if _mentions_markup(row):
                yield row
            else:
                yield rewrite_texts(row, "html", html_to_text)


def _mentions_markup(row: Row) -> bool:
    texts = [row.text, *(message["content"] for message in row.messages)]
    if not any("<" in text or "&" in text for text in texts):
        return True
    about = _CHAT_ABOUT_MARKUP if row.messages else _PAGE_ABOUT_MARKUP
    return any(about.search(_without_tags(text)) for text in texts)


def _without_tags(text: str) -> str:
    """What a reader of the page sees, roughly: hidden elements and tags are cut out."""
    if "<" not in text:
        return text
    kept: list[str] = []
    at, hidden = 0, ""
    for tag in _tags(text):
        if not hidden:
            kept.append(text[at : tag.start])
            hidden = tag.name if tag.name in _HIDDEN and not tag.closing else ""
        elif tag.closing and tag.name == hidden:
            hidden = ""
        at = tag.end
    kept.append("" if hidden else text[at:])
    return " ".join(kept)


def _tags(text: str) -> Iterator[_Tag]:
    """All that looks like a tag, a comment or a doctype, in order; linear in the text."""
    at, comments = 0, True
    while found := _TAG.search(text, at):
        at = found.end()
        if found[0] == "<!--":
            end = text.find("-->", at) if comments else -1
            comments = end >= 0
            if not comments:
                continue
            at = end + 3
        yield _Tag(found.start(), at, (found[2] or "").lower(), bool(found[1]), found[3] or "")


def html_to_text(text: str) -> str:
    """`text` itself where it is no HTML; else what a reader sees of it.

    A text is HTML if a known tag (other than `<sub>`, `<kbd>` and such, which Markdown has too) is opened and closed in
    it, or `<br>`, `<hr>`, `<img>` stand in it at least twice, no tag of another language (XML, JSX) is closed, and none
    stands in a string of code; or,
    without tags, if at least three entities such as `&nbsp;` and `&quot;` stand in it and no `&lt;`. Code, LaTeX and
    Markdown tables are neither looked at nor changed; entities are decoded once.
    """
    if "<" not in text:
        return _decoded_plain(text) if "&" in text else text
    spans = protected_spans(text, ("code", "latex", "table"))
    tags = _real_tags(text, spans)
    shown = _shown(tags)
    if not _is_html(shown) or any(_IN_STRING.search(text, max(0, tag.start - 4), tag.start) for tag in shown):
        return text
    return Page(text, spans, tags).text()


def _decoded_plain(text: str) -> str:
    if len(_PLAIN_ENTITY.findall(text)) < 3 or "&lt;" in text or "&gt;" in text:
        return text
    spans = protected_spans(text)
    return text if spans else _decoded(text)


def _real_tags(text: str, spans: list[Span]) -> list[_Tag]:
    """Tags with the grammar of tags, comments and doctypes, outside of the spans."""
    starts = [start for start, _ in spans]
    found: list[_Tag] = []
    for tag in _tags(text):
        at = bisect_right(starts, tag.start) - 1
        inside = at >= 0 and tag.start < spans[at][1]
        if not inside and _ATTRIBUTES.fullmatch(tag.attributes):
            found.append(tag)
    return found


def _shown(tags: list[_Tag]) -> list[_Tag]:
    """Without what looks like tags inside of scripts and such."""
    shown: list[_Tag] = []
    hidden = ""
    for tag in tags:
        if not hidden or (tag.closing and tag.name == hidden):
            shown.append(tag)
            hidden = tag.name if tag.name in _HIDDEN and not tag.closing else ""
    return shown


def _is_html(tags: list[_Tag]) -> bool:
    opened: set[str] = set()
    pairs, breaks = 0, 0
    for tag in tags:
        if tag.name and tag.name not in _NAMES:
            if tag.closing and ":" not in tag.name and tag.name not in _MODEL_TAGS:
                return False
        elif not tag.closing:
            opened.add(tag.name)
            breaks += tag.name in ("br", "hr", "img")
        elif tag.name in opened and tag.name not in _IN_MARKDOWN:
            pairs += 1
    return pairs > 0 or breaks >= 2


def _decoded(text: str) -> str:
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name:
        found = html5.get(name + ";", entity[0])
    else:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        is_character = code in (9, 10) or (32 <= code < 0x110000 and not 0xD800 <= code < 0xE000)
        found = chr(code) if is_character else entity[0]
    return " " if found == "\u00a0" else found


class Page:
    """One HTML text on its way to plain text: pieces, and the line breaks that wait for the next piece."""

    def __init__(self, text: str, spans: list[Span], tags: list[_Tag]) -> None:
        self._text, self._spans, self._tags = text, spans, tags
        # With blocks, white space is layout, as in a browser; with inline tags only, lines are the author's.
        self._flows = any(tag.name in _BLOCKS and tag.name not in _IN_MARKDOWN for tag in tags)
        self._last_closed = {tag.name: index for index, tag in enumerate(tags) if tag.closing}
        self._out: list[str] = []
        self._breaks = 0
        self._preformatted = False
        self._lists: list[int] = []
        self._raised: tuple[str, int] = ("", 0)
        self._cells = 0

    def text(self) -> str:
        """The text a reader sees."""
        at, hidden = 0, ""
        for index, tag in enumerate(self._tags):
            if hidden:
                if tag.closing and tag.name == hidden:
                    hidden, at = "", tag.end
                continue
            self._piece(at, tag.start)
            at = tag.end
            if tag.name in _HIDDEN and not tag.closing and self._last_closed.get(tag.name, -1) > index:
                hidden = tag.name
            elif tag.name and tag.name not in _NAMES and ":" not in tag.name:
                self._emit(self._text[tag.start : tag.end])
            else:
                self._tag(tag.name, tag.closing)
        self._piece(at, len(self._text))
        result = "".join(self._out)
        return result.strip() if self._flows else result.rstrip("\n")

    def _piece(self, start: int, end: int) -> None:
        """Text between two tags; what is protected in it stays as it is."""
        first = bisect_right(self._spans, (start, -1))
        for left, right in self._spans[first:]:
            if right > end:
                break
            self._prose(self._text[start:left])
            self._emit(self._text[left:right])
            start = right
        self._prose(self._text[start:end])

    def _prose(self, text: str) -> None:
        if self._preformatted:
            self._out.append(_decoded(text))
            return
        if self._flows:
            text = _SPACE_RUN.sub(" ", text)
            if self._breaks or not self._out or self._out[-1][-1:] in " \n":
                text = text.lstrip(" ")
        elif self._breaks and text.startswith("\n"):
            # The line end behind a `<br>` is the same one.
            text = text[1:]
            if not text:
                return
        self._emit(_decoded(text))

    def _emit(self, text: str) -> None:
        if not text:
            return
        if self._breaks and self._out:
            if self._flows:
                self._out[-1] = self._out[-1].rstrip(" ")
            self._out.append("\n" * self._breaks)
        self._breaks = 0
        self._out.append(text)

    def _tag(self, name: str, closing: bool) -> None:
        if name in ("sub", "sup"):
            self._raise(name, closing)
        elif name == "br":
            self._breaks = min(2, self._breaks + 1)
        elif name == "pre":
            self._pre(closing)
        elif name == "code" and not self._preformatted:
            self._emit("`")
        elif name in ("ul", "ol"):
            self._list(name, closing)
        elif name in ("li", "tr", "td", "th"):
            self._item(name, closing)
        elif name in _PARAGRAPHS:
            self._breaks = 2
        elif name in _BLOCKS or name in ("option", "title", "legend"):
            self._breaks = max(self._breaks, 1)

    def _pre(self, closing: bool) -> None:
        """Preformatted text becomes a code fence."""
        if closing == self._preformatted:
            self._breaks = 2 if not closing else 0
            self._emit("```\n" if not closing else "\n```")
            self._breaks = 2 if closing else 0
            self._preformatted = not closing

    def _list(self, name: str, closing: bool) -> None:
        inner = len(self._lists) > 1 if closing else bool(self._lists)
        if not closing:
            self._lists.append(1 if name == "ol" else 0)
        elif self._lists:
            self._lists.pop()
        self._breaks = max(self._breaks, 1 if inner else 2)

    def _item(self, name: str, closing: bool) -> None:
        if name in ("li", "tr"):
            self._breaks = max(self._breaks, 1)
            self._cells = 0
        if closing:
            return
        if name == "li":
            number = self._lists[-1] if self._lists else 0
            self._emit("  " * (len(self._lists) - 1) + (f"{number}. " if number else "- "))
            if number:
                self._lists[-1] += 1
        elif name != "tr":
            self._emit(" | " if self._cells else "")
            self._breaks = self._breaks if not self._cells else 0
            self._cells += 1

    def _raise(self, name: str, closing: bool) -> None:
        """`x<sup>2</sup>` is x² and `H<sub>2</sub>O` is H₂O; what Unicode has no such letters for gets `^` or `_`."""
        if not closing:
            self._raised = name, len(self._out)
            return
        if self._raised[0] != name:
            return
        inside = "".join(self._out[self._raised[1] :])
        del self._out[self._raised[1] :]
        table = _SUPERSCRIPT if name == "sup" else _SUBSCRIPT
        if all(ord(sign) in table for sign in inside):
            self._out.append(inside.translate(table))
        else:
            mark = "^" if name == "sup" else "_"
            self._out.append(mark + (inside if len(inside) == 1 else f"({inside})"))
        self._raised = "", 0
