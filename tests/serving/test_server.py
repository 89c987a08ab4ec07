"""The server process: its address, its signals, its refusals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from danlu.recipe.errors import UserError
from danlu.recipe.serve import ServeSection
from danlu.serving.server import address, listen
from tests.serving.running import eventually

SCRIPT = """
import sys, time
from pathlib import Path
from danlu.inference.engines.fake import FakeEngine
from danlu.recipe.serve import ServeSection
from danlu.models.loading import load_renderer
from danlu.serving.server import serve

class Slow(FakeEngine):
    def step(self):
        time.sleep(0.05)
        return super().step()

engine = Slow(load_renderer(Path(sys.argv[1])), "one two three four five six seven eight")
serve(engine, model_name="tiny", config=ServeSection(port=0), say=lambda text: print(text, flush=True))
print("ended", flush=True)
"""


@pytest.fixture
def process(tiny_folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process, and its URL."""
    environment = {**os.environ, "DANLU_LANG": "en", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tiny_folder)], stdout=subprocess.PIPE, text=True, env=environment
    ) as started:
        assert started.stdout is not None
        line = started.stdout.readline()
        yield started, line.split(" at ")[1].split()[0]
        if started.poll() is None:
            started.kill()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_answers_finish(process: tuple[subprocess.Popen[str], str], sent: signal.Signals) -> None:
    started, url = process
    eventually(lambda: answers(url))
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "stream": True}
    with httpx.stream("POST", f"{url}/chat/completions", json=body, timeout=20) as response:
        lines = response.iter_lines()
        next(lines)
        started.send_signal(sent)
        rest = "\n".join(lines)
    assert '"finish_reason":"stop"' in rest
    assert "data: [DONE]" in rest
    assert started.wait(20) == 0
    assert started.stdout is not None
    assert started.stdout.read() == "ended\n"


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/models").status_code == 200
    except httpx.TransportError:
        return False


def test_a_taken_port_is_the_users_to_mend() -> None:
    with listen(ServeSection(port=0)) as bound, pytest.raises(UserError, match="cannot listen on") as caught:
        listen(ServeSection(port=bound.getsockname()[1]))
    assert "port 0" in caught.value.fix


def test_addresses() -> None:
    with listen(ServeSection(port=0)) as bound:
        assert address(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"
    if socket.has_ipv6:
        try:
            with listen(ServeSection(host="::1", port=0)) as bound:
                assert address(bound).startswith("http://[::1]:")
        except UserError:
            pytest.skip("no IPv6 loopback on this machine")
