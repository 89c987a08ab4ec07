"""The currency of evaluation: a held-out row with what the model answered, and the script its text is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A Chinese answer quotes product names and code in Latin letters, and one Han character says about as much as three
# of those: so it weighs three. A text is in a script whose letters have this share of the weight
LATIN_PER_HAN = 3
SCRIPT_SHARE = 0.3
KANA_SHARE = 0.05  # of the letters, for Japanese, which is written in Han too


class EvaluationRow(Protocol):
    """What evaluation needs of a held-out row."""

    @property
    def row_id(self) -> str: ...

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def tools(self) -> list[dict[str, Any]] | None: ...

    @property
    def thinking(self) -> bool | None: ...


@dataclass(frozen=True)
class AnsweredRow:
    """One held-out row and what a model made of it.

    Attributes:
        row_id: the row's id in the dataset; unique within an evaluation.
        question: text of the last user message before the answer.
        reference: what the answer should have been: text, then tool calls as canonical JSON.
        answer: what the model wrote, in the same form, without thinking.
        language: script of the reference, see `detect_language`.
        nll: negative log-likelihood of all learned tokens of the conversation, summed, in nats.
        tokens: how many tokens that sum is over.
        finish_reason: why generation ended ('stop', 'length', ...).
        reasoning: the model's thinking, if it thought.
    """

    row_id: str
    question: str
    reference: str
    answer: str
    language: str
    nll: float
    tokens: int
    finish_reason: str
    reasoning: str | None = None


def detect_language(*texts: str) -> str:
    """'zh', 'ja', 'ko', 'en' (any Latin script) or 'other', by the script of the first text that has letters.

    A guess from scripts alone, which is all that tokenizing for BLEU and ROUGE needs: French is 'en' here.
    """
    for text in texts:
        letters = [ord(char) for char in text if char.isalpha()]
        if not letters:
            continue
        kana = sum(0x3040 <= code <= 0x30FF for code in letters)
        han = sum(is_han(code) for code in letters)
        hangul = sum(0xAC00 <= code <= 0xD7AF for code in letters)
        latin = sum(code < 0x250 or 0x1E00 <= code < 0x1F00 for code in letters)
        heavy = LATIN_PER_HAN * (han + kana + hangul)
        needed = SCRIPT_SHARE * (heavy + len(letters) - han - kana - hangul)
        if LATIN_PER_HAN * (han + kana) >= needed:
            return "ja" if kana >= KANA_SHARE * len(letters) else "zh"
        if LATIN_PER_HAN * hangul >= needed:
            return "ko"
        return "en" if 2 * latin >= len(letters) else "other"
    return "other"


def is_han(code: int) -> bool:
    """Whether a code point is a Han character (unified ideographs and their extensions)."""
    return (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF or 0xF900 <= code <= 0xFAFF
    )
