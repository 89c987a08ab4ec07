"""(IA)3: learned factors on keys, values and the MLP's inner state (Liu et al., 2022, arXiv:2205.05638), by PEFT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import IA3Config

from danlu.models.quantized import Quantization
from danlu.recipe.errors import UserError
from danlu.recipe.methods import Ia3Method
from danlu.recipe.optimizer import RateOverride
from danlu.training.adapters import save_adapter, wrap
from danlu.training.method import Preparation


class Ia3:
    """The method of `{type: ia3}`: k = l_k * W_k x, v = l_v * W_v x, y = W_down (l_ff * h); factors start at 1."""

    kind = "adapter"
    quantization: Quantization | None = None

    def __init__(self, config: Ia3Method) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """See Method. The MLP of a mixture of experts has no such factor: its experts are no linear layers."""
        present = {name.rsplit(".", 1)[-1] for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
        targets = [name for name in ("k_proj", "v_proj", "down_proj") if name in present]
        if not targets:
            raise UserError(
                "the model has no layers k_proj, v_proj or down_proj", where="train.method", fix="use {type: lora}"
            )
        inner = [name for name in targets if name == "down_proj"]
        return wrap(
            model, IA3Config(target_modules=targets, feedforward_modules=inner, task_type="CAUSAL_LM"), start.seed
        )

    def rates(self) -> Sequence[RateOverride]:
        """See Method."""
        return []

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
        save_adapter(model, folder)
