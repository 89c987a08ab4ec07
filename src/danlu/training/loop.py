"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from danlu.data.batches import StepPlan, bucket, count_steps, plan_epoch
from danlu.models.device import autocast, default_device, evaluating
from danlu.recipe.optimizer import RateOverride
from danlu.recipe.train import TrainSection
from danlu.training.batch_size import micro_tokens
from danlu.training.decisions import Decisions, Skip
from danlu.training.interruption import Interruption
from danlu.training.keeping import DECISIONS, Keeper
from danlu.training.memory import Memory
from danlu.training.micro_batches import learn
from danlu.training.objective import Batch, Example, Objective, collate
from danlu.training.outcome import Outcome, outcome_of
from danlu.training.schedule_rates import learning_rate
from danlu.training.state import TrainingState
from danlu.training.stopping import check_stopping
from danlu.training.update import update
from danlu.training.watchdog import BadStep

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
        dtype: of the computation (autocast), bf16, fp16 or fp32.
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

    @property
    def micro_tokens(self) -> int:
        """Of a forward pass, before memory asks for fewer."""
        return micro_tokens(self.config.batch, default_device())


def state_of(job: TrainingJob) -> TrainingState:
    """The state at the beginning of a job."""
    return TrainingState(job.model, job.config, job.dtype, job.rates)


def memory_of(job: TrainingJob, decisions: Decisions | None = None) -> Memory:
    """What runs a job's work in micro-batches that fit."""
    known = decisions if decisions is not None else Decisions(job.folder / DECISIONS)
    return Memory(job.model, job.micro_tokens, known, job.on_event)


def train(job: TrainingJob) -> Outcome:
    """Run all optimizer steps that are not done yet; the model is trained in place.

    Where the recipe asks for an average of the weights, that is what is validated and what the model holds at the end;
    where it stops early, it is the model of the best validation, or of the last step if the checkpoint of that is lost.

    Raises:
        UserError: the recipe cannot be followed with this model, these rows or this memory.
        InternalFault: more steps were bad than the recipe allows (their rows are named), or the disk failed.
        Interrupted: SIGTERM or SIGINT came; a checkpoint is saved.
    """
    check_stopping(job.config, job.validation, job.objective.figures)
    schedule, state = Schedule(job), state_of(job)
    with Interruption() as interruption, Keeper(job.folder, job.config, state, job.on_event, schedule.rows) as keeper:
        memory = memory_of(job, keeper.decisions)
        keeper.resume()
        job.on_event({"event": "training", "steps": schedule.total, "resumed_at": state.progress.step})
        job.model.train()
        while state.progress.step < schedule.total and not state.stopping.now:
            number, best = state.progress.step, False
            try:
                skip = keeper.decisions.skips.get(number + 1)
                record = skipped_step(schedule, skip) if skip else optimizer_step(job, schedule, number, state, memory)
                state.done(record)
                if schedule.validates_after(number):
                    with state.average.in_place():
                        figures = validate(job, number + 1, memory)
                    record |= figures
                    best = state.stopping.see(number + 1, figures)
                leaves = interruption.by
                saves = schedule.saves_after(number, best) or state.stopping.now or leaves is not None
                if saves:
                    keeper.check_weights()
            except BadStep as bad:
                keeper.roll_back(bad)
                continue
            keeper.record(record)
            job.on_event({"event": "skipped" if skip else "step", "total": schedule.total, **record})
            if saves:
                keeper.save()
            if leaves:
                keeper.leave(leaves, schedule.total)
        result_step = keeper.finish()
    return outcome_of(state, keeper.decisions, result_step)


class Schedule:
    """Which samples each step trains on, and what follows it; a pure function of recipe, seed and data."""

    def __init__(self, job: TrainingJob) -> None:
        self._job = job
        self._lengths = [example.longest for example in job.train]
        self._micro_tokens = job.micro_tokens
        self._epochs: dict[int, list[StepPlan]] = {}
        self._starts = [0]
        for epoch in range(job.config.epochs):
            batch = job.config.batch
            steps = count_steps(
                self._lengths, seed=job.seed, epoch=epoch, step_tokens=batch.step_tokens, step_rows=batch.step_rows
            )
            self._starts.append(self._starts[-1] + steps)
        self.total = min(self._starts[-1], job.config.max_steps or self._starts[-1])

    def step(self, number: int, micro_tokens: int | None = None) -> StepPlan:
        """The plan of step `number`, counted from 0 over all epochs, cut to other micro-batches if told."""
        epoch = self.epoch_of(number)
        plan = self._epoch(epoch)[number - self._starts[epoch]]
        if micro_tokens is None or micro_tokens == self._micro_tokens:
            return plan
        rows = [index for micro in plan.micro_batches for index in micro]
        return StepPlan(tuple(bucket(rows, self._lengths, micro_tokens)), plan.tokens)

    def epoch_of(self, number: int) -> int:
        """The epoch a step belongs to, counted from 0."""
        return next(e for e in range(len(self._starts) - 1) if number < self._starts[e + 1])

    def rows(self, step: int) -> list[str]:
        """The rows of a step, counted from 1, by their ids."""
        return [self._job.train[index].row_id for micro in self.step(step - 1).micro_batches for index in micro]

    def validates_after(self, number: int) -> bool:
        """Whether validation follows this step: as the recipe says, and always at the end."""
        config = self._job.config
        if not self._job.validation:
            return False
        if number + 1 == self.total:
            return True
        if config.validate_every is not None:
            return (number + 1) % config.validate_every == 0
        every = Fraction(str(config.validate_every_epochs or 1))
        return self._epochs_at(number + 1) // every > self._epochs_at(number) // every

    def saves_after(self, number: int, best: bool) -> bool:
        """Whether a checkpoint is written after this step, whose validation may be the best so far."""
        settings, early = self._job.config.checkpoints, self._job.config.early_stopping
        if best and (settings.keep_best or (early is not None and early.restore_best)):
            return True
        due = any((number + 1) % every == 0 for every in (settings.every, settings.keep_every) if every)
        return due or number + 1 == self.total

    def _epochs_at(self, steps: int) -> Fraction:
        """Epochs that are over after so many steps, and the part of the one that runs."""
        if steps == self._starts[-1]:
            return Fraction(len(self._starts) - 1)
        epoch = self.epoch_of(steps)
        start, end = self._starts[epoch : epoch + 2]
        return epoch + Fraction(steps - start, end - start)

    def _epoch(self, epoch: int) -> list[StepPlan]:
        if epoch not in self._epochs:
            batch = self._job.config.batch
            self._epochs = {
                epoch: plan_epoch(
                    self._lengths,
                    seed=self._job.seed,
                    epoch=epoch,
                    step_tokens=batch.step_tokens,
                    micro_tokens=self._micro_tokens,
                    step_rows=batch.step_rows,
                )
            }
        return self._epochs[epoch]


def skipped_step(schedule: Schedule, skip: Skip) -> dict[str, Any]:
    """The record of a step that is not done."""
    epoch = schedule.epoch_of(skip.step - 1)
    return {"step": skip.step, "epoch": epoch, "skipped": skip.reason, "rows": list(skip.rows)}


def optimizer_step(
    job: TrainingJob, schedule: Schedule, number: int, state: TrainingState, memory: Memory
) -> dict[str, Any]:
    """One update: forward and backward over the step's micro-batches, clip, step. Returns the step's record.

    The loss is normalised over what counts in the whole step, so it does not depend on how the step is cut.

    Raises:
        BadStep: loss or gradient cannot be right; nothing is changed then.
    """
    started = time.perf_counter()
    rows = [job.train[index] for micro in schedule.step(number).micro_batches for index in micro]
    total = gradients(job, schedule, number, state, memory)
    rate = learning_rate(number, schedule.total, job.config.optimizer)
    figures = update(state, rate, float(total), job.config.optimizer.max_grad_norm)
    seconds, tokens = time.perf_counter() - started, sum(example.tokens for example in rows)
    return {
        "step": number + 1,
        "epoch": schedule.epoch_of(number),
        **figures,
        "learning_rate": rate,
        "tokens": tokens,
        "learned": sum(example.learned for example in rows),
        "tokens_per_second": round(tokens / seconds, 1),
        **memory.note(number + 1),
    }


def gradients(job: TrainingJob, schedule: Schedule, number: int, state: TrainingState, memory: Memory) -> torch.Tensor:
    """Forward and backward over the micro-batches of a step, as many rows at a time as fit; returns its loss."""
    rows = [job.train[index] for micro in schedule.step(number).micro_batches for index in micro]
    weight = sum(example.weight for example in rows)
    device = _device(job.model)

    def loss_of(batch: Batch) -> torch.Tensor:
        with autocast(device, job.dtype):
            return job.objective.loss(job.model, batch) / weight

    def accumulate(micro_batches: Sequence[tuple[int, ...]]) -> torch.Tensor:
        batches = [_batch(job, [job.train[index] for index in micro]) for micro in micro_batches]
        with autocast(device, job.dtype):
            job.objective.before_step(job.model, batches)
        return learn(job.model, batches, loss_of, state.scaler.scale)

    return memory.run(number + 1, lambda tokens: schedule.step(number, tokens).micro_batches, accumulate)


def validate(job: TrainingJob, step: int = 0, memory: Memory | None = None) -> dict[str, float]:
    """The objective's figures over the validation examples; 'validation_loss' is in nats per token or answer."""
    memory = memory or memory_of(job)
    lengths = [example.longest for example in job.validation]

    def measure(groups: Sequence[tuple[int, ...]]) -> dict[str, torch.Tensor]:
        sums: dict[str, torch.Tensor] = {}
        batches = [_batch(job, [job.validation[index] for index in group]) for group in groups]
        with evaluating(job.model):
            with autocast(_device(job.model), job.dtype):
                job.objective.before_step(job.model, batches)
            for batch in batches:
                with autocast(batch.input_ids.device, job.dtype):
                    found = job.objective.measure(job.model, batch)
                for name, value in found.items():
                    sums[name] = sums[name] + value.double() if name in sums else value.double()
        return sums

    def cut(tokens: int) -> list[tuple[int, ...]]:
        return bucket(range(len(lengths)), lengths, tokens)

    sums = memory.run(step, cut, measure, validation=True)
    return job.objective.summary(sums, sum(example.weight for example in job.validation))


def _batch(job: TrainingJob, examples: Sequence[Example]) -> Batch:
    return collate(examples, job.pad_id, job.config.unpadded, job.config.gpu).to(_device(job.model))


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
