"""A second evaluation set: carriers, decoys and values written apart from the rules, other registers than the first.

`*_carriers.txt` and `*_decoys.txt` hold one sentence a line ("\\n" in them is a line end). They were measured once
before any rule was changed for them; `docs/data/personal-data.md` gives the figures of that first sight.
"""

from __future__ import annotations

import random
import string
from pathlib import Path

from danlu.data.personal.tables import words
from tests.data.personal.generate import _KINDS, _SLOT, Document
from tests.data.personal.values import MAKERS, digits, grouped, token

_HERE = Path(__file__).parent
_HEXES = string.hexdigits[:16].lower()
# Surnames by how common they are, with rare ones and double ones at the end.
_SURNAMES = (
    3 * words("李 王 张 刘 陈 杨 赵 黄 周 吴")
    + 2 * words("徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许 傅 沈 曾 彭 吕")
    + words("苏 卢 蒋 蔡 贾 丁 魏 薛 叶 阎 余 潘 杜 戴 夏 钟 汪 田 任 姜 范 方 石 姚 谭 廖 邹 熊 金 陆 郝 孔 白 崔 康 毛 邱")
    + words("秦 江 史 顾 侯 邵 孟 龙 万 段 雷 钱 汤 尹 黎 易 常 武 乔 贺 赖 龚 文 庞 樊 兰 殷 施 陶 洪 翟 安 颜 倪 严 牛 温")
    + words("芦 季 俞 章 鲁 葛 伍 韦 申 尤 毕 聂 丛 焦 向 柳 邢 路 岳 齐 梅 莫 庄 辛 管 祝 左 涂 谷 时 舒 耿 牟 卜 詹 关 苗")
    + words("凌 费 纪 靳 盛 童 欧 甄 项 曲 成 游 阳 裴 席 卫 查 屈 鲍 位 覃 霍 翁 隋 植 甘 景 薄 单 包 司 柏 宁 柯 阮 桂 闵")
    + words("欧阳 上官 皇甫 令狐 诸葛 司徒 司马 端木 公孙 尉迟")
)
_GIVEN = (
    "伟芳娜敏静强磊军洋勇艳杰涛明超秀兰霞平刚英华玉萍红玲芬燕彬凤洁梅琳素云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞莉桂娣"
    "叶璧璐娅琦晶妍茜秋珊莎锦黛青倩婷姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹蓉眉君琴蕊薇菁梦岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽"
    "琬茗羽希宁欣飘育滢馥筠柔竹霭凝晓欢枫芸菲寒伊亚宜可姬舒影荔枝思丽毅俊峰保东文辉力永健世广志义兴良海山仁波贵福生龙元全国胜"
    "学祥才发武新利清飞富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江浩亮政"
    "谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以建家致树炎德行时泰盛雄琛钧冠策腾楠榕风航弘轩宇铭熙然睿宸瀚"
)
_MINORITY = words("吾买尔·托合提 热依汗·阿卜杜拉 格桑·旺堆 那仁·巴雅尔 帕尔哈提·玉山 桑吉·才让 马合木提·司马义")
_FIRST = words(
    "Oliver Jack Harry Jacob Charlie Thomas George Oscar Samuel Henry Benjamin Alexander Edward Nathan Isaac Ryan Aaron "
    "Peter Philip Simon Martin Stephen Gregory Kenneth Walter Arthur Albert Eugene Ralph Victor Leonard Chloe Emma Ava "
    "Isabella Mia Amelia Evelyn Abigail Lily Zoe Natalie Victoria Samantha Alice Julia Katherine Rachel Catherine Heather "
    "Diane Virginia Christine Helen Nancy Betty Dorothy Sandra Ashley Donna Carol Ruth Sharon Teresa Gloria Joan Megan "
    "Erin Kelly Brandon Tyler Dylan Logan Austin Cody Travis Derek Marcus Omar Diego Javier Sofia Elena Ingrid Lars Yuki "
    "Kenji Anita Sanjay Deepak Aisha Kwame Chen Mei Giulia Marco Pierre Camille Anna Eva Ivan Olga Dmitri Will Hope"
)
_LAST = words(
    "Smith Johnson Williams Brown Davis Miller Wilson Moore Taylor Anderson White Harris Martin Thompson Young King Wright "
    "Lopez Hill Green Baker Gonzalez Nelson Carter Mitchell Perez Roberts Turner Phillips Parker Evans Edwards Collins "
    "Stewart Sanchez Morris Rogers Reed Cook Morgan Bell Murphy Bailey Cooper Richardson Cox Howard Ward Peterson Gray "
    "Watson Brooks Kelly Sanders Price Bennett Wood Barnes Ross Henderson Coleman Jenkins Perry Powell Long Patterson "
    "Hughes Washington Butler Simmons Foster Bryant Alexander Russell Griffin Diaz Hayes Myers Ford Hamilton Graham "
    "Sullivan Wallace Woods Cole West Owens Reynolds Fisher Ellis Harrison Gibson Cruz Marshall Ortiz Murray Freeman "
    "Wells Webb Simpson Stevens Tucker Porter Hunter Hicks Crawford Boyd Mason Kennedy Warren Dixon Ramos Burns Gordon "
    "Shaw Holmes Rice Robertson Hunt Black Daniels Palmer Mills Nichols Grant Knight Ferguson Stone Hawkins Dunn Perkins "
    "Gupta Iyer Reddy Singh Khan Hussain Yamamoto Suzuki Kim Park Nowak Novak Ivanov Petrov Jensen Larsen Berg Muller "
    "Rossi Ferrari Dubois Moreau Silva Santos O'Connor MacDonald Van-Dyke Osei Mensah Liu Wang Huang"
)
_STREETS = words("人民路 建设街 新华大街 胜利路 光明路 文化西路 朝阳北大街 迎宾大道 东风东路 滨江道 北京路 中山路 环城南路 青年大街 学院路")
_CITIES = words(
    "辽宁省沈阳市和平区 吉林省长春市朝阳区 黑龙江省哈尔滨市南岗区 安徽省合肥市蜀山区 江西省南昌市东湖区 山西省太原市小店区 "
    "广西南宁市青秀区 贵州省贵阳市云岩区 甘肃省兰州市城关区 海南省海口市美兰区 内蒙古自治区呼和浩特市新城区 宁波市鄞州区 "
    "青岛市市南区 无锡市滨湖区 佛山市禅城区 东莞市南城区 常州市武进区 北京市丰台区 上海市静安区 郑州市金水区 大连市中山区 "
    "浙江省义乌市 江苏省昆山市 福建省泉州市丰泽区 新疆乌鲁木齐市天山区"
)
_HOMES = words("翡翠湾 阳光新城 锦绣家园 东湖花园 万达公寓 绿地国际花都 保利香槟苑 和谐家园 学府名苑 中海国际社区 书香门第小区")


def documents(seed: int, count: int, *, language: str) -> list[Document]:
    """Documents of a seed."""
    r = random.Random(f"unseen/{seed}/{language}")
    pools = [(_HERE / f"{language}_{kind}.txt").read_text("utf-8").splitlines() for kind in ("carriers", "decoys")]
    return [_document(r, language, *pools) for _ in range(count)]


def _document(r: random.Random, language: str, carriers: list[str], decoys: list[str]) -> Document:
    sentences = [r.choice(carriers) for _ in range(r.randint(2, 4))]
    sentences += [r.choice(decoys) for _ in range(r.randint(2, 4))]
    r.shuffle(sentences)
    text, spans = "", []
    for sentence in sentences:
        at = 0
        template = sentence.replace("\\n", "\n")
        for slot in _SLOT.finditer(template):
            text += template[at : slot.start()]
            name = slot.group(1)
            value = _value(r, name)
            if name.isupper():
                spans.append((len(text), len(text) + len(value), _KINDS.get(name, name)))
            text += value
            at = slot.end()
        text += template[at:]
        closed = text[-1] in "。！？.!?" and "\n" not in template
        text += ("" if language == "zh" else " ") if closed and r.random() < 0.7 else "\n"
    return Document(text, tuple(spans))


def _value(r: random.Random, name: str) -> str:
    own = {"CN_NAME": _name, "EN_NAME": _english, "CN_ADDRESS": _address, "SURNAME": lambda r: r.choice(_SURNAMES)}
    maker = own.get(name) or MAKERS.get(name)
    return maker(r) if maker else _decoy(r, name)


def _name(r: random.Random) -> str:
    if r.random() < 0.02:
        return r.choice(_MINORITY)
    return r.choice(_SURNAMES) + "".join(r.choice(_GIVEN) for _ in range(1 if r.random() < 0.2 else 2))


def _english(r: random.Random) -> str:
    first, last = r.choice(_FIRST), r.choice(_LAST)
    form = r.random()
    if form < 0.06:
        return f"{first} {r.choice(string.ascii_uppercase)}. {last}"
    if form < 0.1:
        return f"{first} {r.choice(_FIRST)} {last}"
    return f"{first} {last}"


def _address(r: random.Random) -> str:
    street = f"{r.choice(_STREETS)}{r.randint(1, 400)}号"
    home = r.choice(_HOMES)
    flat = r.choice(
        (
            f"{r.randint(1, 30)}栋{r.randint(1, 4)}单元{r.randint(101, 3204)}室",
            f"{r.randint(1, 30)}号楼{r.randint(101, 3204)}",
            f"{r.randint(1, 30)}座{r.randint(101, 3204)}室",
            f"{r.randint(1, 30)}幢{r.randint(101, 999)}",
        )
    )
    return r.choice(_CITIES) + r.choice((street, street + home + flat, home + flat, street + flat))


def _decoy(r: random.Random, name: str) -> str:
    if name.startswith(("num", "inv", "hex")):
        size = int(name[3:])
        return token(r, size, _HEXES) if name[0] == "h" else str(r.randint(1, 9)) + digits(r, size - 1)
    year, month, day = r.randint(1990, 2026), r.randint(1, 12), r.randint(1, 28)
    makers = {
        "code": lambda: digits(r, r.choice((4, 6))),
        "order": lambda: digits(r, r.choice((10, 12, 13, 16, 17, 18, 20))),
        "stamp": lambda: f"{year}{month:02d}{day:02d}{digits(r, 8)}",
        "stamp8": lambda: f"{year}{month:02d}{day:02d}",
        "date": lambda: r.choice((f"{year}-{month:02d}-{day:02d}", f"{year}/{month}/{day}", f"{year}.{month:02d}.{day}")),
        "time": lambda: f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}",
        "amount": lambda: r.choice((f"{r.randint(1, 99999):,}.{digits(r, 2)}", f"{r.randint(1, 99999)}")),
        "big": lambda: str(r.randint(10_000_000, 9_999_999_999)),
        "long": lambda: token(r, 2, string.ascii_uppercase) + digits(r, 14),
        "serial": lambda: token(r, 10, string.ascii_uppercase + string.digits),
        "bp": lambda: f"{r.randint(90, 180)}/{r.randint(50, 110)}mmHg",
        "ean": lambda: "69" + digits(r, 11),
        "isbn": lambda: f"978-{r.randint(0, 9)}-{digits(r, 4)}-{digits(r, 4)}-{digits(r, 1)}",
        "meet": lambda: grouped(str(r.randint(1, 9)) + digits(r, 8), (3, 3), r.choice(" -")),
        "ratio": lambda: f"{r.randint(0, 9)}.{digits(r, 4)}",
        "version": lambda: ".".join(str(r.randint(0, 30)) for _ in range(r.choice((3, 4)))),
        "ver3": lambda: f"{r.randint(1, 4)}.{r.randint(0, 20)}.{r.randint(0, 20)}",
        "lng": lambda: f"{r.randint(73, 135)}.{digits(r, 6)}",
        "lat": lambda: f"{r.randint(18, 53)}.{digits(r, 6)}",
        "unix": lambda: str(r.randint(1_500_000_000, 1_790_000_000)) + r.choice(("", digits(r, 3))),
        "uuid": lambda: "-".join(token(r, n, _HEXES) for n in (8, 4, 4, 4, 12)),
        "sha": lambda: token(r, r.choice((40, 64)), _HEXES),
        "md5": lambda: token(r, 32, _HEXES),
    }  # fmt: skip
    return str(makers[name]())
