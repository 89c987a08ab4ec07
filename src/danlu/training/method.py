"""What every fine-tuning method is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch


@dataclass(frozen=True)
class GroupPlan:
    """What a method does with one group of parameters, for `danlu plan` and the records.

    Attributes:
        group: 'attention', 'mlp', 'embeddings', 'norms', 'head' or 'other'.
        total: parameters of the group, the method's own included.
        trained: parameters of it that train.
    """

    group: str
    total: int
    trained: int


class Method(Protocol):
    """Decides which parameters train; saves what it trained."""

    kind: str
    """'adapter': needs its base again to load; 'weights': stands alone."""

    frozen_dtype: bool
    """True if the base is frozen and can be held in the compute dtype; False: parameters train, kept in fp32."""

    def prepare(self, model: torch.nn.Module, *, seed: int) -> torch.nn.Module:
        """The model with the right parameters set to train; new parameters are initialised from `seed`."""
        ...

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Write what was trained into `folder`, so that `models.trained.load_trained` reads it."""
        ...


_GROUPS = (
    ("embed", "embeddings"),
    ("lm_head", "head"),
    ("norm", "norms"),
    ("attn", "attention"),
    ("attention", "attention"),
    ("mlp", "mlp"),
    ("feed_forward", "mlp"),
)


def group_plans(model: torch.nn.Module) -> list[GroupPlan]:
    """What trains in each group of parameters, as the method left it."""
    totals: dict[str, list[int]] = {}
    for name, parameter in model.named_parameters():
        group = next((label for part, label in _GROUPS if part in name), "other")
        entry = totals.setdefault(group, [0, 0])
        entry[0] += parameter.numel()
        entry[1] += parameter.numel() if parameter.requires_grad else 0
    return [GroupPlan(group, total, trained) for group, (total, trained) in totals.items()]


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Name to parameter of all that trains, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
