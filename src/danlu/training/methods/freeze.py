"""Freeze tuning: some groups or layers train as they are, the rest stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from danlu.models.parts import save_parts
from danlu.models.quantized import Quantization
from danlu.recipe.errors import UserError
from danlu.recipe.methods import FreezeMethod
from danlu.recipe.optimizer import RateOverride
from danlu.training.base_parts import base_parts, check_groups
from danlu.training.method import Preparation, group_of, layer_of


class Freeze:
    """The method of `{type: freeze}`."""

    kind = "parts"
    quantization: Quantization | None = None

    def __init__(self, config: FreezeMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method."""
        config = self.config
        check_groups(model, config.train, "train.method.train")
        layers = self._layers(model)
        for name, parameter in model.named_parameters():
            layer = layer_of(name)
            parameter.requires_grad_(group_of(name) in config.train and (layer is None or layer in layers))
        return model

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """parts.safetensors: the parameters that trained."""
        save_parts(base_parts(model), folder)

    def _layers(self, model: Any) -> set[int]:
        count = int(model.config.get_text_config().num_hidden_layers)
        told = self.config.layers
        wanted = range(count) if told == "all" else range(count - told, count) if isinstance(told, int) else told
        if min(wanted) < 0 or max(wanted) >= count:
            raise UserError(
                f"the model has {count} layers, 0 to {count - 1}",
                where="train.method.layers",
                fix="name layers that it has, or how many of the last ones train",
            )
        return set(wanted)
