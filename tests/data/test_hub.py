"""The hub source against an HTTP server that answers as the hub does: the real client libraries, no network."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "a" * 40
ROWS = [
    {"messages": [{"role": "user", "content": f"问{i}"}, {"role": "assistant", "content": "答"}]} for i in range(50)
]
FILE = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
READ = """
import json, sys
from danlu.data.sources.huggingface import HuggingFaceReader
from danlu.recipe.errors import UserError
from danlu.recipe.sources import HuggingFaceSource
reader = HuggingFaceReader(HuggingFaceSource(type="huggingface", path=sys.argv[1], split="train"))
try:
    found = {"commit": reader.commit()}
    if sys.argv[2] == "rows":
        found["rows"] = [record.value for chunk in reader.chunks(20) for record in reader.decode(chunk)]
except UserError as error:
    found = {"problem": str(error), "fix": error.fix}
print(json.dumps(found))
"""


class Hub(BaseHTTPRequestHandler):
    """One data set, team/rows, with one file; everything else is not there."""

    def log_message(self, *said: Any) -> None:
        """Silent."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.split("?")[0]
        if path == "/api/datasets/team/rows" or path.startswith("/api/datasets/team/rows/revision/"):
            self._send(200, {"id": "team/rows", "sha": COMMIT, "siblings": [{"rfilename": "train.jsonl"}]})
        elif path == f"/api/datasets/team/rows/tree/{COMMIT}":
            self._send(200, [{"type": "file", "path": "train.jsonl", "size": len(FILE), "oid": "b" * 40}])
        elif path == f"/datasets/team/rows/resolve/{COMMIT}/train.jsonl":
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            part = FILE[int(first) : int(last) + 1]
            self._send(206, part, {"Content-Range": f"bytes {first}-{last}/{len(FILE)}"})
        else:
            kind = "EntryNotFound" if "team/rows" in path else "RepoNotFound"
            self._send(404, {"error": "not found"}, {"X-Error-Code": kind})

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body)), "X-Repo-Commit": COMMIT}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(hub: str, home: Path, *arguments: str) -> dict[str, Any]:
    """What a process of its own reads: the client looks at the environment when it is imported."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", READ, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_commit_is_the_hubs_and_an_unknown_id_is_no_matter_of_access(hub: str, tmp_path: Path) -> None:
    assert ask(hub, tmp_path, "team/rows", "commit") == {"commit": COMMIT}
    gone = ask(hub, tmp_path, "team/none", "commit")
    assert gone["problem"].startswith("data set team/none: cannot be read (RepositoryNotFoundError)")
    assert gone["fix"].startswith("check id, name, split and revision")


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs danlu[datasets]")
def test_every_row_of_a_split_comes_in_its_order(hub: str, tmp_path: Path) -> None:
    assert ask(hub, tmp_path, "team/rows", "rows") == {"commit": COMMIT, "rows": ROWS}
