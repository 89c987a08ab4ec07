"""QLoRA: LoRA over a base held in 4 bits (Dettmers et al., 2023, arXiv:2305.14314), by PEFT and bitsandbytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from danlu.models.quantized import Quantization
from danlu.recipe.methods import QloraMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.adapters import add_lora, lora_rates, save_adapter
from danlu.training.method import Preparation


class Qlora:
    """The method of `{type: qlora}`. What it trained fits the base as 4 bits hold it, and is merged into that."""

    kind = "adapter"

    def __init__(self, config: QloraMethod) -> None:
        self.config = config
        self.quantization = Quantization(config.format, config.double_quantization)

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        return add_lora(model, self.config, start.seed)

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return lora_rates(self.config)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """The adapter as PEFT reads it, and quantization.json, which says how its base is held."""
        save_adapter(model, folder)
        self.quantization.save(folder)
