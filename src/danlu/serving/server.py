"""The server process: a socket, uvicorn, and an end that loses no answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from danlu.inference.engine import Engine
from danlu.recipe.errors import UserError
from danlu.recipe.language import tr
from danlu.recipe.serve import ServeSection
from danlu.serving.app import create_app

DRAIN_S = 60.0
# After the answers are done, connections that a client keeps open get so long to close
LINGER_S = 2


class DrainingServer(uvicorn.Server):
    """On SIGTERM or SIGINT: new requests get 503, those in work are answered, then it ends.

    A second signal ends it now.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._worker = app.state.worker
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Future[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does; called by uvicorn between two instructions of the main thread."""
        if self._loop is None or self._draining is not None:
            super().handle_exit(sig, frame)
            self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self.begin_drain)

    def begin_drain(self) -> None:
        """Refuse new requests, and exit when those in work are answered; call it on the event loop."""
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        await self._worker.drain(self._drain_s)
        self.should_exit = True


def make_server(app: FastAPI, drain_s: float = DRAIN_S) -> DrainingServer:
    """A server for an application of `create_app`; run it with `server.run(sockets=[listen(config)])`."""
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=LINGER_S, lifespan="on"
    )
    return DrainingServer(settings, app, drain_s)


def listen(config: ServeSection) -> socket.socket:
    """A bound socket.

    Raises:
        UserError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror or error}",
            where="serve.port",
            fix="choose another serve.host or serve.port; port 0 takes any free one",
        ) from error


def address(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    engine: Engine,
    *,
    model_name: str,
    config: ServeSection,
    thinking_default: bool = False,
    drain_s: float = DRAIN_S,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until SIGTERM or SIGINT; returns when all answers are given.

    Args:
        drain_s: seconds that answers in work get after the signal.
        say: told the address once the port is open.

    Raises:
        UserError: the address cannot be had.
    """
    bound = listen(config)
    app = create_app(engine, model_name=model_name, config=config, thinking_default=thinking_default)
    url = address(bound)
    say(tr(f"{model_name} answers at {url}/v1 (Ctrl+C ends it)", f"{model_name} 已在 {url}/v1 提供服务（Ctrl+C 结束）"))
    with bound:
        make_server(app, drain_s).run(sockets=[bound])
