"""The currency of the data room: a row, what became of it, and what is said of a bad one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from danlu.models.messages import Message

NO_LABEL = "none"
"""The answer of a classification row of no class, for objectives that learn answers; a linear head never reads it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One raw record of a source: its place, and its value or why it has none.

    Attributes:
        file: name of the source file (without its folder).
        line: 1-based line, or index of the record where the format has no lines.
        value: the decoded object, None when `problem` is set.
        problem: why the record could not be read.
        raw: what stood there, for the quarantine of records that could not be read.
    """

    file: str
    line: int
    value: dict[str, Any] | None
    problem: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the data set: a conversation, or a plain text.

    Attributes:
        id: `file:line`, unique in a data set, the same from source to batch; a child's is `parent~step.number`.
        file: name of the source file.
        line: 1-based line or index in it.
        messages: the conversation in the renderer's form; empty for a text row.
        text: plain text for language modelling; empty for a conversation.
        tools: OpenAI tool descriptions.
        thinking: whether answers are given in thinking mode; None: where a turn has reasoning.
        labels: classes of a classification row, sorted: they are a set (its last answer spells them out).
        no_label: whether it is a classification row of no class; its answer is NO_LABEL.
        rejected: the answer that a preference row likes less than the one that begins at `preferred_from`.
        preferred_from: index of the first message of the answer that is liked more; 0 where there is no other.
        desirable: whether the row's answer was liked, where the source says so; None: it does not.
        weight: of the row in the loss.
        metadata: what else the source says of the row, such as user or conversation.
        parent: id of the row that an augmented row was made from.
        changed_by: the steps that rewrote it.
        keys: keyed hashes of values of the metadata that redaction changed, by their keys; see `row_keys`.
    """

    id: str
    file: str
    line: int
    messages: tuple[Message, ...] = ()
    text: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    thinking: bool | None = None
    labels: tuple[str, ...] = ()
    no_label: bool = False
    rejected: tuple[Message, ...] = ()
    preferred_from: int = 0
    desirable: bool | None = None
    weight: float = 1.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    changed_by: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def classified(self) -> bool:
        """Whether its answer is a label, or the word that there is none, and no text of its own."""
        return bool(self.labels) or self.no_label

    def rewritten(self, step: str, **fields: Any) -> Row:
        """A copy with new content, booked as changed by `step`."""
        return replace(self, **fields, changed_by=(*self.changed_by, step))

    def content(self) -> bytes:
        """Everything the row says, as canonical JSON (for hashing)."""
        more = {"desirable": self.desirable, "thinking": self.thinking}
        given = {name: value for name, value in more.items() if value is not None}
        return _canonical(
            [self.messages, self.text, self.tools, self.labels, self.rejected, *([given] if given else [])]
        )

    def prompt(self) -> bytes:
        """What the row asks, without its answers, as canonical JSON: rows that ask the same share a split.

        A row in which nobody asks anything is asked nothing in common with others: it counts as a whole.
        """
        asked = [m for m in self.messages if m["role"] != "assistant"]
        if self.messages and all(m["role"] == "system" for m in asked):
            return self.content()
        return _canonical([asked, self.text])

    def question(self) -> str:
        """Everything the row asks as one text: a turn a line; the text itself for a text row."""
        if not self.messages:
            return self.text
        return "\n".join(m["content"] for m in self.messages if m["role"] != "assistant" and m["content"])

    def answer(self) -> str:
        """Everything the row answers as one text: a turn a line; empty for a text row."""
        return "\n".join(m["content"] for m in self.messages if m["role"] == "assistant" and m["content"])


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that ends here: by which step, and why. The reason never quotes the row's text."""

    row: Row
    step: str
    reason: str
