"""Answered rows and held-out rows made up for tests."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from danlu.evaluation.rows import AnsweredRow, detect_language

ENGLISH = [
    "the",
    "claim",
    "is",
    "paid",
    "when",
    "a",
    "pipe",
    "breaks",
    "but",
    "not",
    "river",
    "water",
    "floods",
    "house",
]
CHINESE = list("这份保险赔付水管破裂造成的损失但不赔洪水请问单什么时候生效")


@dataclass(frozen=True)
class HeldOut:
    """The least that satisfies `EvaluationRow`."""

    row_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] | None = None
    thinking: bool | None = None


def answered(row_id: str = "a", reference: str = "yes", answer: str = "yes", **fields: Any) -> AnsweredRow:
    """One answered row; fields that are not given are plausible."""
    given = {"question": "Is it?", "language": detect_language(reference), "nll": 2.0, "tokens": 4}
    return AnsweredRow(
        row_id=row_id, reference=reference, answer=answer, **{"finish_reason": "stop", **given, **fields}
    )


def many(count: int, seed: int = 0, quality: float = 0.7) -> list[AnsweredRow]:
    """Rows in English and Chinese, whose answers keep each word of the reference with chance `quality`."""
    chance = random.Random(seed)
    rows = []
    for index in range(count):
        words, gap = (ENGLISH, " ") if index % 2 else (CHINESE, "")
        reference = chance.choices(words, k=chance.randint(5, 25))
        answer = [word if chance.random() < quality else chance.choice(words) for word in reference]
        tokens = chance.randint(3, 60)
        nll = tokens * (2.5 - quality) * chance.uniform(0.5, 1.5)
        row = answered(f"row-{index:04}", gap.join(reference), gap.join(answer), nll=nll, tokens=tokens)
        rows.append(row)
    return rows
