"""Names as forms and lists write them, brought into the usual order and case: ZHAO, JING; Ochieng, Kamau; PENNY LANE.

What stands in capitals or surname first is judged as if it were written the usual way.
"""

from __future__ import annotations

import re
from functools import cache

from danlu.data.personal.english_words import LOWER, UPPER, WORD
from danlu.data.personal.tables import table, words

_CAPITALS = re.compile(
    rf"(?<![{UPPER}{LOWER}0-9_@/#&-])[{UPPER}][{UPPER}'’-]+"
    rf"(?:,? ['’]?[{UPPER}](?:[{UPPER}'’-]+|\.)?(?![{LOWER}])|(?=, [{UPPER}][{LOWER}]))+"
    rf"(?![{LOWER}{UPPER}0-9_@]|-[0-9])"
)
_SOME_CAPITALS = re.compile(rf"[{UPPER}]{{2}},? [{UPPER}]")
_LETTERS = re.compile(rf"[{UPPER}]+")
_LOW = frozenset(words("DE LA DEL VAN DER DEN VON ZU BIN BINTI EL AL DI DA DOS DU LE TER TEN Y"))


def usual_case(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with rows of words in capitals as names are written, and where these rows are; offsets stay."""
    rows = [match.span() for match in _CAPITALS.finditer(text)] if _SOME_CAPITALS.search(text) else []
    if not rows:
        return text, rows
    pieces, at = [], 0
    for start, end in rows:
        pieces += [text[at:start], " ".join(_as_name(word) for word in text[start:end].split(" "))]
        at = end
    written = "".join([*pieces, text[at:]])
    return (written, rows) if len(written) == len(text) else (text, [])


def _as_name(word: str) -> str:
    if word.rstrip(",") in _LOW:
        return word.lower()
    return _LETTERS.sub(lambda match: match.group()[0] + match.group()[1:].lower(), word)


REVERSED = re.compile(
    rf"(?P<last>(?:(?:van|von|de|der|den|ter|la|di|da|del|el|al|bin|'t|’t) )*{WORD}(?: {WORD})?), "
    rf"(?P<first>{WORD}(?: {WORD}| [{UPPER}]\.)?)(?![{LOWER}{UPPER}0-9_@]|-[{LOWER}{UPPER}])"
)
# Whose field it is; a cell of a table or a quoted value; the beginning of a line or of a numbered one
_PERSONS = re.compile(
    r"(?:name|employee|patient|victim|claimant|guarantor|plaintiff|defendant|customer|client|contact|physician|doctor|"
    r"surgeon|an[ae]+sthe\w+|scrub|nurse|student|teacher|applicant|tenant|landlord|cardholder|holder|insured|beneficiary|"
    r"party|complainant|suspect|witness|officer|author|from|to|cc|attn|signed|by|passenger|guest|member|candidate|"
    r"resident|owner|driver|caller|consignee|recipient|sender|payee|payer|attendee|spouse|parent|mother|father|kin|"
    r"provider|attending|trustee|director|manager|agent|seller|buyer|lessee|lessor|borrower)\b[^\n:]{0,12}: ?[\"“]?$",
    re.IGNORECASE,
)
_CELL = re.compile(r"[\t\"“]$|[|;] ?\"?$|\S {2,}$")
_LINE = re.compile(r"(?:^|\n) ?(?:\d{1,3}[.)] )?$")
_END = re.compile(r"\s*(?:$|[\n\t;|\"”<)]|,? ?(?:M\.?D|D\.?O|R\.?N|Ph\.?D|Esq|DDS)\b|\s{2}| - | \(| \d)")


def is_in_a_field(text: str, start: int, end: int) -> bool:
    """Whether a person's field, or a cell of a table, begins here and ends there."""
    before = text[max(0, start - 40) : start]
    return bool(_END.match(text, end) and (_PERSONS.search(before) or _CELL.search(before)))


def is_a_line(text: str, start: int, end: int) -> bool:
    """Whether a line begins here, numbered or not, and goes no further than its first part."""
    return bool(_END.match(text, end) and _LINE.search(text, max(0, start - 7), start))


@cache
def _places() -> frozenset[str]:
    return frozenset(word.lower() for word in table("english_names")["places"])


def is_place(word: str) -> bool:
    """Whether what stands behind a comma is a country or a state: Nairobi, Kenya; HOUSTON, TX."""
    return len(word) < 3 or word.lower() in _places()


_SYLLABLE = (
    r"(?:(?:b|p|m|f|d|t|n|l|g|k|h|j|q|x|zh|ch|sh|r|z|c|s|y|w)"
    r"(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|uo|ui|ue|a|o|e|i|u)|"
    r"er|an|en|ai|ao|ou)"
)
_PINYIN, _PINYIN_ONE = re.compile(f"{_SYLLABLE}{{2}}"), re.compile(_SYLLABLE)
CHINESE_PLACES = frozenset(
    words(
        "beijing shanghai tianjin chongqing guangzhou shenzhen dongguan foshan zhuhai zhongshan huizhou shantou "
        "jiangmen hangzhou ningbo wenzhou jiaxing huzhou shaoxing jinhua yiwu taizhou nanjing suzhou wuxi changzhou "
        "nantong yangzhou xuzhou zhenjiang hefei wuhu fuzhou xiamen quanzhou zhangzhou nanchang ganzhou jinan "
        "qingdao yantai weifang weihai linyi zibo zhengzhou luoyang kaifeng wuhan yichang xiangyang changsha "
        "zhuzhou yueyang nanning guilin liuzhou haikou sanya chengdu mianyang guiyang kunming lhasa xian lanzhou "
        "xining yinchuan urumqi hohhot baotou taiyuan datong shijiazhuang tangshan baoding qinhuangdao shenyang "
        "dalian changchun jilin harbin daqing taibei taipei macao hainan henan hebei hubei hunan yunnan sichuan "
        "guizhou shandong shanxi shaanxi jiangsu zhejiang jiangxi anhui fujian guangdong guangxi gansu qinghai "
        "ningxia xinjiang tibet liaoning heilongjiang"
    )
)
_NO_GIVEN = CHINESE_PLACES | frozenset(words("huawei xiaomi taobao alipay meituan weibo"))
FIRM = re.compile(
    r"(?: &)?(?: [A-Z][\w.'-]*(?:,? &| of)?){0,5},? (?:Co\.?(?=[, ]|$)|Ltd|Inc|Corp|LLC|LLP|PLC|plc|Limited|GmbH|"
    r"AG|Pte|Pty|S\.A|Holdings|Corporation|Company|Group(?! [A-Z]))(?![A-Za-z])"
)
"""What follows the first words of a firm's name: Suzhou Lande | Precision Instruments Co., Ltd."""


@cache
def pinyin_surnames() -> frozenset[str]:
    """Chinese surnames as they are spelt, without those that are English words."""
    return frozenset(
        words(
            "wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he lin gao luo zheng liang "
            "xie tang song deng han feng cao peng zeng xiao tian dong pan yuan cai jiang yu du ye cheng wei "
            "su lu ding ren yao zhong cui tan fan liao shi jin jia xia fu fang zou xiong bai meng qin qiu hou "
            "ouyang shangguan sima zhuge situ huangfu murong linghu xiahou "
            "yin xue yan duan lei long tao mao hao gong shao wan qian dai mo kong xiang chang lai ge hong "
            "zhuang niu ning pang qu qiao shen yue zhan"
        )
    )


def is_pinyin_given(key: str) -> bool:
    """Whether a word is two syllables of a Chinese given name: weiqiang, ruoxi."""
    return len(key) > 4 and key not in _NO_GIVEN and _PINYIN.fullmatch(key) is not None


def is_pinyin_syllable(key: str) -> bool:
    """Whether a word is one syllable of Chinese: fang."""
    return _PINYIN_ONE.fullmatch(key) is not None


NOBODY = frozenset(
    words(
        "alexa siri cortana claude jenkins travis google copilot gemini bot chatbot slackbot world team all "
        "homeowner greetings webmaster netizen blogger recruiter"
    )
)
"""Programs and machines that speak, and whom nobody means when greeting."""
