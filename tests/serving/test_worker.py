"""Full, failing, hung up and ending servers, over a real socket; the test lets each engine step through."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from danlu.inference.completion import Delta, GenerationRequest, Sampling
from danlu.inference.engines.fake import FakeEngine
from danlu.models.chat import ChatRenderer
from danlu.serving.chat import EventStream
from danlu.serving.worker import EngineWorker
from tests.serving.running import MODEL, GatedEngine, Running, eventually, running_server

USER: Any = [{"role": "user", "content": "hello"}]
BODY = {"model": MODEL, "messages": USER}


@pytest.fixture
def engine(renderer: ChatRenderer) -> GatedEngine:
    return GatedEngine(renderer, "some words of an answer", max_batch=1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def ask(running: Running, **extra: Any) -> httpx.Response:
    return httpx.post(f"{running.url}/v1/chat/completions", json={**BODY, **extra}, timeout=20)


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def test_full_server_refuses_and_recovers(engine: GatedEngine, pool: ThreadPoolExecutor) -> None:
    with running_server(engine, max_waiting=2) as running:
        waiting = [pool.submit(ask, running) for _ in range(3)]
        eventually(lambda: running.worker.in_flight == 3)
        refused = ask(running)
        assert (refused.status_code, code_of(refused)) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["type"] == "server_error"
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        engine.allow(1000)
        assert [one.result().status_code for one in waiting] == [200] * 3
        assert ask(running).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_hanging_up_cancels(engine: GatedEngine, stream: bool) -> None:
    with running_server(engine) as running:
        with (
            contextlib.suppress(httpx.ReadTimeout),
            httpx.stream(
                "POST", f"{running.url}/v1/chat/completions", json={**BODY, "stream": stream}, timeout=0.3
            ) as response,
        ):
            next(response.iter_lines())
        assert len(engine.added) == 1
        eventually(lambda: len(engine.cancelled) == 1)
        eventually(lambda: running.worker.in_flight == 0)
        engine.allow(1000)
        assert ask(running).status_code == 200


def test_a_stream_that_cannot_even_begin_is_cancelled(engine: GatedEngine) -> None:
    async def events() -> AsyncIterator[str]:
        yield "never sent"

    async def run() -> None:
        worker = EngineWorker(engine, max_waiting=0)
        worker.start()
        answer = await worker.submit(GenerationRequest("a", [1], Sampling()))

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(_: Any) -> None:
            raise RuntimeError("the client is gone")

        with contextlib.suppress(RuntimeError, BaseExceptionGroup):
            await EventStream(answer, events())({"type": "http"}, receive, send)
        assert worker.in_flight == 0
        await worker.stop()

    asyncio.run(run())
    assert engine.cancelled == ["a"]


def test_hanging_up_while_waiting_cancels(engine: GatedEngine, pool: ThreadPoolExecutor) -> None:
    with running_server(engine) as running:
        first = pool.submit(ask, running)
        eventually(lambda: running.worker.in_flight == 1)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{running.url}/v1/chat/completions", json=BODY, timeout=httpx.Timeout(5, read=0.2))
        eventually(lambda: len(engine.cancelled) == 1)
        engine.allow(1000)
        assert first.result().status_code == 200


def test_an_engine_that_breaks(engine: GatedEngine, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture) -> None:
    with running_server(engine) as running, caplog.at_level(logging.ERROR):
        plain = pool.submit(ask, running)
        streamed = pool.submit(ask, running, stream=True)
        eventually(lambda: len(engine.added) == 2)
        engine.broken = True
        engine.allow(1)
        assert plain.result().status_code == 500
        assert "out of order" not in plain.result().text  # the inside of the server is not the client's business
        last = streamed.result().text.strip().split("\n\n")
        assert json.loads(last[-2].removeprefix("data: "))["error"]["type"] == "server_error"
        assert last[-1] == "data: [DONE]"
        health = httpx.get(f"{running.url}/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "failed")
        refused = ask(running)
        assert (refused.status_code, code_of(refused)) == (503, "engine_failed")
        assert "out of order" in caplog.text  # with its traceback, for whoever mends it


def test_one_failed_answer_leaves_the_server_working(renderer: ChatRenderer) -> None:
    class FailsOnce(FakeEngine):
        failures = 2

        def step(self) -> list[Delta]:
            deltas = super().step()
            if self.failures and deltas[0].finish_reason is None:
                self.failures -= 1
                self.cancel(deltas[0].request_id)
                return [Delta(deltas[0].request_id, "", [], "error", "not finite")]
            return deltas

    with running_server(FailsOnce(renderer, "fine")) as running:
        failed = ask(running)
        assert (failed.status_code, failed.json()["error"]["message"]) == (500, "not finite")
        client = running.client()
        with pytest.raises(openai.APIError, match="not finite"):
            list(client.chat.completions.create(model=MODEL, messages=USER, stream=True))
        assert ask(running).json()["choices"][0]["message"]["content"] == "fine"
        assert httpx.get(f"{running.url}/healthz").status_code == 200


def test_draining_finishes_answers_and_refuses_new_ones(engine: GatedEngine, pool: ThreadPoolExecutor) -> None:
    with running_server(engine) as running:
        plain = pool.submit(ask, running)
        streamed = pool.submit(ask, running, stream=True)
        eventually(lambda: len(engine.added) == 2)
        running.loop.call_soon_threadsafe(running.server.begin_drain)
        eventually(lambda: running.worker.state == "draining")
        refused = ask(running)
        assert (refused.status_code, code_of(refused)) == (503, "shutting_down")
        health = httpx.get(f"{running.url}/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "draining")
        engine.allow(1000)
        assert plain.result().json()["choices"][0]["finish_reason"] == "stop"
        assert streamed.result().text.endswith("data: [DONE]\n\n")
        running.thread.join(10)
        assert not running.thread.is_alive()
        with pytest.raises(httpx.ConnectError):
            ask(running)
        assert not engine.has_work()


def test_draining_gives_up_after_a_while(engine: GatedEngine, pool: ThreadPoolExecutor) -> None:
    with running_server(engine) as running:
        running.server._drain_s = 0.1
        stuck = pool.submit(ask, running, stream=True)
        eventually(lambda: running.worker.in_flight == 1)
        running.loop.call_soon_threadsafe(running.server.begin_drain)
        running.thread.join(10)
        assert not running.thread.is_alive()
        with contextlib.suppress(httpx.HTTPError):
            assert "stop" not in stuck.result().text
