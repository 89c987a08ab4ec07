"""AdamW with moments in 8 bits, by bitsandbytes (CPU and GPU)."""

from __future__ import annotations

from typing import Any

import torch

from danlu.recipe.choices import optional
from danlu.recipe.optimizer import AdamW8bitOptimizer
from danlu.training.optimizer import Group


def make_adamw_8bit(groups: list[Group], config: AdamW8bitOptimizer) -> torch.optim.Optimizer:
    """The optimizer of `{type: adamw_8bit}`.

    Moments of embeddings stay in 32 bits, as the paper finds necessary (Dettmers et al., 2022, section 2.3), and those
    of tensors with fewer than 4,096 numbers too, where 8 bits save nothing. On a GPU the library waits for each tensor.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    theirs: Any = optional("bitsandbytes", "quant").optim.AdamW8bit

    class AdamW8bit(theirs):
        """bitsandbytes' own, but for the width of the embeddings' moments."""

        def get_config(self, gindex: int, pindex: int, group: Group) -> dict[str, Any]:
            found: dict[str, Any] = super().get_config(gindex, pindex, group)
            return {**found, "optim_bits": 32} if group["kind"] == "embedding" else found

    optimizer: torch.optim.Optimizer = AdamW8bit(groups, betas=config.betas, eps=config.epsilon)
    return optimizer
