"""Sentences or paragraphs of the question in another order, where nothing depends on it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from danlu.data.drafts import Draft, Task, Write
from danlu.data.protected import protected_spans
from danlu.data.sentences import split_sentences
from danlu.recipe.augmentation import ReorderAugmenter

FEW = "has fewer than three parts that could change places"
CODE = "code, a formula or a table stands between its parts"
NUMBERED = "its parts are numbered or steps"
LINKED = "its parts refer to each other"
STORY = "its parts tell what happened in order"
DIALOGUE = "its parts are turns of a dialogue"
HEADED = "a part announces the ones behind it"
ASKED = "asks before its last part"

_NUMBERED = re.compile(
    r"^\s*(?:[-*•·▪●]|\(?[0-9０-９]{1,3}[.)、．）:：]|[（(][0-9一二三四五六七八九十]{1,3}[)）]|[①-⑳㈠-㈩]|[A-Ha-h][.)、．)]"
    r"|[一二三四五六七八九十]{1,3}[、.．]|第[0-9一二三四五六七八九十]|step\b|part\b|chapter\b)",
    re.IGNORECASE | re.MULTILINE,
)
# Chinese words need no boundary; where one is part of an innocent word, the text merely stays as it is.
_LINKED = re.compile(
    "首先|其次|再次|最后|最终|第[一二三四五六七八九十0-9]|步骤|接着|接下来|然后|随后|之后|以后|之前|以前|后来|此后|于是|先(?!生)|再|再者|同时"
    "|因此|所以|因为|由于|因而|从而|导致|结果|故而|可见|否则|不然|但|不过|可是|然而|却|反而|相反|虽然|尽管|而且|并且|另外|此外"
    "|还(?![款清贷钱])|也|又|甚至|例如|比如|也就是|换句话说|总之|综上|这|那|此|(?<!应)该|其(?!他|它|实)|它|他|她|前者|后者|两者|二者|以上|上述|前面|后面|另一|如果那样"
    r"|\b(?:first|firstly|second|secondly|third|thirdly|finally|lastly|last|next|then|afterwards?|after|before|later|earlier"
    r"|subsequently|meanwhile|therefore|thus|hence|because|since|consequently|as a result|otherwise|but|however"
    r"|nevertheless|nonetheless|yet|although|though|instead|still|also|too|as well|again|furthermore|moreover|besides"
    r"|additionally|in addition|for example|for instance|namely|in other words|in short|overall|above|below"
    r"|this|that|these|those|it|its|it's|he|him|his|she|her|hers|they|them|their|theirs|such|same|both|former|latter"
    r"|another|other|others|one|ones|do so)\b|^\s*(?:and|or|so|now)\b",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"了(?!解)|过[。，！]|昨|刚|今天|明天|\b(?:was|were|had|went|got|bought|said|told|made|took|came|saw|gave|found|left|met|began"
    r"|felt|heard|kept|knew|paid|put|ran|sent|sold|thought|tried|broke|wrote|yesterday|today|tomorrow|ago|\w{2,}ed)\b",
    re.IGNORECASE,
)
_ACTION = re.compile(
    r"^\s*(?:请|再|并)?(?:打开|关闭|点击|输入|选择|按|插入|拔出|安装|加入|倒入|放入|取出|搅拌|加热|等待|重启"
    "|下载|上传|登录|进入|返回|保存)"
    r"|^\s*(?:please )?(?:open|close|click|press|insert|remove|select|choose|enter|install|add|pour|put|take|mix|stir"
    r"|heat|wait|restart|download|upload|log|go|turn|cut|fold|repeat|return|save|run)\b",
    re.IGNORECASE,
)  # fmt: skip
_CODE = re.compile(r"[=;{}<>]|\w\(")
_TURN = re.compile(r"^\s*[^\s:：]{1,20}\s?[:：]|[“”「」『』]|(?<!\w)\"", re.MULTILINE)
_HEADED = re.compile(
    r"[:：]\s*$|以下|如下|下列|下面|假设|假如|假定|^设|已知"
    r"|\b(?:following|as follows|given|consider|suppose|assume|let)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\s*(?:你好|您好|大家好|嗨|尊敬的|亲爱的|hi|hello|hey|dear|good (?:morning|afternoon|evening))\b", re.IGNORECASE
)
_QUESTION = re.compile(r"[?？][”」』\"')）]*\s*$|[吗呢][。！\s]*$")
_ASKS = re.compile(
    r"^\s*(?:请|帮我|告诉|谢谢|多谢|感谢)"
    r"|^\s*(?:please|thanks?|tell|explain|help|can|could|would)\b",
    re.IGNORECASE,
)


class Reorder:
    """Shuffles the parts behind the first one and before a closing question; conservative: in doubt, no child.

    The first part usually says what all is about, and a question or request at the end needs the rest before it: both
    keep their places. At least two parts must be left to change theirs.
    """

    def __init__(self, config: ReorderAugmenter, write: Write | None = None) -> None:
        self._by_paragraph = config.unit == "paragraph"

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """A draft for each task."""
        return [self._draft(task) for task in tasks]

    def _draft(self, task: Task) -> Draft:
        parts, gaps = self._parts(task.text)
        reason = order_matters(parts)
        if reason:
            return Draft(reason=reason)
        last = len(parts) - 1 if _closes(parts[-1]) else len(parts)
        middle = parts[1:last]
        order = _another_order(len(middle), random.Random(task.seed))
        shuffled = [parts[0], *(middle[index] for index in order), *parts[last:]]
        return Draft("".join(part + gap for part, gap in zip(shuffled, gaps, strict=True)))

    def _parts(self, text: str) -> tuple[list[str], list[str]]:
        """The parts without the white space behind them, and that white space, which keeps its place."""
        whole = re.split(r"(?<=\n)(?=[^\n])", text) if self._by_paragraph else split_sentences(text)
        parts = [part.rstrip() for part in whole]
        return parts, [part[len(bare) :] for part, bare in zip(whole, parts, strict=True)]


def order_matters(parts: Sequence[str]) -> str:
    """Why these parts must stay in this order; empty where nothing speaks against another one."""
    text = "\n".join(parts)
    if len(parts) < 3:
        return FEW
    if protected_spans(text, ("code", "latex", "table")) or any(_CODE.search(part) for part in parts):
        return CODE
    for reason, pattern in ((NUMBERED, _NUMBERED), (DIALOGUE, _TURN), (HEADED, _HEADED)):
        if any(pattern.search(part) for part in parts):
            return reason
    last = len(parts) - 1 if _closes(parts[-1]) else len(parts)
    middle = parts[1:last]
    if any(_QUESTION.search(part) or _ASKS.search(part) for part in parts[:last]):
        return ASKED
    if any(_LINKED.search(part) for part in middle) or any(_GREETING.search(part) for part in middle):
        return LINKED
    if sum(bool(_EVENT.search(part)) for part in parts) >= 2:
        return STORY
    if sum(bool(_ACTION.search(part)) for part in parts) >= 2:
        return NUMBERED
    return FEW if len(set(middle)) < 2 else ""


def _closes(part: str) -> bool:
    return bool(_QUESTION.search(part) or _ASKS.search(part))


def _another_order(count: int, chance: random.Random) -> list[int]:
    """A permutation that is not the identity, each as likely as any other."""
    order = list(range(count))
    while order == list(range(count)):
        chance.shuffle(order)
    return order
