"""What comes back from a model that was asked for a text and nothing else: prefaces, quotes and thinking taken off."""

from __future__ import annotations

import re

NOTHING = "the model gave no text"
LANGUAGE = "the prompts speak Chinese and English only"

_THINKING = re.compile(r"^\s*<think>.*?(?:</think>|\Z)\s*", re.DOTALL)
_PREFACE = re.compile(
    r"^\s*(?:好的?[，,。！!]\s*)?(?:以下是|这是|下面是)?(?:改写|转述|翻译|译文|重新表述|回译)后?的?"
    r"(?:问题|文本|句子|内容|结果|版本|译文)?(?:如下)?\s*[:：]\s*"
    r"|^\s*(?:sure|certainly|of course|okay|ok)[,.!]\s*(?=\S)"
    r"|^\s*(?:here(?:'s| is)[^:\n]{0,60}|(?:rewritten|paraphrased?|rephrased|translated)(?: \w+)?)\s*:\s*"
    r"|^\s*(?:translation|question)\s*:\s*",
    re.IGNORECASE,
)  # fmt: skip
_QUOTES = (("“", "”"), ("「", "」"), ("『", "』"), ('"', '"'), ("'", "'"), ("‘", "’"), ("```\n", "\n```"))


def bare_text(reply: str, original: str) -> str:
    """The text in a model's reply; quotes around all of it go where the original had none.

    Args:
        reply: what the model said.
        original: the text it was to reword.
    """
    text = _THINKING.sub("", reply).strip()
    if not _PREFACE.match(original):
        for _ in range(2):  # "Sure! Here is the question: ..."
            text = _PREFACE.sub("", text, count=1).strip()
    for left, right in _QUOTES:
        inside = text[len(left) : len(text) - len(right)]
        if (
            len(text) > len(left) + len(right)
            and text.startswith(left)
            and text.endswith(right)
            and left not in inside
            and right not in inside
            and not original.strip().startswith(left)
        ):
            text = inside.strip()
    return text
