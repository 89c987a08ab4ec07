"""Numbers are read with their units however they are written."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.quantities import numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("３天 3天 三天 3 天", ["3天"] * 4),
        ("2024年 二零二四年 二〇二四年", ["2024年"] * 3),
        ("30% 百分之三十 30 percent", ["30%"] * 3),
        ("3万元 30000块 ¥30,000 三万块钱", ["30000元"] * 4),
        ("一百二十万五千 1205000", ["1205000"] * 2),
        ("一亿三千万 1.3亿 130,000,000", ["130000000"] * 3),
        ("十二 一百零五 两千 三点五", ["12", "105", "2000", "3.5"]),
        ("第三 3", ["第3", "3"]),
        ("3.5.1版 007 192.168.1.1", ["3.5.1版", "007", "192.168.1.1"]),
        ("-5度 3-5天 1.50", ["-5度", "3", "5天", "1.5"]),
        ("$5 5 dollars 5美元", ["5$"] * 3),
        ("twenty days, 20 days, 20-day", ["20day"] * 3),
        ("5kg 5 kg 9am 9 pm", ["5kg", "5kg", "9am", "9pm"]),
        ("half of the first dozen", ["half", "first", "dozen"]),
        ("半年，半夜，大半", ["half"]),
        ("十分好 十分钟 千万别 一千万", ["10分钟", "10000000"]),
        ("一下 一些 一样 哪一个 统一 万一 收拾 大陆", []),
        ("one of them, a book, someone, often", []),
        ("", []),
    ],
)
def test_examples(text: str, found: list[str]) -> None:
    assert numbers(text) == Counter(found)


@settings(deadline=None)
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_two_numbers_are_equal_only_if_they_are(one: int, other: int) -> None:
    assert (numbers(f"有{one}个") == numbers(f"有{other:,}个")) == (one == other)


DIGITS = "零一二三四五六七八九"


def chinese(value: int) -> str:
    """A numeral by the plain rules of the language, for 1 to 99,999,999."""
    if value >= 10**4:
        high, low = divmod(value, 10**4)
        return chinese(high) + "万" + ("零" if 0 < low < 1000 else "") + (chinese(low) if low else "")
    text, pending = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if digit:
            text += ("零" if pending and text else "") + DIGITS[digit] + name
        pending = not digit
    return text


@settings(deadline=None)
@given(st.integers(1, 99_999_999))
def test_chinese_numerals_have_the_value_that_the_rules_give(value: int) -> None:
    assert numbers(f"共{chinese(value)}个") == Counter([str(value)])
