"""Full fine-tuning: every parameter trains, kept in fp32 whatever the compute precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from danlu.recipe.train import FullMethod


class Full:
    """The method of `{type: full}`."""

    kind = "weights"
    frozen_dtype = False

    def __init__(self, config: FullMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, *, seed: int) -> torch.nn.Module:
        """The model with every parameter set to train; nothing is random here."""
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """config.json and model.safetensors."""
        cast(Any, model).save_pretrained(str(folder))
