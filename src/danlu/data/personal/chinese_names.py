"""Chinese person names by rules: surname table, given-name characters, word boundaries and the words around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import accumulate, count

import rjieba

from danlu.data.personal.chinese_tables import NameTables, name_tables
from danlu.data.personal.spans import Span

_HAN = re.compile("[\u4e00-\u9fff]")
_HAN_RUN = re.compile("[\u4e00-\u9fff]+")
_DOTTED = re.compile("[\u4e00-\u9fff]{1,8}(?:[·•・‧][\u4e00-\u9fff]{1,8}){1,3}")
# Characters that spell foreign and minority names; they bound a name with dots where words do not.
_SPELLING = frozenset(
    "卜甫阿艾安奥巴白拜保鲍贝比彼别宾波伯勃博布采查察达大戴丹道德登迪地第蒂丁东都杜多恩尔法凡菲费芬佛弗夫伏福盖甘高戈哥格葛根古"
    "瓜哈海罕汉豪赫黑亨洪胡华霍基吉加贾江杰金久卡凯坎康考科可克孔库夸拉莱赖兰朗劳乐勒雷黎里理利莉力丽连列烈林琳留柳龙卢鲁路露"
    "伦罗洛马玛迈麦曼芒毛梅门蒙孟米密明摩莫默姆木穆纳娜乃奈南瑙内尼宁纽农努诺欧帕派潘庞佩彭皮平珀普其齐奇恰钱乔切琴琼丘热仁日"
    "荣茹如儒瑞若萨塞赛桑瑟森沙莎山珊尚绍舍申圣施史士斯司松苏素孙索塔台泰坦汤唐陶特腾提替廷图土托娃瓦万旺威维卫魏温文翁沃乌武西"
    "希锡夏香肖谢辛雄休许雅亚延扬耶叶伊依宜易因印英尤约泽扎詹珍芝治朱兹卓佐买孜江提吐逊衣迪力卡热古丽娅措姆卓玛次仁平多吉丹增"
    "肯旦顿珠扎西才央金拉毛格桑桑杰嘉巴图额尔敦其木格娜仁托娅萨日朗苏乌兰呼那顺铁木真合买提江吾甫尔艾合肉孜依明努尔阿不都热"
)
_PEEL_LEFT = frozenset(
    "找说求托劝夸骂谢催陪盼由和请与让跟给对向找被把叫问同据是为及以从将替帮陪比令使在到去问接送见看听约派选写因而或但就又也还当"
)
_PEEL_RIGHT = frozenset(
    "说去在是的了来会到和与今明昨先也已就都又还要想把被给让跟对向从将于曾正很将称因可能应该并等及为至未不没有最个这那带做住"
)
_LINK_LEFT = frozenset("由和跟与给请让找对据同向被把及、叫问替帮陪见约派送从将")
_PLACE_RIGHT = re.compile(
    r"(?:省|市|县|区|镇|乡|村|路|街|道|巷|里弄|公司|集团|大学|学院|中学|小学|医院|银行|酒店|饭店|大厦|广场|小区|"
    r"花园|餐厅|科技|有限|股份|"
    r"牌|山|河|湖|江|岛|港|站|桥|寺|庙|朝|国|姓|氏|家族|教堂|故里|故居|奖|杯|机场|车站|高速|铁路|电影|出版|法案|"
    r"定理|定律|效应|酒|茶)"
)
_SPEECH_RIGHT = re.compile(
    r"(?:说|表示|认为|介绍|称|告诉|回答|指出|觉得|反映|告知|坦言|透露|解释|补充|强调|回忆|告诉|建议|提出|要求|承认|"
    r"发现|主持|负责|"
    r"签字|签收|签名|确认|提交|填写|申请|投诉|办理|同志|在电话|今天|昨天|明天|上周|下周|已经|刚刚|曾|正在|先生|"
    r"女士|于\d|\d{4}年|从|把|将|"
    r"和我|跟我|给我|让我|向我|帮我|和他|和她|来|去|也|就|没|不|很|都|还|又|想|会|要|在|是|的)"
)
# What is done by people, or belongs to them, and hardly to anything else a name could be taken for.
_OWNED_RIGHT = re.compile(
    r"(?:升职|升任|晋升|报警|报名|报案|报到|回复|回应|住院|入院|出院|入职|离职|辞职|退休|毕业|考上|考取|结婚|离婚|"
    r"生病|请假|加班|迟到|同意|拒绝|反对|转账|汇款|付款|下单|预约|退款|现年|等人|[两二三四五六]人|[两二三四]位|"
    r"考试|上班|下班|去世|逝世|出生|获奖|当选|退群|发消息|"
    r"的(?:手机|电话|微信|身份证|银行卡|账户|账号|地址|邮箱|病历|合同|护照|简历|生日|家人|父母|儿子|女儿|妻子|丈夫))"
)
_BEFORE = re.compile(
    r"(?:恭喜|祝贺|欢迎|听说|据说|得知|随后|接着|后来|邀请|有请|拜访|采访|陪同|聘请|聘任|提名|推选|表彰|通知:|名单:|"
    r"人员:|旅客:|乘客:|乘机人:|参会:|出席:|抄送:|信息:)$"
)
_END = re.compile(r"[，。,.;；:：、!！?？)）\]】》」”\"'\n\s（(]|$")
_NAME_LABEL = re.compile(
    r"(?:姓\s?名|名\s?字|联系人|收件人|收货人|寄件人|发件人|户\s?名|持卡人|开户人|申请人|投保人|被保险人|受益人|"
    r"患者姓名|法定代表人|法人代表|"
    r"经办人|经手人|签收人|监护人|紧急联系人|委托人|当事人|负责人|审核人|填表人|记录人|承租人|出租人|借款人|担保人|"
    r"真实姓名|员工姓名|学生姓名|客户姓名)"
    r"(?:是|为|叫)?\s?[:：]\s?([\u4e00-\u9fff](?:\s{0,2}[\u4e00-\u9fff]){1,3})"
    r"(?=[，。,.;；、!！?？)）\]】\n\s|/（(]|$)"
)


class _Words:
    """Where words begin and end in a part of a text; offsets are the text's."""

    __slots__ = ("_index", "_words")

    def __init__(self, text: str, low: int, high: int) -> None:
        self._words = rjieba.cut(text[low:high])
        self._index = dict(zip(accumulate(map(len, self._words), initial=low), count(), strict=False))

    def start(self, at: int) -> str | None:
        """The word that begins at an offset."""
        number = self._index.get(at, -1)
        return self._words[number] if 0 <= number < len(self._words) else None

    def end(self, at: int) -> str | None:
        """The word that ends at an offset."""
        number = self._index.get(at, 0)
        return self._words[number - 1] if number else None


@lru_cache(maxsize=65536)
def _tag(word: str) -> str:
    """The segmenter's tag of a word of its dictionary, empty for a word that it made up."""
    tagged = rjieba.tag(word, False) if len(word) > 1 or word >= "\u4e00" else ()
    return tagged[0][1] if len(tagged) == 1 and rjieba.has_word(word) else ""


@lru_cache(maxsize=65536)
def _ordinary(word: str) -> bool:
    """Whether a word of two characters or more is one of the language and no name."""
    if len(word) == 2:
        return word in name_tables().not_names or (_known(word) and not _tag(word).startswith("nr"))
    return word in name_tables().not_names or (len(word) > 3 and _known(word) and not _tag(word).startswith("nr"))


def chinese_names(text: str) -> Iterator[Span]:
    """Spans of names, without titles; the text is folded."""
    if not _HAN.search(text):
        return
    yield from _labelled(text)
    t = name_tables()
    whole: _Words | None = None
    if "·" in text or "•" in text or "・" in text or "‧" in text:
        whole = _Words(text, 0, len(text))
        yield from _dotted(text, whole)
    done = edge = 0
    words = whole
    for at in _surnames(text, t):
        if at >= edge and not whole:
            # Only clauses that may hold a name are cut into words, as that is what costs.
            low, edge = _clause(text, at)
            words = _Words(text, low, edge)
        best = _best(text, at, words, t) if words and at >= done and _may_begin(text, at, words, t) else None
        if best is not None:
            yield Span(at, at + best[0], "CN_NAME", round(min(0.98, 0.5 + 0.12 * (best[1] - _ENOUGH)), 3))
            done = at + best[0]


def _clause(text: str, at: int) -> tuple[int, int]:
    """The run of Chinese characters around an offset."""
    low = at
    while low and "\u4e00" <= text[low - 1] <= "\u9fff":
        low -= 1
    run = _HAN_RUN.match(text, low)
    return low, run.end() if run else at + 1


@cache
def _pairs() -> re.Pattern[str]:
    """A surname's first character in front of one that a given name or a title may have."""
    t = name_tables()
    firsts = "".join(sorted({*t.rank, *(name[0] for name in t.doubles)}))
    return re.compile(f"[{firsts}](?=[{''.join(sorted(t.follow))}])")


def _surnames(text: str, t: NameTables) -> Iterator[int]:
    """Offsets of surnames that a given name or title may follow, where the two are no ordinary word by themselves."""
    for match in _pairs().finditer(text):
        at = match.start()
        pair = text[at : at + 2]
        if (
            not _ordinary(pair)
            or pair in t.doubles
            or text[at - 1 : at] in t.head_ends
            or text[at + 1 : at + 3] in t.titles
        ):
            yield at


def _may_begin(text: str, at: int, words: _Words, t: NameTables) -> bool:
    """Whether a name may begin at `at`: at the head of a word, or behind what is glued to it."""
    word = words.start(at)
    if word is None:
        return words.start(at - 1) is not None or text[at - 1 : at] in t.head_ends
    return len(word) == 1 or word[:2] in t.doubles or not _ordinary(word) or text[at - 1 : at] in t.head_ends


_ENOUGH = 1.2


def _best(text: str, at: int, words: _Words, t: NameTables) -> tuple[int, float] | None:
    """The best candidate at `at` that is good enough; a longer one wins unless it is clearly worse."""
    enough = [c for c in _candidates(text, at, words, t) if c[1] >= _ENOUGH]
    if not enough:
        return None
    top = max(score for _, score in enough)
    longest = max(enough)
    last = text[at + longest[0] - 1]
    if longest[0] == 3 and last in t.strong and last not in t.weak:
        return longest
    return max(c for c in enough if c[1] >= top - 1.0)


def _candidates(text: str, at: int, words: _Words, t: NameTables) -> Iterator[tuple[int, float]]:
    """(length, score) of each name that could begin here."""
    lead = _boundary_left(text, at, words)
    if lead is None:
        return
    double = text[at : at + 2] in t.doubles
    family = text[at : at + 2] if double else text[at]
    if not double and family not in t.rank:
        return
    title = _title_at(text, at + len(family), words)
    if title:
        if (lead >= 0 or text[at - 1] in _LINK_LEFT) and family not in _NOT_ALONE:
            yield len(family), 2.0 + _family(family, t)
        return
    for size in (4, 3) if double else (3, 2):
        name = text[at : at + size]
        given = name[len(family) :]
        if len(name) < size or not all("\u4e00" <= c <= "\u9fff" for c in given) or name in t.not_names:
            continue
        tail = _boundary_right(text, at + size, words)
        if tail is None:
            continue
        base = _family(family, t) + _given(given, t) + lead + tail + _whole(at, size, words)
        if base < -1.5 and text[at - 1 : at] not in t.head_ends:
            continue  # no more than 2.7 can come from the words around
        around = _around(text, at, at + size, words)
        if name in t.famous and around < 2.0:
            continue
        score = base + around
        score -= 2.0 if name[:2] in t.not_names and not double else 0.0
        yield size, score


# Surnames that before a title are more often another word: 和女士, 全老师.
_NOT_ALONE = frozenset(
    "和时向位来强全都应水元平明干经路别终步满国广利越那母须红权但由况单包关连车边计官保通易管谈麻支宣富牧暴束幸充慎弘养占候帅"
)


def _title_at(text: str, at: int, words: _Words) -> bool:
    """Whether a title such as 先生 stands at `at`; one of a single character must be a word's end."""
    t = name_tables()
    first = text[at : at + 1]
    if first not in t.title_heads:
        return False
    titles = t.titles
    if text[at : at + 2] in titles or text[at : at + 3] in titles or text[at : at + 4] in titles:
        return True
    return first in titles and words.end(at + 1) is not None


def _boundary_left(text: str, at: int, words: _Words) -> float | None:
    """A score for a word boundary in front of `at`, None where a name cannot begin."""
    if words.start(at) is not None:
        return 0.0
    before = words.start(at - 1)
    if before and text[at - 1] in _PEEL_LEFT and (len(before) >= 3 or not _known(before)):
        return -0.3
    return -0.3 if _head_at(text, at) else None


def _head_at(text: str, at: int) -> str | None:
    """The longest word such as 患者 that ends at `at`."""
    t = name_tables()
    if text[at - 1 : at] not in t.head_ends:
        return None
    return next((text[at - n : at] for n in (6, 5, 4, 3, 2, 1) if at >= n and text[at - n : at] in t.heads), None)


def _boundary_right(text: str, end: int, words: _Words) -> float | None:
    if words.end(end) is not None:
        return 0.0
    word = words.end(end + 1)
    if word and (len(word) == 1 or not _ordinary(word)):
        after, t = text[end], name_tables()
        if after in _PEEL_RIGHT or (after not in t.strong and after not in t.weak):
            return -0.4
    return None


def _family(family: str, t: NameTables) -> float:
    if len(family) == 2:
        return 1.5
    base = 0.6 if t.rank[family] < 30 else 0.3 if t.rank[family] < 100 else 0.0 if t.rank[family] < 250 else -0.5
    return base - (0.6 if family in t.rare else 0.0)


_NEVER_LAST = frozenset("于和与的了在是说有不我你他她它这那着过吗呢吧啊到去会也都就还被把给让跟对从将氏姓君总")


def _given(given: str, t: NameTables) -> float:
    if given[-1] in _NEVER_LAST:
        return -3.0
    values = [(0.2 if c in t.weak else 1.0) if c in t.strong else (-0.6 if c in t.weak else -1.6) for c in given]
    if given[-1] not in t.strong and given[-1] not in t.weak:
        values.append(-0.8)
    return sum(values) * (0.8 if len(given) == 2 else 1.0)


def _whole(at: int, size: int, words: _Words) -> float:
    """What the segmenter thinks of the candidate."""
    word = words.start(at)
    if word is None:
        return 0.5 if words.start(at - 1) is not None else 0.0
    if len(word) == size:
        tag = _tag(word)
        return 1.2 if tag.startswith("nr") else 0.8 if not tag else -2.5 if size == 2 else -0.8
    if len(word) > size:
        tag = _tag(word)
        return 0.5 if tag.startswith("nr") or not tag else -2.5
    rest = words.start(at + len(word))
    if rest is None:
        return -1.0
    covered = len(word) + len(rest)
    if covered != size:
        return 0.0 if covered < size or not _known(rest) else -1.0
    if len(rest) == 1:
        return -1.6 if _tag(rest)[:1] in _FUNCTION else 0.2
    return -0.6 if _tag(rest)[:1] in _FUNCTION or _tag(rest)[:1] == "v" else 0.0


_FUNCTION = frozenset("pcurmqtdy")


@lru_cache(maxsize=65536)
def _known(word: str) -> bool:
    return bool(rjieba.has_word(word))


def _around(text: str, start: int, end: int, words: _Words) -> float:
    score = 0.0
    place = start
    while place and text[place - 1] == " ":
        place -= 1
    colon = text[place - 1 : place] == ":"
    head = _head_at(text, place - 1 if colon else place)
    left = text[place - 1 : place]
    if head is not None:
        score += 3.0 if colon else 1.6
    elif _BEFORE.search(text, max(0, place - 4), place):
        score += 1.0
    elif not left or left in '，。！？；\n,.;!?"“「(（':
        score += 0.3
    elif left in _LINK_LEFT:
        score += 0.6
    if _title_at(text, end, words):
        score += 1.5
    return score + _after(text[end : end + 6])


def _after(right: str) -> float:
    """What follows a candidate, as evidence."""
    if _PLACE_RIGHT.match(right):
        return -2.5
    if _OWNED_RIGHT.match(right):
        return 1.2
    if _SPEECH_RIGHT.match(right):
        return 0.6
    return 0.4 if _END.match(right) or right[0] in "和与及跟" else 0.0


def _labelled(text: str) -> Iterator[Span]:
    """What stands alone behind a label such as 姓名: is a name when it begins with a surname."""
    t = name_tables()
    for match in _NAME_LABEL.finditer(text):
        value = re.sub(r"\s", "", match.group(1))
        surname = (value[0] in t.rank and len(value) <= 3) or value[:2] in t.doubles
        if surname and value not in t.not_names:
            yield Span(match.start(1), match.end(1), "CN_NAME", 0.97)


def _dotted(text: str, words: _Words) -> Iterator[Span]:
    """Names of several parts, 买买提·艾力; ends stop at what spells no name, or before another word."""
    for match in _DOTTED.finditer(text):
        start, end = match.start(), match.end()
        dots = [i for i in range(start, end) if text[i] in "·•・‧"]
        left, right = dots[0], dots[-1] + 1
        while left > start and text[left - 1] in _SPELLING and (left == dots[0] or _spelt(words.end(left))):
            left -= 1
        while right < end and (
            _suhe(text, right) or (text[right] in _SPELLING and (right == dots[-1] + 1 or _spelt(words.start(right))))
        ):
            right += 1
        if left < dots[0] and right > dots[-1] + 1 and dots[0] - left + right - dots[-1] > 3:
            yield Span(left, right, "CN_NAME", 0.85)


def _suhe(text: str, at: int) -> bool:
    """The second half of 苏和 and 呼和, which elsewhere is a word that joins two names."""
    return text[at] == "和" and text[at - 1] in "苏呼"


def _spelt(word: str | None) -> bool:
    """Whether a word that begins or ends here may belong to a spelt name; None: the place is inside of a word."""
    return word is None or (word not in ("谢谢", "感谢") and (all(c in _SPELLING for c in word) or not _known(word)))


def could_be_name(word: str) -> str | None:
    """The name in a word that a tagger takes for a person, without its title; None for what cannot be one."""
    t = name_tables()
    for size in (4, 3, 2):
        if len(word) > size and word[-size:] in t.titles:
            word = word[:-size]
            break
    han = all("\u4e00" <= c <= "\u9fff" or c in "·•・‧" for c in word)
    if not han or word in t.famous or word in t.not_names or word in t.heads or word in t.titles:
        return None
    if any(c in "·•・‧" for c in word[1:-1]):
        return word
    surname = word[0] in t.rank or word[:2] in t.doubles
    return word if surname and 2 <= len(word) <= 4 and (len(word) < 4 or word[:2] in t.doubles) else None
