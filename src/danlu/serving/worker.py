"""One thread owns the engine; the event loop hands requests to it and gets their deltas back."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable
from typing import Literal

from danlu.inference.completion import Delta, GenerationRequest
from danlu.inference.engine import Engine

log = logging.getLogger(__name__)

State = Literal["ready", "draining", "failed", "closed"]
_Item = Delta | BaseException | None  # None: the engine has taken the request

RETRY_AFTER_S = 1


class Unavailable(Exception):
    """No answer now: the server is full, shutting down, or its engine is broken. `retry_after` in seconds, or None."""

    def __init__(self, reason: str, code: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.retry_after = retry_after


class EngineFailed(Exception):
    """The engine broke, or one answer did, while it was being given."""


class Answer:
    """The deltas of an accepted request. Iterate to its end, or call `close`: else the engine works for nobody."""

    def __init__(self, worker: EngineWorker, request_id: str, inbox: asyncio.Queue[_Item]) -> None:
        self._worker = worker
        self._id = request_id
        self._inbox = inbox

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """Deltas, the last with a finish reason.

        Raises:
            EngineFailed: no more will come.
        """
        try:
            while True:
                item = await self._inbox.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    continue
                if item.finish_reason == "error":
                    raise EngineFailed(item.error)
                yield item
                if item.finish_reason is not None:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Cancel the request if it is still in work; a second call does nothing."""
        self._worker.forget(self._id)


class EngineWorker:
    """Between many coroutines of one event loop and one engine.

    All bookkeeping is done on the event loop; the thread only calls the engine. So nothing here needs a lock.

    Args:
        engine: used, from `start` on, by the thread alone.
        max_waiting: requests that may wait beyond those the engine runs at once.
    """

    def __init__(self, engine: Engine, max_waiting: int) -> None:
        self.engine = engine
        self.state: State = "ready"
        self._capacity = engine.max_batch + max_waiting
        self._open: dict[str, asyncio.Queue[_Item]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._commands: queue.SimpleQueue[GenerationRequest | str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="danlu-engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- on the event loop ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; call it on the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def in_flight(self) -> int:
        """Requests that are waiting or running."""
        return len(self._open)

    def check_room(self) -> None:
        """Refuse early, before work is put into a request.

        Raises:
            Unavailable: full, draining or failed.
        """
        if self.state == "failed":
            raise Unavailable("the engine has failed; the server must be restarted", "engine_failed")
        if self.state != "ready":
            raise Unavailable("the server is shutting down", "shutting_down", RETRY_AFTER_S)
        if len(self._open) >= self._capacity:
            raise Unavailable(
                f"the server is full: {len(self._open)} requests are running or waiting", "overloaded", RETRY_AFTER_S
            )

    async def submit(self, request: GenerationRequest) -> Answer:
        """Hand a request to the engine.

        Raises:
            Unavailable: full, draining or failed.
            UserError: the engine can never answer it.
        """
        self.check_room()
        inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._open[request.id] = inbox
        self._idle.clear()
        self._commands.put(request)
        try:
            taken = await inbox.get()
        except BaseException:  # cancelled while waiting for the engine
            self.forget(request.id)
            raise
        if isinstance(taken, BaseException):
            self._close(request.id)
            raise taken
        return Answer(self, request.id, inbox)

    def forget(self, request_id: str) -> None:
        """Nobody waits for this request any more."""
        if self._close(request_id):
            self._commands.put(request_id)

    async def drain(self, timeout_s: float) -> None:
        """Take no more requests; return when those in work are answered, or after the timeout."""
        if self.state == "ready":
            self.state = "draining"
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            log.warning("gave up on %d answers after %.0f s", len(self._open), timeout_s)

    async def stop(self) -> None:
        """End the thread and close the engine; answers still in work fail."""
        if self.state != "failed":
            self.state = "closed"
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join)
        self._fail_all("the server was shut down")

    def _close(self, request_id: str) -> bool:
        closed = self._open.pop(request_id, None) is not None
        if not self._open:
            self._idle.set()
        return closed

    def _deliver(self, items: list[tuple[str, _Item]]) -> None:
        for request_id, item in items:
            inbox = self._open.get(request_id)
            if inbox is None:
                continue
            inbox.put_nowait(item)
            if isinstance(item, Delta) and item.finish_reason is not None:
                self._close(request_id)

    def _fail_all(self, reason: str) -> None:
        self._deliver([(request_id, EngineFailed(reason)) for request_id in self._open])
        self._open.clear()
        self._idle.set()

    def _engine_broke(self) -> None:
        self.state = "failed"
        self._fail_all("the engine failed")

    # -- on the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._obey():
                deltas = self.engine.step()
                self._post([(delta.request_id, delta) for delta in deltas])
        except Exception:
            log.exception("the engine failed")
            self._call(self._engine_broke)
        finally:
            self.engine.close()

    def _obey(self) -> bool:
        """Carry out all commands, waiting for one when there is nothing to do; False: the end."""
        while True:
            try:
                command = self._commands.get(block=not self.engine.has_work())
            except queue.Empty:
                return True
            if command is None:
                return False
            if isinstance(command, str):
                self.engine.cancel(command)
            else:
                self._add(command)

    def _add(self, request: GenerationRequest) -> None:
        try:
            self.engine.add(request)
        except Exception as error:  # of this request alone; the engine has not begun with it
            self._post([(request.id, error)])
        else:
            self._post([(request.id, None)])

    def _post(self, items: list[tuple[str, _Item]]) -> None:
        if items:
            self._call(self._deliver, items)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            log.debug("an engine message came after the event loop had ended")
