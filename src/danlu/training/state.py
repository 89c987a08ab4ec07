"""What a run is made of while it trains, and what of it a checkpoint's books hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from danlu.recipe.errors import UserError
from danlu.recipe.optimizer import RateOverride
from danlu.recipe.train import TrainSection
from danlu.training.checkpoint import Progress, Trained
from danlu.training.ema import make_average
from danlu.training.method import trainable
from danlu.training.optimizer import make_optimizer
from danlu.training.stopping import Stopping
from danlu.training.watchdog import Watchdog


class TrainingState:
    """Weights, optimizer, average, loss scale, early stopping, watchdog and progress of one run.

    Args:
        model: prepared by a method.
        config: the recipe's section.
        dtype: of the computation; fp16 has its loss scaled.
        rates: of the method's own parameters.

    Raises:
        UserError: parameters that train are in fp16, in which updates would be lost.
    """

    def __init__(
        self, model: torch.nn.Module, config: TrainSection, dtype: torch.dtype, rates: Sequence[RateOverride] = ()
    ) -> None:
        self.parameters = trainable(model)
        self.optimizer = make_optimizer(self.parameters, config.optimizer, rates)
        self.average = make_average(self.parameters, self.optimizer, config.optimizer)
        self.scaler = torch.amp.GradScaler(next(model.parameters()).device.type, enabled=dtype == torch.float16)
        self.stopping = Stopping(config.early_stopping)
        self.watchdog = Watchdog(config.faults)
        self.progress = Progress()
        self.overflows = 0
        """Steps without an update because the scaled gradient overflowed (fp16)."""
        if any(parameter.dtype == torch.float16 for parameter in self.parameters.values()):
            raise UserError("parameters in fp16 cannot be trained", where="train.precision", fix="fp32 or bf16")

    @property
    def trained(self) -> Trained:
        """What training changes."""
        return Trained(self.parameters, self.optimizer, self.average)

    def done(self, record: Mapping[str, Any]) -> None:
        """Take in that the next step is done, or skipped; `record` is its line in the history."""
        self.progress = Progress(self.progress.step + 1, self.progress.tokens + record.get("tokens", 0))
        if "skipped" in record:
            return
        self.watchdog.passed(record["loss"])
        if "overflow" in record:
            self.overflows += 1
        else:
            self.average.update(self.progress.step)

    def books(self) -> dict[str, Any]:
        """All but tensors and progress, as plain data."""
        return {
            "stopping": self.stopping.state(),
            "watchdog": self.watchdog.state(),
            "scaler": self.scaler.state_dict(),
            "overflows": self.overflows,
        }

    def load(self, progress: Progress, books: Mapping[str, Any]) -> None:
        """Take over what a checkpoint holds beside tensors."""
        self.progress = progress
        self.stopping.load(books["stopping"])
        self.watchdog.load(books["watchdog"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(books["scaler"])
        self.overflows = books["overflows"]
