"""A model's text, as it grows, taken apart into thinking, content and tool calls.

The rules are those of `danlu.models.completion.parse_answer`; a test compares the two on every way of cutting a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from danlu.inference.detokenize import overlap
from danlu.models.completion import CALL_END, CALL_START, parse_answer
from danlu.models.messages import THINK_END, THINK_START

_State = Literal["start", "reasoning", "after reasoning", "content", "call"]


@dataclass(frozen=True)
class Part:
    """A piece of an answer: text of one kind, or one whole tool call (`{"name", "arguments"}`)."""

    kind: Literal["reasoning", "content", "tool_call"]
    text: str = ""
    call: dict[str, Any] | None = None


class AnswerSplitter:
    """Gives out parts as soon as it is certain what they are.

    Args:
        tools: whether tool calls are looked for; without, their tags are ordinary text.
        thinking: whether the prompt has opened the thinking already, so that the answer begins inside it.
    """

    def __init__(self, *, tools: bool, thinking: bool = False) -> None:
        self._tools = tools
        self._state: _State = "reasoning" if thinking else "start"
        self._text = ""  # not given out yet
        self._newlines = ""  # newlines that count only when text of the same kind follows
        self._given = False  # whether text of the present kind was given out
        self._calls = False
        self._parts: list[Part] = []

    def push(self, text: str) -> list[Part]:
        """The parts that this text completes."""
        self._text += text
        while self._advance():
            pass
        parts, self._parts = self._parts, []
        return parts

    def finish(self) -> list[Part]:
        """What was held back, when no more text comes."""
        if self._state == "call":
            self._state = "content"
            self._emit(CALL_START + self._text)
        elif self._state == "reasoning":
            self._emit(self._text)
        else:
            self._emit(self._text)
            if not self._calls and self._state != "after reasoning":
                self._flush_newlines()
        self._text = ""
        parts, self._parts = self._parts, []
        return parts

    def _advance(self) -> bool:
        """Go one state further; False: the text so far does not lead on."""
        step = {
            "start": self._start,
            "reasoning": self._reasoning,
            "after reasoning": self._after_reasoning,
            "content": self._content,
            "call": self._call,
        }[self._state]
        return step()

    def _start(self) -> bool:
        begun = self._text.lstrip()
        if begun.startswith(THINK_START):
            self._text = begun[len(THINK_START) :]
            self._state = "reasoning"
            return True
        if THINK_START.startswith(begun):
            return False
        self._state = "content"
        return True

    def _reasoning(self) -> bool:
        thought, closed, rest = self._text.partition(THINK_END)
        if not closed:
            self._emit_all_but(overlap(self._text, THINK_END))
            return False
        self._emit(thought)
        self._newlines, self._given = "", False
        self._text = rest
        self._state = "after reasoning"
        return True

    def _after_reasoning(self) -> bool:
        self._text = self._text.lstrip("\n")
        if not self._text:
            return False
        self._state = "content"
        return True

    def _content(self) -> bool:
        if not self._tools:
            if self._text:
                self._parts.append(Part("content", self._text))
            self._text = ""
            return False
        before, found, after = self._text.partition(CALL_START)
        if not found:
            self._emit_all_but(overlap(self._text, CALL_START))
            return False
        self._emit(before)
        self._text = after
        self._state = "call"
        return True

    def _call(self) -> bool:
        body, closed, rest = self._text.partition(CALL_END)
        if not closed:
            return False
        parsed = parse_answer(CALL_START + body + CALL_END)
        self._state = "content"
        if parsed.content or not parsed.tool_calls:  # broken: its tag is text, and what follows is looked at again
            self._emit(CALL_START)
            return True
        if not self._given:
            self._newlines = ""
        self._calls = True
        self._parts.append(Part("tool_call", call=parsed.tool_calls[0]))
        self._text = rest
        return True

    def _emit_all_but(self, held: int) -> None:
        self._emit(self._text[: len(self._text) - held])
        self._text = self._text[len(self._text) - held :]

    def _emit(self, text: str) -> None:
        """Give out text, except for newlines at its end, and at the beginning of thinking and behind a call."""
        if not self._given and (self._state == "reasoning" or self._calls):
            text = text.lstrip("\n")
        text = self._newlines + text
        kept = text.rstrip("\n")
        self._newlines = text[len(kept) :]
        if kept:
            self._given = True
            self._parts.append(Part("reasoning" if self._state == "reasoning" else "content", kept))

    def _flush_newlines(self) -> None:
        if self._newlines:
            self._parts.append(Part("content", self._newlines))
            self._newlines = ""
