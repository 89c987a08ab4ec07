"""Prompt tuning: learned embeddings in front of the input (Lester et al., 2021, arXiv:2104.08691)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from danlu.models.quantized import Quantization
from danlu.models.started import Prompt, StartedModel, save_start
from danlu.recipe.methods import PromptMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.method import Preparation
from danlu.training.start_tokens import start_tokens


class PromptTuning:
    """The method of `{type: prompt}`."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: PromptMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        ids = start_tokens(model, self.config.tokens, self.config.text, start)
        return StartedModel(model, Prompt.of_tokens(model, ids))

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
        save_start(cast(StartedModel, model), folder)
