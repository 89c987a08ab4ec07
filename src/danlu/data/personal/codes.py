"""Kinds of letters and digits: email, IP, credit code, IBAN, passport, plate."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from danlu.data.personal import check_digits
from danlu.data.personal.context import (
    IP_LABEL,
    NO_IP_AFTER,
    NO_IP_BEFORE,
    PASSPORT_LABEL,
    before,
    is_other_number,
)
from danlu.data.personal.spans import Span
from danlu.data.personal.tables import words

_R = r"(?![0-9A-Za-z_]|-[0-9A-Za-z])"

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-/])[A-Za-z0-9_](?:[A-Za-z0-9._%+\-']{0,62}[A-Za-z0-9_+\-])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,18})(?![A-Za-z0-9_]|-[A-Za-z0-9]|"
    r"\.[A-Za-z0-9])"
)
_NO_TLD = frozenset(words("png jpg jpeg gif svg webp css js ts py rb json yaml yml html htm md txt pdf so dll exe xml"))
_PLACEHOLDER = re.compile(r"x{2,}|\*+|your.?(?:name|email|mail|address)?|git|someone|username|user\.name", re.I)

_IPV4 = re.compile(r"[0-9]{1,3}\.(?:\d{1,3}\.){2}\d{1,3}(?![0-9A-Za-z_]|\.\d|-\d)")
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z_.])(?:[0-9A-Fa-f]{1,4}|(?=::))(?::{1,2}[0-9A-Fa-f]{0,4}){2,7}(?:(?<=:)"
    r"(?:\d{1,3}\.){3}\d{1,3})?(?:%\w+)?(?![0-9A-Za-z_]|:[0-9A-Fa-f:]|\.\d)"
)

_GROUP_BEFORE = re.compile(r"(?:(?<![0-9A-Za-z])[0-9A-Fa-f]{1,4}|:):$")
_C = "[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]"
_USCC = re.compile(
    rf"(?:{_C}{{2}}([- ]?)\d{{6}}\1(?:{_C}{{8}}\1{_C}{{2}}|{_C}{{9}}\1{_C})|{_C}{{2}}\d{{6}}[- ]{_C}{{10}}|"
    rf"(?:1[1239]|31|5[123]|9[123])(?:[- ]?\d){{6}}(?:[- ]?{_C}){{10}}){_R}"
)
_TYPES = frozenset(words("11 12 13 19 31 51 52 53 91 92 93"))
_USCC_LABEL = re.compile(
    r"(?:信用代码|税号|纳税人识别号|USCC|统一代码|登记证号|credit code)[^0-9\n]{0,16}$", re.IGNORECASE
)
_IBAN = re.compile(r"[A-Za-z]{2}\d{2}(?:[ -]?[0-9A-Za-z]{4}){2,7}(?:[ -]?[0-9A-Za-z]{1,4})?")
_PASSPORT = re.compile(r"(?:[Ee] ?[A-HJ-NP-Za-hj-np-z]?|[GDSPKHMgdspkhm] ?[EAea]?|1[45]) ?\d{7,8}" + _R)
_PASSPORT_FORM = re.compile(
    r"E\d{8}|E[A-HJ-NP-Z]\d{7}|G\d{8}|[DS]E?\d{7,8}|PE?\d{7,8}|K[JH]?\d{8}|[HM]\d{8}|MA\d{7}|1[45]\d{7}"
)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Za-hj-np-z][·•・\-. ]?"
    r"(?:[A-HJ-NP-Za-hj-np-z0-9]{4}[挂学警港澳领]|[A-HJ-NP-Za-hj-np-z0-9]{5,6})(?![0-9A-Za-z])"
)
_PLATE_FORM = re.compile(
    r"[A-Z](?:[A-HJ-NP-Z0-9]{5}|[A-HJ-NP-Z]{1,2}\d{4,5}|\d{5}[A-HJ-NP-Z]|[A-HJ-NP-Z0-9]{4}[挂学警港澳领])"
)

# Cheap signs without which the patterns above need not run.
_SIX_DIGITS = re.compile(r"[0-9]{6}")
_USCC_HEAD = re.compile(r"[0-9]{6}[ \-]?[0-9A-Za-z]{2}")
_IBAN_HEAD = re.compile(r"[A-Za-z]{2}[0-9]{2}[ \-]?[0-9A-Za-z]{4}")
_IPV6_HEAD = re.compile(r"[0-9A-Fa-f:]:[0-9A-Fa-f]{0,4}:|::[0-9A-Fa-f]")
_PLATE_HEAD = re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z]")


def codes(text: str) -> Iterator[Span]:
    """Spans of all kinds of this file; the text is folded."""
    if "@" in text:
        yield from _emails(text)
    yield from _addresses(text)
    if _SIX_DIGITS.search(text):
        if _USCC_HEAD.search(text):
            yield from _credit_codes(text)
        yield from _passports(text)
    if _IBAN_HEAD.search(text):
        yield from _ibans(text)
    if _PLATE_HEAD.search(text):
        yield from _plates(text)


def _standing(pattern: re.Pattern[str], text: str, joints: str = "_") -> Iterator[re.Match[str]]:
    """Matches with no letter, digit or joint in front; a look-behind at the pattern's head is five times slower."""
    match = pattern.search(text)
    while match:
        start = match.start()
        last = text[start - 1 : start]
        joined = last in "-/" and text[start - 2 : start - 1].isascii() and text[start - 2 : start - 1].isalnum()
        if last and (last in joints or joined or (last.isascii() and last.isalnum())):
            match = pattern.search(text, start + 1)
        else:
            yield match
            match = pattern.search(text, match.end())


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        local, _, domain = match.group().partition("@")
        host = domain.rsplit(".", 1)[0]
        if match.group(1).lower() in _NO_TLD or _PLACEHOLDER.fullmatch(local) or ".." in local:
            continue
        if re.fullmatch(r"x{2,}|your.?domain|domain", host, re.IGNORECASE):
            continue
        yield Span(match.start(), match.end(), "EMAIL", 0.99)


def _addresses(text: str) -> Iterator[Span]:
    for match in _standing(_IPV4, text, "._-") if text.count(".") >= 3 else ():
        confidence = _ipv4(match, text)
        if confidence:
            yield Span(match.start(), match.end(), "IP", confidence)
    if text.count(":") < 2 or not _IPV6_HEAD.search(text):
        return
    for match in _IPV6.finditer(text):
        end = match.end()
        value = match.group()
        if value.endswith(":") and not value.endswith("::"):
            value, end = value[:-1], end - 1  # a colon that belongs to the sentence
        inside = _GROUP_BEFORE.search(text, max(0, match.start() - 6), match.start()) is not None  # of a longer row
        if inside or len(value.replace(":", "")) < 4 or not any(c.isdigit() for c in value):
            continue
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            continue
        yield Span(match.start(), end, "IP", 0.95)


def _ipv4(match: re.Match[str], text: str) -> float:
    parts = match.group().split(".")
    numbers = [int(part) for part in parts]
    if max(numbers) > 255 or any(len(part) > 1 and part[0] == "0" for part in parts):
        return 0.0
    if numbers[0] in (0, 127, 255):
        return 0.0  # this host, loopback, masks: nobody's
    head = before(text, match.start())
    if head.endswith("@") and max(numbers) < 64:
        return 0.0  # pkg@1.2.3.4; root@203.0.113.9 is a host
    if (
        NO_IP_BEFORE.search(head)
        or NO_IP_AFTER.match(text, match.end())
        or text[match.start() - 1 : match.start()] == "§"
    ):
        return 0.0
    if IP_LABEL.search(head) or re.match(r"[:/]\d", text[match.end() : match.end() + 2]):
        return 0.95
    if is_other_number(text, match.start(), match.end()):
        return 0.0
    return 0.3 if max(numbers) < 32 and numbers[0] != 10 else 0.8


def _credit_codes(text: str) -> Iterator[Span]:
    for match in _standing(_USCC, text):
        value = re.sub(r"[- ]", "", match.group()).upper()
        if len(value) != 18 or len(match.group()) > 22 or not check_digits.uscc(value):
            continue
        labelled = _USCC_LABEL.search(before(text, match.start())) is not None
        if not labelled and len(match.group()) > 18 and not match.group().isupper():
            continue  # card 5287859289946925 at the counter
        known = value[:2] in _TYPES and value[2:4] in check_digits.PROVINCES
        if not labelled and value.isdigit() and not (known and match.group().isdigit()):
            continue  # of all 18-digit numbers one in 31 has a right check character
        yield Span(match.start(), match.end(), "CN_USCC", 0.99 if labelled else 0.95)


def _ibans(text: str) -> Iterator[Span]:
    for match in _standing(_IBAN, text):
        wanted = check_digits.IBAN_LENGTHS.get(match.group()[:2].upper())
        if wanted is None:
            continue
        seen, end = 0, match.start()
        while end < match.end() and seen < wanted:
            seen += text[end].isalnum()
            end += 1
        value = re.sub(r"[ -]", "", text[match.start() : end]).upper()
        edge = text[end : end + 1]
        if (edge.isascii() and edge.isalnum()) or not check_digits.iban(value):
            continue
        yield Span(match.start(), end, "IBAN", 0.99)


def _passports(text: str) -> Iterator[Span]:
    for match in _standing(_PASSPORT, text):
        value = match.group().replace(" ", "")
        if not _PASSPORT_FORM.fullmatch(value.upper()):
            continue
        behind = "护照" in text[match.end() : match.end() + 6]
        labelled = behind or PASSPORT_LABEL.search(before(text, match.start())) is not None
        if not labelled and len(value) < match.end() - match.start():
            continue  # Plan D 12345678
        if not labelled and (not value[0].isupper() or is_other_number(text, match.start(), match.end())):
            continue
        loose = value[0].upper() not in "EG"
        confidence = 0.95 if labelled else 0.3 if loose else 0.8 if value[0] == "E" else 0.65
        yield Span(match.start(), match.end(), "CN_PASSPORT", confidence)


def _plates(text: str) -> Iterator[Span]:
    for match in _PLATE.finditer(text):
        value = re.sub(r"[·•・\-. ]", "", match.group()).upper()[1:]
        if _PLATE_FORM.fullmatch(value) and sum(c.isdigit() for c in value) >= 2:
            yield Span(match.start(), match.end(), "CN_PLATE", 0.9)
