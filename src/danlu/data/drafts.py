"""What an augmenter is: a pure function from a question to another wording of it, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from danlu.data.row import Row
from danlu.models.messages import Message

# Conversations and a temperature -> an answer to each, in order.
Write = Callable[[Sequence[list[Message]], float], list[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """A text to be said differently.

    Attributes:
        text: the last question of a conversation, or a text row's text.
        language: its ISO 639-1 code by script; '' where it has no letters.
        number: 1 for the first child of this row by this kind of step, 2 for the second ...
        seed: 64 bits that are this child's own: all its randomness.
        kept: texts whose words must stay as they are: the labels, and what a short answer or a tool call may quote.
    """

    text: str
    language: str
    number: int
    seed: int
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A new wording, not yet checked; without one, `reason` says why, and never quotes the text."""

    text: str = ""
    reason: str = ""


class Augmenter(Protocol):
    """Built from its config and, where it needs a model, something that writes: `Augmenter(config, write)`."""

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """A draft for each task, in order. What a task gets does not depend on the tasks beside it."""
        ...


# An answer up to this many characters may be a quotation of the question.
_QUOTES_UP_TO = 100


def question_index(row: Row) -> int | None:
    """The message that is augmented: the last user turn; None for a text row and where there is no such turn."""
    users = [index for index, message in enumerate(row.messages) if message["role"] == "user"]
    return users[-1] if users else None


def question_of(row: Row) -> str:
    """The text that is augmented: the last user turn, or a text row's text; '' where there is neither."""
    index = question_index(row)
    if index is not None:
        return str(row.messages[index]["content"])
    return "" if row.messages else row.text


def with_question(parent: Row, text: str, child_id: str, step: str) -> Row:
    """The child: its parent with another last question (or text), everything else untouched."""
    index = question_index(parent)
    if index is None:
        return replace(parent, id=child_id, parent=parent.id, changed_by=(step,), text=text)
    messages = list(parent.messages)
    messages[index] = {**messages[index], "content": text}
    return replace(parent, id=child_id, parent=parent.id, changed_by=(step,), messages=tuple(messages))


def kept_words(row: Row) -> str:
    """Labels, short answers and tool calls: texts that may quote the question word for word."""
    index = question_index(row)
    parts = list(row.labels)
    for message in row.messages[index + 1 :] if index is not None else ():
        if message.get("tool_calls"):
            parts.append(orjson.dumps(message["tool_calls"]).decode())
        if message["role"] == "assistant" and len(message["content"]) <= _QUOTES_UP_TO:
            parts.append(message["content"])
    return "\n".join(parts)
