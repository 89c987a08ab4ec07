"""AdamW by torch: the fused kernel where there is one, else the foreach one."""

from __future__ import annotations

import torch

from danlu.recipe.optimizer import AdamWOptimizer
from danlu.training.optimizer import Group, fused


def make_adamw(groups: list[Group], config: AdamWOptimizer) -> torch.optim.Optimizer:
    """The optimizer of `{type: adamw}`."""
    return torch.optim.AdamW(groups, betas=config.betas, eps=config.epsilon, fused=fused(groups))
