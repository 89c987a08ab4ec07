"""Prompt-echo filter: answers that are the question again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import PromptEchoFilter

_NOT_WORD = re.compile(r"[\W_]+")
_GRAM = 5
# A greeting is answered by a greeting: shorter questions are not judged (letters and digits; half as
# many in Chinese).
_LEAST = 12
# So much of the question's two ends must stand in the answer. A corrected or summarised text shares most letters with
# its question too, but not the instruction, which stands at one of the ends.
_END = 12
_ASKS = "?？:："


class PromptEcho:
    """The cleaner of `{type: prompt_echo}`."""

    def __init__(self, config: PromptEchoFilter) -> None:
        self.config = config

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer that repeats the message before it and says next to nothing else."""
        for row in rows:
            reason = "" if row.classified else self._reason(row)
            yield Dropped(row, "prompt_echo", reason) if reason else row

    def _reason(self, row: Row) -> str:
        question, number = "", 0
        for message in row.messages:
            if message["role"] == "assistant":
                number += 1
                share = echo_share(question, message["content"], self.config.max_overlap)
                if share > self.config.max_overlap:
                    return f"answer {number} is the question again to {share:.0%}"
            elif message["role"] == "user":
                question = message["content"]
        return ""


def echo_share(question: str, answer: str, limit: float = 0.0) -> float:
    """Share (0 to 1) of the answer that is the question, 0 unless the answer repeats both ends of the question.

    Letters and digits only, without case; the share is that of the answer's 5-grams that the question has. An answer
    that is the question's first line, where that line asks something, is an echo too.

    Args:
        question: the message before the answer.
        answer: what is judged.
        limit: 0 is returned without a count where the share cannot be more than this.
    """
    # An answer of twice the length says something else, unless it is mostly punctuation.
    if not answer or len(answer) * limit > 2 * len(question):
        return 0.0
    asked, said = _folded(question), _folded(answer)
    least = _LEAST if question.isascii() else _LEAST // 2
    if len(asked) < least or len(said) < least or len(said) * limit > len(asked) + _GRAM:
        return 0.0
    if asked == said:
        return 1.0
    first = question.strip().partition("\n")[0].rstrip()
    if first[-1:] in _ASKS and first[-1:] and _folded(first) == said:
        return 1.0
    if asked[:_END] not in said or asked[-_END:] not in said:
        return 0.0
    grams = {asked[start : start + _GRAM] for start in range(len(asked) - _GRAM + 1)}
    count = len(said) - _GRAM + 1
    return sum(said[start : start + _GRAM] in grams for start in range(count)) / count


def _folded(text: str) -> str:
    return _NOT_WORD.sub("", text).casefold()
