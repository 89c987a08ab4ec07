"""What holds in every test: no network, no hub, a workspace of its own, one torch thread."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from danlu.models.chat import ChatRenderer

# Read by libraries when they are imported, so before any test module is collected. Child processes inherit them;
# the socket guard below they do not.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")


class NetworkRefused(RuntimeError):
    """A test reached for the network. Not an OSError: nobody may take it for an outage and retry."""


class NetworkGuard:
    """Refuses what leaves this machine and remembers it, in case the caller swallows the error."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def check_address(self, address: Any) -> None:
        """Loopback addresses and Unix sockets pass.

        Raises:
            NetworkRefused: any other.
        """
        if isinstance(address, tuple) and not _is_loopback(str(address[0])):
            self._refuse(f"a connection to {address[0]}:{address[1]}")

    def check_name(self, host: str | bytes | None) -> None:
        """Names that need a name server are refused; literal addresses need none.

        Raises:
            NetworkRefused: the name is not localhost.
        """
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_loopback(name) and not _is_address(name):
            self._refuse(f"a look-up of the name {name}")

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise NetworkRefused(f"{what} in a test: tests run without network; use 127.0.0.1 or a fake")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback)


def _guarded(method: Callable[..., Any], guard: NetworkGuard) -> Callable[..., Any]:
    """A socket method whose last positional argument is an address."""

    def call(self: socket.socket, *args: Any) -> Any:
        guard.check_address(args[-1] if args else None)
        return method(self, *args)

    return call


@pytest.fixture(scope="session", autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """The guard, in force from before the first fixture until after the last."""
    guard = NetworkGuard()
    look_up = socket.getaddrinfo

    def getaddrinfo(host: str | bytes | None, *args: Any, **kwargs: Any) -> Any:
        guard.check_name(host)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), guard))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield guard


@pytest.fixture(scope="session", autouse=True)
def session_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A workspace for fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANLU_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network_guard: NetworkGuard) -> Iterator[None]:
    """A workspace of the test's own; afterwards, a failure if the network was asked for and the error swallowed."""
    monkeypatch.setenv("DANLU_WORKSPACE", str(tmp_path / "workspace"))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    network_guard.refused.clear()
    yield
    if network_guard.refused:
        pytest.fail(f"the test asked for {', '.join(network_guard.refused)}; tests run without network")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model; torch is imported only where a test asks for it."""
    from tests.tiny import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def renderer(tiny_folder: Path) -> ChatRenderer:
    """Its renderer."""
    from danlu.models.loading import load_renderer

    return load_renderer(tiny_folder)


@pytest.fixture(scope="session")
def model(tiny_folder: Path) -> PreTrainedModel:
    """The model, in fp32."""
    from danlu.models.loading import load_model

    return load_model(tiny_folder, dtype="float32")
