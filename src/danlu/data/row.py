"""The currency of the data room: a row, what became of it, and what is said of a bad one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from danlu.models.messages import Message


@dataclass(frozen=True)
class Record:
    """One raw record of a source: its place, and its value or why it has none.

    Attributes:
        file: name of the source file (without its folder).
        line: 1-based line, or index of the record where the format has no lines.
        value: the decoded object, None when `problem` is set.
        problem: why the record could not be read.
    """

    file: str
    line: int
    value: dict[str, Any] | None
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """One row of the data set: a conversation, or a plain text.

    Attributes:
        id: `file:line`, unique in a data set, the same from source to batch.
        messages: the conversation in the renderer's form; empty for a text row.
        text: plain text for language modelling; empty for a conversation.
        tools: OpenAI tool descriptions.
        thinking: whether answers are given in thinking mode; None: where a turn has reasoning.
        changed_by: the steps that rewrote it.
    """

    id: str
    file: str
    line: int
    messages: tuple[Message, ...] = ()
    text: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    thinking: bool | None = None
    changed_by: tuple[str, ...] = ()

    def rewritten(self, step: str, **fields: Any) -> Row:
        """A copy with new content, booked as changed by `step`."""
        return replace(self, **fields, changed_by=(*self.changed_by, step))

    def content(self) -> str:
        """Everything the row says, as canonical JSON (for hashing)."""
        return json.dumps([self.messages, self.text, self.tools], ensure_ascii=False, sort_keys=True)

    def prompt(self) -> str:
        """What the row asks, without its answers, as canonical JSON: rows that ask the same share a split."""
        asked = [m for m in self.messages if m["role"] != "assistant"]
        return json.dumps([asked, self.text], ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Dropped:
    """A row that ends here: by which step, and why."""

    row: Row
    step: str
    reason: str
