"""LoRA: a low-rank update beside frozen linear layers (Hu et al., 2021, arXiv:2106.09685), by PEFT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from danlu.models.quantized import Quantization
from danlu.recipe.methods import LoraMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.adapters import Initial, adapter_state, add_lora, lora_rates, save_adapter, save_difference
from danlu.training.method import Preparation


class Lora:
    """The method of `{type: lora}`: y = W x + (alpha / rank) B A x, A random, B zero, only A and B train."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: LoraMethod) -> None:
        self.config = config
        self._initial: Initial | None = None

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        adapted = add_lora(model, self.config, start.seed)
        if self.config.init == "pissa":
            self._initial = adapter_state(adapted)
        return adapted

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return lora_rates(self.config)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
        if self._initial is None:
            save_adapter(model, folder)
        else:
            save_difference(model, self._initial, folder)
