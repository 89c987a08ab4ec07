"""Full fine-tuning: every parameter trains, kept in fp32 whatever the compute precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from danlu.models.heads import NAME
from danlu.models.quantized import Quantization
from danlu.recipe.methods import FullMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.method import Preparation


class Full:
    """The method of `{type: full}`."""

    kind = "weights"
    quantization: Quantization | None = None

    def __init__(self, config: FullMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """The model with every parameter set to train; nothing is random here."""
        return model.requires_grad_(True)

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """config.json and model.safetensors; a head of an objective's has files of its own."""
        state = {name: value for name, value in model.state_dict().items() if not name.startswith(f"{NAME}.")}
        cast(Any, model).save_pretrained(str(folder), state_dict=state)
