"""TensorBoard for real: what its own reader finds in the files of a run that was cut and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from danlu.pipeline.tracker import Opened, TrackedRun
from danlu.pipeline.trackers.tensorboard import TensorBoard
from danlu.recipe.track import TensorBoardTracker

pytest.importorskip("tensorboard")


def read(folder: Path) -> Any:
    """The run as TensorBoard shows it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def write(run: TrackedRun, resume: Opened | None, steps: range) -> Opened:
    """A process that takes steps and dies without closing anything."""
    tracker = TensorBoard(TensorBoardTracker())
    opened = tracker.open(run, resume)
    for step in steps:
        tracker.scalars(step, {"train/loss": 1 / step})
    tracker.flush()
    return opened


def test_steps_written_twice_are_shown_once(tmp_path: Path) -> None:
    run = TrackedRun("one", "tiny", {}, "name: tiny\n", tmp_path)
    opened = write(run, None, range(1, 6))
    write(TrackedRun("two", "tiny", {}, "name: tiny\n", tmp_path), Opened(opened.id, 3), range(4, 8))
    assert [folder.name for folder in tmp_path.iterdir()] == ["one"]
    found = read(tmp_path / "one")
    assert [event.step for event in found.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6, 7]
    assert "recipe/text_summary" in found.Tags()["tensors"]


def test_its_section_names_another_folder(tmp_path: Path) -> None:
    tracker = TensorBoard(TensorBoardTracker(folder=str(tmp_path / "boards")))
    tracker.open(TrackedRun("one", "tiny", {}, "name: tiny\n", tmp_path / "default"), None)
    tracker.outcome(4, {"evaluation/bleu": 30.0}, {"model": "tiny@1"})
    tracker.close("done")
    found = read(tmp_path / "boards" / "one")
    assert [(event.step, event.value) for event in found.Scalars("evaluation/bleu")] == [(4, 30.0)]
    assert b"tiny@1" in found.Tensors("outcome/text_summary")[0].tensor_proto.string_val[0]
