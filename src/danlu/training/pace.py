"""How long an epoch will take, by doing a little of it: the real model, rows and settings, and nothing is kept."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from danlu.data.batches import plan_epoch
from danlu.models.device import default_device
from danlu.training.batch_size import micro_tokens
from danlu.training.loop import Schedule, gradients, memory_of, state_of
from danlu.training.objective import Example, Objective
from danlu.training.run import make_job
from danlu.training.training_input import TrainingInput
from danlu.training.update import update
from danlu.training.watchdog import BadStep

ENOUGH = 10.0
"""Seconds after which no further step is tried."""
_STEPS = 4
"""At most so many, the first of which warms up and does not count where there is a second."""


@dataclass(frozen=True)
class Pace:
    """What was measured.

    Attributes:
        tokens_per_second: of forward and backward, padding not counted.
        update: seconds of an optimizer step behind them.
        steps: how many were measured.
    """

    tokens_per_second: float
    update: float
    steps: int

    def seconds(self, tokens: float, steps: int) -> float:
        """Of so many tokens in so many optimizer steps; validation and checkpoints are not in it."""
        return tokens / self.tokens_per_second + steps * self.update


def measure_pace(
    given: TrainingInput, objective: Objective, examples: Sequence[Example], enough: float = ENOUGH
) -> Pace:
    """Run a few steps of a training stage on rows drawn as training draws them, and forget them.

    Steps are as small as they can be without being slower: a micro-batch for each core that takes one.

    Args:
        given: the stage's input.
        objective: that made the examples.
        examples: of the training split, at least one.
        enough: seconds after which no further step is tried.

    Raises:
        UserError: the recipe does not fit the model or its memory.
    """
    batch, device = given.train.batch, default_device()
    size = micro_tokens(batch, device)
    at_once = torch.get_num_threads() if device.type == "cpu" else 1
    batch = batch.model_copy(update={"step_tokens": size * at_once, "step_rows": None})
    train = given.train.model_copy(update={"batch": batch, "epochs": 1, "max_steps": None, "early_stopping": None})
    sizes = [example.longest for example in examples]
    plan = plan_epoch(sizes, seed=given.seed, epoch=0, step_tokens=batch.step_tokens, micro_tokens=size, step_rows=None)
    rows = [examples[index] for step in plan[:_STEPS] for micro in step.micro_batches for index in micro]
    with tempfile.TemporaryDirectory(prefix="danlu-pace-") as folder:
        some = {"train": rows, "validation": [], "test": []}
        job, _, _ = make_job(replace(given, train=train), objective, some, Path(folder), lambda event: None)
        schedule, state, memory = Schedule(job), state_of(job), memory_of(job)
        job.model.train()
        tokens, forward, updates = [], [], []
        for number in range(schedule.total):
            started = time.perf_counter()
            loss = float(gradients(job, schedule, number, state, memory))
            between = time.perf_counter()
            with contextlib.suppress(BadStep):  # training will judge it, and say so; the time it takes is the same
                update(state, job.config.optimizer.learning_rate or 0.0, loss, job.config.optimizer.max_grad_norm)
            _wait()
            updates.append(time.perf_counter() - between)
            forward.append(between - started)
            step = schedule.step(number)
            tokens.append(sum(job.train[index].tokens for micro in step.micro_batches for index in micro))
            if sum(forward) + sum(updates) > enough:
                break
    counted = slice(1, None) if len(tokens) > 1 else slice(None)
    return Pace(sum(tokens[counted]) / sum(forward[counted]), min(updates[counted]), len(tokens[counted]))


def _wait() -> None:
    """Until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
