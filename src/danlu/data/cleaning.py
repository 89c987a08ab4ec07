"""What every cleaner is, and how a row's texts are rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from danlu.data.row import Dropped, Row
from danlu.models.messages import Message


class Cleaner(Protocol):
    """Takes rows and gives back each of them: kept, rewritten, or dropped with a reason."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Exactly one result per row, in order; nothing is read ahead."""
        ...


def rewrite_texts(row: Row, step: str, rewrite: Callable[[str], str]) -> Row:
    """Apply `rewrite` to every text that a person wrote; the row itself comes back when nothing changed."""
    messages = tuple(_rewritten(message, rewrite) for message in row.messages)
    text = rewrite(row.text)
    if messages == row.messages and text == row.text:
        return row
    return row.rewritten(step, messages=messages, text=text)


def _rewritten(message: Message, rewrite: Callable[[str], str]) -> Message:
    result = {**message, "content": rewrite(message["content"])}
    if "reasoning_content" in message:
        result["reasoning_content"] = rewrite(message["reasoning_content"])
    return result
