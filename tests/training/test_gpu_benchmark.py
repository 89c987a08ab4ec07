"""The benchmark for GPUs runs without one, so that the first GPU lent does not go to mending the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ["transformers + PEFT", "danlu, varlen + triton", "danlu, varlen + compile"]


@pytest.mark.skipif(sys.platform != "linux", reason="Triton is for Linux")
def test_all_cases_learn_the_same_in_the_dry_run(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "run.py"), "--dry", "--cases", *CASES]
    environment = {**os.environ, "OUT": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert found["check"]["wrong"] == {}
    cases = found["models"]["0.6B"]
    assert list(cases) == CASES
    steps = [(step["loss"], step["norm"]) for step in cases[CASES[0]]["steps"]]
    assert steps[0][1] > 0.1
    for name in CASES[1:]:
        ours = [(step["loss"], step["norm"]) for step in cases[name]["steps"]]
        assert ours == [pytest.approx(step, rel=1e-4) for step in steps]
    rows = [line for line in done.stdout.splitlines() if line.startswith("| 0.6B |")]
    assert [row.split(" | ")[1] for row in rows] == CASES


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "run.py"), "--dry", "--seconds", "0"]
    environment = {**os.environ, "OUT": str(tmp_path)}
    done = subprocess.run(
        [*command, "--limit", "1", "--cases", CASES[0]], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "not done in 1 s" in done.stdout and "no time left" in done.stdout
