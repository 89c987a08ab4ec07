"""Pseudonyms: another value of the same form, always the same for the same value under one key."""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Callable
from functools import cache

from danlu.data.personal import check_digits, fake_names
from danlu.data.personal.addresses import region_length
from danlu.data.personal.context import folded
from danlu.data.personal.draws import Draws
from danlu.data.personal.tables import words


def fake(kind: str, value: str, key: bytes) -> str:
    """A value of the same kind and form as `value`, never equal to it.

    Drawn by HMAC-SHA256 of the kind and the normalised value, so that one value has one fake in whatever form it is
    written; grouping, country prefix and full-width digits stay as they are. Check digits are right. Emails get a
    reserved domain (RFC 2606), addresses the documentation ranges (RFC 5737, RFC 3849), and numbers of North America
    and Britain the ranges set aside for fiction.
    """
    plain = folded(value)
    core = _core(kind, plain)
    for attempt in range(64):
        draws = Draws(key, kind, core, attempt)
        made = _MAKERS[kind](plain, core, draws)
        if _core(kind, made) != core:
            return _widened(value, made)
    raise AssertionError("64 draws in a row gave the value itself")  # chance below 2^-64 for every kind


def _core(kind: str, value: str) -> str:
    """What two ways to write one value have in common."""
    if kind in ("EN_NAME", "CN_NAME"):
        return fake_names.normalised(value)
    if kind == "SECRET":
        return value
    if kind == "EMAIL":
        return value.lower()
    if kind == "IP":
        return ipaddress.ip_address(value.partition("%")[0]).compressed
    if kind in ("CN_LANDLINE", "PHONE"):
        value = re.split(r"转|分机|ext|x|#", value, maxsplit=1)[0]
    core = re.sub(r"[\W_]", "", value).upper()
    if kind in ("CN_MOBILE", "CN_LANDLINE"):
        core = re.sub(r"^(?:00)?86", "", core)
        return core.lstrip("0") if kind == "CN_LANDLINE" else core
    if kind == "PHONE":
        core = core.removeprefix("00")
        return core[1:] if len(core) == 11 and core[0] == "1" else core
    return core


def _widened(value: str, made: str) -> str:
    """`made` in the full-width characters of `value`, where both have the same length."""
    if len(value) != len(made) or value.isascii():
        return made
    return "".join(
        chr(ord(m) + 0xFEE0) if "\uff01" <= v <= "\uff5e" and "!" <= m <= "~" else m
        for v, m in zip(value, made, strict=True)
    )


def _dressed(plain: str, core: str, *, tail: bool = True) -> str:
    """`core` in the separators of `plain`; the characters in front that `core` has none for stay."""
    places = [i for i, c in enumerate(plain) if c.isalnum()]
    chars = list(plain)
    for place, c in zip(places[len(places) - len(core) :] if tail else places, core, strict=False):
        chars[place] = c
    return "".join(chars)


def _alike(text: str, draws: Draws) -> str:
    """Each digit and letter by another of its class; of a long row of hexadecimal digits by one of those."""
    small = string.hexdigits[10:16] if re.fullmatch(r"[0-9a-f]{16,}", text) else string.ascii_lowercase
    return "".join(
        draws.choice(string.digits)
        if c.isdigit()
        else draws.choice(string.ascii_uppercase)
        if c.isupper()
        else draws.choice(small)
        if c.islower()
        else c
        for c in text
    )


def _mobile(plain: str, core: str, draws: Draws) -> str:
    prefix = draws.choice(
        (
            "130",
            "131",
            "132",
            "135",
            "136",
            "137",
            "138",
            "150",
            "151",
            "152",
            "158",
            "159",
            "182",
            "186",
            "187",
            "188",
            "189",
        )
    )
    return _dressed(plain, prefix + draws.digits(8))


def _landline(plain: str, core: str, draws: Draws) -> str:
    main = re.split(r"转|分机|ext|x|#", plain, maxsplit=1)[0]
    digits = re.sub(r"\D", "", main)
    area = re.match(
        r"(?:(?:00)?86)?0?(?:10|2\d|[3-9]\d{2})" if re.match(r"\W*(?:\+|00)86", main) else r"0(?:10|2\d|[3-9]\d{2})",
        digits,
    )
    head = area.group() if area and len(digits) > 8 else ""
    rest = digits[len(head) :]
    made = head + draws.choice("2345678") + draws.digits(len(rest) - 1)
    extension = plain[len(main) :]
    return _dressed(main, made) + re.sub(r"\d", lambda _: draws.choice(string.digits), extension)


# Some county codes of GB/T 2260 for each province, all in use from 1984 to today (Chongqing: from 1997).
_COUNTIES = words(
    "110101 110106 110105 110108 120104 120101 120102 120105 130602 130706 130902 130304 140212 140121 "
    "140302 140322 150304 150203 150429 152527 210602 211321 210802 210703 220202 220322 222426 220422 "
    "230921 230502 231025 230402 310104 310110 310105 310106 320105 320623 320305 320921 330421 330225 "
    "330106 330327 340122 340621 340406 340202 350403 350421 350103 350124 360424 360403 360121 360104 "
    "370502 370403 370827 370704 410503 410223 410305 410822 420303 422801 420105 429021 430621 430302 "
    "433127 430426 440105 440523 440823 440224 450502 450202 450222 450303 460105 460106 500103 500106 "
    "513426 513437 513324 510304 520203 522601 522634 522728 532929 533124 530124 532331 540102 540122 "
    "542523 542524 610422 610425 610324 610112 622926 622923 620121 623022 632625 632223 632523 632722 "
    "640202 640221 640121 640122 650121 653222 654201 652328 710000 810000 820000 830000"
)


def _resident_id(plain: str, core: str, draws: Draws) -> str:
    region = draws.choice([code for code in _COUNTIES if code[:2] == core[:2]])
    day = f"{draws.between(1, 12):02d}{draws.between(1, 28):02d}"
    sex = int(core[16 if len(core) == 18 else 14]) % 2 if core[-1].isdigit() or len(core) == 18 else 0
    order = draws.digits(2) + str(2 * draws.between(0, 4) + sex)
    if len(core) == 15:
        return _dressed(plain, f"{region}{draws.between(84, 98):02d}{day}{order}")
    body = f"{region}{draws.between(1998 if core[:2] == '50' else 1984, 2009)}{day}{order}"
    digit = check_digits.id_digit(body)
    return _dressed(plain, body + (digit.lower() if plain[-1] == "x" else digit))


def _card(plain: str, core: str, draws: Draws) -> str:
    body = core[:6] + draws.digits(len(core) - 7)  # the issuer stays: it tells no person
    return _dressed(plain, body + check_digits.luhn_digit(body))


def _uscc(plain: str, core: str, draws: Draws) -> str:
    tail = "".join(
        draws.choice(string.digits) if c.isdigit() else draws.choice("ABCDEFGHJKLMNPQRTUWXY") for c in core[8:17]
    )
    made = core[:8] + tail
    made += check_digits.uscc_digit(made)
    return _dressed(plain, made.lower() if plain.islower() else made)


def _iban(plain: str, core: str, draws: Draws) -> str:
    account = core[4:8] + _alike(core[8:], draws)
    made = core[:2] + check_digits.iban_digits(core[:2], account) + account
    return _dressed(plain, made)


def _passport(plain: str, core: str, draws: Draws) -> str:
    return re.sub(r"\d", lambda _: draws.choice(string.digits), plain)


def _plate(plain: str, core: str, draws: Draws) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    made = plain[:2]
    for i, c in enumerate(plain[2:]):
        energy = len(core) == 8 and c in "DFdf" and i in (0, len(plain) - 3)
        made += (
            draws.choice(string.digits)
            if c.isdigit()
            else draws.choice(letters)
            if c.isascii() and c.isalpha() and not energy
            else c
        )
    return made


def _email(plain: str, core: str, draws: Draws) -> str:
    return f"user{draws.word(8)}@example.{draws.choice(('com', 'net', 'org'))}"


def _ip(plain: str, core: str, draws: Draws) -> str:
    if ":" in core:
        return f"2001:db8:{draws.between(1, 65535):x}:{draws.between(1, 65535):x}::{draws.between(1, 65535):x}"
    return draws.choice(("192.0.2.", "198.51.100.", "203.0.113.")) + str(draws.between(1, 254))


def _phone(plain: str, core: str, draws: Draws) -> str:
    main = re.split(r"ext|x|#|转", plain, maxsplit=1)[0]
    extension = re.sub(r"\d", lambda _: draws.choice(string.digits), plain[len(main) :])
    digits = re.sub(r"\D", "", main)
    national = digits.removeprefix("00")
    abroad = digits != national or "+" in main
    if len(core) == 10 and core[0] in "23456789" and (national == "1" + core or (national == core and not abroad)):
        made = f"{draws.choice(_AREAS)}55501{draws.digits(2)}"
    elif national.startswith("44") and len(national) == 12:
        made = "7700900" + draws.digits(3) if national[2] == "7" else "2079460" + draws.digits(3)
    else:
        keep = min(4, len(national) - 4) if abroad else 2
        made = national[:keep] + draws.digits(len(national) - keep)
    return _dressed(main, made) + extension


_AREAS = words(
    "201 202 203 206 207 208 209 212 213 214 215 216 217 218 219 303 304 305 307 308 312 313 314 402 404 405 "
    "406 407 408 412 413 414 415 417 419"
)


def _ssn(plain: str, core: str, draws: Draws) -> str:
    area = draws.between(1, 898)
    return _dressed(plain, f"{area if area != 666 else 899:03d}{draws.between(1, 99):02d}{draws.between(1, 9999):04d}")


_PREFIX = re.compile(
    r"(?:AKIA|ASIA|AROA|AIDA|gh[pousr]_|github_pat_|sk-(?:proj-|ant-(?:api\d\d-)?)?|(?:sk|rk|pk)_(?:live|test)_|"
    r"xox[a-z]-|AIza|GOCSPX-|ya29\.|eyJ|glpat-|"
    r"do[opr]_v1_|dapi(?=[0-9a-f]{32})|hv[bs]\.|(?:SK|AC)(?=[0-9a-f]{32})|"
    r"npm_|pypi-|hf_|SG\.|LTAI|AKID|whsec_|https://[a-z.]+/(?:services|api/webhooks)/)"
)


def _secret(plain: str, core: str, draws: Draws) -> str:
    lines = core.split("\n")
    if lines[0].startswith("-----BEGIN"):
        return (
            "\n".join(line if line.startswith("-----") else _alike(line, draws) for line in lines)
            if len(lines) > 1
            else re.sub(
                r"(-----BEGIN [A-Z ]+-----)(.*?)((?:-----END.*)?)$", lambda m: m[1] + _alike(m[2], draws) + m[3], core
            )
        )
    prefix = _PREFIX.match(core)
    at = prefix.end() if prefix else 0
    return core[:at] + _alike(core[at:], draws)


@cache
def _street_words() -> re.Pattern[str]:
    return re.compile(
        r"(?P<kept>附(?=[0-9])|第(?=[0-9一二三四五六七八九十])|与|交叉口|交汇处|路口|商铺|底商|[东西南北中]区(?=[0-9]))|"
        r"(?P<number>[0-9A-Za-z]+|[零〇一二三四五六七八九十百]+(?=号|栋|幢|座|楼|层|单元|室|组|期|村民|小组|社))|"
        r"(?P<unit>(?<=[0-9A-Za-z零一二三四五六七八九十百])(?:号院|号楼|号|弄|栋|幢|座|楼|层|单元|室|房|户|"
        r"村民小?组|小组|组|社|队|排|期|区|门)+)|"
        r"(?P<name>[\u4e00-\u9fff]{1,6}?)(?P<suffix>[镇乡](?=[\u4e00-\u9fff]{2}))|"
        r"(?P<name2>[\u4e00-\u9fff]+?)(?P<suffix2>大道|大街|胡同|公路|小区|社区|公馆|家属院|花园|大厦|广场|公寓|家园|新村|中心|"
        r"[路街道巷弄村镇乡苑园城府湾庭邸居阁院都])"
        r"(?:(?![\u4e00-\u9fff])|(?=第?[一二三四五六七八九十]+(?:村民|小?组|社|号|队)|与|附[0-9]|[东西南北中]区[0-9]))|"
        r"(?P<other>[\u4e00-\u9fff]+)"
    )


def _address(plain: str, core: str, draws: Draws) -> str:
    keep = region_length(plain)

    def swapped(match: re.Match[str]) -> str:
        if match["number"]:
            first = draws.choice("123456789") if match["number"][0].isdigit() else _alike(match["number"][0], draws)
            return first + _alike(match["number"][1:], draws)
        suffix = match["suffix"] or match["suffix2"]
        if suffix:
            return draws.choice(_STEMS) + suffix
        return match["kept"] or match["unit"] or draws.choice(_STEMS)

    return plain[:keep] + _street_words().sub(swapped, plain[keep:])


_STEMS = words(
    "青松 云溪 明湖 春晖 兴业 文华 安康 玉泉 东升 长宁 锦秋 翠竹 清波 金桥 向荣 明月 银杏 丰泽 星河 晨光 柳浪 "
    "静安里 百合 同心 启明 紫藤 白鹭 望江 枫林 梅岭"
)

_MAKERS: dict[str, Callable[[str, str, Draws], str]] = {
    "CN_MOBILE": _mobile,
    "CN_LANDLINE": _landline,
    "CN_ID": _resident_id,
    "BANK_CARD": _card,
    "CREDIT_CARD": _card,
    "CN_USCC": _uscc,
    "IBAN": _iban,
    "CN_PASSPORT": _passport,
    "CN_PLATE": _plate,
    "EMAIL": _email,
    "IP": _ip,
    "PHONE": _phone,
    "SSN": _ssn,
    "SECRET": _secret,
    "CN_ADDRESS": _address,
    "CN_NAME": lambda plain, core, draws: fake_names.chinese(plain, draws),
    "EN_NAME": lambda plain, core, draws: fake_names.english(plain, draws),
}
