"""Hybrid tuning: some groups train in full, others get LoRA adapters, the rest is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from danlu.models.parts import save_parts
from danlu.models.quantized import Quantization
from danlu.recipe.methods import HybridMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.adapters import add_lora, has_experts, lora_rates, save_adapter
from danlu.training.base_parts import base_parts, check_groups
from danlu.training.method import Preparation, group_of


class Hybrid:
    """The method of `{type: hybrid}`."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: HybridMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        full, lora = (
            {group for group, told in self.config.groups.items() if told == wish} for wish in ("full", "lora")
        )
        check_groups(model, full | lora, "train.method.groups")
        settings = self.config.lora.model_copy(update={"experts": "experts" in lora and has_experts(model)})
        adapted = add_lora(model, settings, start.seed, lora)
        for name, parameter in adapted.named_parameters():
            if group_of(name) in full:
                parameter.requires_grad_(True)
        return adapted

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return lora_rates(self.config.lora)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """The adapters as PEFT reads them, and parts.safetensors: the parameters that trained in full."""
        save_adapter(model, folder)
        save_parts(base_parts(model), folder)
