"""Bottleneck adapters behind attention and MLP (Houlsby et al., 2019), or behind the MLP (Pfeiffer et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from danlu.models.bottleneck import BottleneckConfig, attach_bottlenecks, save_bottlenecks
from danlu.models.quantized import Quantization
from danlu.recipe.methods import AdapterMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.method import Preparation


class Adapter:
    """The method of `{type: adapter}`."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: AdapterMethod) -> None:
        self._shape = BottleneckConfig(config.placement, config.width, config.activation, config.dropout)

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        return attach_bottlenecks(model, self._shape, seed=start.seed)

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """bottleneck.json and bottleneck.safetensors."""
        save_bottlenecks(model, self._shape, folder)
