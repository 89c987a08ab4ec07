"""The question in other words, written by a model."""

from __future__ import annotations

from collections.abc import Sequence

from danlu.data.drafts import Draft, Task, Write
from danlu.data.wordings import LANGUAGE, NOTHING, bare_text
from danlu.models.messages import Message
from danlu.recipe.augmentation import ParaphraseAugmenter

# What the model is told, in the language of the question. {manner} is what makes the children of one row differ.
PROMPTS = {
    "zh": (
        "你负责改写用户的提问。换一种说法表达同样的意思，{manner}。数字、单位、日期、人名、地名、产品名、英文单词、代码、"
        "网址、引号里的内容以及方括号标签必须原样保留；肯定和否定不能改变；不要增加或删掉任何信息。不要回答问题。"
        "只输出改写后的文本，不加引号和说明。"
    ),
    "en": (
        "You reword what users ask. Say the same thing in other words, {manner}. Keep numbers, units, dates, names, "
        "product names, code, URLs, quotations and tags in square brackets exactly as they are. Do not turn a "
        "negation around. Add nothing and leave nothing out. Do not answer. Reply with the reworded text alone, "
        "without quotes or explanation."
    ),
}
MANNERS = {
    "zh": (
        "换用不同的句式", "更口语一些", "更正式一些", "更简洁一些", "更礼貌一些", "像聊天时随口提问",
        "调整句子成分的顺序", "换用不同的词语", "像写邮件时那样表达", "更直接一些",
    ),
    "en": (
        "with another sentence structure", "more casually", "more formally", "more briefly", "more politely",
        "as in a chat", "with the parts of the sentence in another order", "with other words", "as in an e-mail",
        "more directly",
    ),
}  # fmt: skip


class Paraphrase:
    """Asks for one rewording a child; children of one row are asked for in different manners."""

    def __init__(self, config: ParaphraseAugmenter, write: Write) -> None:
        self._write, self._temperature = write, config.temperature

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """A draft for each task."""
        asked = [task for task in tasks if task.language in PROMPTS]
        replies = iter(self._write([conversation(task) for task in asked], self._temperature) if asked else [])
        return [_draft(task, next(replies)) if task.language in PROMPTS else Draft(reason=LANGUAGE) for task in tasks]


def conversation(task: Task) -> list[Message]:
    """What the model is asked for a task."""
    manners = MANNERS[task.language]
    manner = manners[(task.number - 1) % len(manners)]
    return [
        {"role": "system", "content": PROMPTS[task.language].format(manner=manner)},
        {"role": "user", "content": task.text},
    ]


def _draft(task: Task, reply: str) -> Draft:
    text = bare_text(reply, task.text)
    return Draft(text) if text else Draft(reason=NOTHING)
