"""The tutorial's blocks, executed as they stand, on a tiny model instead of the seedling."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.tiny import build_tiny_model

# Appended by a shell function to every verb that takes a recipe: the tutorial itself stays as a reader types it
PRELUDE = """
set -euo pipefail
danlu() {
  case "$1" in
    run|data|plan) command danlu "$@" $TINY ;;
    *) command danlu "$@" ;;
  esac
}
"""
ADDRESS = "http://127.0.0.1:8000"


def tutorial(mark: str) -> list[Block]:
    found = blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    return [block for block in found if block.mark == mark]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    base = build_tiny_model(tmp_path_factory.mktemp("base"))
    fields = {
        "model.base": str(base),
        "data.max_tokens": "900",
        "data.on_too_long": "drop",
        "train.max_steps": "2",
        "evaluate.max_rows": "4",
        "evaluate.max_new_tokens": "8",
        "evaluate.resamples": "100",
    }
    return {
        **{name: value for name, value in os.environ.items() if name != "DANLU_WORKSPACE"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TINY": " ".join(f"--set {name}={value}" for name, value in fields.items()),
        "DANLU_LANG": "en",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def output(folder: Path, environment: dict[str, str]) -> str:
    """What the reader sees of all blocks marked `run`, typed one after the other in one shell."""
    script = PRELUDE + "".join(block.body for block in tutorial("run"))
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def serving(command: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The tutorial's server on a free port; yields its address."""
    words = [*command.split(), "--port", "0"]
    shell = {**environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, cwd=folder, env=shell, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
            assert found, "the server did not print its address"
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def test_every_block_of_the_tutorial_is_executed() -> None:
    found = blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    assert {block.mark for block in found} == {"run", "run: serve", "run: client"}


def test_the_blocks_run(output: str, folder: Path) -> None:
    assert "Ledger" in output
    assert "Nothing to do: every stage was there already." in output
    assert "held-out rows, 95% intervals" in output
    assert "review-triage@1" in output and "shop@1" in output
    assert len(list((folder / "demo" / "danlu-workspace" / "runs").glob("*/report.html"))) >= 3


def test_the_server_answers_the_client(output: str, folder: Path, environment: dict[str, str]) -> None:
    [server], [client] = tutorial("run: serve"), tutorial("run: client")
    assert ADDRESS in client.body
    with serving(server.body, folder / "demo", environment) as address:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(client.body.replace(ADDRESS, address), "tutorial", "exec"), {})
    assert said.getvalue().strip()
