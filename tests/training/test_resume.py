"""Exact resume: a run killed with SIGKILL at twenty moments gives every loss and weight of the undisturbed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from danlu.training.checkpoint import checkpoints
from danlu.training.loop import train
from danlu.training.method import trainable
from tests.training.chaos import POISONED, TOO_LARGE
from tests.training.making import made_samples, make_job, section, timeless

ROOT = Path(__file__).parents[2]


KILLS = {"lora": 20, "full": 4}


@pytest.fixture(scope="module")
def chaos(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of every method's two runs."""
    root = tmp_path_factory.mktemp("chaos")
    wanted = [f"{method}:{kills}" for method, kills in KILLS.items()]
    command = [sys.executable, "-m", "tests.training.chaos", str(tiny_folder), str(root), *wanted]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [len(json.loads(line)) for line in done.stdout.splitlines()] == list(KILLS.values())
    return root


@pytest.mark.parametrize("method", KILLS)
def test_a_run_killed_over_and_over_goes_on_bit_for_bit(chaos: Path, method: str) -> None:
    whole, cut = chaos / method / "whole", chaos / method / "cut"
    expected = timeless(whole)
    assert [record["step"] for record in expected] == list(range(1, 61))
    assert {record["step"] for record in expected if "skipped" in record} == {POISONED}
    assert [record["step"] for record in expected if "micro_tokens" in record] == [TOO_LARGE]
    assert sum("validation_loss" in record for record in expected) == 15
    assert timeless(cut) == expected
    for name in ("final.safetensors", "decisions.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    assert [path.name for path in checkpoints(cut)] == [path.name for path in checkpoints(whole)]
    assert {path.name for path in cut.iterdir()} == {path.name for path in whole.iterdir()}, "leftovers"


def test_starting_a_finished_run_again_trains_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    config = section(checkpoints={"every": 3}, validate_every=2, early_stopping={"patience": 1, "min_delta": 1.0})
    results = []
    for _ in range(2):
        events: list[str] = []
        job = make_job(
            tiny_folder,
            tmp_path,
            config,
            made_samples(12),
            validation=made_samples(2, seed=8),
            on_event=lambda event: events.append(event["event"]),  # noqa: B023
        )
        outcome = train(job)
        weights = {name: p.detach().clone() for name, p in trainable(job.model).items()}
        results.append((outcome, timeless(tmp_path), weights, events))
    first, again = results
    assert first[:2] == again[:2] and first[0].stopped_early and first[0].result_step < first[0].step
    assert all(torch.equal(first[2][name], again[2][name]) for name in first[2])
    assert "step" in first[3] and again[3] == ["training"]
