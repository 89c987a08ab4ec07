"""Truncation filter: answers that break off in the middle of a sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from danlu.data.cleaning import judge_rows
from danlu.data.languages import size_of
from danlu.data.protected import protected_spans
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import TruncatedFilter

# Shorter answers may be phrases, names, titles: they need no full stop.
_LEAST = {"characters": 60, "words": 30}

_FULL_STOPS = ".!?…。！？．｡।॥؟۔"
# What a sentence, a quotation, a list or a formula may end in besides; emphasis marks count as what they enclose.
_ENDS = frozenset(_FULL_STOPS + ";；" + ")]}>）】］｝》〉」』〕〗" + "\"'”’»`~|~～" + "%％°℃℉$€£¥￥™©®²³′″♪")
_CLOSING = frozenset(_FULL_STOPS + ",;，；、" + '"”’」』')
_PAIRS = tuple(zip("(（[【《“「『", ")）]】》”」』", strict=True))
_EMPHASIS = "*_"
_UNFINISHED = frozenset(",，、:：-–—(（[【{“‘「『《<&+=/\\")
# Words that no English sentence ends with, and Chinese ones.
_LEADING_ON = re.compile(
    r"(?:^|[\s\"(])(?:the|an|of|and|or|but|nor|to|with|from|into|onto|by|as|because|although|while|whereas|whether|if|"
    r"than|that|which|who|whose|your|their|our|my|its|is|are|was|were|be|been|has|have|had|will|would|can|could|should|"
    r"may|might|must|such|also|very|between|through|during|without|within|including|e\.g|i\.e)$",
    re.IGNORECASE,
)
_LEADING_ON_ZH = re.compile(
    r"(?:的|地|得|和|与|及|或|以及|并且|而且|因为|所以|但是|如果|虽然|例如|比如|包括|通过|对于|关于|由于|为了|在|是|把|被|将|从|向|对|让|使|会|能|可以|应该)$"
)
_LIST_ITEM = re.compile(
    r"\s*(?:[-*+•●▪◦·–—>#]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5}|[一二三四五六七八九十]{1,3})[.)、:：）．])\s*\S"
)
_KEY_VALUE = re.compile(r"[^:：]{1,30}[:：]\s*\S.{0,40}")
# A label or an answer on a line of its own, such as `Output: Yes`; a sentence would be longer.
_VERDICT = re.compile(r"[\w*' -]{2,24}[:：]\**\s*\S{1,12}(?: \S{1,12})?")
_TAIL_TOKEN = re.compile(r"(?:^|\s)(?:#\w+|@\w+|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4})$")
_NUMBER = re.compile(r"[\d=][\d.,:/A-Za-z²³°%]{0,8}$")
# A line with a full stop in it is prose, and would end in one.
_STOP_INSIDE = re.compile(r"[。！？]|(?:[a-z]{3}|[)\"”])[.!?] +[A-Z]")
_QUANTITY = re.compile(
    r"\d ?(?:[kcm]?m|[km]?g|mg|lbs?|oz|ft|mph|ml|l|h|hours?|min|minutes|seconds|days|weeks|months|years|[ap]m|[KMGT]B|"
    r"USD|EUR|RMB|[人元岁米克吨度次倍秒票页届])$"
)
_SIGN_OFF = re.compile(
    r"^(?:(?:yours|your|best|kind|warm|with|many|love|all|thank|sincerely|regards|respectfully|cheers|yours?|warmly|"
    r"cordially|faithfully)\b.{0,40}[,!.]?|.{0,12}(?:此致|敬礼|祝好|顺颂|谨启|敬上|谨上|您的|你的).{0,12})$",
    re.IGNORECASE,
)


class Truncated:
    """The cleaner of `{type: truncated}`."""

    def __init__(self, config: TruncatedFilter) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with a long answer that ends as no such text ends."""
        return judge_rows(rows, "truncated", _judge)


def _judge(text: str) -> str:
    text = text.rstrip().rstrip(_EMPHASIS).rstrip()
    # A full stop, or a text so short that no limit below can be reached: most texts are done here.
    if not text or text[-1] in _ENDS or len(text) < min(_LEAST.values()):
        return ""
    size, unit = size_of(text)
    if size < _LEAST[unit]:
        return ""
    last = text[text.rfind("\n") + 1 :]
    if _VERDICT.fullmatch(last) and "\n" in text:
        return ""
    if text[-1] in _UNFINISHED and not _at_protected_end(text):
        return f"is {size} {unit} long and ends in '{text[-1]}'"
    if _LEADING_ON.search(last) or (unit == "characters" and _LEADING_ON_ZH.search(last)):
        return f"is {size} {unit} long and ends in a word that leads on"
    if unicodedata.category(text[-1])[0] not in "LM" or _ends_otherwise(text, last):
        return ""
    if _others_end_open(text) and not _opens_bracket(last) and not _STOP_INSIDE.search(last):
        return ""
    return f"is {size} {unit} long and ends in the middle of a sentence"


def _ends_otherwise(text: str, last: str) -> bool:
    """Whether the end is a hashtag, an address, a number with its unit, code, a formula, a table or a signature."""
    if _TAIL_TOKEN.search(last) or _QUANTITY.search(last) or _NUMBER.search(last.rpartition(" ")[2]):
        return True
    if _at_protected_end(text):
        return True
    before = [line.strip() for line in text[: len(text) - len(last)].split("\n") if line.strip()][-2:]
    short = len(last.split()) <= 5 and len(last) <= 40 and not _LIST_ITEM.match(last)
    return short and any(_SIGN_OFF.match(line) for line in before)


def _at_protected_end(text: str) -> bool:
    spans = protected_spans(text)
    # A URL's own last sign may be one that prose cannot end in.
    return bool(spans) and spans[-1][1] >= len(text) - 1


def _opens_bracket(last: str) -> bool:
    """Whether a bracket or quotation of the last line is never closed."""
    return any(last.count(left) > last.count(right) for left, right in _PAIRS)


def _others_end_open(text: str) -> bool:
    """Whether the lines like the last one have no full stops either: lists, poems, records, headings."""
    lines = [line for line in (line.strip().rstrip(_EMPHASIS) for line in text.split("\n")) if line]
    last = lines.pop()
    is_item = bool(_LIST_ITEM.match(last))
    peers = [line for line in lines if bool(_LIST_ITEM.match(line)) == is_item]
    if not is_item:
        peers = [line for line in peers if line[-1] not in ":："]
    ends = [line[-1:] for line in peers]
    open_ends, closed = sum(end.isalpha() for end in ends), sum(end in _CLOSING for end in ends)
    if open_ends or closed:
        return open_ends > closed
    records = sum(bool(_KEY_VALUE.fullmatch(line)) for line in lines)
    return bool(_KEY_VALUE.fullmatch(last)) and 2 * records > len(lines) > 1
