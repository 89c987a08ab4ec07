"""Faults in a run: back to the last good checkpoint, on without the rows, an end after too many, all of it exact."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from danlu.recipe.errors import InternalFault, UserError
from danlu.training import loop
from danlu.training.checkpoint import checkpoints
from danlu.training.history import read_history
from danlu.training.loop import Schedule, TrainingJob, train
from danlu.training.method import trainable
from danlu.training.objective import Batch
from danlu.training.state import TrainingState
from tests.training.making import made_samples, make_job, section, timeless

Events = list[dict[str, Any]]
FIELDS: dict[str, Any] = {
    "method": {"type": "lora", "rank": 2, "dropout": 0.2},
    "batch": {"step_tokens": 60, "micro_tokens": 40},
    "optimizer": {"learning_rate": 5e-3, "ema": 0.5},
    "epochs": 3,
    "checkpoints": {"every": 3},
}


class Bad:
    """An objective that is wrong in chosen steps: 'nan', 'zero' or 'high'."""

    def __init__(self, job: TrainingJob, steps: dict[int, str]) -> None:
        self._inner = job.objective
        schedule = Schedule(job)
        self._bad = [
            (loop._batch(job, [job.train[i] for i in micro]).input_ids, what)
            for step, what in steps.items()
            for micro in schedule.step(step - 1).micro_batches
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = self._inner.loss(model, batch)
        for ids, what in self._bad:
            if torch.equal(ids, batch.input_ids):
                return loss * {"nan": float("nan"), "zero": 0.0, "high": 50.0}[what]
        return loss


def job_of(base: Path, work: Path, steps: dict[int, str], events: Events | None = None, **fields: Any) -> TrainingJob:
    kept: Events = events if events is not None else []
    job = make_job(base, work, section(**{**FIELDS, **fields}), made_samples(18, longest=20), on_event=kept.append)
    return replace(job, objective=Bad(job, steps))


def weights(job: TrainingJob) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trainable(job.model).items()}


def without(base: Path, work: Path, gone: set[int], dtype: torch.dtype = torch.float32, **fields: Any) -> TrainingJob:
    """The reference: a plain run in which these steps do nothing at all."""
    job = replace(job_of(base, work, {}, **fields), dtype=dtype)
    inner = loop.optimizer_step

    def step(job: TrainingJob, schedule: Schedule, number: int, *rest: Any) -> dict[str, Any]:
        if number + 1 in gone:
            return {"step": number + 1, "epoch": schedule.epoch_of(number), "skipped": "", "rows": []}
        return inner(job, schedule, number, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "optimizer_step", step)
        train(job)
    return job


@pytest.mark.parametrize(
    ("steps", "said"),
    [({5: "nan"}, "the loss is nan"), ({5: "zero"}, "zero"), ({1: "nan", 2: "nan", 7: "zero"}, "the loss is nan")],
)
def test_it_goes_back_and_on_as_if_the_step_had_not_been(
    tiny_folder: Path, tmp_path: Path, steps: dict[int, str], said: str
) -> None:
    events: Events = []
    job = job_of(tiny_folder, tmp_path / "bad", steps, events)
    outcome = train(job)
    reference = without(tiny_folder, tmp_path / "reference", set(steps))
    expected = weights(reference)
    assert all(torch.equal(value, expected[name]) for name, value in weights(job).items())
    found, plain = timeless(tmp_path / "bad"), timeless(tmp_path / "reference")
    assert [r for r in found if "skipped" not in r] == [r for r in plain if "skipped" not in r]
    skipped = {record["step"]: record for record in found if "skipped" in record}
    assert set(skipped) == set(steps) == {skip["step"] for skip in outcome.skipped}
    faults = [event for event in events if event["event"] == "fault"]
    assert [fault["step"] for fault in faults] == sorted(steps)
    for fault in faults:
        rows = Schedule(job).rows(fault["step"])
        assert fault["rows"] == rows == skipped[fault["step"]]["rows"]
        assert fault["back_to"] == (fault["step"] - 1) // 3 * 3
        assert all(row in fault["reason"] for row in rows[:8])
    assert said in faults[0]["reason"] and said in skipped[min(steps)]["skipped"]


def test_in_fp16_it_goes_back_over_and_over_and_a_killed_run_is_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    steps = {2: "nan", 5: "zero", 6: "nan"}

    class Cut(Exception):
        pass

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 7:
            raise Cut

    def half(name: str) -> TrainingJob:
        return replace(job_of(tiny_folder, tmp_path / name, steps), dtype=torch.float16)

    job = half("bad")
    assert [skip["step"] for skip in train(job).skipped] == [2, 5, 6]
    with pytest.raises(Cut):
        train(replace(half("cut"), on_event=stop))
    again = half("cut")
    train(again)
    expected = weights(without(tiny_folder, tmp_path / "reference", set(steps), torch.float16))
    for found in (job, again):
        assert all(torch.equal(value, expected[name]) for name, value in weights(found).items())
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "bad")


def test_a_spike_is_skipped_where_the_recipe_asks(tiny_folder: Path, tmp_path: Path) -> None:
    faults = {"spike": 8.0, "window": 5}
    outcome = train(job_of(tiny_folder, tmp_path / "spike", {9: "high"}, faults=faults))
    assert [skip["step"] for skip in outcome.skipped] == [9] and "far above" in outcome.skipped[0]["reason"]
    assert not train(job_of(tiny_folder, tmp_path / "off", {9: "high"})).skipped


def test_one_too_many_ends_the_run_and_names_the_rows(tiny_folder: Path, tmp_path: Path) -> None:
    steps, limit = {4: "nan", 6: "nan", 7: "nan"}, {"limit": 2}
    job = job_of(tiny_folder, tmp_path, steps, faults=limit)
    with pytest.raises(InternalFault, match=r"3 bad steps, and train\.faults\.limit is 2") as error:
        train(job)
    rows = Schedule(job).rows(7)
    assert error.value.where == f"training step 7, rows {', '.join(rows)}" and "learning_rate" in error.value.fix
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000003", "step-00000006"]
    with pytest.raises(InternalFault, match="3 bad steps"):
        train(job_of(tiny_folder, tmp_path, steps, faults=limit))  # the same again, without a step
    more = job_of(tiny_folder, tmp_path, steps, faults={"limit": 3})
    train(more)
    expected = weights(without(tiny_folder, tmp_path / "reference", set(steps)))
    assert all(torch.equal(value, expected[name]) for name, value in weights(more).items())


def test_an_update_that_breaks_the_weights_is_the_step_to_blame(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 5 passes every check and leaves a weight that is not finite; step 6 would take the blame."""
    inner, broken = TrainingState.done, list[int]()

    def done(state: Any, record: dict[str, Any]) -> None:
        if record["step"] == 5 and "skipped" not in record:
            broken.append(5)
            with torch.no_grad():
                next(iter(state.parameters.values())).view(-1)[0] = float("nan")
        inner(state, record)

    monkeypatch.setattr(TrainingState, "done", done)
    outcome = train(job_of(tiny_folder, tmp_path / "late", {}, checkpoints={"every": 4}))
    assert [skip["step"] for skip in outcome.skipped] == [5] and broken == [5]
    assert "not finite" in outcome.skipped[0]["reason"]
    # and where a checkpoint is due right after it, none is made of it
    outcome = train(job_of(tiny_folder, tmp_path / "due", {}, checkpoints={"every": 5}))
    assert [skip["step"] for skip in outcome.skipped] == [5]
    expected = weights(without(tiny_folder, tmp_path / "reference", {5}))
    again = job_of(tiny_folder, tmp_path / "due", {})
    train(again)
    assert all(torch.equal(value, expected[name]) for name, value in weights(again).items())


def test_a_model_that_is_not_finite_from_the_start_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    job = job_of(tiny_folder, tmp_path, {})
    torch.nn.init.constant_(next(iter(trainable(job.model).values())), float("nan"))
    with pytest.raises(UserError, match="not finite"):
        train(job)
    assert not checkpoints(tmp_path)


def test_a_run_of_bad_steps_only_is_no_model(tiny_folder: Path, tmp_path: Path) -> None:
    job = job_of(tiny_folder, tmp_path, {1: "nan", 2: "zero"}, max_steps=2)
    with pytest.raises(InternalFault, match="all 2 steps were skipped"):
        train(job)


def test_the_rows_of_a_step_of_many_are_all_on_the_books(tiny_folder: Path, tmp_path: Path) -> None:
    events: Events = []
    job = job_of(tiny_folder, tmp_path, {1: "nan"}, events, batch={"step_tokens": 160, "micro_tokens": 160})
    train(job)
    rows = Schedule(job).rows(1)
    assert len(rows) > 8
    fault = next(event for event in events if event["event"] == "fault")
    assert f"and {len(rows) - 8} more" in fault["reason"] and fault["rows"] == rows
    assert json.loads((tmp_path / "decisions.json").read_text())["skips"][0]["rows"] == rows


def test_a_damaged_checkpoint_falls_back_and_the_run_is_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    whole = job_of(tiny_folder, tmp_path / "whole", {})
    train(whole)
    events: Events = []
    cut = job_of(tiny_folder, tmp_path / "cut", {}, events, max_steps=None)

    class Cut(Exception):
        pass

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 8:
            raise Cut

    with pytest.raises(Cut):
        train(replace(cut, on_event=stop))
    newest = checkpoints(tmp_path / "cut")[-1]
    assert newest.name == "step-00000006"
    (newest / "optimizer.pt").write_bytes(b"half")
    again = job_of(tiny_folder, tmp_path / "cut", {}, events)
    train(again)
    assert next(e["reason"] for e in events if e["event"] == "fault").startswith("step-00000006 is damaged")
    assert next(e for e in events if e["event"] == "training")["resumed_at"] == 3
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "whole")
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(again).items())


def test_a_disk_without_room_is_told_before_the_first_step(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: Events = []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * 10**6))
    with pytest.raises(InternalFault, match=r"the disk has 0\.00 GB free"):
        train(job_of(tiny_folder, tmp_path, {}, events))
    assert not events and not checkpoints(tmp_path)


def test_a_disk_that_fills_up_ends_the_run_and_the_next_goes_on(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**9]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[0]))

    def fill(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 5:
            free[0] = 1000

    with pytest.raises(InternalFault, match="the disk has"):
        train(replace(job_of(tiny_folder, tmp_path / "cut", {}), on_event=fill))
    assert [path.name for path in checkpoints(tmp_path / "cut")] == ["step-00000000", "step-00000003"]
    free[0] = 10**9
    again = job_of(tiny_folder, tmp_path / "cut", {})
    train(again)
    whole = job_of(tiny_folder, tmp_path / "whole", {})
    train(whole)
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "whole")
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(again).items())


def test_a_history_that_lost_lines_is_told(tiny_folder: Path, tmp_path: Path) -> None:
    train(job_of(tiny_folder, tmp_path, {}, max_steps=4))
    (tmp_path / "history.jsonl").write_text("")
    events: Events = []
    train(job_of(tiny_folder, tmp_path, {}, events, max_steps=4))
    (fault,) = [event["reason"] for event in events if event["event"] == "fault"]
    assert fault.startswith("history.jsonl is shorter")
    assert read_history(tmp_path / "history.jsonl") == []


@pytest.mark.parametrize("damage", ["damaged", "gone"])
def test_where_the_best_checkpoint_is_lost_the_last_weights_are_the_result(
    tiny_folder: Path, tmp_path: Path, damage: str
) -> None:
    early: dict[str, Any] = {"early_stopping": {"patience": 1, "min_delta": 100.0}, "validate_every": 2}
    events: Events = []

    def stopping(**more: Any) -> TrainingJob:
        job = job_of(tiny_folder, tmp_path, {}, events, **{**early, **more})
        return replace(job, validation=job.train[:2])

    best = stopping()
    assert train(best).result_step == 2
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002", "step-00000003", "step-00000004"]
    if damage == "gone":
        shutil.rmtree(tmp_path / "step-00000002")
    else:
        (tmp_path / "step-00000002" / "random.pt").unlink()
    assert not [event for event in events if event["event"] == "fault"]
    again = stopping()
    outcome = train(again)
    assert outcome.result_step == 4 and outcome.best_step == 2 and outcome.stopped_early
    (reason,) = [event["reason"] for event in events if event["event"] == "fault"]
    assert reason.startswith({"damaged": "step-00000002 cannot be read", "gone": "step 2 has no checkpoint"}[damage])
    assert "that of the last step, 4" in reason
    last = stopping(early_stopping={**early["early_stopping"], "restore_best": False})
    train(last)
    expected, before = weights(last), weights(best)
    assert all(torch.equal(value, expected[name]) for name, value in weights(again).items())
    assert not all(torch.equal(value, before[name]) for name, value in weights(again).items())
