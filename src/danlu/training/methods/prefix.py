"""Prefix tuning: learned keys and values in front of every layer (Li and Liang, 2021, arXiv:2101.00190)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from danlu.models.quantized import Quantization
from danlu.models.started import Prefix, StartedModel, save_start
from danlu.recipe.methods import PrefixMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.method import Preparation
from danlu.training.start_tokens import start_tokens


class PrefixTuning:
    """The method of `{type: prefix}`."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: PrefixMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        ids = start_tokens(model, self.config.tokens, self.config.text, start)
        return StartedModel(model, Prefix.of_tokens(model, ids))

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
        save_start(cast(StartedModel, model), folder)
