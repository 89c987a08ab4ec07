"""Activation checkpointing: inner states are computed again in the backward pass in place of being kept."""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from danlu.models.heads import inner_model
from danlu.models.started import StartedModel
from danlu.recipe.errors import UserError

_PRODUCTS = {
    torch.ops.aten.mm.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
}
"""What is dear to compute again: all else is cheap for the memory that it takes."""

_FOUR_BIT_PRODUCT = "bitsandbytes.gemm_4bit.default"
"""The same of QLoRA's base, known by name: the library may not be there."""


def set_checkpointing(model: Any, mode: Literal["off", "selective", "full"]) -> None:
    """Switch activation checkpointing of decoder layers on or off.

    Raises:
        UserError: the model starts with learned positions, which go through the layers' cache.
    """
    inner = inner_model(model)
    if mode == "off":
        return
    if isinstance(model, StartedModel):
        raise UserError(
            "prefix and prompt tuning cannot compute inner states again: their positions are in the layers' cache",
            where="train.checkpointing",
            fix="set train.checkpointing: off, and train.batch.micro_tokens lower",
        )
    settings: dict[str, Any] = {"use_reentrant": False}
    if mode == "selective":
        settings["context_fn"] = functools.partial(create_selective_checkpoint_contexts, _policy)
    # transformers renamed it in 5.2x
    enable = getattr(inner, "activation_checkpointing_enable", None) or inner.gradient_checkpointing_enable
    enable(settings)
    # Only re-entrant checkpointing wants gradients of the embeddings' output; ours is not, and the hook that asks for
    # them costs a pass through the first layer and sends danlu's decoder away
    inner.disable_input_require_grads()


def _policy(context: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    dear = operator in _PRODUCTS or str(operator) == _FOUR_BIT_PRODUCT
    return CheckpointPolicy.MUST_SAVE if dear else CheckpointPolicy.PREFER_RECOMPUTE
