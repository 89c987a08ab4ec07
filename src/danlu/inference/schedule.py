"""Which requests wait and which run, and what each has answered so far; the same for every engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

from danlu.inference.completion import Delta, FinishReason, GenerationRequest
from danlu.inference.detokenize import GrowingText, StopSearch
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import UserError


class Answering:
    """One request in work: takes tokens, gives deltas, knows when it is finished."""

    def __init__(self, request: GenerationRequest, renderer: ChatRenderer, end_ids: Collection[int]) -> None:
        self.request = request
        self.token_ids: list[int] = []
        self.finished = False
        self._end_ids = end_ids
        self._text = GrowingText(renderer.decode)
        self._stop = StopSearch(request.sampling.stop)

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    def accept(self, token_id: int) -> Delta:
        """Book the next token."""
        self.token_ids.append(token_id)
        if token_id in self._end_ids:
            return self._delta([token_id], "", "stop")
        text, stopped = self._stop.push(self._text.push(token_id))
        if stopped:
            self.finished = True
            return Delta(self.id, text, [token_id], "stop")
        if len(self.token_ids) >= self.request.sampling.max_new_tokens:
            return self._delta([token_id], text, "length")
        return Delta(self.id, text, [token_id])

    def cut(self, reason: FinishReason, error: str = "") -> Delta:
        """End the answer from outside ('cancelled' or 'error')."""
        return self._delta([], "", reason, error)

    def _delta(self, token_ids: list[int], text: str, reason: FinishReason, error: str = "") -> Delta:
        """The last delta: with the text held back, which may still hold a stop text."""
        self.finished = True
        # A character cut off by a limit is dropped; bytes that the model itself left unfinished are shown as such
        tail = self._text.rest() if reason == "stop" else ""
        more, stopped = self._stop.push(tail)
        text += more if stopped else more + self._stop.rest()
        return Delta(self.id, text, token_ids, "stop" if stopped else reason, error)


Work = TypeVar("Work", bound=Answering)


class Schedule(Generic[Work]):
    """Waiting and running requests, first come first served, with at most `max_running` running."""

    def __init__(self, max_running: int) -> None:
        self.max_running = max_running
        self.running: list[Work] = []
        self._waiting: deque[Work] = deque()
        self._ids: set[str] = set()
        self._cancelled: set[str] = set()

    def add(self, answering: Work) -> None:
        """Queue a request.

        Raises:
            UserError: its id is in use.
        """
        if answering.id in self._ids:
            raise UserError(f"the request id '{answering.id}' is in use", fix="give every request an id of its own")
        self._ids.add(answering.id)
        self._waiting.append(answering)

    def cancel(self, request_id: str) -> None:
        """Have the request end at the next `end_cancelled`; ids that are not here are ignored."""
        if request_id in self._ids:
            self._cancelled.add(request_id)

    def end_cancelled(self) -> list[Delta]:
        """The last deltas of cancelled requests; `drop_finished` then removes those that ran."""
        if not self._cancelled:
            return []
        ended = [one for one in (*self.running, *self._waiting) if one.id in self._cancelled]
        self._waiting = deque(one for one in self._waiting if one.id not in self._cancelled)
        self._ids -= self._cancelled
        self._cancelled.clear()
        return [one.cut("cancelled") for one in ended]

    def admit(self) -> list[Work]:
        """Take out waiting requests for which there is room; the engine hands them to `enter` once they have begun."""
        room = self.max_running - len(self.running)
        return [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]

    def enter(self, begun: Sequence[Work]) -> None:
        """Put admitted requests at the end of `running`, but those that are finished already."""
        self.running.extend(one for one in begun if not one.finished)
        self._ids.difference_update(one.id for one in begun if one.finished)

    def drop_finished(self) -> list[int]:
        """Remove finished requests from `running`; returns the positions that stay, in order."""
        stay = [index for index, one in enumerate(self.running) if not one.finished]
        self._ids.difference_update(one.id for one in self.running if one.finished)
        self.running = [self.running[index] for index in stay]
        return stay

    def has_work(self) -> bool:
        """Whether anything waits or runs."""
        return bool(self.running or self._waiting)

    def clear(self) -> None:
        """Forget everything."""
        self.running.clear()
        self._waiting.clear()
        self._ids.clear()
        self._cancelled.clear()
