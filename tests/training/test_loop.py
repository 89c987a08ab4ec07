"""The loop: accumulation equals one big batch, schedules of steps, validation, and faults that name rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.training import loop
from danlu.training.decisions import Decisions
from danlu.training.history import read_history
from danlu.training.loop import Schedule, TrainingJob, optimizer_step, train, validate
from danlu.training.memory import Memory
from danlu.training.method import trainable
from danlu.training.state import TrainingState
from tests.training.making import assert_close, gradients, made_samples, make_job, plain_loss, section

FULL: dict[str, Any] = {"method": {"type": "full"}, "optimizer": {"learning_rate": 1e-3, "max_grad_norm": None}}


def parts(job: TrainingJob) -> tuple[TrainingState, Memory]:
    """State and memory of a job, as the loop makes them."""
    decisions = Decisions(job.folder / "decisions.json")
    memory = Memory(job.model, job.micro_tokens, decisions, job.on_event)
    return TrainingState(job.model, job.config, job.dtype), memory


def first_step(job: TrainingJob) -> tuple[float, dict[str, torch.Tensor], float]:
    """Loss, gradients and norm of the first step, without the update."""
    kept: dict[str, torch.Tensor] = {}
    with pytest.MonkeyPatch.context() as patch:

        def stop(state: TrainingState, rate: float, loss: float, max_norm: float | None) -> dict[str, float]:
            kept.update(gradients(job.model))
            return {"loss": loss, "grad_norm": float(torch.stack([g.norm() for g in kept.values()]).norm())}

        patch.setattr(loop, "update", stop)
        record = optimizer_step(job, Schedule(job), 0, *parts(job))
    return record["loss"], kept, record["grad_norm"]


def validation_loss(job: TrainingJob) -> float:
    """Of the model as it is."""
    return validate(job, 1, parts(job)[1])["validation_loss"]


@pytest.mark.parametrize("micro_tokens", [1, 50, 90, 10_000])
@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_step_cut_into_micro_batches_equals_one_big_batch(
    tiny_folder: Path, tmp_path: Path, micro_tokens: int, kind: str
) -> None:
    samples = made_samples(9, seed=1)
    batch = {"step_tokens": 10_000, "micro_tokens": micro_tokens}
    config = section(**{**FULL, "batch": batch, "method": {"type": kind}})
    job = make_job(tiny_folder, tmp_path / "work", config, samples)
    if kind == "lora":  # B starts at zero, where A has no gradient: move it
        for name, parameter in trainable(job.model).items():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
    plan = Schedule(job).step(0)
    assert (len(plan.micro_batches) > 1) == (micro_tokens < 10_000)
    expected = plain_loss(job.model, samples)
    expected.backward()  # type: ignore[no-untyped-call]
    wanted = gradients(job.model)
    value, found, norm = first_step(job)
    assert value == pytest.approx(expected.item(), abs=1e-5)
    assert_close(found, wanted)
    assert norm == pytest.approx(float(torch.stack([g.norm() for g in wanted.values()]).norm()), rel=1e-5)


def test_training_is_the_same_however_steps_are_cut(tiny_folder: Path, tmp_path: Path) -> None:
    histories = []
    for micro_tokens in (40, 10_000):
        work = tmp_path / str(micro_tokens)
        config = section(batch={"step_tokens": 150, "micro_tokens": micro_tokens}, epochs=1)
        train(make_job(tiny_folder, work, config, made_samples(20)))
        histories.append([record["loss"] for record in read_history(work / "history.jsonl")])
    assert histories[0] == pytest.approx(histories[1], abs=1e-4) and len(histories[0]) >= 3


def test_steps_epochs_validation_and_rates_are_as_the_recipe_says(tiny_folder: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    config = section(epochs=3, checkpoints={"every": 4, "keep": 1})
    held_out = made_samples(4, seed=9)
    job = make_job(tiny_folder, tmp_path / "w", config, made_samples(20), validation=held_out, on_event=events.append)
    schedule = Schedule(job)
    progress = train(job)
    records = read_history(tmp_path / "w" / "history.jsonl")
    assert progress.step == schedule.total == len(records) >= 9
    assert progress.tokens == 3 * sum(example.tokens for example in job.train)
    assert [record["step"] for record in records] == list(range(1, schedule.total + 1))
    epochs = [record["epoch"] for record in records]
    assert epochs == sorted(epochs) and set(epochs) == {0, 1, 2}
    ends = [records[i]["step"] for i in range(len(records)) if i + 1 == len(records) or epochs[i + 1] != epochs[i]]
    assert [record["step"] for record in records if "validation_loss" in record] == ends
    assert records[-1]["validation_loss"] == pytest.approx(validation_loss(job), rel=1e-6)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "training" and events[0] == {"event": "training", "steps": schedule.total, "resumed_at": 0}
    assert kinds.count("step") == schedule.total
    assert [e["step"] for e in events if e["event"] == "checkpoint"] == [0] + [
        step for step in range(1, schedule.total + 1) if step % 4 == 0 or step == schedule.total
    ]


def test_max_steps_and_validate_every(tiny_folder: Path, tmp_path: Path) -> None:
    config = section(max_steps=5, validate_every=2)
    train(make_job(tiny_folder, tmp_path, config, made_samples(20), validation=made_samples(2, seed=9)))
    records = read_history(tmp_path / "history.jsonl")
    assert len(records) == 5
    assert [record["step"] for record in records if "validation_loss" in record] == [2, 4, 5]


def test_validation_loss_is_the_mean_over_learned_tokens(tiny_folder: Path, tmp_path: Path) -> None:
    held_out = made_samples(7, seed=2)
    job = make_job(tiny_folder, tmp_path, section(), made_samples(4), validation=held_out)
    job.model.train()
    model = load_model(tiny_folder, dtype=torch.float32)
    assert validation_loss(job) == pytest.approx(plain_loss(model, held_out).item(), rel=1e-5)
    assert job.model.training
