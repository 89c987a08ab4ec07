"""The runner of this machine's processes: one pool for all passes, ended with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from danlu.data.runners.local import SMALL, LocalProcesses
from danlu.recipe.data import LocalRunner

ITEMS = list(range(-SMALL, SMALL))


def test_all_passes_share_the_processes_and_close_ends_them() -> None:
    runner = LocalProcesses(LocalRunner(workers=2))
    assert list(runner.map(abs, ITEMS)) == [abs(item) for item in ITEMS]
    pool = runner._pool
    assert pool is not None
    assert list(runner.map(abs, ITEMS)) == [abs(item) for item in ITEMS] and runner._pool is pool
    with pytest.raises(TypeError):
        list(runner.map(abs, [*ITEMS, "no number"]))  # type: ignore[arg-type]
    runner.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, 1)


@pytest.mark.parametrize(("workers", "items"), [(1, ITEMS), (4, ITEMS[: SMALL - 1])])
def test_small_data_stays_in_this_process(workers: int, items: list[int]) -> None:
    runner = LocalProcesses(LocalRunner(workers=workers))
    assert list(runner.map(abs, items)) == [abs(item) for item in items]
    assert runner._pool is None
    runner.close()


ENDLESS = """
import time
from danlu.data.runners.local import LocalProcesses
from danlu.recipe.data import LocalRunner

if __name__ == "__main__":
    runner = LocalProcesses(LocalRunner(workers=2))
    list(runner.map(abs, range(20)))
    print("ready", flush=True)
    time.sleep(600)
"""


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
