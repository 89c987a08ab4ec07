"""Averages of the weights: what is validated and saved at the end in place of the weights that train."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from danlu.recipe.optimizer import OptimizerSection


class Average:
    """No average: the weights that train are the weights that count."""

    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 1."""

    def put(self) -> None:
        """Put the average into the model, for good: training is over."""

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The average in the model inside, and the weights that train, bit for bit, after it."""
        yield

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint must hold beside weights and optimizer, by name."""
        return {}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `state` returned."""


class _Swapped(Average):
    """An average that is kept apart from the weights that train."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        self._parameters = parameters

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """See Average. The copy takes the room of the gradients, which do not exist between two steps."""
        held = [parameter.detach().clone() for parameter in self._parameters.values()]
        self.put()
        try:
            yield
        finally:
            self._back()
            with torch.no_grad():
                for parameter, value in zip(self._parameters.values(), held, strict=True):
                    parameter.copy_(value)

    def _back(self) -> None:
        """Tell whoever must know that training goes on."""


class Ema(_Swapped):
    """An exponential moving average, in fp32 whatever the weights are in.

    After step t the average A becomes d A + (1 - d) W with d = min(decay, (1 + t) / (10 + t)): a fine-tuning run is
    short, and without the second term its average would still be mostly the base model. On the device of the weights.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], decay: float) -> None:
        super().__init__(parameters)
        self.decay = decay
        self._averages = {name: p.detach().to(torch.float32, copy=True) for name, p in parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            current = [parameter.detach().float() for parameter in self._parameters.values()]
            torch._foreach_lerp_(list(self._averages.values()), current, weight)

    def put(self) -> None:
        """Put the average into the model."""
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(self._averages[name])

    def state(self) -> dict[str, torch.Tensor]:
        """The averages."""
        return self._averages

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over saved averages."""
        for name, average in self._averages.items():
            average.copy_(state[name])


class OptimizersOwn(_Swapped):
    """The average that a schedule-free optimizer keeps in its state, and puts in place by `eval()`.

    Its own way back, `train()`, computes the weights again and rounds differently; here they are copied back.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], optimizer: Any) -> None:
        super().__init__(parameters)
        self._optimizer = optimizer

    def put(self) -> None:
        """Put the average into the model."""
        self._optimizer.eval()

    def _back(self) -> None:
        self._optimizer.train()


def make_average(
    parameters: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, config: OptimizerSection
) -> Average:
    """The average that the recipe asks for, or that the optimizer keeps."""
    if config.ema is not None:
        return Ema(parameters, config.ema)
    return OptimizersOwn(parameters, optimizer) if hasattr(optimizer, "eval") else Average()
