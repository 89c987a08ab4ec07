"""What all optimizers share: groups of parameters with their rates and decay, and a state that loads bit for bit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch

from danlu.recipe.errors import UserError
from danlu.recipe.optimizer import Optimizer, OptimizerSection, RateOverride
from danlu.training.offload import offloaded
from danlu.training.optimizers import OPTIMIZERS

Group = dict[str, Any]
"""A parameter group of torch: 'params', 'lr', 'weight_decay', and ours: 'kind' and 'rate_factor'."""

_HEADS = frozenset({"lm_head", "score", "classifier", "head"})
_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|blocks|h)\.(\d+)\.")


def make_optimizer(
    parameters: Mapping[str, torch.nn.Parameter], config: Optimizer, rates: Sequence[RateOverride] = ()
) -> torch.optim.Optimizer:
    """The recipe's optimizer over named parameters.

    Args:
        parameters: all that trains, by name.
        config: the recipe's section, with its rate filled in.
        rates: the method's own overrides (LoRA+ ...); the recipe's come first.

    Raises:
        UserError: an override matches no parameter, or the optimizer's package is not installed.
    """
    make, groups = OPTIMIZERS.load(config.type), parameter_groups(parameters, config, rates)
    if config.offload and any(parameter.device.type != "cpu" for parameter in parameters.values()):
        return offloaded(groups, lambda twins: make(twins, config))
    optimizer: torch.optim.Optimizer = make(groups, config)
    return optimizer


def parameter_groups(
    parameters: Mapping[str, torch.nn.Parameter], config: OptimizerSection, rates: Sequence[RateOverride] = ()
) -> list[Group]:
    """Groups of one kind and one rate each, in the order in which they are first met.

    Only matrices and the head decay. Embeddings do not: the row of a token that is not in the data has no gradient that
    would hold it, and decay would wear it away (OLMo 2, 2025, arXiv:2501.00656, leaves them out too). Norms, biases and
    vectors that scale (IA3) do not: zero is not their neutral value.

    Raises:
        UserError: an override matches no parameter.
    """
    peak = config.learning_rate
    assert peak is not None, "the recipe fills in the method's default"
    overrides = (*config.rates, *rates)
    check_overrides(overrides, parameters)
    top = max((layer for name in parameters if (layer := _layer(name)) is not None), default=0)
    groups: dict[tuple[str, float], Group] = {}
    for name, parameter in parameters.items():
        kind = kind_of(name, parameter)
        factor = _override(name, overrides, peak, _depth_factor(name, kind, top, config.layer_decay))
        decay = config.weight_decay if kind in {"matrix", "head"} else 0.0
        new = {"params": [], "lr": peak * factor, "weight_decay": decay, "kind": kind, "rate_factor": factor}
        groups.setdefault((kind, factor), new)["params"].append(parameter)
    return list(groups.values())


def kind_of(name: str, parameter: torch.nn.Parameter) -> str:
    """'vector' (one row or column at most), 'embedding', 'head', or 'matrix': a hidden layer's, or a stack of them."""
    if parameter.ndim < 2 or min(parameter.shape[-2:]) == 1:
        return "vector"
    parts = name.split(".")
    if any("embed" in part or part in {"wte", "wpe"} for part in parts):
        return "embedding"
    return "head" if _HEADS.intersection(parts) else "matrix"


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, each by its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)


def load_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load a state dict and keep the number format it was saved in.

    torch casts the state to the parameter's format; where an optimizer keeps fp32 state for bf16 weights (Adafactor),
    a run that goes on would differ from one that was never stopped.
    """
    optimizer.load_state_dict(saved)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    for parameter, number in zip(parameters, numbers, strict=True):
        state = optimizer.state.get(parameter, {})
        for key, value in saved["state"].get(number, {}).items():
            if torch.is_tensor(value) and torch.is_tensor(state.get(key)) and state[key].dtype != value.dtype:
                state[key] = value.to(state[key].device)


def fused(groups: Sequence[Group]) -> bool | None:
    """Whether torch's fused kernel is to be used; None: torch picks (foreach, or one by one)."""
    devices = {p.device.type for group in groups for p in group["params"]}
    return True if devices <= {"cuda", "cpu"} else None


def _layer(name: str) -> int | None:
    found = _LAYER.search(name)
    return int(found.group(1)) if found else None


def _depth_factor(name: str, kind: str, top: int, decay: float | None) -> float:
    """`decay` to the power of the layers between the head and this parameter: head and last norm 0, top layer 1."""
    if decay is None:
        return 1.0
    layer = _layer(name)
    if layer is not None:
        return decay ** (top - layer + 1)
    return decay ** (top + 2) if kind == "embedding" else 1.0


def _override(name: str, overrides: Sequence[RateOverride], peak: float, factor: float) -> float:
    """The factor on the peak rate, after the first override that matches."""
    for override in overrides:
        if fnmatchcase(name, override.pattern):
            return factor * override.factor if override.factor is not None else (override.learning_rate or peak) / peak
    return factor


def check_overrides(overrides: Sequence[RateOverride], parameters: Mapping[str, torch.nn.Parameter]) -> None:
    """Refuse a rate for nothing.

    Raises:
        UserError: an override matches no parameter.
    """
    for override in overrides:
        if not any(fnmatchcase(name, override.pattern) for name in parameters):
            raise UserError(
                f"no parameter that trains matches '{override.pattern}'",
                where="train.optimizer.rates",
                fix=f"names are like {', '.join(list(parameters)[:2])}; '*' stands for any part",
            )
