"""What every fine-tuning method is: a plan over groups of parameters, each frozen, trained in full, or adapted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from danlu.models.loading import decoder_and_head
from danlu.models.quantized import Quantization
from danlu.recipe.optimizer import RateOverride
from danlu.recipe.train import TrainSection
from danlu.training.packed.decoder import widens


@dataclass(frozen=True)
class GroupPlan:
    """What a method does with one group of parameters, for `danlu plan` and the records.

    Attributes:
        group: one of recipe.methods.Group.
        total: parameters of the group, the method's own included.
        trained: parameters of it that train.
    """

    group: str
    total: int
    trained: int


@dataclass(frozen=True)
class Preparation:
    """What a method may need to start.

    Attributes:
        seed: of new parameters.
        encode: text -> token ids.
    """

    seed: int
    encode: Callable[[str], list[int]] = lambda text: []


class Method(Protocol):
    """Decides which parameters train; saves what it trained."""

    kind: str
    """'adapter' or 'parts': needs its base again to load; 'weights': stands alone."""

    quantization: Quantization | None
    """How the base is held while it trains; None: as its file has it."""

    def prepare(self, model: torch.nn.Module, start: Preparation) -> torch.nn.Module:
        """The model with the right parameters set to train.

        Raises:
            UserError: the recipe names something that the model does not have.
        """
        ...

    def rates(self) -> Sequence[RateOverride]:
        """Rates of its own parameters, where they differ from the recipe's."""
        ...

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Write what was trained into `folder`, so that `models.trained.load_trained` reads it."""
        ...


_GROUPS = (
    (re.compile(r"(^|\.)(lm_head|score)\."), "head"),
    (re.compile(r"embed"), "embeddings"),
    (re.compile(r"norm"), "norms"),
    (re.compile(r"attn|attention"), "attention"),
    (re.compile(r"\.mlp\.gate\.|\.router\."), "router"),
    (re.compile(r"\.experts\."), "experts"),
    (re.compile(r"mlp|feed_forward"), "mlp"),
)
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


def group_of(name: str) -> str:
    """The group of a parameter, by its name; 'other' for what belongs to none, such as a learned prefix."""
    if name.startswith("start."):
        return "other"
    return next((group for pattern, group in _GROUPS if pattern.search(name)), "other")


def layer_of(name: str) -> int | None:
    """The decoder layer that a parameter is in, counted from 0; None: in none."""
    found = _LAYER.search(name)
    return int(found.group(1)) if found else None


def group_plans(model: torch.nn.Module) -> list[GroupPlan]:
    """What trains in each group, as the method left it. Weights in 4 bits count as what they stand for."""
    totals: dict[str, list[int]] = {}
    for name, parameter in model.named_parameters():
        entry = totals.setdefault(group_of(name), [0, 0])
        count = _count(parameter)
        entry[0] += count
        entry[1] += count if parameter.requires_grad else 0
    return [GroupPlan(group, total, trained) for group, (total, trained) in totals.items()]


def _count(parameter: torch.nn.Parameter) -> int:
    held = getattr(parameter, "quant_state", None)
    return parameter.numel() if held is None else int(torch.Size(held.shape).numel())


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Name to parameter of all that trains, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def hold(model: torch.nn.Module, dtype: torch.dtype, *, narrow: bool = False) -> torch.nn.Module:
    """Keep what trains in fp32, and what is frozen in the format that is computed in. Returns the model.

    Updates of a learning rate of 1e-5 are lost in bf16, whose numbers are 1/256 apart; frozen weights lose nothing that
    the computation would not lose anyway.

    Args:
        model: prepared by a method.
        dtype: of the computation.
        narrow: leave frozen matrices of decoder layers in a narrower format of their file, for a decoder that widens
            each where it multiplies: every number of bf16 and fp16 is one of fp32.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
        elif narrow and parameter.ndim == 2 and ".layers." in name and parameter.element_size() < dtype.itemsize:
            continue
        elif parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    return model


def hold_for(model: torch.nn.Module, dtype: torch.dtype, config: TrainSection, device: torch.device) -> torch.nn.Module:
    """`hold`, narrow where danlu's own decoder computes and widens.

    To be called again when something changes who computes: what is narrow is widened then.
    """
    narrow = config.unpadded and widens(decoder_and_head(model)[0], dtype, device)
    return hold(model, dtype, narrow=narrow)
