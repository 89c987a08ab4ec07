"""A server on a real socket for the length of a test, and an engine whose steps the test lets through."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openai

from danlu.inference.completion import Delta, GenerationRequest
from danlu.inference.engine import Engine
from danlu.inference.engines.fake import FakeEngine
from danlu.recipe.serve import ServeSection
from danlu.serving.app import create_app
from danlu.serving.server import DrainingServer, address, listen, make_server
from danlu.serving.worker import EngineWorker

MODEL = "tiny"


@dataclass
class Running:
    """A running server, from the outside (`url`, `client`) and the inside."""

    url: str
    server: DrainingServer
    worker: EngineWorker
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=20)


@contextlib.contextmanager
def running_server(engine: Engine, *, thinking_default: bool = False, **settings: Any) -> Iterator[Running]:
    """Serve an engine on a free port; at the end the server is stopped, and must have stopped."""
    config = ServeSection(port=0, **settings)
    app = create_app(engine, model_name=MODEL, config=config, thinking_default=thinking_default)
    bound = listen(config)
    server = make_server(app, drain_s=5)
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(sockets=[bound]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Running(address(bound), server, app.state.worker, thread, loop)
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()
        assert not thread.is_alive()
        loop.close()


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait until something is true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.005)


class GatedEngine(FakeEngine):
    """A fake engine that makes a step only when the test allows it, and remembers what was asked of it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.permits = threading.Semaphore(0)
        self.added: list[str] = []
        self.cancelled: list[str] = []
        self.broken = False

    def allow(self, steps: int) -> None:
        self.permits.release(steps)

    def add(self, request: GenerationRequest) -> None:
        super().add(request)
        self.added.append(request.id)

    def step(self) -> list[Delta]:
        if self.permits.acquire(timeout=0.02):
            if self.broken:
                raise RuntimeError("out of order")
            return super().step()
        return []

    def cancel(self, request_id: str) -> None:
        self.cancelled.append(request_id)
        super().cancel(request_id)
