"""What stands around a candidate for a Chinese name, as evidence: roles, titles, keys, quotes, verbs, line ends."""

from __future__ import annotations

import re

from danlu.data.personal.chinese_tables import name_tables
from danlu.data.personal.chinese_words import Words, tag_of
from danlu.data.personal.tables import words as split

# Kinds of words after which a person is named, known by how they end: 操作员, 审判长, 代领人, 学委.
_PERSON_ENDS = frozenset("人员长师者友生手户主委医工妈爸爷奶哥姐弟妹嫂叔姨婆公辑记任理监方家")
_PERSON_TAGS = frozenset(("n", "nr", "nz", "b", "vn", "v", "nrt", "j", ""))
_ROLES = frozenset(
    split(
        """
    法人 代表 坐席 客服 编辑 摄影 撰文 文字 责编 校对 策划 审核 制表 制图 绘图 审批 复核 拟稿 签发
    抄送 主送 收件 寄件 发件 报送 经手 开票 收款 汇款 领取 代领 代办 监考 主考 值班 主持 记录 主讲
    主刀 术者 一助 二助 麻醉 护理 带教 出租 承租 借款 担保 出借 付款 启事 同志 同事 患儿 周一 周二
    周三 周四 周五 周六 周日 周天 星期一 星期二 星期三 星期四 星期五 星期六 星期日 星期天
    """
    )
)
_COPULA = re.compile(r"(?:名叫|叫做|名为|唤作|就是|是|为|叫)$")
_KEY = re.compile(
    r"(?:name|user|author|owner|contact|customer|client|operator|assignee|reporter|sender|receiver|recipient|patient|student|"
    r"teacher|member|staff|employee|manager|nick|signed|cc|from|to|attn)[\"']?\s{0,2}[:=]\s{0,2}[\"'“]?$",
    re.IGNORECASE,
)
LINKS = frozenset("由和跟与给请让找对据同向被把及、叫问替帮陪见约派送从将")
_QUOTES = " \"'“‘「[【|/\t<@*#>-"
_MARKS = {"@": 1.0} | dict.fromkeys("|/<'\"", 0.5)
_PLACE_RIGHT = re.compile(
    r"(?:省|市|县|区|镇|乡|村|路|街|道|巷|里弄|公司|集团|大学|学院|中学|小学|医院|银行|大?酒店|饭店|宾馆|旅[馆店]|客栈|山庄|度假|酒家|饭庄|茶楼|超市|商[场城厦]|影院|剧院|[一二三四五六七八九十\d]+(?:路|街)|大厦|广场|小区|"
    r"花园|餐厅|科技|有限|股份|"
    r"牌|山|河|湖|江|岛|港|站|桥|寺|庙|朝|国|姓|氏|家族|教堂|故里|故居|奖|杯|机场|车站|高速|铁路|电影|出版|法案|"
    r"定理|定律|效应|酒|茶)"
)
_PLACE_HEADS = frozenset(
    "省市县区镇乡村路街道巷里公集大学中小医银酒饭宾旅客山度茶超商影剧广花餐科有股牌河湖江岛港站桥寺庙朝国姓氏家教故奖杯机车高"
    "铁电出法定效一二三四五六七八九十0123456789"
)
_SPEECH_RIGHT = re.compile(
    r"(?:说|表示|认为|介绍|称|告诉|回答|指出|觉得|反映|告知|坦言|透露|解释|补充|强调|回忆|告诉|建议|提出|要求|承认|"
    r"发现|主持|负责|"
    r"签字|签收|签名|确认|提交|填写|申请|投诉|办理|同志|在电话|今天|昨天|明天|上周|下周|已经|刚刚|曾|正在|先生|"
    r"女士|于|仍|均|亦|遂|则|即|已|\d{4}年|从|把|将|"
    r"和我|跟我|给我|让我|向我|帮我|和他|和她|来|去|也|就|没|不|很|都|还|又|想|会|要|在|是|的|系|收(?:\W|$)|凭|因|"
    r"敬上|拜上|谨启|本人|团队|名下|夫妇|一家|等\W|[男女](?:\W|$))"
)
# What is done by people, or belongs to them, and hardly to anything else a name could be taken for.
_OWNED_RIGHT = re.compile(
    r"(?:升职|升任|晋升|报警|报名|报案|报到|回复|回应|住院|入院|出院|入职|离职|辞职|退休|毕业|考上|考取|结婚|离婚|"
    r"生病|请假|加班|迟到|同意|拒绝|反对|转账|汇款|付款|下单|预约|退款|现年|等人|[两二三四五六]人|[两二三四]位|"
    r"考试|上班|下班|去世|逝世|出生|获奖|当选|退群|发消息|刚从|刚刚|刚才|敬上|拜上|名下|本人|"
    r"的(?:手机|电话|微信|身份证|银行卡|账户|账号|地址|邮箱|病历|合同|护照|简历|生日|家人|父母|儿子|女儿|妻子|丈夫))"
)
_BEFORE = frozenset(
    split(
        """
    恭喜 祝贺 欢迎 听说 据说 得知 随后 接着 后来 邀请 有请 拜访 采访 陪同 聘请 聘任 提名 推选 表彰
    附上 认识 转给 捡到 经查,
    """
    )
)
_END = re.compile(r"[，。,.;；:：、!！?？)）\]】》」”\"'\n\s（(|/&<]|$")
# Single characters that often stand behind a name, in front of a pause.
_TRAILERS = frozenset(
    "称说收吧吗呢的了好在系来去也等们啊呀哈到不没是启述著编译摄绘签注你我他她摔哭笑走跑问答谢作写拍查办"
)


def head_at(text: str, at: int) -> str | None:
    """The longest word such as 患者 that ends at `at`."""
    t = name_tables()
    if text[at - 1 : at] not in t.head_ends:
        return None
    return next((text[at - n : at] for n in (6, 5, 4, 3, 2, 1) if at >= n and text[at - n : at] in t.heads), None)


def is_title(text: str, at: int) -> bool:
    """Whether the characters at `at` are those of a title such as 先生."""
    t = name_tables()
    first = text[at : at + 1]
    return first in t.title_heads and (first in t.titles or _long_title(text, at, t.titles))


def _long_title(text: str, at: int, titles: frozenset[str]) -> bool:
    return text[at : at + 2] in titles or text[at : at + 3] in titles or text[at : at + 4] in titles


def title_at(text: str, at: int, words: Words) -> bool:
    """Whether a title stands at `at`; one of a single character must be a word's end."""
    titles = name_tables().titles
    return is_title(text, at) and (_long_title(text, at, titles) or words.end(at + 1) is not None)


def _ends_in(words: frozenset[str], text: str, at: int) -> bool:
    """Whether one of the words, of two or three characters, ends at `at`."""
    return text[max(0, at - 2) : at] in words or text[max(0, at - 3) : at] in words


def before(text: str, start: int, words: Words) -> float:
    """What stands in front of a candidate; the same for each that begins there."""
    place = start
    while place and text[place - 1] in _QUOTES:
        place -= 1
    if not place:
        return 0.3
    left = text[place - 1]
    if left in ":=":
        return _behind_colon(text, place - 1)
    if place < start:  # a quote, a bar, an @ or a space
        return 1.6 if head_at(text, place) else _MARKS.get(text[start - 1], 0.3)
    if head_at(text, place) is not None:
        return 1.6
    copula = _COPULA.search(text, max(0, place - 2), place) if left in "做为作是叫" else None
    if copula and _role(text, copula.start(), words):
        return 1.5
    if _ends_in(_BEFORE, text, place):
        return 1.0
    if left in '，。！？；\n,.;!?"“「(（':
        return 0.3
    return 1.2 if _role(text, place, words) else _linked(text, place, words)


def _linked(text: str, place: int, words: Words) -> float:
    """A word such as 请 or a verb in front: what is done to people as well as to things."""
    if text[place - 1] in LINKS:
        return 0.6
    word = words.end(place) or ""
    return 0.4 if len(word) > 1 and tag_of(word)[:1] == "v" else 0.0


def _behind_colon(text: str, colon: int) -> float:
    """What a colon or = in front says: of a role, of a field of a record, or of nothing in particular."""
    place = colon
    while place and text[place - 1] in " \"'”":
        place -= 1
    if text[place - 1 : place] == ")":
        opened = text.rfind("(", max(0, place - 10), place)
        place = opened if opened > 0 else place
    if head_at(text, place) or _ends_in(_ROLES, text, place):
        return 3.0
    last = text[place - 1 : place]
    if last in _PERSON_ENDS:
        return 2.2
    if last.isascii() and _KEY.search(text, max(0, colon - 16), colon + 1):
        return 2.0
    return 0.6


def _role(text: str, place: int, words: Words) -> bool:
    """Whether a word for a person ends at `place`."""
    if text[place - 1] not in _PERSON_ENDS:
        return head_at(text, place) is not None or _ends_in(_ROLES, text, place)
    word = words.end(place) or ""
    if len(word) == 1:
        return word in "人员工" and "\u4e00" <= text[place - 2 : place - 1] <= "\u9fff"
    return tag_of(word) in _PERSON_TAGS


def after(text: str, end: int, words: Words) -> float:
    """What follows a candidate."""
    right = text[end : end + 6]
    if not right:
        return 0.4
    if right[0] in _PLACE_HEADS and _PLACE_RIGHT.match(right):
        return -2.5
    score = 1.5 if title_at(text, end, words) else 0.0
    if _OWNED_RIGHT.match(right):
        return score + 1.2
    if _SPEECH_RIGHT.match(right):
        return score + 0.6
    if _END.match(right) or right[0] in "和与及跟":
        return score + 0.4
    word = words.start(end)
    return score + (0.4 if word and tag_of(word)[:1] in ("v", "d", "p") else 0.0)


def alone(text: str, start: int, end: int) -> float:
    """A candidate that fills a run of Chinese characters by itself, or leaves a single one over at its end."""
    if not "\u4e00" <= text[end : end + 1] <= "\u9fff":
        if start and "\u4e00" <= text[start - 1] <= "\u9fff":
            return 0.0
        return 0.7 if end - start == 2 else 1.2
    if not "\u4e00" <= text[end + 1 : end + 2] <= "\u9fff" and text[end] not in _TRAILERS:
        return -1.5
    return 0.0


_FIRM = re.compile(
    "[\u4e00-\u9fff]{0,2}(?:(?:科技|信息|网络|技术|电子|软件|通信|智能|数码|生物|医药|医疗器械|医疗|健康|食品|服装|服饰|纺织|家居|装饰|"
    "建筑|建材|工程|机械|设备|电器|电气|电力|能源|环保|化工|材料|金属|汽车|物流|运输|供应链|商贸|贸易|进出口|实业|置业|地产|投资|金融|咨询|"
    "文化|传媒|广告|教育|旅游|酒店|餐饮|农业|制造|控股|国际|餐具|玩具|印刷|包装|家具|珠宝|保险|证券|人力资源|物业|管理|服务){1,4}"
    "(?:集团)?(?:股份)?(?:有限)?(?:责任)?(?:公司|集团|厂)|职业(?:技术)?学院)"
)


def is_firm(text: str, end: int) -> bool:
    """Whether what begins before `end` goes on as a firm's name: 银川宏 | 图实业有限公司."""
    return _FIRM.match(text, end) is not None


def is_cut_short(text: str, at: int, size: int) -> bool:
    """Whether a name of this length leaves out its last character, or takes in the verb's: 庞义 | 和、, 李宸未 | 系."""
    end = at + size
    if size == 3 and text[end - 1] in "未曾" and "\u4e00" <= text[end : end + 1] <= "\u9fff":
        return True
    # What joins two words cannot stand before a mark, nor 之 before one
    return size == 2 and text[end : end + 1] in _JOINING and text[end + 1 : end + 2] in _CLOSING


_JOINING, _CLOSING = frozenset("和之"), frozenset("、，。；：,;:的）)")
