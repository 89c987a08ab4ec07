"""A linear head beside the language model's own: scores of classes, or a reward, from the last state of a sequence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from danlu.models.card import HEAD_CONFIG

CONFIG, WEIGHTS, NAME = HEAD_CONFIG, "head.safetensors", "score"


@dataclass(frozen=True)
class HeadConfig:
    """What the head's numbers stand for.

    Attributes:
        labels: one for each output; a reward has the single label 'reward'.
        multi_label: whether each output is a yes or no of its own.
    """

    labels: tuple[str, ...]
    multi_label: bool = False

    @classmethod
    def read(cls, folder: Path) -> HeadConfig | None:
        """What a folder says of its head, or None: it has none."""
        file = folder / CONFIG
        if not file.is_file():
            return None
        values = json.loads(file.read_text(encoding="utf-8"))
        return cls(tuple(values["labels"]), values["multi_label"])


def attach_head(model: Any, outputs: int, *, seed: int) -> torch.nn.Linear:
    """A new head [D] -> [outputs] in fp32 on a causal model, adapters around it or not; it trains."""
    inner = inner_model(model)
    config = inner.config.get_text_config()
    device = next(inner.parameters()).device
    head = torch.nn.Linear(config.hidden_size, outputs, bias=False, device=device, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.empty(head.weight.shape).normal_(std=config.initializer_range, generator=generator))
    inner.add_module(NAME, head)
    return head


def head_of(model: Any) -> torch.nn.Linear:
    """The head that `attach_head` put there."""
    head: torch.nn.Linear = inner_model(model).get_submodule(NAME)
    return head


def save_head(model: Any, labels: Sequence[str], multi_label: bool, folder: Path) -> None:
    """Write head.json and head.safetensors."""
    save_file({"weight": head_of(model).weight.detach().cpu().contiguous()}, folder / WEIGHTS)
    text = json.dumps(asdict(HeadConfig(tuple(labels), multi_label)), ensure_ascii=False, indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def put_head(model: Any, folder: Path) -> None:
    """The head of a folder onto its model, if the folder has one."""
    config = HeadConfig.read(folder)
    if config is None:
        return
    head = attach_head(model, len(config.labels), seed=0)
    with torch.no_grad():
        head.weight.copy_(load_file(folder / WEIGHTS)["weight"])


def inner_model(model: Any) -> Any:
    """The transformers model inside adapters, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
