"""The guard of tests/conftest.py refuses what is not this machine, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest
from tests.conftest import NetworkGuard

OUTSIDE = "192.0.2.1"  # TEST-NET-1 of RFC 5737: nobody's address


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_to_the_outside_is_refused(method: str, network_guard: NetworkGuard) -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match=r"192\.0\.2\.1:443 in a test"):
        getattr(client, method)((OUTSIDE, 443))
    assert network_guard.refused.pop() == f"a connection to {OUTSIDE}:443"


def test_a_datagram_to_the_outside_is_refused(network_guard: NetworkGuard) -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as client,
        pytest.raises(RuntimeError, match="tests run without network"),
    ):
        client.sendto(b"x", (OUTSIDE, 53))
    network_guard.refused.clear()


def test_a_name_is_not_looked_up(network_guard: NetworkGuard) -> None:
    with pytest.raises(RuntimeError, match=r"a look-up of the name models\.example"):
        socket.create_connection(("models.example", 443))
    network_guard.refused.clear()


def test_a_swallowed_refusal_is_remembered(network_guard: NetworkGuard) -> None:
    with socket.socket() as client, contextlib.suppress(Exception):
        client.connect((OUTSIDE, 80))
    assert network_guard.refused == [f"a connection to {OUTSIDE}:80"]
    network_guard.refused.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_passes(host: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection((host, server.getsockname()[1])) as client,
    ):
        assert client.getpeername()[0] == "127.0.0.1"


def test_the_surroundings_are_the_tests_own(tmp_path: Path) -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert Path(os.environ["DANLU_WORKSPACE"]).is_relative_to(tmp_path)
