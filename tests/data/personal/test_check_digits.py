"""Check digits against python-stdnum, which was written independently."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban as reference_iban
from stdnum import luhn as reference_luhn
from stdnum.cn import ric as reference_id
from stdnum.cn import uscc as reference_uscc
from stdnum.us import ssn as reference_ssn

from danlu.data.personal import check_digits
from tests.data.personal import values


@given(st.text(alphabet="0123456789", min_size=2, max_size=19))
def test_luhn(digits: str) -> None:
    assert check_digits.luhn(digits) == reference_luhn.is_valid(digits)
    assert check_digits.luhn_digit(digits) == reference_luhn.calc_check_digit(digits)


@pytest.mark.parametrize("seed", range(40))
def test_resident_ids(seed: int) -> None:
    r = random.Random(seed)
    # The reference also knows in which years a county code was given out: these were from 2000 on.
    body = r.choice(("110101", "310104", "330106", "420105")) + "20"
    body += f"{r.randint(0, 15):02d}{r.randint(1, 12):02d}{r.randint(1, 28):02d}" + values.digits(r, 3)
    for last in "0123456789X":
        assert check_digits.resident_id(body + last) == reference_id.is_valid(body + last)


@pytest.mark.parametrize("wrong", ["110105194913310028", "990105194912310026", "110105199902300026"])
def test_a_resident_id_needs_a_province_and_a_day(wrong: str) -> None:
    body = wrong[:17]
    assert not check_digits.resident_id(body + check_digits.id_digit(body))


@pytest.mark.parametrize("seed", range(40))
def test_credit_codes(seed: int) -> None:
    r = random.Random(seed)
    value = values.uscc(r)
    assert check_digits.uscc(value) and reference_uscc.is_valid(value)
    for last in check_digits.USCC_ALPHABET:
        assert check_digits.uscc(value[:17] + last) == (last == value[17])


@pytest.mark.parametrize("seed", range(40))
def test_ibans(seed: int) -> None:
    value = values.iban(random.Random(seed)).replace(" ", "")
    assert check_digits.iban(value)
    wrong = value[:2] + f"{(int(value[2:4]) + 1) % 100:02d}" + value[4:]
    assert check_digits.iban(wrong) == reference_iban.is_valid(wrong, check_country=False)
    assert not check_digits.iban(value + "0")


@given(st.text(alphabet="0123456789", min_size=9, max_size=9))
def test_social_security_numbers(digits: str) -> None:
    published = {"078051120", "219099999", "457555462"}  # valid in form; the reference knows them as advertisements
    if digits not in published:
        assert check_digits.ssn(digits) == reference_ssn.is_valid(digits)
