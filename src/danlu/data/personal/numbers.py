"""Kinds that are digits: phones, resident IDs, cards, social security numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from danlu.data.personal import check_digits
from danlu.data.personal.context import (
    CARD_LABEL,
    ID_LABEL,
    PHONE_LABEL,
    SSN_LABEL,
    before,
    is_other_number,
)
from danlu.data.personal.spans import Span
from danlu.data.personal.tables import words
from danlu.recipe.redaction import Kind

# Edges are looked at, as \\b is no boundary between a Chinese character and a digit; the left one in _free().
_R = r"(?![0-9A-Za-z_*]|[-.][0-9A-Za-z])"
_R_LETTERS = r"(?![0-9_*]|[-.][0-9])"  # for phones: a word may follow without a space
_TEL_BEFORE = re.compile(r"(?:tel|phone|mobile|cell|fax|(?:^|[^a-z])[mtp])$", re.IGNORECASE)

_MOBILE = re.compile(
    r"(?:\(?(?:\+|00)\s?86\)?[- ]?|\(86\)[- ]?|86[- ]?)?"
    r"1[3-9]\d(?:\d{8}|([- .])\d{4}\1\d{4}|\d([- .])\d{3}\2\d{4}|([- ])\d{3}\3\d{5}|[- ]?\d{4}[- ]\d{4}|"
    r"(?P<rare>-\d{8}|([- ])(?:\d{3}\5\d{2}\5\d{3}|\d{3}\5\d{3}\5\d{2}|\d{2}\5\d{3}\5\d{3})))" + _R_LETTERS
)
_AREA2 = r"10|2[0-57-9]"
_AREA3 = (
    r"3(?:1[0-9]|35|349|349|5[0-9]|7[0-79]|9[1-68])|4(?:1[0-9]|2[179]|3[1-9]|5[1-9]|64|67|68|69|7[0-9]|8[23])|"
    r"5(?:1[0-9]|2[37]|3[0-9]|4[36]|5[0-9]|6[1-6]|7[0-9]|80|9[1-9])|6(?:3[1-5]|6[0-38])|"
    r"7(?:01|1[0-9]|2[248]|3[0-9]|4[3-6]|5[0-9]|6[0236-9]|7[0-9]|9[0-9])|8(?:1[2-9]|2[5-7]|3[0-9]|5[1-9]|7[0-9]|"
    r"8[1367]|9[1-9])|"
    r"9(?:0[1-36-9]|1[1-79]|3[0-9]|4[13]|5[1-5]|7[0-79]|9[0-9])"
)
_LANDLINE = re.compile(
    r"(?:(?:\+|00)86[- ]?\(?0?(?:(?P<i2>" + _AREA2 + r")|(?P<i3>" + _AREA3 + r"))|"
    r"\(?0(?:(?P<a2>" + _AREA2 + r")|(?P<a3>" + _AREA3 + r")))(?P<sep>\)\s?|\s?-\s?|\s)?"
    r"[1-9]\d{2}(?:\d{4,5}|\d?[- ]\d{4})(?:\s?(?:-|转|转分机|分机:?|ext\.?:?|x|#)\s?\d{1,6})?" + _R_LETTERS
)
_LOCAL = re.compile(r"[2-8]\d{2,3}[- ]?\d{4}" + _R)
_LOCAL_LABEL = re.compile(r"(?:座机|固话|电话|传真)(?:号码?)?(?:是|为)?\s?[:：]?\s?$")

_ID = re.compile(
    r"[1-8]\d{2}[- ]?\d{3}[- ]?(?:19|20)\d{2}[- ]?[01]\d[0-3]\d[- ]?\d{3}[\dXx](?![0-9Xx_*]|[-.][0-9A-Za-z])"
)
_OLD_ID = re.compile(r"[1-8]\d{7}[01]\d[0-3]\d{4}" + _R)
_CARD = re.compile(
    r"(?:\d{12,19}|\d{4}([- ])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,4})?|\d{4}([- ])\d{6}\2\d{4,5}|\d{6}[- ]\d{7,13}|"
    r"\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{3}|\d{4}([- ])\d{4}\3\d{4}\3\d{1})" + _R
)
_SSN = re.compile(r"(?:\d{3}([- ])\d{2}\1\d{4}|\d{9})" + _R)

_COUNTRY = (
    r"(?:1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[124]|9[0-58]|"
    r"21[1-368]|2[2-4]\d|25[0-8]|26\d|29[0179]|35\d|37[0-8]|38[0-25-79]|42[013]|50\d|59\d|67\d|68\d|69[0-2]|"
    r"85[2356]|88[06]|"
    r"96\d|97[0-79]|99[2-689])"
)
_INTERNATIONAL = re.compile(
    r"(?:\(?\+\s?|\(?00[ -]?)" + _COUNTRY + r"\)?"
    r"(?:(?! {2})[ .\-/]{0,2}\(?\d{1,5}\)?){1,6}(?:,?\s?(?:ext(?:ension|n)?\.?|x|#|转(?:分机)?)\s?\d{1,6})?"
    + _R_LETTERS
)
_NANP = re.compile(
    r"(?:1[-. ])?(?:\(([2-9]\d{2})\)[- ]?|([2-9]\d{2})([-. ]))[2-9]\d{2}[-. ]\d{4}"
    r"(?:,?\s?(?:ext(?:ension|n)?\.?|x|#)\s?\d{1,6})?" + _R
)
_BARE = re.compile(r"(?:1?[2-9]\d{2}[2-9]\d{6}|[2-9]\d{2}[-. ]\d{4}|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4})" + _R)
# How numbers are written at home: Britain, France, Germany, Japan, India, Australia, Brazil.
_HOME = re.compile(
    r"(?:\(0\d{1,5}\) ?\d{3,4}[ -]?\d{3,4}|0[1-9](?:([ .-])\d{2}){4}|0\d{1,2}-\d{4}-\d{4}|0[1-9]\d{3} \d{5,6}|"
    r"0\d{1,4}[ -]\d{3,4} \d{3,4}|0\d{1,4}-\d{3}-\d{4}|"
    r"0\d{2}[ -]\d{3} \d{2} \d{2}|0\d{2,3} \d{7}|0[6-9]\d{4} \d{5}|07\d{3} \d{3} \d{3}|"
    r"01[5-7]\d \d{7,8}|0(?:\d{2}/(?!(?:19|20)\d\d)\d{7,8}|\d{3,4}/\d{6,8})|"
    r"(?P<told>0\d{2,4} ?/ ?\d{4,8}|[6-9]\d{4} \d{5})|07\d{9}|"
    r"\([1-9]\d\) 9\d{4}-\d{4})"
    r"(?:,?\s?(?:ext(?:ension|n)?\.?|x|#)\s?\d{1,6})?" + _R
)
_HAN = re.compile("[\u4e00-\u9fff]")
_CHINA = re.compile(
    r"Chin(?:a|ese)|Beijing|Shanghai|Shenzhen|Guangzhou|Hangzhou|Nanjing|Chengdu|Wuhan|Tianjin|Chongqing|\+86|RMB|CNY"
)
_JOINED = re.compile(r"0(?:\d{2,3}-\d{7,8}|\d{3}-\d{4} \d{4})(?!\d)")
_LONDON = re.compile(r"\(?020\)? [378]\d{3} \d{4}")
_TOLL_FREE = frozenset(words("400 800 888 877 866 855 844 833 822 900"))


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


# What leads to a number, or to whom it belongs
_CALL = re.compile(
    r"(?:电话|手机|打|拨|联系|家长|微信|致电|号码|[Tt]el|[Mm]ob|[Pp]hone|[Cc]all|[Cc]ell)[^0-9\n。;]{0,12}$|[(,] ?$"
)
_ABROAD = re.compile(r"\+(?!86)[1-9]\d{0,2}[ -]?\(?$")
_DAY = re.compile(r"-(?:19|20)\d{2}[01]\d[0-3]\d$")


def _mobile(match: re.Match[str], text: str) -> float:
    digits = _digits(match.group())[-11:]
    abroad = _ABROAD.search(text, max(0, match.start() - 5), match.start())
    if abroad and not match.group().startswith(("+", "0", "(")):
        return 0.0  # +49 151 9123 5317
    if match["rare"] and (
        _DAY.search(match.group())
        or _goes_on(match, text)
        or not (_CALL.search(before(text, match.start())) or "微信" in text[match.end() : match.end() + 6])
    ):
        return 0.0
    if digits[3:] == "00000000" or len(set(digits[1:])) == 1:
        return 0.0  # a placeholder
    return 0.3 if is_other_number(text, match.start(), match.end()) else 0.95


def _landline(match: re.Match[str], text: str) -> float:
    head = before(text, match.start())
    number = re.split(r"转|分机|ext|x|#", match.group(), maxsplit=1)[0]
    digits = _digits(number)
    digits = digits.removeprefix("00").removeprefix("86").lstrip("0") if match["i2"] or match["i3"] else digits[1:]
    area = 2 if match["i2"] or match["a2"] else 3
    if len(digits) < area + (8 if area == 2 else 7) or digits[area] in "01" or set(digits[area:]) == {digits[area]}:
        return 0.0
    if is_other_number(text, match.start(), match.end()):
        return 0.3
    abroad = not (match["i2"] or match["i3"] or _HAN.search(text) or _JOINED.match(number))
    if abroad and (_LONDON.fullmatch(number) or not _CHINA.search(text)):
        return 0.0  # London or Mumbai, not Guangzhou or Tianjin
    if re.fullmatch(r"\d{4} \d{4} \d{4}", number) and _goes_on(match, text):
        return 0.0
    labelled = PHONE_LABEL.search(head) is not None
    return 0.95 if labelled else 0.85 if match["sep"] or match["i2"] or match["i3"] else 0.6


def _local(match: re.Match[str], text: str) -> float:
    return 0.7 if _LOCAL_LABEL.search(before(text, match.start())) else 0.0


def _id(match: re.Match[str], text: str) -> float:
    value = re.sub(r"[- ]", "", match.group())
    return 0.99 if check_digits.resident_id(value) else 0.0


def _old_id(match: re.Match[str], text: str) -> float:
    if not check_digits.old_resident_id(match.group()):
        return 0.0
    if ID_LABEL.search(before(text, match.start())):
        return 0.9
    if not _HAN.search(text):
        return 0.0
    if match.group()[:2] in ("34", "37") and check_digits.luhn(match.group()):
        return 0.0  # an Amex card rather
    return 0.3 if is_other_number(text, match.start(), match.end()) else 0.55


def _social(match: re.Match[str], text: str) -> float:
    if not check_digits.ssn(_digits(match.group())):
        return 0.0
    if SSN_LABEL.search(before(text, match.start(), 40)):
        return 0.95
    if match.group(1) is None or is_other_number(text, match.start(), match.end()):
        return 0.0
    return 0.8 if match.group(1) == "-" else 0.5


_UNIONPAY = re.compile(
    r"62\d{14,17}|9(?:558|559)\d{12,15}|60(?:1382|1428|3\d{3}|0\d{3}|5\d{3})\d{10,13}|69\d{14,17}|81\d{14,17}"
)
_CN_DEBIT = re.compile(
    r"(?:456351|436742|436728|403361|404119|552599|427\d{3}|458\d{3}|421\d{3}|622\d{3}|49\d{4}|52\d{4}|53\d{4}|"
    r"5[145]\d{4})\d{13}"
)
_SCHEMES = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d{2}|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"35(?:2[89]|[3-8]\d)\d{12,15}|6(?:011|5\d{2}|4[4-9]\d)\d{12,15}|3(?:0[0-5]|[689]\d)\d{11}|(?:50[018]|5[6-8]\d|"
    r"6[37]\d)\d{13}"
)


def card_kind(digits: str) -> Kind | None:
    """BANK_CARD where the issuer number is Chinese (UnionPay and older ranges), CREDIT_CARD for the other schemes."""
    if _UNIONPAY.fullmatch(digits) or _CN_DEBIT.fullmatch(digits):
        return "BANK_CARD"
    return "CREDIT_CARD" if _SCHEMES.fullmatch(digits) else None


def _card(text: str, start: int) -> Iterator[Span]:
    match = _CARD.match(text, start)
    if match is None:
        return
    digits = _digits(match.group())
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2 or not check_digits.luhn(digits):
        return
    kind = card_kind(digits)
    labelled = CARD_LABEL.search(before(text, start)) is not None
    if kind is None:
        if labelled and len(digits) >= 16:
            yield Span(start, match.end(), "BANK_CARD", 0.6)
        return
    other = not labelled and is_other_number(text, start, match.end())
    yield Span(start, match.end(), kind, 0.4 if other else 0.99 if labelled else 0.95)


def _international(match: re.Match[str], text: str) -> float:
    value = re.split(r"ext|x|#|转", match.group(), maxsplit=1)[0]
    digits = _digits(value).removeprefix("00")
    if digits.startswith("86") or not 8 <= len(digits) <= 15 or len(set(digits[3:])) < 2:
        return 0.0
    if digits[0] == "1" and not re.fullmatch(r"1[2-9]\d{2}[2-9]\d{6}|1\d{10}", digits):
        return 0.0
    if is_other_number(text, match.start(), match.end()):
        return 0.3
    if "+" in match.group():
        return 0.95
    return 0.9 if PHONE_LABEL.search(before(text, match.start())) else 0.6 if re.search(r"\d[ -]", value) else 0.3


def _nanp(match: re.Match[str], text: str) -> float:
    area = match.group(1) or match.group(2)
    if area in _TOLL_FREE:  # a company's line, mostly; in a Chinese text any other number
        said = re.search(r"toll", before(text, match.start(), 24), re.IGNORECASE)
        return 0.0 if said or _HAN.search(text) else 0.6
    if is_other_number(text, match.start(), match.end()):
        return 0.3
    return 0.95 if match.group(1) or PHONE_LABEL.search(before(text, match.start())) else 0.75


def _bare(match: re.Match[str], text: str) -> float:
    digits = _digits(match.group())
    if (
        digits[:3] in _TOLL_FREE
        or digits.startswith("00")
        or len(set(digits)) < 3
        or is_other_number(text, match.start(), match.end())
    ):
        return 0.0
    return 0.65 if PHONE_LABEL.search(before(text, match.start(), 20)) else 0.0


def _goes_on(match: re.Match[str], text: str) -> bool:
    """Whether groups of digits stand in front or behind: part of a card, numbers that were drawn."""
    start, end = match.span()
    return bool(text[start - 1 : start] == " " and text[start - 2 : start - 1].isdigit()) or bool(
        text[end : end + 1] == " " and text[end + 1 : end + 2].isdigit()
    )


def _home(match: re.Match[str], text: str) -> float:
    digits = _digits(re.split(r"ext|x|#", match.group(), maxsplit=1)[0])
    if not 9 <= len(digits) <= 12 or len(set(digits)) < 4 or _goes_on(match, text):
        return 0.0
    if is_other_number(text, match.start(), match.end()):
        return 0.0
    if PHONE_LABEL.search(before(text, match.start(), 24)):
        return 0.75
    groups = re.findall(r"\d+", match.group())
    rows = {len(group) for group in groups} == {4} or (
        len(groups) > 3 and groups == sorted(groups) and int(groups[-1]) < 51
    )  # times, draws
    return 0.0 if match["told"] or rows or _HAN.search(text) else 0.65


# kind, pattern, judge, the fewest digits of a run in which it can stand
_RULES: tuple[tuple[Kind, re.Pattern[str], Callable[[re.Match[str], str], float], int], ...] = (
    ("CN_MOBILE", _MOBILE, _mobile, 11),
    ("CN_LANDLINE", _LANDLINE, _landline, 9),
    ("CN_LANDLINE", _LOCAL, _local, 7),
    ("CN_ID", _ID, _id, 17),
    ("CN_ID", _OLD_ID, _old_id, 15),
    ("SSN", _SSN, _social, 9),
    ("PHONE", _INTERNATIONAL, _international, 8),
    ("PHONE", _NANP, _nanp, 10),
    ("PHONE", _BARE, _bare, 7),
    ("PHONE", _HOME, _home, 9),
)
_RUN = re.compile(r"[0-9][0-9 ()./\-]{5,}[0-9Xx]")
_GROUP = re.compile(r"[0-9]+")
_PHONES = frozenset(("CN_MOBILE", "CN_LANDLINE", "PHONE"))


def numbers(text: str) -> Iterator[Span]:
    """Spans of every kind that is made of digits; the text is folded."""
    for run in _RUN.finditer(text):
        digits = sum(map(str.isdigit, run.group()))
        for group in _GROUP.finditer(text, run.start(), run.end()):
            for start in _starts(text, group.start()):
                if digits >= 7 and _free(text, start):
                    yield from _at(text, start, digits)
            digits -= len(group.group())


def _starts(text: str, at: int) -> tuple[int, ...]:
    """Where a number with its first digit at `at` may begin: there, or at the + and brackets in front."""
    if at and text[at - 1] in "+(":
        return (at - 2, at - 1, at) if at > 1 and text[at - 2] in "+(" else (at - 1, at)
    return (at,)


def _free(text: str, start: int) -> bool:
    """Whether no digit, letter or joined number stands in front."""
    if not start:
        return True
    last = text[start - 1]
    if last in "_*" or (last.isascii() and last.isalnum()):
        return last.isalpha() and _TEL_BEFORE.search(text, max(0, start - 7), start) is not None
    if last in "-." and start > 1:
        return not (text[start - 2].isascii() and text[start - 2].isalnum())
    return not (last in "+(" and text[start].isdigit() and last == "+")


def _unwrapped(text: str, span: Span) -> Span:
    """Without brackets around the whole: they are the sentence's, (+49 30 123456), not the number's, (010) 123456."""
    inside = text[span.start + 1 : span.end - 1]
    pairs = re.sub(r"\([^()]*\)", "", inside)
    if text[span.start] == "(" and text[span.end - 1] == ")" and "(" not in pairs and ")" not in pairs:
        return Span(span.start + 1, span.end - 1, span.kind, span.confidence)
    return span


def _at(text: str, start: int, digits: int) -> Iterator[Span]:
    for kind, pattern, judge, least in _RULES:
        if digits >= least:
            match = pattern.match(text, start)
            closed = match.group().count(")") - match.group().count("(") if match else -1
            # the bracket of (duplicate of +44 20 7946 0958) is the sentence's
            if match and (closed == 0 or (closed == 1 and match.group()[-1] == ")")):
                confidence = judge(match, text)
                if confidence > 0:
                    yield _unwrapped(text, Span(start, match.end() - closed, kind, confidence))
    if digits >= 13:
        yield from _card(text, start)
