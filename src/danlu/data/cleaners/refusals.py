"""Refusal filter: answers that refuse, or say that they come from a language model, in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from danlu.data.cleaning import judge_rows
from danlu.data.languages import size_of
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import RefusalsFilter

# A refusal stands at the beginning; what is quoted or told further down is none.
_HEAD = 240
# A longer answer that begins so went on to help ("As an AI I cannot paint, but here is a description: ...").
_LONGEST = {"characters": 150, "words": 100}


def _any(*phrases: str) -> str:
    return "(?:" + "|".join(phrases) + ")"


_SELF = r"(?:an? |your |just |only |simply |merely )*(?:[\w-]+ ){0,3}?" + _any(
    r"ai\b",
    "artificial intelligence",
    "(?:large )?language model",
    r"chat ?bot\b",
    "virtual assistant",
    "machine learning model",
    "(?:text|computer|digital)[- ](?:based )?(?:model|program|assistant)",
)
_I = r"\b(?:i|we)(?:['’](?:m|re|ll|d|ve)| am| are| will| would| have)?(?: \w+ly| just| also| sincerely)? ?"
_NEGATED = _any(
    "can(?:not|'t| not)",
    "could(?:n't| not)",
    "unable",
    "not (?:able|capable|allowed|permitted|authori[sz]ed|comfortable|equipped|designed|programmed|qualified|trained|"
    "going|in a position)",
    "(?:prohibited|incapable|forbidden)",
    "(?:not|won't|wouldn't) (?=be able|help|assist|provide|answer|write|generate|create|do|be (?:provid|writ|help)ing)",
    r"(?:do|did|does)(?: not|n't) (?:\w+ly |even )?"
    "(?:have|possess|hold|experience|support|engage|think|feel|want|know how)",
    r"(?:must|have to|need to|be forced to|going to have to)? ?(?:\w+ly )?(?:decline|refuse|pass on|abstain)",
    "lack",
    "(?:have )?no (?:ability|access|personal|opinion|feelings|emotions|way|permission|body|physical)",
    "(?:rather|prefer) not",
)
# What one cannot do and still is no refusal: "I'm sorry, but I can't come to the party".
_HELP = _any(
    r".{0,24}?\b(?:help|assist|provid|answer|fulfil|comply|generat|creat|writ|produc|offer|giv|support|engag|respond|"
    "discuss|shar|process|satisfy|accommodate|recommend|access|brows|participat|grant|facilitat|perform|express|advis|encourag|"
    "promot|condon|retriev|carry out|proceed|continu|complet)",
    r".{0,12}?\b(?:do|say|tell you|talk about|open|view|see|hear|play|make|go along)\b",
    r".{0,50}?\b(?:requests?|questions?|topics?|subjects?|content)\b",
)
_SORRY = _any(
    "(?:(?:i'm|i am|we're|we are) )?(?:so |very |really |truly |terribly |extremely )?(?:sorry|afraid)",
    r"(?:(?:i|we|my|please|accept|sincere|deepest) )*apolog\w+",
    "unfortunately",
    "regret(?:tably|fully)?",
    "(?:i|we) regret",
    "(?:forgive|excuse|pardon) me",
    "thank(?:s| you)",
    "no",
)
_CONTENT_RULES = (
    "(?:guidelines|programming|polic\\w+|principles|capabilit\\w+|scope|abilit\\w+|values|terms|training|purpose)"
)
_FILLER = "(?:oh|well|hmm|hi|hello|hey|ah|okay|ok|um)?\\W*"

_CANNOT_ZH = _any(
    "无法|不能|没有?办法|没法|不可以|不被允许|没有?能力|不具[备有]|没有?权限|无权|拒绝|不便|不方便|不宜|不会|不应|不愿|难以|爱莫能助|恕难",
    "[^，。！？]{1,4}不了|还不会|还?没有?学会|没有[^，。！？]{0,10}(?:权限|能力|技能|功能|知识)",
    "没有(?:任何)?(?:个人|自己|真实|主观|情感|感情|感受|意识|身体|实体|亲身|独立|权|这样|这个|那个)",
    "并?不(?:拥有|支持|提供|参与|知道|适合)",
)
_HELP_ZH = "[^。！？]{0,14}?" + _any(
    "提供|回答|协助|帮助|帮忙|完成|满足|生成|创建|创作|执行|处理|支持|参与|讨论|给出|给[您你]|继续|[编撰书]写|写|回复|透露|解答|做|帮[您你助]|响应|回应",
    "评[论价]|谈论|发表|遵[从守]|配合|确认|证实|验证|核实|预测|修改|制作|展示|访问|打开|查看|实现|答复|告诉|分享|作答|从命|接受|进行|播放|画|翻译|推荐|的?功能",
)
_SELF_ZH = (
    "(?:作为|身为|我(?:只|仅仅|仅|毕竟|就)?是|本人是|我们?只是)(?:一[个名种款位台]|您的|你的|个)?[^，。,!！?？]{0,12}?"
    "(?:人工智能|AI|ＡＩ|语言模型|大模型|机器人|智能助手|虚拟助手|聊天助手|语音助手|客服|计算机程序|智能程序|(?<=是一个)程序)"
)
_SORRY_ZH = "(?:抱歉|对不起|遗憾|不好意思|歉意|见谅|恕我|请(?:您|你)?(?:原谅|理解|谅解)|sorry)"

_NO_ENGLISH = 0.5

# How a refusal opens (matched at the very beginning).
_OPENING = _any(
    rf"{_FILLER}(?:as|being) {_SELF},? (?:{_I})?{_NEGATED}",
    rf"{_FILLER}i(?:'m| am) (?:designed|programmed|trained)\b[^.!?]{{0,80}}?{_I}{_NEGATED}",
    rf"{_FILLER}{_SORRY}\b[^.!?]{{0,80}}?{_I}{_NEGATED}{_HELP}",
    rf"{_FILLER}{_I}{_NEGATED}[^.!?]{{0,80}}\b(?:as|since|because) i(?:'m| am) {_SELF}",
    rf"{_FILLER}i(?:'m| am) {_SELF}\b[^.!?]{{0,60}}?\b(?:and|so|which) (?:also |therefore )?{_NEGATED}",
    rf"{_FILLER}{_SORRY}\b[^.!?]{{0,30}}[.,!] ?{_I}{_NEGATED}{_HELP}",
    rf"{_FILLER}{_SORRY}\b[^.!?]{{0,30}}\bi(?:'m| am) {_SELF}\b[^.]{{0,80}}(?:{_NEGATED})",
    rf"{_FILLER}{_I}{_NEGATED}{_HELP}",
    rf"{_FILLER}(?:{_SORRY}\b[^.!?]{{0,30}}?)?{_I}"
    r"(?:must|have to|need to|'ll have to) (?:\w+ly )?(?:decline|refuse|pass)\b",
    rf"{_FILLER}(?:{_SORRY}\b[^.!?]{{0,30}}?)?{_I}"
    r"(?:do not|don't|lack|have no|do not have|don't have) (?:have )?(?:the )?"
    r"(?:ability|capability|capacity|means|authority|permission)\b",
    rf"{_FILLER}{_SORRY}\b[^.!?]{{0,30}}?\b(?:request|question|topic|content) (?:is|was) "
    r"(?:\w+ly )?(?:not|in|un|off|ill)",
    rf"(?:{_SORRY}\W+(?:but )?)?(?:that|this)(?:'s| is)? (?:not |is )?(?:something|a topic|a request|a question) "
    r"(?:that )?i(?:'m| can| will| am)(?:'t|not| not)?\b",
    r"(?:sorry|apologies|no)\W+(?:but )?(?:this|that|your) (?:request|question|topic|content)\b[^.!?]{0,40}\b"
    r"(?:not|cannot|can't|violat|prohibited)",
)
_OPENING_ZH = _any(
    rf"[^。！？!?\n]{{0,8}}?{_SORRY_ZH}[^。？?]{{0,30}}?{_CANNOT_ZH}{_HELP_ZH}",
    rf"[^。！？!?\n]{{0,8}}?{_SORRY_ZH}[^。？?]{{0,16}}?(?:我|本)[^。，！？]{{0,6}}?(?:[^，。！？]{{1,3}}不了|还不会|没有?学会|没有[^，。！？]{{0,10}}权限)",
    "(?:我们?|本(?:助手|系统|机器人|模型)|(?:目前|这个|恐怕|恕)我)(?:真的|确实|实在|暂时|目前|现在|恐怕|可能|并)?"
    f"{_CANNOT_ZH}{_HELP_ZH}",
    r"[^。！？\n]{0,30}?(?:违反|违背|不符合|触犯|超出|不在)了?[^。！？\n]{0,14}?"
    r"(?:政策|准则|规定|原则|道德|法律|规范|伦理|法规|能力|范围|权限|价值观)[^。！？\n]{0,30}?"
    "(?:无法|不能|不会|拒绝|恕|不便|[。！]|$)",
    f"(?:对此|关于(?:这|此)[^，。]{{0,6}}，?|(?:这个|这些|该|您的|你的|此类?)(?:问题|请求|话题|要求|任务))我(?:们|也)?{_CANNOT_ZH}",
    "我(?:还|目前|暂时|也)?没有[^，。！？]{0,8}(?:权限|能力|功能|技能)[^，。！？]{0,6}[为帮给替][您你]",
    r"(?:抱歉\W*)?(?:这个|这些|该|您的|你的|此类?)(?:问题|请求|话题|要求|内容)[^。！？\n]{0,20}?"
    "(?:不适合|不合适|不便|无法(?:回答|作答|处理|提供)|不能(?:回答|作答|提供)|敏感|不当|违规|不(?:被)?允许)",
)
# What gives a refusal away wherever in the beginning it stands: one of the phrases must be there, then the pattern.
_INSIDE = [
    (
        (" ai", "ai ", "artificial", "language model", "bot", "assistant", "learning model", "program"),
        rf"\b(?:as|i am|i'm|being|since i am|because i am) {_SELF}\b[^.!?]{{0,160}}?{_I}(?:{_NEGATED}|programmed)",
    ),
    (
        ("my ", "our ", "openai"),
        r"\b(?:violates?|goes against|against|conflicts? with|outside(?: of)?|beyond|not within) (?:the scope of )?"
        rf"(?:my|our|openai'?s?) (?:\w+ ){{0,2}}?{_CONTENT_RULES}"
        rf"|\bmy {_CONTENT_RULES}\b[^.!?]{{0,40}}?\b(?:not|prevents?|prohibits?|forbids?|restricts?|don't|doesn't)\b",
    ),
    (
        ("for me to",),
        r"\b(?:not (?:appropriate|ethical|possible|right|okay)|inappropriate|unethical|wrong|against \w+) for me to",
    ),
]
_INSIDE_ZH = [
    (
        ("ai", "ａｉ", "人工智能", "模型", "机器人", "助手", "程序"),
        f"{_SELF_ZH}[^。！？!?]{{0,40}}?(?:{_CANNOT_ZH}|没有)",
    ),
    (("话题", "聊"), "(?:我们)?(?:换个话题(?:吧|聊|怎么样)|聊点别的|聊聊别的)"),
]
_RULES = (
    re.compile(_OPENING, re.IGNORECASE),
    [(phrases, re.compile(pattern, re.IGNORECASE)) for phrases, pattern in _INSIDE],
)
_RULES_ZH = (
    re.compile(_OPENING_ZH, re.IGNORECASE),
    [(phrases, re.compile(pattern, re.IGNORECASE)) for phrases, pattern in _INSIDE_ZH],
)
_MARKS = " \t\n\"'“”‘’「」*_>#-—–()（）[]【】.,，。!！:：…~"

# Asking for what the question forgot to give is what a good assistant does.
_ASKS_FOR_INPUT = re.compile(
    _any(
        "(?:您|你|题目|题中|问题|文中|句子)[^，。]{0,6}?(?:没有|未|没|不曾)[^，。]{0,8}?(?:提供|给|指定|说明|提及|告诉)",
        "(?:缺少|缺乏|没有)(?:足够的?|更多的?|任何|相关|具体|上下文)?(?:信息|内容|文本|细节|上下文|数据|条件)",
        "请(?:您|你)?(?:再)?(?:提供|告诉|给出|补充|说明)",
        "更多的?(?:信息|细节|详细|上下文)",
        "you (?:did not|didn't|have not|haven't|need to)",
        "(?:was|were) not (?:provid|specif|giv|includ|mention)",
        "(?:could|can|would) you (?:please )?(?:provide|share|give|specify|clarify)",
        "please (?:provide|share|give|specify)",
        "(?:without|need|requires?|not enough|insufficient) (?:more |additional |further |any |some )?"
        "(?:information|context|details|data)",
    ),
    re.IGNORECASE,
)


class Refusals:
    """The cleaner of `{type: refusals}`."""

    def __init__(self, config: RefusalsFilter) -> None:
        self.config = config
        self._extra = tuple(phrase.strip().casefold() for phrase in config.extra if phrase.strip())

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer that refuses, unless it asks for missing input or goes on to help."""
        return judge_rows(rows, "refusals", self._judge)

    def _judge(self, text: str) -> str:
        head = text[:_HEAD].strip().replace("’", "'")
        if self._extra and head.casefold().startswith(self._extra):
            return "begins with a phrase of 'extra'"
        if not is_refusal(head) or _ASKS_FOR_INPUT.search(text[: 2 * _HEAD]):
            return ""
        size, unit = size_of(text)
        return "refuses, or speaks as a language model" if size <= _LONGEST[unit] else ""


def is_refusal(head: str) -> bool:
    """Whether the beginning of an answer reads like a refusal."""
    lowered = head.lower()
    start = head.lstrip(_MARKS)
    ascii_share = 1.0 if head.isascii() else len(head.encode("ascii", "ignore")) / len(head)
    rules = [_RULES] if ascii_share >= _NO_ENGLISH else []
    if ascii_share < 1:
        rules.append(_RULES_ZH)
    return any(
        opening.match(start)
        or any(any(phrase in lowered for phrase in phrases) and rule.search(head) for phrases, rule in inside)
        for opening, inside in rules
    )
