"""Text of strangers on the dataset's page: escaped, isolated from the text around it, nothing in it invisible."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from markupsafe import Markup, escape

from danlu.recipe.redaction import Kind

# Controls but tab and newline, soft hyphen, zero-width space and marks of direction, line separators, BOM, tag
# characters, lone surrogates. Joiners stay: emoji and several scripts need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_TAG = re.compile(rf"\[(?:{'|'.join(get_args(Kind))})\]")
_SINGLE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # kana, Han and Hangul: a character is a word
_PIECES = re.compile(rf"[{_SINGLE}]|[^\W_{_SINGLE}]+|.", re.S)
_MOST_PIECES = 1500  # matching takes time with the square of the length
_SPACES = {" ": "␣", "\t": "⇥", "\n": "↵\n"}


def plain(value: Any) -> str:
    """A text for attributes and charts, where no element can isolate it: hidden characters by their number."""
    return _HIDDEN.sub(lambda match: f"⟨{_number(match.group())}⟩", str(value))


def isolated(value: Any) -> Markup:
    """A short text (id, label, n-gram) inside a sentence; its direction of writing ends with it."""
    return Markup("<bdi>{}</bdi>").format(shown(value))


def shown(value: Any) -> Markup:
    """A text as safe HTML: hidden characters as chips with their number, tags of personal data as chips."""
    text, result, start = str(value), Markup(), 0
    for match in _TAG.finditer(text):
        result += _with_chips(text[start : match.start()]) + Markup('<b class="tag">{}</b>').format(match.group())
        start = match.end()
    return result + _with_chips(text[start:])


def changes(before: str, after: str) -> tuple[Markup, Markup]:
    """Both texts as safe HTML, what the second lacks in <del>, what it has more in <ins>; blanks there are visible."""
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    if len(old) > _MOST_PIECES or len(new) > _MOST_PIECES:
        return shown(before), shown(after)
    left, right = Markup(), Markup()
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            left += shown("".join(old[a:b]))
            right += shown("".join(new[c:d]))
            continue
        if a < b:
            left += Markup("<del>{}</del>").format(_laid_bare("".join(old[a:b])))
        if c < d:
            right += Markup("<ins>{}</ins>").format(_laid_bare("".join(new[c:d])))
    return left, right


def listed(values: Iterable[Any], shown_at_most: int = 20) -> Markup:
    """Ids side by side, and how many more there are."""
    ids: Sequence[Any] = list(values)
    parts = [Markup('<code class="id">{}</code>').format(isolated(value)) for value in ids[:shown_at_most]]
    more = [Markup("<small>+{}</small>").format(f"{len(ids) - shown_at_most:,}")] if len(ids) > shown_at_most else []
    return Markup(" ").join([*parts, *more])


def _with_chips(text: str) -> Markup:
    result, start = Markup(), 0
    for match in _HIDDEN.finditer(text):
        result += escape(text[start : match.start()]) + _chip(match.group())
        start = match.end()
    return result + escape(text[start:])


def _laid_bare(text: str) -> Markup:
    """A changed part: also blanks, joiners and combining marks can be seen, since they may be all that changed."""
    result = Markup()
    for character in text:
        if character in _SPACES:
            result += Markup('<i class="blank">{}</i>').format(_SPACES[character])
        elif unicodedata.category(character) in ("Zs", "Cf", "Mn", "Me", "Cc", "Cs", "Zl", "Zp"):
            result += _chip(character)
        else:
            result += escape(character)
    return result


def _chip(character: str) -> Markup:
    return Markup('<i class="odd">{}</i>').format(_number(character))


def _number(character: str) -> str:
    return f"U+{ord(character):04X}"
