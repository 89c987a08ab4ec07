"""Sentences, tables and logs without personal data that a reader of the rules made up against them."""

from __future__ import annotations

import pytest

from danlu.data.personal import find

NUMBERS = [
    "| 130 145 160 75 |",
    "120 135 150 165 80 200",
    "RGB 135 206 235 80",
    "尺寸 150 20 300 400",
    "size 150-200-300-40",
    "备份 138-20240101，175-20240315.log",
    "Trains at 0615 0730 0845, shift 0800 1600 0000",
    "Winning numbers were 03 19 29 33 35",
    "Lotto 01-12-23-34-45 and 01.02.03.04.05",
    "Measurements 01 10 20 30 40 cm",
    "Income 65000 70000, salary 80000 95000, votes: 65000 72000",
    "see file 0123/45678 and 030/123456",
]
SECRETS = [
    "PASS: test_login_v2",
    "PASS: src/app.test.js",
    "--- PASS: TestFoo/bar_1 (0.00s)",
    '{"pass": 95.5, "fail": 4.5}',
    "PASS: 100%, pass: 15/20 tests",
    "single_pass: 0.5s, high_pass=80Hz, low-pass: 20Hz",
    "multi-pass: x265, test_pass: 12345",
    "password https://a.com/x1y2z3",
    "Reset your password /account/v2/reset",
    "Set the password min_length=12 in the config.",
    "ALTER TABLE users ADD password VARCHAR2",
    "The password PBKDF2-SHA256 algorithm",
    "密码SHA256withRSA加密，密码AES256GCM加密存储，口令OAuth2.0授权",
    "The pin (GPIO17/BCM) is pulled high; PIN diode (BAP64-02) datasheet",
    "Enter your PIN (4-6digits) to continue. The passphrase length (16-32chars) matters.",
    "the pwd is /srv/app2",
]
ADDRESSES = [
    "生日12-05-1990，截止日期31-12-2024，开业01-03-2023",
    "比例尺1-50-1000，零件12-3-4567已停产，产品123-45-678缺货，答案3-5-100，版本号为2-4-503",
    "工程包括5栋18层高层和3栋6层洋房，新建了3栋5层教学楼",
    "这款车有5座7座两种版本，山顶有一座七层佛塔，这里原有三座五层碉楼",
    "安置房12栋800套，一共有19栋2702户居民受益",
    "列车5车12座3门上车",
    "我们公司在3号楼12层，请到2号楼3层报到",
    "古镇景区3号门，特色小镇园区1号馆，小镇广场3号店，老乡村3号线",
    "各镇村2组，该镇社区2组，全镇村3组合并",
    "农村5社合并为3社，老年组3排5号",
]
NAMES = [
    "Nairobi, Kenya",
    "Kingston, Jamaica",
    "Jackson, Mississippi",
    "Location: Nairobi, Kenya",
    "(Paris, France)",
    "WASHINGTON, DC",
    "NASHVILLE, TN",
    "Tools: Maven, Gradle",
    "Cars: Audi, Volvo",
    "Fonts: Georgia, Verdana",
    "Herbs: Rosemary, Sage",
    "Characters: Romeo, Juliet",
    "Port-au-Prince, Haiti",
    "SUMMER CAMP and GRACE CHURCH",
    "MAX PRICE, MAX SPEED, MAX POWER",
    "STONE WALL, LAN CABLE, FENG SHUI",
    "JOHN DEERE TRACTOR",
    "文 明 公约，金 华 火腿，黄 海 海域，白 金 会员",
    "今天乌云呼和浩特上空",
    "德吉梅朵民宿",
]
ENDS = [
    ("中山路88号", "修建一座博物馆"),
    ("中山路88号", "每人一房"),
    ("人民路1号", "新开一楼餐饮区"),
    ("解放路5号", "发生火灾十层以上被困"),
    ("科技路9号", "分组3队"),
]
STILL_FOUND = [
    ("010-62770334", "CN_LANDLINE"),
    ("0755-26778888", "CN_LANDLINE"),
    ('{"name":"x","v":"«0755-26778888»"}', "CN_LANDLINE"),
    ("Tel: «010-62770334 ext 12»", "CN_LANDLINE"),
    ("Bib 214 «Jonah Hill» finished.", "EN_NAME"),
    ("Room 12 «Nathan Lane»", "EN_NAME"),
    ("Participants: 3 «Faith Hill»", "EN_NAME"),
    ("«Can Yilmaz» wrote it.", "EN_NAME"),
    ("my login pass=«hunter22!x»", "SECRET"),
    ("node:«2001:db8:1::1»", "IP"),
    ("reply to «no-reply@northgate.com»", "EMAIL"),
    ("| «Ochieng, Kamau» |", "EN_NAME"),
]


@pytest.mark.parametrize("text", [*NUMBERS, *SECRETS, *ADDRESSES, *NAMES])
def test_nothing_personal_is_seen(text: str) -> None:
    assert [text[span.start : span.end] for span in find(text)] == []


@pytest.mark.parametrize(("address", "behind"), ENDS)
def test_an_address_ends_where_the_sentence_goes_on(address: str, behind: str) -> None:
    assert [span.end for span in find(address + behind)] == [len(address)]


@pytest.mark.parametrize(("marked", "kind"), STILL_FOUND)
def test_what_stands_alone_is_found_all_the_same(marked: str, kind: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    start, end = (marked.index("«"), marked.index("»") - 1) if "«" in marked else (0, len(text))
    assert (start, end, kind) in [(span.start, span.end, span.kind) for span in find(text)]
