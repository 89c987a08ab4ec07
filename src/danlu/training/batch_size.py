"""How many tokens go forward at once."""

from __future__ import annotations

import torch

from danlu.recipe.train import BatchSection

ON_GPU = 2048
ON_CPU = 512
"""In fp32; twice as many in the formats of half the size. Each core has a micro-batch of its own: fewer tokens cost
speed, more cost memory for little."""


def micro_tokens(batch: BatchSection, device: torch.device, dtype: torch.dtype) -> int:
    """What the recipe says, or what suits the device where it leaves it open.

    Args:
        batch: of the recipe.
        device: that trains.
        dtype: of the computation.
    """
    if batch.micro_tokens is not None:
        return batch.micro_tokens
    return ON_GPU if device.type != "cpu" else ON_CPU * 4 // dtype.itemsize
