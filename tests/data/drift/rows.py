"""Rows made up for the tests of drift."""

from __future__ import annotations

import random

from danlu.data.row import Row
from danlu.recipe.data import ReferenceSection

ZH = [
    "我想",
    "退款",
    "订单",
    "什么时候",
    "发货",
    "请问",
    "怎么",
    "修改",
    "地址",
    "谢谢",
    "这个",
    "商品",
    "质量",
    "客服",
    "价格",
    "可以",
]
EN = [
    "please",
    "refund",
    "my",
    "order",
    "when",
    "will",
    "it",
    "ship",
    "how",
    "change",
    "the",
    "address",
    "thanks",
    "item",
]


def row(number: int, text: str, *, label: str = "", slice: str = "", answer: str = "ok", file: str = "t") -> Row:
    messages = ({"role": "user", "content": text}, {"role": "assistant", "content": answer})
    labels = (label,) if label else ()
    return Row(f"{file}:{number}", file, number, messages, labels=labels, metadata={"shop": slice} if slice else {})


def population(
    seed: int, count: int, *, chinese: float = 0.5, length: float = 12, yes: float = 0.5, north: float = 0.5
) -> list[Row]:
    """Rows with words drawn at random; the shares of languages, labels and slices and the mean of words as told."""
    random_ = random.Random(seed)
    rows = []
    for number in range(count):
        words = max(1, round(random_.gauss(length, length / 3)))
        zh = random_.random() < chinese
        text = ("" if zh else " ").join(random_.choices(ZH if zh else EN, k=words))
        label = "yes" if random_.random() < yes else "no"
        rows.append(row(number, text, label=label, slice="north" if random_.random() < north else "south"))
    return rows


def section(**fields: object) -> ReferenceSection:
    return ReferenceSection.model_validate({"source": {"path": "production.jsonl"}, **fields})
