"""Parameters of the base that train as they are: which there are, and whether a recipe's groups have any."""

from __future__ import annotations

from collections.abc import Collection

import torch

from danlu.models.heads import NAME
from danlu.recipe.errors import UserError
from danlu.training.method import group_of, trainable

_ADAPTERS = (".lora_", ".bottleneck.", ".ia3_")
_ALTERNATIVES = {"mlp", "experts", "router"}
"""Groups of which a model has some: naming the others too makes a recipe that fits dense models and mixtures."""


def base_parts(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """What trains and belongs to the base: no adapter, no learned start, no head of an objective's."""
    return {
        name: parameter
        for name, parameter in trainable(model).items()
        if not any(part in name for part in _ADAPTERS) and f"{NAME}." not in name and not name.startswith("start.")
    }


def check_groups(model: torch.nn.Module, groups: Collection[str], where: str) -> None:
    """Refuse a group that the model does not have.

    Raises:
        UserError: it is not there; a head may be one with the embeddings.
    """
    present = {group_of(name) for name, _ in model.named_parameters()}
    for group in groups:
        if group in present or (group in _ALTERNATIVES and present & set(groups)):
            continue
        tied = group == "head" and "embeddings" in present
        raise UserError(
            f"the model has no parameters of the group '{group}'"
            + (": its head is one with its embeddings" if tied else ""),
            where=where,
            fix="name 'embeddings' instead" if tied else f"leave it out; there are: {', '.join(sorted(present))}",
        )
