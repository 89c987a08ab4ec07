"""Exact resume: a run killed with SIGKILL anywhere and started again gives every loss and weight bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from danlu.training.history import read_history

ROOT = Path(__file__).parents[2]


def start(base: Path, work: Path, method: str, when: str) -> int:
    """One process; returns its exit code (-9 when it was killed)."""
    command = [sys.executable, "-m", "tests.training.killed_run", str(base), str(work), method, when]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def losses(work: Path) -> list[dict[str, Any]]:
    """The history without what depends on the clock."""
    records = read_history(work / "history.jsonl")
    return [{key: value for key, value in record.items() if key != "tokens_per_second"} for record in records]


def kills(steps: int) -> list[str]:
    """Where to kill, in the order of the run: two random steps, a half line, and three places inside saving."""
    first, second, half = sorted(random.Random(20).sample([step for step in range(2, steps) if step % 3], 3))
    places = {f"step:{first}": first, f"step:{second}": second, f"line:{half}": half}
    saves = {"save:3:hash_file": 3, "save:6:publish": 6, "save:9:checkpoints": 9}
    return sorted({**places, **saves}, key=lambda when: ({**places, **saves}[when], when))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_killed_run_goes_on_bit_for_bit(tiny_folder: Path, tmp_path: Path, method: str) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(tiny_folder, whole, method, "never") == 0
    expected = losses(whole)
    assert len(expected) >= 9 and any("validation_loss" in record for record in expected)
    for when in kills(len(expected)):
        assert start(tiny_folder, cut, method, when) == -signal.SIGKILL, f"{when} was never reached"
    assert start(tiny_folder, cut, method, "never") == 0
    assert losses(cut) == expected
    assert (cut / "final.safetensors").read_bytes() == (whole / "final.safetensors").read_bytes()


def test_starting_a_finished_run_again_trains_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    assert start(tiny_folder, tmp_path, "lora", "never") == 0
    before = losses(tmp_path), (tmp_path / "final.safetensors").read_bytes()
    assert start(tiny_folder, tmp_path, "lora", "step:1") == 0  # would be killed if it did a step
    assert (losses(tmp_path), (tmp_path / "final.safetensors").read_bytes()) == before
