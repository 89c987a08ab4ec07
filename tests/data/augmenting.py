"""Rows and writers made up for the tests of augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from danlu.data.augmentation import Augmentation, Rejected, augment
from danlu.data.drafts import Task
from danlu.data.languages import script_language
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.models.messages import Message
from danlu.recipe.augmentation import AugmentSection

WRITER = {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "fake"}


def chat_row(row_id: str, question: str, answer: str = "好的。", **fields: Any) -> Row:
    """A conversation of one turn."""
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(row_id, "rows.jsonl", 1, messages=messages, **fields)


def task(text: str, seed: int = 1, number: int = 1, kept: str = "") -> Task:
    """A task as the stage makes it."""
    return Task(text, script_language(text), number, seed, kept)


def section(*steps: dict[str, Any], **fields: Any) -> AugmentSection:
    """An augment section; steps that need a writer get one that is never asked."""
    needs = ("paraphrase", "back_translation")
    made = [{"writer": WRITER, **step} if step["type"] in needs else step for step in steps]
    return AugmentSection.model_validate({"steps": made, **fields})


class FakeWriter:
    """Says what a function makes of each conversation's last message, and remembers what it was asked."""

    def __init__(self, say: Any) -> None:
        self.say = say
        self.asked: list[list[Message]] = []
        self.calls: list[int] = []

    def __call__(self, conversations: Sequence[list[Message]], temperature: float) -> list[str]:
        self.calls.append(len(conversations))
        self.asked += conversations
        return [self.say(conversation[-1]["content"], conversation) for conversation in conversations]


def run(
    rows: Sequence[Row], config: AugmentSection, writers: Any = None, *, seed: int = 7, batch: int = 1024, **given: Any
) -> tuple[list[Row], list[Rejected], Augmentation]:
    """Children, refusals and the ended stage."""
    stage = augment(MemoryCorpus(rows, batch), config, writers or {}, seed, lambda done, total: None, **given)
    found = list(stage)
    return (
        [item for item in found if isinstance(item, Row)],
        [item for item in found if isinstance(item, Rejected)],
        stage,
    )


def questions(rows: Iterable[Row]) -> list[str]:
    """The last question of each row."""
    return [row.messages[-2]["content"] for row in rows]


# Twelve different questions in which every table finds something to do.
ZH = [
    "我想知道如何修改我的收货地址？",
    "请问一下怎么查询我的订单，非常着急。",
    "为什么我的电脑总是自动重启？",
    "能不能告诉我附近的餐馆在哪里？",
    "如果我马上付款，多长时间可以收到？",
    "我的自行车经常掉链子，怎么解决？",
    "请谈谈你对于旅游的看法。",
    "你好，我打算购买一台洗衣机。",
    "根据天气情况，明天应该穿什么衣服？",
    "孩子害怕看医生，有什么办法？",
    "或者你们能否尽快派人维修空调？",
    "其实我觉得这家餐厅的价格并不高。",
]
EN = [
    "How do I change my delivery address quickly?", "Can you tell me what is the best way to learn cooking?",
    "I want to find a reliable plumber who is inexpensive.", "Why does my laptop rarely start at the moment?",
    "Please explain how to choose a sofa for a small room.", "I need to cancel my vacation, for example next month.",
    "What is a good movie for kids these days?", "Could you please recommend a famous writer of crime novels?",
]  # fmt: skip
