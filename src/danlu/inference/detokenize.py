"""From tokens to text as it grows: whole characters only, and nothing that may become a stop text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\ufffd"  # what decoders write for bytes that are not (yet) a character


class GrowingText:
    """Decodes tokens as they come.

    Only a short window of tokens is decoded each time: `context` is a piece whose text is already known, needed
    because some decoders treat the beginning of a text differently; `ids[read:]` is what is new.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._read = 0
        self._context = ""
        self._given = 0  # characters given out of the text behind the context

    def push(self, token_id: int) -> str:
        """The characters that this token completes."""
        self._ids.append(token_id)
        text = self._decode(self._ids)[len(self._context) :]
        if text.endswith(UNFINISHED):
            # One replacement character stands for the whole unfinished tail; those before it are bytes gone wrong
            new, self._given = text[self._given : -1], len(text) - 1
            return new
        new = text[self._given :]
        self._ids, self._read, self._given = self._ids[self._read :], len(self._ids) - self._read, 0
        self._context = self._decode(self._ids)
        return new

    def rest(self) -> str:
        """The tail that never became a character: '' or one replacement character."""
        return self._decode(self._ids)[len(self._context) + self._given :]


class StopSearch:
    """Lets text through up to the first stop text; holds back an end that may be the beginning of one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """(text that is safe to give out, whether a stop text was met); nothing may be pushed after a stop."""
        if not self._stop:
            return text, False
        text = self._held + text
        hits = [at for at in (text.find(stop) for stop in self._stop) if at >= 0]
        if hits:
            self._held = ""
            return text[: min(hits)], True
        keep = max(overlap(text, stop) for stop in self._stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def rest(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, wanted: str) -> int:
    """Length of the longest end of `text` that is a beginning of `wanted`, but not all of it."""
    for length in range(min(len(text), len(wanted) - 1), 0, -1):
        if text.endswith(wanted[:length]):
            return length
    return 0
