"""Steps that cannot be right: loss or gradient not finite, a gradient of zero, a loss far above the others."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from danlu.recipe.faults import FaultSection

NORMAL = 1.4826
"""Times the median absolute deviation is the standard deviation, where the values are normal (Hampel, 1974)."""


class BadStep(Exception):
    """A step that must not change the weights; the text says why."""


class Watchdog:
    """Judges each step before its update, by itself and by the losses of the steps before it.

    Args:
        config: the recipe's section.
    """

    def __init__(self, config: FaultSection) -> None:
        self._spike = config.spike
        self._losses: deque[float] = deque(maxlen=config.window)

    def judge(self, loss: float, norm: float) -> None:
        """Let a sound step pass.

        Raises:
            BadStep: it is not sound.
        """
        if not math.isfinite(loss):
            raise BadStep(f"the loss is {loss}")
        if not math.isfinite(norm):
            raise BadStep(f"the gradient norm is {norm}")
        if norm == 0:
            raise BadStep("the gradient norm is zero: nothing is learned")
        limit = self._limit()
        if loss > limit:
            raise BadStep(f"the loss is {loss:.4g}, far above those before (a spike begins at {limit:.4g})")

    def passed(self, loss: float) -> None:
        """Remember the loss of a step that counts."""
        if self._spike is not None:
            self._losses.append(loss)

    def _limit(self) -> float:
        """Median plus `spike` deviations; infinite until the window is full.

        A deviation is at least a hundredth of the median: losses that hardly vary would make anything a spike.
        """
        if self._spike is None or len(self._losses) < (self._losses.maxlen or 0):
            return math.inf
        median = statistics.median(self._losses)
        deviation = NORMAL * statistics.median(abs(loss - median) for loss in self._losses)
        return median + self._spike * max(deviation, abs(median) / 100)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"losses": list(self._losses)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._losses.clear()
        self._losses.extend(state["losses"])
