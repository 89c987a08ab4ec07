"""The numbers of a Chinese or English text with their units, in a form in which two wordings can be compared."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from decimal import Decimal

_DIGITS = {
    character: value
    for value, pair in enumerate(("零〇", "一壹", "二两贰俩", "三叁仨", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖"))
    for character in pair
}
_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8, "兆": 10**12}
_NUMERAL = "".join([*_DIGITS, *_TENS, *_MYRIADS])

# Alone, these are parts of words (收拾, 大陆, 队伍, 预兆).
_NO_NUMERALS = frozenset("壹贰叁肆伍陆柒捌玖拾佰仟兆")
# Words in which a numeral counts nothing. 十分 and 千万 do where a noun or a verb says so.
_NO_NUMBER = re.compile(
    "一下|一些|一样|一般|一起|一直|一定|一旦|一致|一切|一方面|一共|一边|一同|一向|一律|一时|一会儿?|一体|一旁|一路|一味"
    "|一概|一心|一生|一流|一块儿|一点儿?(?![钟半整])|统一|唯一|(?<![\\d零一二两三四五六七八九十百千])万一(?![千百十])|之一|同一|单一|专一|不一|进一步"
    "|(?<=[哪某每这那另任])一|十分(?![钟之])|千万(?=[别不要记小])|百度|百科|百姓|百货|万能|三明治|十足|千克|千米|千瓦|两难|俩人"
)
_UNITS_ZH = (
    "个小时 小时 钟头 个钟头 分钟 秒钟 秒 天 个月 月 年 周 个星期 岁 号 日 点 时 分 元 块钱 块 角 毛 美元 欧元 英镑"
    " 日元 港币 公里 米 厘米 毫米 英里 英尺 英寸 公斤 克 斤 吨 毫升 升 度 摄氏度 平方米 平米 倍 折 楼 层 季度 代 版"
)
_UNITS_EN = (
    "percent day week month year hour minute second dollar euro pound mile feet foot inch degree meter metre kilometer"
    " kilometre kg g mg lb oz l ml km m cm mm kb mb gb tb hz khz mhz ghz kw w kwh v mah min hr h s ms am pm"
    " usd eur rmb cny"
)
_SAME_UNIT = {
    name: unit
    for unit, names in {
        "小时": "个小时 钟头 个钟头",
        "秒": "秒钟",
        "周": "个星期",
        "元": "块钱 块 ¥ rmb cny",
        "平方米": "平米",
        "$": "美元 usd dollar",
        "€": "eur euro 欧元",
        "£": "英镑 pound",
        "%": "percent",
        "meter": "metre",
        "kilometer": "kilometre",
        "foot": "feet",
        "hour": "hr h",
        "minute": "min",
        "second": "s",
    }.items()
    for name in names.split()
}
_UNIT = (
    r"(?:\s?(?P<unit>[%‰]|°[CF]|"
    + "|".join(sorted(_UNITS_ZH.split(), key=len, reverse=True))
    + r")|\s?-?(?P<latin>"
    + "|".join(sorted(_UNITS_EN.split(), key=len, reverse=True))
    + r")s?(?![A-Za-z]))?"
)
_NUMBER = re.compile(
    r"(?P<ordinal>第\s?)?(?P<percent>百分之)?(?:(?P<money>[$€£¥])\s?)?(?P<sign>(?<![\w.)\]%])-)?"
    rf"(?:(?P<digits>\d+(?:,\d{{3}})*(?:\.\d+)*)(?:\s?(?P<scale>[十百千万亿]+))?|(?P<han>[{_NUMERAL}]+(?:点[零〇一二三四五六七八九]+)?))"
    + _UNIT,
    re.IGNORECASE,
)
_ONES = "zero _ two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_WORDS = {
    **{word: value for value, word in enumerate(f"{_ONES} eighteen nineteen".split()) if word != "_"},
    **{
        word: 10 * value
        for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
    },
    **{word: 10**power for word, power in (("hundred", 2), ("thousand", 3), ("million", 6), ("billion", 9))},
}
_OTHER_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth half quarter dozen double triple twice thrice"
    " hundreds thousands millions billions dozens"
)
_WORD = re.compile(
    r"(?<![A-Za-z])(?:(?P<word>" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")" + _UNIT
    + r"|(?P<other>" + "|".join(_OTHER_WORDS.split()) + r"))(?![A-Za-z])",
    re.IGNORECASE,
)  # fmt: skip
_HALF = re.compile("(?<![多大])半(?!夜)")


def numbers(text: str) -> Counter[str]:
    """Every number with its unit, however it is written: '３天' is '三天', and '30%' is '百分之三十'.

    'one' and 'a' are no numbers here (they are articles), nor is 一 in words such as 一下.
    """
    plain = _NO_NUMBER.sub(" ", unicodedata.normalize("NFKC", text))
    found: Counter[str] = Counter()
    for match in _NUMBER.finditer(plain):
        if match["han"] not in _NO_NUMERALS:
            found[_canonical(match)] += 1
    for match in _WORD.finditer(plain):
        other = match["other"]
        found[other.lower() if other else f"{_WORDS[match['word'].lower()]}{_unit_of(match)}"] += 1
    for _ in _HALF.finditer(plain):
        found["half"] += 1
    return found


def _canonical(match: re.Match[str]) -> str:
    digits, scale, han = match["digits"], match["scale"], match["han"]
    if han:
        value = _plain(_chinese(han))
    elif digits.count(".") > 1 or (len(digits) > 1 and digits[0] == "0" and digits[1] != "."):
        value = digits  # a version, or a code with leading zeros
    else:
        number = Decimal(digits.replace(",", ""))
        value = _plain(number * _chinese_scale(scale) if scale else number)
    money = match["money"]
    unit = "%" if match["percent"] else _SAME_UNIT.get(money, money) if money else _unit_of(match)
    return f"{'第' if match['ordinal'] else ''}{match['sign'] or ''}{value}{unit}"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unit_of(match: re.Match[str]) -> str:
    unit = (match["unit"] or match["latin"] or "").lower()
    return _SAME_UNIT.get(unit, unit)


def _chinese_scale(scale: str) -> int:
    product = 1
    for character in scale:
        product *= _TENS.get(character) or _MYRIADS[character]
    return product


def _chinese(numeral: str) -> Decimal:
    """The value of a Chinese numeral; without 十, 百 ... it is read digit by digit (二零二四)."""
    whole, _, fraction = numeral.partition("点")
    if not any(character in _TENS or character in _MYRIADS for character in whole):
        value = Decimal("".join(str(_DIGITS[character]) for character in whole))
    else:
        value = Decimal(_with_units(whole))
    if fraction:
        value += Decimal("0." + "".join(str(_DIGITS[character]) for character in fraction))
    return value


def _with_units(numeral: str) -> int:
    total = section = digit = 0
    largest = 1
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _TENS:
            section += (digit or 1) * _TENS[character]
            digit = 0
        else:
            unit = _MYRIADS[character]
            if unit > largest:  # 三千万亿: all that came before is counted in it
                total = (total + section + digit or 1) * unit
            else:
                total += (section + digit or 1) * unit
            largest, section, digit = unit, 0, 0
    return total + section + digit
