"""LoRA adapters from a recipe's settings, by PEFT: which layers, which ranks, and how what was learned is written."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from danlu.recipe.errors import UserError, nearest
from danlu.recipe.methods import LoraSettings
from danlu.recipe.optimizer import RateOverride
from danlu.training.method import group_of

_EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]

Initial = Mapping[str, torch.Tensor]
"""Adapter tensors as they were before training, by PEFT's names."""


def add_lora(
    model: torch.nn.Module, settings: LoraSettings, seed: int, groups: Collection[str] | None = None
) -> torch.nn.Module:
    """The model wrapped by PEFT; adapters are fp32 whatever the base is. All else is frozen.

    Args:
        model: a causal model.
        settings: of the adapters.
        seed: of A (B starts at zero), or of the search for singular values.
        groups: only linear layers of these groups; None: of all.

    Raises:
        UserError: a target or a rank names no linear layer, or the model has no experts.
    """
    section = "train.method" if groups is None else "train.method.lora"
    layers = _linear_layers(model, groups)
    if not layers and not settings.experts:
        raise UserError(
            f"the model has no linear layers in: {', '.join(sorted(groups or ()))}",
            where="train.method.groups",
            fix="adapters go on attention and mlp, and in a mixture of experts on attention and experts",
        )
    chosen = _chosen(layers, settings.targets, f"{section}.targets")
    alpha = settings.alpha if settings.alpha is not None else 2.0 * settings.rank
    singular = settings.init == "pissa"
    if singular:
        weights = [cast(torch.nn.Linear, model.get_submodule(name)).weight for name in chosen]
        for weight in weights:  # what is left of one without its largest part would be rounded in bf16
            weight.data = weight.data.float() if weight.is_floating_point() else weight.data
        singular = not any(weight.is_meta for weight in weights)  # a forecast has none to look for values in
    for pattern in settings.ranks:
        _chosen(chosen, (pattern,), f"{section}.ranks", "no adapter is on a layer")
    ranks = {name: rank for name in chosen if (rank := _own_rank(name, settings)) is not None}
    if settings.experts:
        _check_experts(model, settings, section)
    with warnings.catch_warnings():
        # What PEFT's own way of saving a start from singular values cannot do, `save_difference` does
        warnings.filterwarnings("ignore", "Using Rank-Stabilized LoRA with rank_pattern", UserWarning)
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=cast(int, alpha),
            lora_dropout=settings.dropout,
            target_modules=_shortest(chosen, layers),
            target_parameters=_EXPERTS if settings.experts else None,
            rank_pattern=ranks,
            alpha_pattern={name: _same_scale(alpha, settings, rank) for name, rank in ranks.items()},
            use_rslora=settings.rank_stabilized,
            use_dora=settings.dora,
            init_lora_weights=cast(Any, "pissa_niter_16" if singular else True),
            bias="none",
            task_type="CAUSAL_LM",
        )
    return wrap(model, config, seed)


def wrap(model: torch.nn.Module, config: PeftConfig, seed: int) -> torch.nn.Module:
    """The model wrapped by PEFT, its new parameters made from a seed."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        # PEFT asks transformers by a name that transformers has deprecated; the user can do nothing about it
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return cast(torch.nn.Module, get_peft_model(cast(Any, model), config))


def rank_warning(model: torch.nn.Module) -> str | None:
    """A sentence if an adapter is wider than its layer, whose update has no higher rank than its smaller side."""
    over = [
        (part.r["default"] / side, part.r["default"], side, name.removeprefix("base_model.model."))
        for name, part in model.named_modules()
        if isinstance(part, LoraLayer) and part.r["default"] > (side := _side(part))
    ]
    if not over:
        return None
    _, rank, side, name = max(over)
    return (
        f"train.method: {len(over)} adapters have a higher rank than their layers: {rank} on '{name}', where {side} "
        "says all that can be learned; the rest takes memory and time"
    )


def _side(layer: Any) -> int:
    return int(min(layer.in_features, layer.out_features))


def lora_rates(settings: LoraSettings) -> list[RateOverride]:
    """B's own rate (LoRA+), if it has one."""
    return [] if settings.b_rate == 1 else [RateOverride(pattern="*.lora_B.*", factor=settings.b_rate)]


def save_adapter(model: torch.nn.Module, folder: Path) -> None:
    """adapter_model.safetensors and adapter_config.json, as PEFT reads them."""
    cast(Any, model).save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's template card, with nothing filled in


def adapter_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the adapter's tensors on the CPU, by PEFT's names."""
    values = {name: value.detach() for name, value in get_peft_model_state_dict(model).items()}
    return {name: value if value.is_meta else value.cpu().clone() for name, value in values.items()}


def save_difference(model: torch.nn.Module, initial: Initial, folder: Path) -> None:
    """Write the adapter relative to one it started from, as a plain LoRA of twice the rank over the unchanged base.

    A start from singular values (PiSSA) takes B0 A0 out of the base; what was learned is B A - B0 A0, which is
    [B, -B0] [A; A0]. The scale stays, so alpha grows with the rank.
    """
    config = copy.deepcopy(cast(Any, model).peft_config["default"])
    tensors = {}
    for name, value in adapter_state(model).items():
        first = initial[name]
        tensors[name] = torch.cat([value, first]) if "lora_A" in name else torch.cat([value, -first], dim=1)
    grown = math.sqrt(2) if config.use_rslora else 2
    config.r, config.lora_alpha = 2 * config.r, grown * config.lora_alpha
    config.rank_pattern = {name: 2 * rank for name, rank in config.rank_pattern.items()}
    config.alpha_pattern = {name: grown * alpha for name, alpha in config.alpha_pattern.items()}
    config.init_lora_weights = True
    config.inference_mode = True
    config.save_pretrained(str(folder))
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _linear_layers(model: torch.nn.Module, groups: Collection[str] | None) -> list[str]:
    """Names of the linear layers of decoder layers (4-bit ones are linear layers too)."""
    found = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return [
        name for name in found if group_of(name + ".") != "head" and (groups is None or group_of(name + ".") in groups)
    ]


def has_experts(model: torch.nn.Module) -> bool:
    """Whether the model is a mixture whose experts can have adapters."""
    return any(name.endswith(_EXPERTS[0]) for name, _ in model.named_parameters())


def _check_experts(model: torch.nn.Module, settings: LoraSettings, section: str) -> None:
    if not has_experts(model):
        raise UserError("the model has no experts", where=f"{section}.experts", fix="leave 'experts' out")
    unknown = {"dora": settings.dora, "dropout": settings.dropout}
    for key, value in unknown.items():
        if value:  # a recipe says so itself, but for hybrid, whose groups may name experts that a model has not
            raise UserError(
                f"adapters on experts know no {key} (is {value})",
                where=f"{section}.{key}",
                fix="leave it out, or set groups.experts: frozen",
            )


def _chosen(
    layers: list[str], targets: tuple[str, ...] | str, where: str, problem: str = "the model has no linear layer"
) -> list[str]:
    if isinstance(targets, str):
        return layers
    chosen = []
    for target in targets:
        matched = [name for name in layers if _matches(name, target)]
        if not matched and not layers:
            raise UserError(
                f"'{target}' is to be a linear layer, but only the experts have adapters",
                where=where,
                fix="leave it out: it says nothing about experts",
            )
        if not matched:
            known = sorted({name.rsplit(".", 1)[-1] for name in layers})
            raise UserError(
                f"{problem} '{target}'",
                where=where,
                fix=f"{nearest(target, known)}; or a shell pattern over names like '{layers[0]}'",
            )
        chosen += matched
    return [name for name in layers if name in set(chosen)]


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}") or fnmatchcase(name, target)


def _shortest(chosen: list[str], layers: list[str]) -> list[str]:
    """Last parts of the names where these say the same: servers of adapters know no others."""
    parts = sorted({name.rsplit(".", 1)[-1] for name in chosen})
    return parts if {name for name in layers if name.rsplit(".", 1)[-1] in parts} == set(chosen) else chosen


def _own_rank(name: str, settings: LoraSettings) -> int | None:
    return next((rank for pattern, rank in settings.ranks.items() if _matches(name, pattern)), None)


def _same_scale(alpha: float, settings: LoraSettings, rank: int) -> float:
    """The alpha that gives another rank the scale of the recipe's own."""
    ratio = rank / settings.rank
    return alpha * (math.sqrt(ratio) if settings.rank_stabilized else ratio)
