"""Which validation was the best, and whether it is time to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from danlu.recipe.errors import UserError, nearest
from danlu.recipe.faults import EarlyStoppingSection
from danlu.recipe.train import TrainSection

_LOW_IS_GOOD = ("loss", "perplexity", "error")


def check_stopping(config: TrainSection, validation: Sequence[Any], figures: Sequence[str]) -> None:
    """Make sure that there is something to stop by.

    Args:
        config: the recipe's section.
        validation: the examples.
        figures: names of what validation reports.

    Raises:
        UserError: the recipe wants to stop early, or keep the best, and there are no validation rows; or it wants to
            stop by a figure that is not reported.
    """
    wanted = {
        "train.early_stopping": config.early_stopping is not None,
        "train.checkpoints.keep_best": config.checkpoints.keep_best,
    }
    for where, asked in wanted.items():
        if asked and not validation:
            raise UserError(
                "there are no validation rows", where=where, fix="give data.split.validation a larger share"
            )
    metric = config.early_stopping.metric if config.early_stopping is not None else None
    if metric is not None and metric not in figures:
        raise UserError(
            f"validation reports no '{metric}'", where="train.early_stopping.metric", fix=nearest(metric, figures)
        )


class Stopping:
    """Looks at every validation; never ends a run whose recipe has no `early_stopping`, but knows the best step.

    Args:
        config: the recipe's section.
    """

    def __init__(self, config: EarlyStoppingSection | None) -> None:
        self._config = config or EarlyStoppingSection()
        self._ends = config is not None
        self.best: float | None = None
        self.best_step: int | None = None
        self.waited = 0
        """Validations since the last that was better."""

    @property
    def now(self) -> bool:
        """Whether training ends here."""
        return self._ends and self.waited >= self._config.patience

    @property
    def restores(self) -> bool:
        """Whether the model of the best step is what training gives."""
        return self._ends and self._config.restore_best and self.best_step is not None

    def see(self, step: int, figures: Mapping[str, float]) -> bool:
        """Take in the validation after `step`; whether it was the best so far. What is not a number never is."""
        metric = self._config.metric
        better = self._better(figures[metric])
        if better:
            self.best, self.best_step, self.waited = figures[metric], step, 0
        else:
            self.waited += 1
        return better

    def _better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        gain = self.best - value if self._low_is_good() else value - self.best
        return gain > self._config.min_delta

    def _low_is_good(self) -> bool:
        if self._config.mode == "auto":
            return self._config.metric.endswith(_LOW_IS_GOOD)
        return self._config.mode == "min"

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self.best, self.best_step, self.waited = state["best"], state["best_step"], state["waited"]
