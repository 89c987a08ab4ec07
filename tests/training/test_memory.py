"""Out of memory: fewer rows at a time in the same step, decided once, and met again on a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.recipe.errors import UserError
from danlu.training import loop
from danlu.training.decisions import Decisions, Halving
from danlu.training.history import read_history
from danlu.training.loop import TrainingJob, train
from danlu.training.method import trainable
from danlu.training.objective import Batch
from tests.training.making import made_samples, make_job, section, timeless

FIELDS: dict[str, Any] = {
    "method": {"type": "lora", "rank": 2, "dropout": 0.2},
    "batch": {"step_tokens": 160, "micro_tokens": 160},
    "epochs": 4,
    "max_steps": 8,
    "checkpoints": {"every": 4},
}


class Small:
    """An objective on a device whose memory holds `room` padded tokens, where it is told so."""

    def __init__(self, inner: Any, room: int) -> None:
        self._inner, self.room, self.calls, self.failed = inner, room, 0, 0
        self.after_calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = self._inner.loss(model, batch)
        self._allocate(batch)
        return loss

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        self._allocate(batch)
        found: dict[str, torch.Tensor] = self._inner.measure(model, batch)
        return found

    def _allocate(self, batch: Batch) -> None:
        self.calls += 1
        if self.calls > self.after_calls and batch.input_ids.numel() > self.room:
            self.failed += 1
            raise torch.OutOfMemoryError("GPU out of memory. Tried to allocate 2.00 GiB. GPU 0 has")


def job_with(base: Path, work: Path, room: int, events: list[dict[str, Any]], **fields: Any) -> tuple[TrainingJob, Any]:
    from dataclasses import replace

    config = section(**{**FIELDS, **fields})
    job = make_job(
        base, work, config, made_samples(24, longest=30), validation=made_samples(5, seed=3), on_event=events.append
    )
    small = Small(job.objective, room)
    return replace(job, objective=small), small


def weights(job: TrainingJob) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trainable(job.model).items()}


def test_it_is_the_run_that_had_small_micro_batches_from_the_start(tiny_folder: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    job, _ = job_with(tiny_folder, tmp_path / "small", 80, events)
    outcome = train(job)
    cut = dict(FIELDS["batch"], micro_tokens=80)
    reference, small = job_with(tiny_folder, tmp_path / "reference", 80, [], batch=cut)
    train(reference)
    assert small.failed == 0 and outcome.micro_tokens == 80
    found = timeless(tmp_path / "small")
    assert found[0].pop("micro_tokens") == 80
    assert found == timeless(tmp_path / "reference")  # the generators are back where they were before the failure
    expected = weights(reference)
    assert all(torch.equal(value, expected[name]) for name, value in weights(job).items())
    (fault,) = [event for event in events if event["event"] == "fault"]
    assert (fault["kind"], fault["step"], fault["micro_tokens"]) == ("memory", 1, 80)
    assert "GPU out of memory" in fault["reason"]


def test_it_halves_until_it_fits_and_keeps_the_rows_of_the_step(tiny_folder: Path, tmp_path: Path) -> None:
    job, _ = job_with(tiny_folder, tmp_path, 40, [])
    rows = [loop.Schedule(job).rows(step) for step in (1, 2)]
    seen: list[int] = []
    inner = loop._batch

    def batch(job: TrainingJob, samples: Any) -> Batch:
        seen.append(len(samples))
        return inner(job, samples)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_batch", batch)
        outcome = train(job)
    assert outcome.micro_tokens == 40 and len(set(seen)) > 1
    halvings = Decisions(tmp_path / "decisions.json").halvings
    assert [(h.step, h.micro_tokens) for h in halvings] == [(1, 80), (1, 40)]
    assert [loop.Schedule(job).rows(step) for step in (1, 2)] == rows
    tokens = {example.row_id: example.tokens for example in job.train}
    records = read_history(tmp_path / "history.jsonl")
    assert records[0]["tokens"] == sum(tokens[row] for row in rows[0])


def test_a_resumed_run_meets_the_same_sizes_though_nothing_fails_again(tiny_folder: Path, tmp_path: Path) -> None:
    """It fails once, in step 6, before the checkpoint of step 8; the second life starts at step 4 with room enough."""

    class Cut(Exception):
        pass

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 6 and cutting:
            raise Cut

    cutting = False
    for name in ("whole", "cut"):
        cutting = name == "cut"
        job, small = job_with(tiny_folder, tmp_path / name, 80, [])
        schedule = loop.Schedule(job)
        small.after_calls = sum(len(schedule.step(number).micro_batches) for number in range(5))
        job = TrainingJob(**{**vars(job), "on_event": stop, "validation": []})
        if not cutting:
            train(job)
            continue
        with pytest.raises(Cut):
            train(job)
        assert small.failed == 1
        again, roomy = job_with(tiny_folder, tmp_path / name, 10**6, [])
        train(TrainingJob(**{**vars(again), "validation": []}))
        assert roomy.failed == 0
    expected = timeless(tmp_path / "whole")
    assert [record["step"] for record in expected if "micro_tokens" in record] == [6]
    assert timeless(tmp_path / "cut") == expected


def test_a_validation_that_does_not_fit_is_cut_too(tiny_folder: Path, tmp_path: Path) -> None:
    job, small = job_with(tiny_folder, tmp_path, 60, [], batch={"step_tokens": 30, "micro_tokens": 100}, max_steps=3)
    outcome = train(job)
    assert outcome.micro_tokens == 50 and small.failed == 1
    assert Decisions(tmp_path / "decisions.json").halvings == [Halving(3, True, 50)]
    reference, _ = job_with(
        tiny_folder, tmp_path / "r", 10**6, [], batch={"step_tokens": 30, "micro_tokens": 100}, max_steps=3
    )
    train(reference)
    wanted, found = (read_history(folder / "history.jsonl")[-1] for folder in (tmp_path / "r", tmp_path))
    assert found["validation_loss"] == pytest.approx(wanted["validation_loss"], rel=1e-5)
    assert found["loss"] == wanted["loss"]


def test_one_row_that_does_not_fit_is_the_users_to_mend(tiny_folder: Path, tmp_path: Path) -> None:
    job, _ = job_with(tiny_folder, tmp_path, 5, [])
    with pytest.raises(UserError, match="one row at a time does not fit") as error:
        train(job)
    assert "max_tokens" in error.value.fix


def test_an_optimizer_whose_state_does_not_fit_says_what_needs_less(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("GPU out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    job, _ = job_with(tiny_folder, tmp_path, 10**6, [])
    with pytest.raises(UserError, match="optimizer's state does not fit") as error:
        train(job)
    assert "adamw_8bit" in error.value.fix
