"""Values of every kind of personal data, drawn at random by a seeded generator; written apart from the engine."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum.iso7064 import mod_11_2
from stdnum.luhn import calc_check_digit

from danlu.data.personal.tables import words

SURNAMES = words(
    "王 王 王 李 李 李 张 张 张 刘 刘 陈 陈 杨 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 高 林 罗 郑 梁 谢 宋 "
    "唐 许 韩 冯 邓 曹 彭 曾 肖 田 董 袁 潘 于 蒋 蔡 余 杜 叶 程 苏 魏 吕 丁 任 沈 姚 卢 姜 崔 钟 谭 陆 "
    "汪 范 金 石 廖 贾 夏 韦 付 方 白 邹 孟 熊 秦 邱 江 尹 薛 闫 段 雷 侯 龙 史 陶 黎 贺 顾 毛 郝 龚 邵 "
    "万 钱 严 覃 武 戴 莫 孔 向 汤 欧阳 司马 上官 诸葛 慕容 夏侯"
)
GIVEN_CN = words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 霞 平 刚 桂英 秀英 建华 建国 建军 志强 志明 国强 "
    "秀兰 玉兰 桂兰 秀珍 海燕 晓燕 小红 小明 晓东 文杰 俊杰 浩然 子轩 梓涵 雨欣 欣怡 诗涵 思远 佳怡 嘉豪 "
    "宇航 子涵 雨泽 一诺 依诺 可馨 语嫣 若曦 梦瑶 雪梅 春花 丽华 美玲 淑芬 淑珍 永强 大勇 金龙 鹏飞 天宇 "
    "晨曦 泽宇 皓轩 博文 致远 思琪 雅婷 婷婷 莉莉 丹丹 倩 颖 琳 璐 雯 斌 鑫 帅 峰 凯 宁 亮 辉 波 俊 鹏 飞 "
    "龙 晨 阳 旭 楠 洁 莹 雪 慧 红梅 国栋 卫东 振华 德胜 福生 长江 庆国 立新 少华 世杰 家豪 冠宇 承恩 "
    "彦霖 沐宸 奕辰 亦菲 景行 书瑶 清扬 云峰 海涛 江涛 晓峰 新宇 正义 文博 慧敏 丽娟 秋月 冬梅 翠花 凤英 "
    "爱华 爱民 三丰 小龙 铁柱"
)
ETHNIC = words(
    "买买提·艾力 古丽娜·热合曼 阿不都·克里木 迪丽热巴·迪力木拉提 艾尔肯·吐尼亚孜 巴特尔·苏和 扎西·次仁 阿依古丽·买买提"
)
FIRST = words(
    "John James Robert Michael William David Richard Joseph Thomas Charles Mary Patricia Jennifer Linda "
    "Elizabeth Barbara Susan Jessica Sarah Karen Emily Olivia Sophia Daniel Matthew Anthony Andrew Joshua "
    "Kevin Brian George Edward Ronald Timothy Jason Jeffrey Laura Rebecca Michelle Amanda Melissa Deborah "
    "Stephanie Hannah Lucas Ethan Noah Liam Priya Rajesh Wei Carlos Maria Ahmed Fatima Hiroshi Mary-Jane "
    "Anne-Marie Jean-Luc Grace Mark Rose"
)
LAST = words(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Wilson Anderson Taylor "
    "Thomas Moore Jackson Martin Lee Thompson Harris Clark Lewis Robinson Walker Hall Allen Wright Scott "
    "Torres Nguyen Hill Flores Adams Nelson Baker Rivera Campbell Mitchell Carter Roberts O'Neil O'Brien "
    "McDonald Patel Sharma Zhang Kowalski Schmidt Müller Tanaka Fitzgerald Whitaker Vance Hargrove "
    "Pemberton Lindqvist Castellano Okafor Zhou"
)
# Places of the generator: a few regions and streets, written here.
REGIONS = words(
    "北京市海淀区 北京市朝阳区 上海市浦东新区 上海市徐汇区 广东省深圳市南山区 广东省广州市天河区 "
    "浙江省杭州市西湖区 江苏省南京市鼓楼区 四川省成都市武侯区 湖北省武汉市洪山区 湖南省长沙市岳麓区 "
    "陕西省西安市雁塔区 山东省济南市历下区 福建省厦门市思明区 天津市和平区 重庆市渝中区 海淀区 浦东新区 "
    "天河区 深圳市福田区 苏州市姑苏区 河南省周口市太康县 河北省石家庄市长安区 云南省昆明市五华区"
)
STREETS = words(
    "中关村大街 建国路 世纪大道 深南大道 天河路 文三路 中山北路 人民南路 珞喻路 麓山南路 高新四路 解放路 "
    "和平街 长江西路 学府路 科技二路 软件大道 花园街 滨河路 延安中路 五一大道 金融街 望京西路 锦绣路 "
    "团结巷 槐树胡同"
)
ESTATES = words(
    "阳光花园 金色家园 万科城市花园 龙湖小区 翠苑小区 锦绣华庭 世纪公寓 恒大名都 碧桂园小区 幸福里小区 东方公寓 紫金苑"
)
TOWERS = words("腾讯大厦 国贸大厦 环球金融中心 恒隆广场 科技大厦 银泰中心")
PROVINCE_CODES = words(
    "110101 110108 310104 310115 440305 440106 330106 320106 510107 420111 430104 610113 370102 350203 "
    "120101 500103 411627"
)
HOSTS = words(
    "qq.com 163.com 126.com gmail.com outlook.com sina.com foxmail.com company.cn hotmail.com "
    "mail.example.org corp-mail.com.cn yahoo.co.uk"
)
IBAN_FORMS = {
    "DE": "dddddddddddddddddd",
    "GB": "AAAAdddddddddddddd",
    "FR": "ddddddddddXXXXXXXXXXXdd",
    "NL": "AAAAdddddddddd",
    "ES": "d" * 20,
    "CH": "dddddXXXXXXXXXXXX",
    "IT": "AddddddddddXXXXXXXXXXXX",
    "BE": "d" * 12,
}


def digits(r: random.Random, n: int) -> str:
    return "".join(r.choice(string.digits) for _ in range(n))


def grouped(value: str, sizes: tuple[int, ...], sep: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(value[at : at + size])
        at += size
    return sep.join(part for part in [*parts, value[at:]] if part)


def wide(value: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in value)


def mobile(r: random.Random) -> str:
    value = r.choice(
        words(
            "130 131 135 136 137 138 139 150 151 155 158 159 166 170 175 176 177 180 182 185 186 187 188 189 191 "
            "198 199"
        )
    ) + digits(r, 8)
    form = r.random()
    if form < 0.6:
        return value
    if form < 0.7:
        return grouped(value, (3, 4), "-")
    if form < 0.8:
        return grouped(value, (3, 4), " ")
    if form < 0.86:
        return wide(value)
    prefix = r.choice(("+86", "+86 ", "+86-", "86-", "(+86)", "0086"))
    return prefix + r.choice(
        (value, grouped(value, (3, 4), " "), grouped(value, (3, 4), "-")) if not prefix.startswith("00") else (value,)
    )


def landline(r: random.Random) -> str:
    area = r.choice(words("010 021 020 027 028 029 0755 0571 0512 0531 0731 0592 0371 0311 0871"))
    number = r.choice("2345678") + digits(r, 7)
    form = r.random()
    base = (
        f"({area}){number}"
        if form < 0.15
        else f"（{area}）{number}"
        if form < 0.2
        else f"{area} {number}"
        if form < 0.3
        else f"{area}-{number}"
    )
    return base + (
        r.choice((f"-{digits(r, 3)}", f"转{digits(r, 3)}", f"转{digits(r, 4)}")) if r.random() < 0.15 else ""
    )


def birthday(r: random.Random) -> str:
    return f"{r.randint(1945, 2015)}{r.randint(1, 12):02d}{r.randint(1, 28):02d}"


def resident_id(r: random.Random) -> str:
    body = r.choice(PROVINCE_CODES) + birthday(r) + digits(r, 3)
    value = body + mod_11_2.calc_check_digit(body)
    form = r.random()
    if form < 0.08:
        return grouped(value, (6, 8), " ")
    if form < 0.13:
        return wide(value)
    return value.lower() if form < 0.2 else value


def card(r: random.Random, chinese: bool) -> str:
    if chinese:
        head = r.choice(words("622202 621700 622848 621226 622588 623058 621661 622700 625802 955880 603265 620522"))
        size = r.choice((16, 19, 19)) if not head.startswith("9") else 19
    else:
        head, size = r.choice(
            (
                ("4539", 16),
                ("4716", 16),
                ("5425", 16),
                ("5105", 16),
                ("2221", 16),
                ("3782", 15),
                ("3714", 15),
                ("6011", 16),
                ("3530", 16),
            )
        )
    body = head + digits(r, size - len(head) - 1)
    value = body + calc_check_digit(body)
    if r.random() < 0.3:
        sizes = (4, 6) if size == 15 else (4, 4, 4, 4)
        return grouped(value, sizes, r.choice(" -"))
    return wide(value) if r.random() < 0.05 else value


def uscc(r: random.Random) -> str:
    body = r.choice(("91", "91", "91", "92", "52", "12")) + r.choice(PROVINCE_CODES)
    body += digits(r, 8) + r.choice("0123456789ABCDEFGHJKLMNPQRTUWXY")
    return body + _uscc_check(body)


def _uscc_check(body: str) -> str:
    from stdnum.cn import uscc as reference

    return str(reference.calc_check_digit(body))


def iban(r: random.Random) -> str:
    from stdnum.iso7064 import mod_97_10

    country = r.choice(sorted(IBAN_FORMS))
    pools = {"d": string.digits, "A": string.ascii_uppercase, "X": string.digits + string.ascii_uppercase}
    account = "".join(r.choice(pools[c]) for c in IBAN_FORMS[country])
    value = country + mod_97_10.calc_check_digits(account + country) + account
    return grouped(value, (4,) * 8, " ") if r.random() < 0.5 else value


def passport(r: random.Random) -> str:
    form = r.random()
    return (
        f"E{digits(r, 8)}"
        if form < 0.5
        else f"E{r.choice('ABCDEFGHJK')}{digits(r, 7)}"
        if form < 0.8
        else f"G{digits(r, 8)}"
    )


def plate(r: random.Random) -> str:
    head = r.choice("京沪粤浙苏川鄂湘鲁冀津渝闽陕") + r.choice("ABCDEF")
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    form = r.random()
    if form < 0.5:
        return head + digits(r, 5)
    if form < 0.7:
        return head + r.choice(letters) + digits(r, 4)
    if form < 0.8:
        return head + "·" + digits(r, 3) + r.choice(letters) + digits(r, 1)
    return head + r.choice("DF") + digits(r, 5)


def _village(r: random.Random) -> str:
    town, village = r.choice(("王集", "李庄", "清河", "双桥")), r.choice(("大王", "前进", "石桥", "李家"))
    return f"{town}镇{village}村{r.randint(1, 12)}组{r.randint(1, 99)}号"


def address(r: random.Random) -> str:
    number = r.randint(1, 999)
    street = r.choice(STREETS) + f"{number}号"
    form = r.random()
    tail = r.choice(
        (
            "",
            f"{r.randint(1, 20)}号楼{r.randint(1, 6)}单元{r.randint(1, 30)}0{r.randint(1, 4)}室",
            f"{r.choice(TOWERS)}{r.randint(2, 40)}层",
            f"{r.randint(1, 20)}栋{r.randint(101, 2804)}",
            f"{r.choice(ESTATES)}{r.randint(1, 20)}幢{r.randint(101, 2804)}室",
        )
    )
    if form < 0.55:
        return r.choice(REGIONS) + street + tail
    if form < 0.75:
        return (
            r.choice(REGIONS)
            + r.choice(ESTATES)
            + f"{r.randint(1, 20)}{r.choice(('栋', '号楼', '幢'))}{r.randint(1, 6)}单元{r.randint(101, 2804)}"
            + r.choice(("", "室"))
        )
    if form < 0.9:
        return street + tail
    return r.choice(REGIONS) + _village(r)


def name_cn(r: random.Random) -> str:
    return r.choice(ETHNIC) if r.random() < 0.04 else r.choice(SURNAMES) + r.choice(GIVEN_CN)


def name_en(r: random.Random) -> str:
    first, last = r.choice(FIRST), r.choice(LAST)
    form = r.random()
    if form < 0.08:
        return f"{first} {r.choice('ABCDEFGHJKLMRSTW')}. {last}"
    if form < 0.12:
        return f"{last}, {first}"
    return f"{first} {last}"


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("'", "").replace("ü", "u")


def email(r: random.Random) -> str:
    local = r.choice(
        (
            f"{_plain(r.choice(FIRST))}.{_plain(r.choice(LAST))}",
            f"{digits(r, 9)}",
            f"user_{digits(r, 3)}",
            f"li{r.choice(('wei', 'na', 'ming'))}{digits(r, 4)}",
            f"a.b+tag{digits(r, 1)}",
        )
    )
    return f"{local}@{r.choice(HOSTS)}"


def phone(r: random.Random) -> str:
    area, middle, last = (
        f"{r.randint(2, 9)}{r.randint(0, 9)}{r.randint(1, 9)}",
        f"{r.randint(2, 9)}{digits(r, 2)}",
        digits(r, 4),
    )
    if area in ("800", "888", "877", "866", "855", "844", "833", "822", "400", "900"):
        area = "415"
    return r.choice(
        (
            f"+1 {area} {middle} {last}",
            f"+1-{area}-{middle}-{last}",
            f"({area}) {middle}-{last}",
            f"{area}-{middle}-{last}",
            f"+1 ({area}) {middle}-{last}",
            f"+44 20 7{digits(r, 3)} {digits(r, 4)}",
            f"+49 30 {digits(r, 8)}",
            f"+33 6 {digits(r, 2)} {digits(r, 2)} {digits(r, 2)} {digits(r, 2)}",
            f"+852 9{digits(r, 3)} {digits(r, 4)}",
            f"+81-90-{digits(r, 4)}-{digits(r, 4)}",
            f"+91 98{digits(r, 3)} {digits(r, 5)}",
            f"+447{digits(r, 9)}",
        )
    )


def social(r: random.Random) -> str:
    area = r.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03d}-{r.randint(1, 99):02d}-{r.randint(1, 9999):04d}"


def ip(r: random.Random) -> str:
    form = r.random()
    if form < 0.7:
        return ".".join(
            (
                str(r.choice([n for n in range(11, 224) if n != 127])),
                *(str(r.randint(0, 255)) for _ in range(2)),
                str(r.randint(40, 254)),
            )
        )
    groups = [f"{r.randint(1, 65535):x}" for _ in range(8)]
    if form < 0.85:
        return "2001:" + ":".join(groups[1:])
    return f"2001:db8:{groups[0]}::{groups[1]}" if form < 0.93 else f"fe80::{groups[0]}:{groups[1]}:{groups[2]}"


def token(r: random.Random, n: int, pool: str = string.ascii_letters + string.digits) -> str:
    return "".join(r.choice(pool) for _ in range(n - 1)) + r.choice(string.digits)


def key(r: random.Random) -> str:
    upper = string.ascii_uppercase + string.digits
    return r.choice(
        (
            "AKIA" + token(r, 16, upper),
            "ghp_" + token(r, 36),
            "github_pat_" + token(r, 22) + "_" + token(r, 59),
            "sk-" + token(r, 48),
            "sk-proj-" + token(r, 40),
            f"xoxb-{digits(r, 11)}-{digits(r, 12)}-{token(r, 24)}",
            "AIza" + token(r, 35),
            "sk_live_" + token(r, 24),
            f"eyJhbGciOiJIUzI1NiJ9.eyJ{token(r, 24)}.{token(r, 43)}",
            f"-----BEGIN RSA PRIVATE KEY-----\n{token(r, 64)}\n{token(r, 64)}\n-----END RSA PRIVATE KEY-----",
        )
    )


def password(r: random.Random) -> str:
    return token(r, r.randint(8, 14), string.ascii_letters + string.digits) + r.choice(("", "!", "#9", "_x"))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "CN_MOBILE": mobile,
    "CN_LANDLINE": landline,
    "CN_ID": resident_id,
    "BANK_CARD": lambda r: card(r, True),
    "CREDIT_CARD": lambda r: card(r, False),
    "CN_USCC": uscc,
    "CN_PASSPORT": passport,
    "CN_PLATE": plate,
    "CN_ADDRESS": address,
    "CN_NAME": name_cn,
    "EMAIL": email,
    "PHONE": phone,
    "SSN": social,
    "IBAN": iban,
    "IP": ip,
    "EN_NAME": name_en,
    "SECRET": key,
    "PASSWORD": password,
    "SURNAME": lambda r: r.choice(SURNAMES),
    "TOKEN": lambda r: token(r, 32),
}
