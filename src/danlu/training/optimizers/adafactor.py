"""Adafactor by transformers: the second moment of a matrix is kept as one row and one column."""

from __future__ import annotations

from typing import Any

import torch
from transformers.optimization import Adafactor

from danlu.recipe.optimizer import AdafactorOptimizer
from danlu.training.optimizer import Group


def make_adafactor(groups: list[Group], config: AdafactorOptimizer) -> torch.optim.Optimizer:
    """The optimizer of `{type: adafactor}`: the rate is the recipe's, not one relative to the weights' size.

    torch.optim.Adafactor is not used: it always multiplies the rate by the root mean square of the weights, so that
    what starts at zero (LoRA's B) hardly moves; it waits for the device twice for each tensor; and it keeps its state
    in bf16 where the weights are bf16.
    """
    made: Any = Adafactor
    optimizer: torch.optim.Optimizer = made(
        groups,
        lr=0.0,  # each group has its own
        clip_threshold=config.clip,
        decay_rate=-config.beta2_decay,
        scale_parameter=False,
        relative_step=False,
    )
    return optimizer
