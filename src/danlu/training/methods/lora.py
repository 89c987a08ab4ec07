"""LoRA: a low-rank update beside frozen linear layers (Hu et al., 2021, arXiv:2106.09685), by PEFT."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, get_peft_model

from danlu.recipe.errors import UserError
from danlu.recipe.train import LoraMethod


class Lora:
    """The method of `{type: lora}`: y = W x + (alpha / rank) B A x, A random, B zero, only A and B train."""

    kind = "adapter"
    frozen_dtype = True

    def __init__(self, config: LoraMethod) -> None:
        self.config = config

    def prepare(self, model: torch.nn.Module, *, seed: int) -> torch.nn.Module:
        """The model wrapped by PEFT; adapters are fp32 whatever the base is.

        Raises:
            UserError: a target names no module of the model.
        """
        config = self.config
        targets = config.targets if isinstance(config.targets, str) else list(config.targets)
        if isinstance(targets, list):
            _check_targets(model, targets)
        alpha = config.alpha if config.alpha is not None else 2.0 * config.rank
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=cast(int, alpha),
            lora_dropout=config.dropout,
            target_modules=targets,
            bias="none",
            task_type="CAUSAL_LM",
        )
        torch.manual_seed(seed)
        with warnings.catch_warnings():
            # PEFT asks transformers by a name that transformers has deprecated; the user can do nothing about it
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            return cast(torch.nn.Module, get_peft_model(cast(Any, model), lora))

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
        cast(Any, model).save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        readme = folder / "README.md"  # PEFT's template card, with nothing filled in
        readme.unlink(missing_ok=True)


def _check_targets(model: torch.nn.Module, targets: list[str]) -> None:
    names = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    for target in targets:
        if target.rsplit(".", 1)[-1] not in names:
            raise UserError(
                f"the model has no linear layer '{target}'",
                where="train.method.targets",
                fix=f"one of: {', '.join(sorted(names))}",
            )
