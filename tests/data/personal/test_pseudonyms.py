"""Pseudonyms are valid, the same for the same value, and never the value."""

from __future__ import annotations

import ipaddress
import random
import re

import pytest
from stdnum import iban as reference_iban
from stdnum import luhn as reference_luhn
from stdnum.cn import ric as reference_id
from stdnum.cn import uscc as reference_uscc

from danlu.data.personal import find
from danlu.data.personal.fakes import fake
from danlu.data.personal.masks import mask
from tests.data.personal.values import MAKERS

KEY = b"k" * 32
KINDS = sorted(set(MAKERS) - {"PASSWORD", "TOKEN", "SURNAME"})


def bare(value: str) -> str:
    return re.sub(r"[\s-]", "", "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in value)).upper()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(25))
def test_a_pseudonym_is_another_value_of_the_kind(kind: str, seed: int) -> None:
    value = MAKERS[kind](random.Random(seed))
    made = fake(kind, value, KEY)
    assert bare(made) != bare(value)
    assert made == fake(kind, value, KEY)
    assert made != fake(kind, value, b"another key of enough length 123") or kind in ("EN_NAME", "CN_NAME")
    if kind in ("CN_NAME", "EN_NAME", "CN_ADDRESS", "IP", "EMAIL", "SECRET"):
        return
    assert [len(part) for part in re.split(r"\W", made)] == [len(part) for part in re.split(r"\W", value)]
    label = {"SSN": "SSN ", "CN_PASSPORT": "护照", "CN_LANDLINE": "电话", "PHONE": "call "}.get(kind, "：")
    assert [(s.start, s.kind) for s in find(label + made)] == [(len(label), kind)]


@pytest.mark.parametrize("seed", range(30))
def test_check_digits_of_pseudonyms_are_right(seed: int) -> None:
    r = random.Random(seed)
    assert reference_id.is_valid(bare(fake("CN_ID", MAKERS["CN_ID"](r), KEY)))
    assert reference_luhn.is_valid(bare(fake("BANK_CARD", MAKERS["BANK_CARD"](r), KEY)))
    assert reference_luhn.is_valid(bare(fake("CREDIT_CARD", MAKERS["CREDIT_CARD"](r), KEY)))
    assert reference_uscc.is_valid(fake("CN_USCC", MAKERS["CN_USCC"](r), KEY))
    assert reference_iban.is_valid(fake("IBAN", MAKERS["IBAN"](r), KEY), check_country=False)


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        (
            "CN_MOBILE",
            [
                "13912345678",
                "139 1234 5678",
                "139-1234-5678",
                "１３９１２３４５６７８",
                "+86 139 1234 5678",
                "008613912345678",
            ],
        ),
        ("CN_ID", ["11010519491231002X", "11010519491231002x", "110105 19491231 002X"]),
        ("BANK_CARD", ["6222021234567890128", "6222 0212 3456 7890 128"]),
        ("IBAN", ["GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32"]),
        ("CN_LANDLINE", ["010-62770334", "(010)62770334", "010 62770334", "０１０－６２７７０３３４"]),
    ],
)
def test_one_value_has_one_pseudonym_in_all_its_forms(kind: str, forms: list[str]) -> None:
    made = [fake(kind, form, KEY) for form in forms]
    assert len({bare(value)[-8:] for value in made}) == 1
    for form, value in zip(forms, made, strict=True):
        assert re.sub(r"\w", "#", value) == re.sub(r"\w", "#", form)
        assert value.isascii() == form.isascii()


def test_emails_addresses_and_phones_go_where_nobody_is() -> None:
    assert re.fullmatch(r"user\w{8}@example\.(com|net|org)", fake("EMAIL", "Li@QQ.com", KEY))
    assert fake("EMAIL", "Li@QQ.com", KEY) == fake("EMAIL", "li@qq.com", KEY)
    nets = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    assert any(ipaddress.ip_address(fake("IP", "8.8.4.4", KEY)) in net for net in nets)
    assert ipaddress.ip_address(fake("IP", "2400::1", KEY)) in ipaddress.ip_network("2001:db8::/32")
    assert fake("IP", "2400:0:0::1", KEY) == fake("IP", "2400::1", KEY)
    assert re.fullmatch(r"\+1 \d{3} 555 01\d\d", fake("PHONE", "+1 415 867 2671", KEY))
    assert bare(fake("PHONE", "+1 415 867 2671", KEY))[-10:] == re.sub(r"\D", "", fake("PHONE", "(415) 867-2671", KEY))
    assert re.fullmatch(r"\+44 20 7946 0\d{3}", fake("PHONE", "+44 20 8123 4567", KEY))


def test_a_person_has_one_surname_and_one_given_name() -> None:
    assert fake("CN_NAME", "王小明", KEY)[0] == fake("CN_NAME", "王", KEY)
    assert len(fake("CN_NAME", "欧阳文华", KEY)) == 4
    assert fake("CN_NAME", "李 娜", KEY)[1] == " "
    first, last = fake("EN_NAME", "John Smith", KEY).split(" ")
    assert fake("EN_NAME", "Smith, John", KEY) == f"{last}, {first}"
    assert fake("EN_NAME", "JOHN SMITH", KEY) == f"{first} {last}".upper()
    assert fake("EN_NAME", "John Q. Smith Jr.", KEY).startswith(f"{first} ")


def test_an_address_keeps_its_region_and_form() -> None:
    made = fake("CN_ADDRESS", "北京市海淀区中关村大街27号3号楼502室", KEY)
    assert re.fullmatch(r"北京市海淀区\w+大街\d\d号\d号楼\d{3}室", made)
    assert "中关村" not in made


@pytest.mark.parametrize(
    ("before", "value", "behind", "kind"),
    [
        ("寄到", "江苏徐州云龙区铜山路923号院中海国际社区1幢2504室", "。", "CN_ADDRESS"),
        ("地址：", "重庆市渝北区龙华大道243号附6号", "。", "CN_ADDRESS"),
        ("送到", "海南省琼中黎族苗族自治县湾岭镇岭脚村四组", "，谢谢", "CN_ADDRESS"),
        ("老家是", "福建省宁德市古田县大桥镇瑞岩村1社17号", "。", "CN_ADDRESS"),
        ("联系人", "次仁卓玛", "不变", "CN_NAME"),
        ("编剧", "其其格", "，摄影", "CN_NAME"),
        ("打", "183-72046716", "找我", "CN_MOBILE"),
        ("电话 ", "+65 8228 6259", "。", "PHONE"),
        ("电话 ", "+44 20 7877 3218 转 332", "。", "PHONE"),
        ("提货人", "610 102 1984 0605 0883", "。", "CN_ID"),
        ("税号", "913502 03MA5C HUAH4G", "，", "CN_USCC"),
        ("护照号码", "E 17680106", "，", "CN_PASSPORT"),
        ("signed by ", "Hendrik van 't Hoff", " today", "EN_NAME"),
        ("VICTIM: ", "SINCLAIR, Catriona", "  DOB 10/10", "EN_NAME"),
        ("key ", "SKbd32f1dbd46430393f432707e780d3dd", " leaked", "SECRET"),
    ],
)
def test_forms_of_strangers_keep_their_form(before: str, value: str, behind: str, kind: str) -> None:
    made = fake(kind, value, KEY)
    spans = find(before + made + behind)
    assert made != value and (len(before), len(before + made), kind) in [(s.start, s.end, s.kind) for s in spans]


def test_a_secret_keeps_its_kind_only() -> None:
    made = fake("SECRET", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", KEY)
    assert re.fullmatch(r"ghp_\w{36}", made)
    block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"
    assert "MIIEpAIBAAKCAQEA7" not in fake("SECRET", block, KEY)
    assert fake("SECRET", block, KEY).startswith("-----BEGIN RSA PRIVATE KEY-----\n")


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        ("CN_MOBILE", "138 1234 5678", "138 **** 5678"),
        ("CN_ID", "11010519491231002X", "110*************2X"),
        ("CN_NAME", "王小明", "王**"),
        ("EN_NAME", "John Smith", "J*** S***"),
        ("EMAIL", "li.wei@qq.com", "l***@qq.com"),
        ("CN_ADDRESS", "北京市海淀区中关村大街27号", "北京市海淀区***"),
        ("SECRET", "hunter2", "********"),
        ("IP", "203.0.113.77", "*.*.*.*"),
        ("SSN", "536-22-8145", "***-**-8145"),
        ("CREDIT_CARD", "4111 1111 1111 1111", "**** **** **** 1111"),
    ],
)
def test_a_mask_leaves_little(kind: str, value: str, masked: str) -> None:
    assert mask(kind, value) == masked


@pytest.mark.parametrize("value", ["Von", "de la", "van der"])
def test_a_name_of_particles_alone_gets_another_name(value: str) -> None:
    made = fake("EN_NAME", value, KEY)
    assert made.casefold() != value.casefold() and len(made.split()) == len(value.split())
