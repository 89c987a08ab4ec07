"""AdamW with weight-decay groups, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from danlu.recipe.train import OptimizerSection


def make_optimizer(parameters: Mapping[str, torch.nn.Parameter], config: OptimizerSection) -> torch.optim.AdamW:
    """AdamW over named parameters; weight decay only on matrices, not on biases and norms."""
    decayed = [p for p in parameters.values() if p.ndim >= 2]
    others = [p for p in parameters.values() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    rate = config.learning_rate
    assert rate is not None, "the recipe fills in the method's default"
    on_gpu_or_cpu = {p.device.type for p in parameters.values()} <= {"cuda", "cpu"}
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=rate,
        betas=config.betas,
        eps=config.epsilon,
        fused=on_gpu_or_cpu,
    )


def learning_rate(step: int, total: int, config: OptimizerSection) -> float:
    """The rate of step `step` (counted from 0) of `total`.

    It rises linearly over the first `warmup * total` steps, then stays ('constant'), falls linearly to 0 at `total`
    ('linear'), or along half a cosine (Loshchilov and Hutter, 2017, arXiv:1608.03983, one cycle).
    """
    peak = config.learning_rate
    assert peak is not None, "the recipe fills in the method's default"
    warm = math.ceil(config.warmup * total)
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(1, total - warm)
    if config.schedule == "linear":
        return peak * (1 - done)
    if config.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * done))
    return peak
