"""The training loop."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from danlu.data.batches import StepPlan, bucket, plan_epoch
from danlu.models.device import autocast, evaluating
from danlu.recipe.errors import InternalFault
from danlu.recipe.optimizer import RateOverride
from danlu.recipe.train import TrainSection
from danlu.training.checkpoint import Progress, restore_newest, save_checkpoint
from danlu.training.ema import make_average
from danlu.training.history import History
from danlu.training.method import trainable
from danlu.training.micro_batches import learn
from danlu.training.objective import Batch, Example, Objective, collate
from danlu.training.optimizer import make_optimizer, set_rate
from danlu.training.schedule_rates import learning_rate

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingJob:
    """Everything the loop needs.

    Attributes:
        model: prepared by a method; what requires a gradient is trained.
        objective: from a batch to a summed loss.
        train, validation: the objective's examples; validation may be empty.
        config: the recipe's train section.
        seed: decides the data order (and dropout).
        pad_id: fills short rows of a batch.
        dtype: of the computation (autocast), bf16 or fp32.
        folder: where checkpoints and history live; a run that finds some there goes on from them.
        on_event: told of every step, validation, checkpoint and fault.
        rates: of the method's own parameters, where they differ (LoRA+).
    """

    model: torch.nn.Module
    objective: Objective
    train: Sequence[Example]
    validation: Sequence[Example]
    config: TrainSection
    seed: int
    pad_id: int
    dtype: torch.dtype
    folder: Path
    on_event: OnEvent
    rates: Sequence[RateOverride] = ()


def train(job: TrainingJob) -> Progress:
    """Run all optimizer steps that are not done yet; the model is trained in place.

    Where the recipe asks for an average of the weights, that is what is validated and what the model holds at the end.

    Raises:
        InternalFault: the loss or a gradient is not finite; the rows of the step are named.
    """
    parameters = trainable(job.model)
    optimizer = make_optimizer(parameters, job.config.optimizer, job.rates)
    average = make_average(parameters, optimizer, job.config.optimizer)
    progress = restore_newest(
        job.folder, parameters, optimizer, lambda text: job.on_event({"event": "fault", "reason": text}), average
    )
    schedule = Schedule(job)
    job.on_event({"event": "training", "steps": schedule.total, "resumed_at": progress.step})
    job.model.train()
    with contextlib.closing(History(job.folder / "history.jsonl", progress.step)) as history:
        for number in range(progress.step, schedule.total):
            record = optimizer_step(job, schedule, number, optimizer)
            progress = Progress(number + 1, progress.tokens + record["tokens"])
            average.update(progress.step)
            if schedule.validates_after(number):
                with average.in_place():
                    record |= validate(job)
            history.write(record)
            job.on_event({"event": "step", "total": schedule.total, **record})
            if schedule.saves_after(number):
                save_checkpoint(job.folder, progress, parameters, optimizer, job.config.checkpoints.keep, average)
                job.on_event({"event": "checkpoint", "step": progress.step})
    average.put()
    return progress


class Schedule:
    """Which samples each step trains on, and what follows it; a pure function of recipe, seed and data."""

    def __init__(self, job: TrainingJob) -> None:
        self._job = job
        self._lengths = [example.longest for example in job.train]
        self._epochs: dict[int, list[StepPlan]] = {}
        self._starts = [0]
        for epoch in range(job.config.epochs):
            self._starts.append(self._starts[-1] + len(self._epoch(epoch)))
        self.total = min(self._starts[-1], job.config.max_steps or self._starts[-1])

    def step(self, number: int) -> StepPlan:
        """The plan of step `number`, counted from 0 over all epochs."""
        epoch = self.epoch_of(number)
        return self._epoch(epoch)[number - self._starts[epoch]]

    def epoch_of(self, number: int) -> int:
        """The epoch a step belongs to, counted from 0."""
        return next(e for e in range(len(self._starts) - 1) if number < self._starts[e + 1])

    def validates_after(self, number: int) -> bool:
        """Whether the validation loss is computed after this step: as the recipe says, and always at the end."""
        if not self._job.validation:
            return False
        every = self._job.config.validate_every
        due = (number + 1) % every == 0 if every else number + 1 in self._starts
        return due or number + 1 == self.total

    def saves_after(self, number: int) -> bool:
        """Whether a checkpoint is written after this step."""
        return (number + 1) % self._job.config.checkpoints.every == 0 or number + 1 == self.total

    def _epoch(self, epoch: int) -> list[StepPlan]:
        if epoch not in self._epochs:
            batch = self._job.config.batch
            self._epochs = {
                epoch: plan_epoch(
                    self._lengths,
                    seed=self._job.seed,
                    epoch=epoch,
                    step_tokens=batch.step_tokens,
                    micro_tokens=batch.micro_tokens,
                    step_rows=batch.step_rows,
                )
            }
        return self._epochs[epoch]


def optimizer_step(
    job: TrainingJob, schedule: Schedule, number: int, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """One update: forward and backward over the step's micro-batches, clip, step. Returns the step's record.

    The loss is normalised over what counts in the whole step, so it does not depend on how the step is cut.
    """
    started = time.perf_counter()
    plan = schedule.step(number)
    rows = [job.train[index] for micro in plan.micro_batches for index in micro]
    weight = sum(example.weight for example in rows)
    device = _device(job.model)
    batches = [_batch(job, [job.train[index] for index in micro]) for micro in plan.micro_batches]
    with autocast(device, job.dtype):
        job.objective.before_step(job.model, batches)

    def loss_of(batch: Batch) -> torch.Tensor:
        with autocast(device, job.dtype):
            return job.objective.loss(job.model, batch) / weight

    total = learn(job.model, batches, loss_of)
    rate = learning_rate(number, schedule.total, job.config.optimizer)
    norm = _update(optimizer, rate, job.config.optimizer.max_grad_norm)
    loss_value, norm_value = float(total), float(norm)
    if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
        raise InternalFault(
            f"loss {loss_value}, gradient norm {norm_value}",
            where=f"training step {number + 1}, rows {', '.join(example.row_id for example in rows[:8])}",
            fix="lower train.optimizer.learning_rate, or set train.precision: fp32",
        )
    seconds, tokens = time.perf_counter() - started, sum(example.tokens for example in rows)
    return {
        "step": number + 1,
        "epoch": schedule.epoch_of(number),
        "loss": loss_value,
        "grad_norm": norm_value,
        "learning_rate": rate,
        "tokens": tokens,
        "learned": sum(example.learned for example in rows),
        "tokens_per_second": round(tokens / seconds, 1),
    }


def validate(job: TrainingJob) -> dict[str, float]:
    """The objective's figures over the validation examples; 'validation_loss' is in nats per token or answer."""
    lengths = [example.longest for example in job.validation]
    sums: dict[str, torch.Tensor] = {}
    with evaluating(job.model):
        for group in bucket(range(len(lengths)), lengths, job.config.batch.micro_tokens):
            batch = _batch(job, [job.validation[index] for index in group])
            with autocast(batch.input_ids.device, job.dtype):
                found = job.objective.measure(job.model, batch)
            for name, value in found.items():
                sums[name] = sums[name] + value.double() if name in sums else value.double()
    return job.objective.summary(sums, sum(example.weight for example in job.validation))


def _batch(job: TrainingJob, examples: Sequence[Example]) -> Batch:
    return collate(examples, job.pad_id, job.config.decoder == "auto").to(_device(job.model))


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device


def _update(optimizer: torch.optim.Optimizer, rate: float, max_norm: float | None) -> torch.Tensor:
    """Clip, step, forget the gradients. Returns the gradient norm before clipping."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm if max_norm is not None else math.inf)
    set_rate(optimizer, rate)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
