"""Saving in the background: what is written is what was there at the call, and an error is not lost."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from danlu.recipe.errors import InternalFault
from danlu.recipe.faults import CheckpointSection
from danlu.training import checkpoint, saving
from danlu.training.checkpoint import Progress, Trained, checkpoints, restore_newest
from danlu.training.ema import Average
from danlu.training.saving import Saver


class Run:
    """One parameter with an optimizer, and its saver."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.parameter = torch.nn.Parameter(torch.ones(3))
        self.optimizer = torch.optim.AdamW([self.parameter], lr=0.1)
        self.trained = Trained({"w": self.parameter}, self.optimizer, Average())
        self.events: list[dict[str, Any]] = []
        self.saver = Saver(folder, CheckpointSection(**settings), self.events.append)
        self.step()

    def step(self) -> None:
        self.parameter.grad = torch.ones(3)
        self.optimizer.step()

    def save(self, step: int, stay: set[int] | None = None, sync: Any = lambda: None) -> None:
        self.saver.save(self.trained, Progress(step), {"n": step}, stay=stay or set(), sync=sync)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The writing thread waits until the event is set."""
    gate, inner = threading.Event(), checkpoint._write_files

    def write_files(*args: Any) -> None:
        assert gate.wait(20)
        inner(*args)

    monkeypatch.setattr(checkpoint, "_write_files", write_files)
    return gate


def test_training_goes_on_and_what_is_written_is_what_was_there(tmp_path: Path, slow: threading.Event) -> None:
    run = Run(tmp_path)
    expected = run.parameter.detach().clone()
    moment = run.optimizer.state[run.parameter]["exp_avg"].clone()
    run.save(1)
    for _ in range(3):  # in place, while the thread has not begun to write
        run.step()
        run.saver.poll()
    assert not run.events and not checkpoints(tmp_path)
    slow.set()
    run.saver.wait()
    (event,) = run.events
    assert (event["event"], event["step"]) == ("checkpoint", 1)
    assert event["bytes"] == sum(file.stat().st_size for file in (tmp_path / "step-00000001").iterdir())
    other = Run(tmp_path)
    found = restore_newest(tmp_path, other.trained, lambda text: pytest.fail(text))
    assert found == (Progress(1), {"n": 1})
    assert torch.equal(other.parameter.detach(), expected)
    assert torch.equal(other.optimizer.state[other.parameter]["exp_avg"], moment)


def test_only_one_is_in_work(tmp_path: Path, slow: threading.Event) -> None:
    run = Run(tmp_path)
    run.save(1)
    threading.Timer(0.05, slow.set).start()
    run.save(2)  # waits for the first
    assert [event["step"] for event in run.events] == [1]
    run.saver.wait()
    assert [event["step"] for event in run.events] == [1, 2]


def test_not_in_the_background_it_is_there_when_the_call_returns(tmp_path: Path) -> None:
    run = Run(tmp_path, background=False)
    run.save(1)
    assert checkpoints(tmp_path) and [event["step"] for event in run.events] == [1]


def test_the_history_is_synced_before_the_checkpoint_counts(tmp_path: Path) -> None:
    run, there = Run(tmp_path), list[bool]()
    run.save(1, sync=lambda: there.append(bool(checkpoints(tmp_path))))
    run.saver.wait()
    assert there == [False]


def test_an_error_of_the_thread_comes_up_at_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    run.save(1)
    run.saver.wait()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", fail)
        run.save(2)
        assert run.saver._thread is not None
        run.saver._thread.join()
        with pytest.raises(InternalFault, match="No space left on device") as error:
            run.saver.poll()
    assert "those written before are whole" in error.value.reason
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]  # no half one, and the one before is there
    run.saver.poll()  # told once
    run.save(2)
    run.saver.wait()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000001", "step-00000002"]


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    run.save(1)
    run.saver.wait()
    needed = run.trained.size()
    files = sum(file.stat().st_size for file in (tmp_path / "step-00000001").iterdir())
    assert files <= needed <= files + checkpoint.SLACK
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(InternalFault, match="the disk has") as error:
        run.save(2)
    assert error.value.where == str(tmp_path) and "make room" in error.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed))
    run.save(2)
    run.saver.wait()


@pytest.mark.parametrize(
    ("keep", "stay", "expected"),
    [
        (1, set(), [9]),
        (2, set(), [8, 9]),
        (2, {3}, [3, 8, 9]),
        (1, {3, 6, 9}, [3, 6, 9]),
        (20, set(), list(range(1, 10))),
    ],
)
def test_what_is_kept(tmp_path: Path, keep: int, stay: set[int], expected: list[int]) -> None:
    run = Run(tmp_path, keep=keep)
    for step in range(1, 10):
        run.save(step, {one for one in stay if one <= step})
    run.saver.wait()
    assert [checkpoint.step_of(path) for path in checkpoints(tmp_path)] == expected


def test_later_ones_of_a_run_that_went_back_are_removed(tmp_path: Path) -> None:
    run = Run(tmp_path, keep=2)
    for step in (10, 20, 30):
        run.save(step)
    run.saver.wait()
    (tmp_path / "step-00000030" / "random.pt").write_bytes(b"")
    run.save(25, {30})
    run.saver.wait()
    assert [checkpoint.step_of(path) for path in checkpoints(tmp_path)] == [20, 25]


def test_settling_waits_and_tells_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)

    def fail(*_: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(saving, "write_checkpoint", fail)
    run.save(1)
    run.saver.settle()
    run.saver.poll()
    assert not run.events
