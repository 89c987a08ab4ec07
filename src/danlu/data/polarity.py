"""What turns the meaning of a Chinese or English text: negations, opposites, and the words that say when."""

from __future__ import annotations

import re

_TIMES = {
    name: re.compile(f"{name}|{others}" if others else name)
    for name, others in {
        **dict.fromkeys(["前天", "后天", "今年", "去年", "明年", "前年", "上午", "下午", "中午", "凌晨"], ""),
        "今天": "今日",
        "昨天": "昨日",
        "明天": "明日",
        "早上": "早晨|清晨",
        "晚上": "夜晚|夜里",
        "傍晚": "黄昏",
        "本月": "这个月",
        "上月": "上个月",
        "下月": "下个月",
        "本周": "这周|这个?星期",
        "上周": "上个?星期",
        "下周": "下个?星期",
    }.items()
}
_WHEN = (
    "today yesterday tomorrow tonight midnight morning afternoon evening monday tuesday wednesday thursday friday"
    " saturday sunday january february april june july august september october november december weekend spring"
    " summer autumn winter daily weekly monthly yearly annual annually"
)
_TIME_WORDS = re.compile(
    r"\b(?:(?:next|last|this) (?:week|month|year|night)|noon|midday|" + "|".join(_WHEN.split()) + r")\b", re.ASCII
)


def times(text: str) -> set[str]:
    """Words that say when: 今天, yesterday, Monday, next week ... (synonyms as one)."""
    found = {name for name, pattern in _TIMES.items() if pattern.search(text)}
    words = {match[0] for match in _TIME_WORDS.finditer(text.lower())}
    return found | {"noon" if word in ("midday", "noon") else word for word in words}


# Words with a negation's character that negate nothing, and questions of the form A不A.
_NO_NEGATION = re.compile(
    r"(.)[不没]\1|没(?=[？?呢]|\s*$)|可不可以|[是能可会]否"
    "|否则|不然|不过|不仅|不但|不断|不同|不管|不论|无论|不少|不好意思|对不起|不错|不久|差不多"
    "|不料|不禁|不妨|不如|不锈钢|不动产|不等式|非常|除非|非洲|是非|未来|别人|别的|特别|分别|区别|类别|级别|性别|个别|告别"
    "|识别|辨别|鉴别|差别|别墅|别名|离别|无锡|无线|无人机|无聊|无所谓|没收|淹没|沉没|莫名|莫非|莫斯科"
)
_NEGATION = re.compile("[不没无未非别勿莫甭]")
_NO_NEGATION_EN = re.compile(r"\b(?:not only|no matter|or not|no\.(?= ?\d))")
_NEGATION_EN = re.compile(
    r"n['’]t\b|\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without"
    r"|(?:do|does|did|ca|wo|is|are|was|were|has|have|had|could|should|would)nt)\b",
    re.ASCII,
)


def negations(text: str) -> int:
    """How often the text says no: 不, 没, 无 ..., not, never, n't. 不过, 能不能 and 'not only' do not say no."""
    chinese = _NEGATION.findall(_NO_NEGATION.sub(" ", text))
    english = _NEGATION_EN.findall(_NO_NEGATION_EN.sub(" ", text.lower()))
    return len(chinese) + len(english)


_OPPOSITES = """
增加/减少 提高/降低 提升/降低 上升/下降 上涨/下跌 最大/最小 最多/最少 最高/最低 以上/以下 之前/之后 以前/以后 开始/结束
打开/关闭 开启/关闭 开通/关闭 购买/出售 买/卖 进入/退出 登录/退出 支持/反对 优点/缺点 好处/坏处 正面/负面 积极/消极
成功/失败 安全/危险 允许/禁止 必须/可以 全部/部分 所有/部分 增大/减小 加快/减慢 变好/变坏 便宜/昂贵 喜欢/讨厌
满意/失望 更高/更低 更多/更少 更大/更小 同意/拒绝 上传/下载 导入/导出 安装/卸载 左/右
increase/decrease more/less most/least maximum/minimum highest/lowest higher/lower bigger/smaller larger/smaller
before/after above/below start/stop begin/end open/close enable/disable buy/sell enter/exit on/off left/right
advantages/disadvantages advantage/disadvantage pros/cons positive/negative good/bad better/worse best/worst
safe/dangerous allowed/forbidden always/sometimes all/some import/export upload/download add/remove increases/decreases
install/uninstall must/may cheap/expensive love/hate accept/reject raise/lower
"""
_PAIRS = [tuple(pair.split("/")) for pair in _OPPOSITES.split()]
_TURNS = [turn for one, other in _PAIRS for turn in ((one, other), (other, one))]
_WORDS = re.compile("[a-z]+")


def reverses(parent: str, child: str) -> bool:
    """Whether a word gave way to its opposite (增加 to 减少, 'before' to 'after')."""
    old, new = parent.lower(), child.lower()
    old_words, new_words = set(_WORDS.findall(old)), set(_WORDS.findall(new))
    for gone, come in _TURNS:
        if gone.isascii():
            turned = gone in old_words - new_words and come in new_words - old_words
        else:
            turned = gone in old and gone not in new and come in new and come not in old
        if turned:
            return True
    return False
