"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

from danlu.recipe.optimizer import OptimizerSection

SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "wsd": lambda done: 1 - math.sqrt(done),
}
"""Schedule -> share of the peak, after the share `done` of the steps over which the rate falls."""


def learning_rate(step: int, total: int, config: OptimizerSection) -> float:
    """The rate of step `step` (counted from 0) of `total`.

    It rises linearly over the warm-up. Then it stays ('constant'), falls linearly ('linear'), along half a cosine
    (Loshchilov and Hutter, 2017, arXiv:1608.03983, one cycle), or stays and falls over the last `wsd_decay * total`
    steps only ('wsd': Hu et al., 2024, arXiv:2404.06395, section 4; its fall is 1 - sqrt, which Haegele et al., 2024,
    arXiv:2405.18392, find best). At `total`, one step after the last, it would be `min_rate` of the peak.
    """
    peak = config.learning_rate
    assert peak is not None, "the recipe fills in the method's default"
    warm = warmup_steps(total, config)
    if step < warm:
        return peak * (step + 1) / warm
    start = max(warm, total - math.ceil(config.wsd_decay * total)) if config.schedule == "wsd" else warm
    done = max(0, step - start) / max(1, total - start)
    floor = 1.0 if config.schedule == "constant" else config.min_rate
    return peak * (floor + (1 - floor) * SHAPES[config.schedule](done))


def warmup_steps(total: int, config: OptimizerSection) -> int:
    """Steps over which the rate rises: a share of all of them, or a number (never more than all)."""
    return math.ceil(config.warmup * total) if config.warmup < 1 else min(total, int(config.warmup))
