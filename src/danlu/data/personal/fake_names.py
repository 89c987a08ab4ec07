"""Made-up person names: each part of a name has its own pseudonym, so that a person's short and full name agree."""

from __future__ import annotations

import re

from danlu.data.personal.draws import Draws
from danlu.data.personal.spelt_names import is_joined
from danlu.data.personal.tables import table, words

_SURNAMES = tuple(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_DOUBLES = ("欧阳", "上官", "司马", "诸葛", "皇甫", "慕容", "夏侯", "司徒")
_GIVEN = tuple(
    "明华文宇晨安宁嘉欣怡涛鹏杰浩然博雅静敏慧琳颖洁婷雪梅兰芳秀英丽娟玲霞燕萍红艳"
    "辉强磊军勇斌峰超刚健康乐思远子涵梓轩俊凯睿哲昊天翔飞龙海洋波亮东建国志永春秋青云山川"
)
_SPELT = words("艾力 买买提 阿不都 古丽 努尔 吐尔逊 巴图 苏和 扎西 次仁 平措 达瓦 丹增 热依汗 依明 玉素甫 哈力克")
# Of names without dots, by how many characters they have
_JOINED = {
    3: words("其其格 巴特尔 萨日娜 通拉嘎 娜日苏 青格勒 那日松"),
    4: words("扎西平措 次仁卓玛 丹增多吉 德吉央金 格桑旺堆 洛桑顿珠 索南拉姆 乌兰图雅 达瓦曲珍"),
}
_FIRST = words(
    "James Robert Michael David Richard Joseph Thomas Daniel Matthew Anthony Steven Andrew Kenneth Kevin "
    "Brian Edward Ronald Timothy Jason Jeffrey Mary Patricia Jennifer Linda Barbara Susan Jessica Sarah Karen "
    "Lisa Nancy Sandra Ashley Emily Donna Michelle Carol Amanda Melissa Deborah Laura Rebecca Sharon Cynthia "
    "Kathleen Helen Anna Diane"
)
_LAST = words(
    "Smith Johnson Williams Jones Davis Miller Wilson Anderson Thomas Jackson Harris Thompson Garcia Martinez "
    "Robinson Rodriguez Lewis Allen Hernandez Wright Lopez Scott Adams Nelson Mitchell Roberts Phillips "
    "Campbell Evans Edwards Collins Stewart Sanchez Morris Rogers Morgan Murphy Bailey Richardson Peterson "
    "Ramirez Watson Sanders Patterson Simmons Henderson Coleman"
)
_PART = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PARTICLES = frozenset(
    words("van der den de la los del della di da dos du von bin ibn al el ter ten le y jr sr ii iii iv")
)


def normalised(value: str) -> str:
    """What two ways to write one name have in common: case, spaces, dots, and the order of surname and given name."""
    if re.search("[\u4e00-\u9fff]", value):
        return re.sub(r"\s", "", value)
    last, comma, first = value.partition(", ")
    if comma and first.rstrip(".").lower() not in _PARTICLES:
        value = f"{first} {last}"
    return re.sub(r"\s+", " ", value.casefold().replace(".", "")).strip()


def chinese(plain: str, draws: Draws) -> str:
    """Another name of as many characters; the surname's pseudonym is the same for all who bear it."""
    if re.search("[·•・‧]", plain):
        return re.sub("[\u4e00-\u9fff]+", lambda m: draws.derived("part", m.group()).choice(_SPELT), plain)
    core = normalised(plain)
    if is_joined(core) and len(core) in _JOINED:
        return draws.derived("joined", core).choice([name for name in _JOINED[len(core)] if name != core])
    size = 2 if core[:2] in table("chinese_names")["surnames_double"] and len(core) > 2 else 1
    family = core[:size]
    options = [name for name in (_DOUBLES if size == 2 else _SURNAMES) if name != family]
    made = draws.derived("surname", family).choice(options)
    made += "".join(draws.choice(_GIVEN) for _ in core[size:])
    places = [i for i, c in enumerate(plain) if not c.isspace()]
    chars = list(plain)
    for place, c in zip(places, made, strict=True):
        chars[place] = c
    return "".join(chars)


def english(plain: str, draws: Draws) -> str:
    """Another name of as many parts, in the same order and case; initials and particles stay."""
    last_first = normalised(plain).split(" ")[-1] if ", " in plain else ""
    parts = list(_PART.finditer(plain))
    names = [m for m in parts if m.group().lower() not in _PARTICLES and len(m.group()) > 1]
    family = (
        None
        if not names
        else names[0]
        if last_first and plain.startswith(names[0].group()) and normalised(plain) != plain.casefold()
        else names[-1]
    )
    if len(names) == 1 and names[0].group().title() in table("english_names")["given"]:
        family = None
    made, at = "", 0
    for match in parts:
        kept = bool(names) and (match.group().lower() in _PARTICLES or match.group() == "t")  # van 't Hoff
        made += plain[at : match.start()] + (match.group() if kept else _english_part(match, match is family, draws))
        at = match.end()
    return made + plain[at:]


def _english_part(match: re.Match[str], family: bool, draws: Draws) -> str:
    word = match.group()
    if len(word) == 1:
        return draws.derived("initial", word).choice([c for c in "ABCDEFGHJKLMNPRSTW" if c != word])
    pool = _LAST if family else _FIRST
    options = [name for name in pool if name.casefold() != word.casefold()]
    made = draws.derived("surname" if family else "given", word.casefold()).choice(options)
    return made.upper() if word.isupper() else made
