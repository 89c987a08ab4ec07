"""What a training run will be: which parameters train, how many steps, and whether it fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import psutil
import torch

from danlu.data.batches import bucket, count_steps, plan_epoch
from danlu.models.device import default_device
from danlu.recipe.train import TrainSection
from danlu.training.batch_size import micro_tokens
from danlu.training.forecast import Forecast, forecast
from danlu.training.method import GroupPlan, Method
from danlu.training.methods import METHODS
from danlu.training.objective import Example, Objective
from danlu.training.objectives import OBJECTIVES
from danlu.training.pace import Pace, measure_pace
from danlu.training.preflight import look_over
from danlu.training.training_input import TrainingInput

Checkpointing = Literal["off", "selective", "full"]

ROOM = 0.9
"""Share of the free memory that a run may take: forecasts are right within a tenth."""

_SMALLEST = 128


@dataclass(frozen=True)
class Choice:
    """A way to run, and what it takes.

    Attributes:
        checkpointing, micro_tokens: as in the recipe.
        forecast: of its heaviest micro-batch.
        fits: whether that is less than what is free.
    """

    checkpointing: Checkpointing
    micro_tokens: int
    forecast: Forecast
    fits: bool


@dataclass(frozen=True)
class Outlook:
    """What a run will be.

    Attributes:
        groups: what trains in each group of parameters.
        rows: training examples.
        steps: of all epochs, or the recipe's limit.
        tokens, learned: of one epoch.
        free: bytes of memory that are free on the device.
        choices: the recipe's own way first, then others in the order in which they cost time, up to one that fits.
        warnings: of rate, rows and ranks, in sentences.
        pace: what a few steps took, done the way that fits; None: they were not asked for, or nothing fits.
        epochs: of the recipe.
        share: of their steps that the recipe's limit leaves.
    """

    groups: Sequence[GroupPlan]
    rows: int
    steps: int
    tokens: int
    learned: int
    free: int
    choices: Sequence[Choice]
    warnings: tuple[str, ...]
    pace: Pace | None
    epochs: int
    share: float = 1.0

    @property
    def seconds(self) -> float | None:
        """Of the whole run, validation and checkpoints not counted; None where no step was tried."""
        return None if self.pace is None else self.pace.seconds(self._all_tokens, self.steps)

    @property
    def epoch_seconds(self) -> float | None:
        """Of one epoch, a run that ends earlier having less."""
        seconds = self.seconds
        return None if seconds is None else seconds * self.tokens / self._all_tokens

    @property
    def _all_tokens(self) -> float:
        return self.tokens * self.epochs * self.share

    @property
    def advice(self) -> Choice | None:
        """The quickest way that fits, or None."""
        return next((choice for choice in self.choices if choice.fits), None)


def look_ahead(given: TrainingInput, *, timed: bool = False) -> Outlook:
    """The outlook of a train stage. Weights are read, and a few steps made and forgotten, only to tell the time.

    Args:
        given: the stage's input.
        timed: whether to tell it.

    Raises:
        UserError: rows or recipe cannot be trained on (see `preflight.look_over`), or do not fit the model.
    """
    config, device = given.train, default_device()
    method: Method = METHODS.load(config.method.type)(config.method)
    objective: Objective = OBJECTIVES.load(config.objective.type)(config.objective)
    by_split, warnings = look_over(given, objective)
    examples = by_split["train"]
    free = _free(device)
    choices: list[Choice] = []
    for checkpointing, tokens in _ways(config, micro_tokens(config.batch, device)):
        changed = _changed(config, checkpointing, tokens)
        found = forecast(given.base.path, method, objective, changed, _heaviest(examples, tokens))
        if found.packed and device.type == "cpu":
            found = replace(found, at_once=min(torch.get_num_threads(), _most_in_a_step(given, examples, tokens)))
        if choices and found.total >= choices[-1].forecast.total:
            continue  # danlu's decoder without checkpointing keeps less than transformers' with the selective one
        choices.append(Choice(checkpointing, tokens, found, found.total <= ROOM * free))
        if choices[-1].fits:
            break
    fitting = next((choice for choice in choices if choice.fits), None)
    pace = measure_pace(_run_as(given, fitting), objective, examples) if timed and fitting is not None else None
    steps, every = _steps(given, examples)
    return Outlook(
        groups=choices[0].forecast.groups,
        rows=len(examples),
        steps=steps,
        tokens=sum(example.tokens for example in examples),
        learned=sum(example.learned for example in examples),
        free=free,
        choices=choices,
        warnings=tuple(filter(None, (*(warning.reason for warning in warnings), choices[0].forecast.warning))),
        pace=pace,
        epochs=config.epochs,
        share=steps / every,
    )


def _run_as(given: TrainingInput, choice: Choice) -> TrainingInput:
    return replace(given, train=_changed(given.train, choice.checkpointing, choice.micro_tokens))


def _changed(config: TrainSection, checkpointing: Checkpointing, micro_tokens: int) -> TrainSection:
    batch = config.batch.model_copy(update={"micro_tokens": micro_tokens})
    return config.model_copy(update={"checkpointing": checkpointing, "batch": batch})


def _ways(config: TrainSection, tokens: int) -> Iterator[tuple[Checkpointing, int]]:
    """The recipe's own way, then what takes less memory: states computed again, then fewer tokens at a time."""
    modes: tuple[Checkpointing, ...] = ("off", "selective", "full")
    modes = modes[modes.index(config.checkpointing) :]
    if config.method.type in {"prefix", "prompt"}:  # they know no other than off, and the forecast says so
        modes = modes[:1]
    smallest = min(_SMALLEST, tokens)
    while tokens >= smallest:
        for mode in modes:
            yield mode, tokens
        tokens //= 2


def _heaviest(examples: Sequence[Example], micro_tokens: int) -> list[Example]:
    """The micro-batch with the most tokens, padding included; among equals the one that learns most."""
    sizes = [example.longest for example in examples]
    groups = bucket(range(len(examples)), sizes, micro_tokens)

    def weight(group: Sequence[int]) -> tuple[int, int]:
        return max(sizes[i] for i in group) * len(group), sum(examples[i].learned for i in group)

    return [examples[index] for index in max(groups, key=weight)]


def _steps(given: TrainingInput, examples: Sequence[Example]) -> tuple[int, int]:
    """(steps of the run, steps of all its epochs)."""
    batch = given.train.batch
    sizes = [example.longest for example in examples]
    total = sum(
        count_steps(sizes, seed=given.seed, epoch=epoch, step_tokens=batch.step_tokens, step_rows=batch.step_rows)
        for epoch in range(given.train.epochs)
    )
    return min(total, given.train.max_steps or total), total


def _most_in_a_step(given: TrainingInput, examples: Sequence[Example], tokens: int) -> int:
    """Micro-batches of the step that has most: on a CPU each core computes one of them."""
    batch, sizes = given.train.batch, [example.longest for example in examples]
    plan = plan_epoch(
        sizes,
        seed=given.seed,
        epoch=0,
        step_tokens=batch.step_tokens,
        micro_tokens=tokens,
        step_rows=batch.step_rows,
    )
    return max(len(step.micro_batches) for step in plan)


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
