"""Schedule-free AdamW, by the authors' package."""

from __future__ import annotations

import torch

from danlu.recipe.choices import optional
from danlu.recipe.optimizer import ScheduleFreeOptimizer
from danlu.training.optimizer import Group


def make_schedule_free(groups: list[Group], config: ScheduleFreeOptimizer) -> torch.optim.Optimizer:
    """The optimizer of `{type: schedule_free}`, in training mode; `training.ema` puts its average in place.

    Raises:
        UserError: schedulefree is not installed.
    """
    library = optional("schedulefree", "schedulefree")
    optimizer = library.AdamWScheduleFree(groups, betas=config.betas, eps=config.epsilon)
    optimizer.train()
    checked: torch.optim.Optimizer = optimizer
    return checked
