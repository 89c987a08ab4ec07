"""The tensors and numbers of one decoder layer, read from transformers' and PEFT's modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from danlu.training.packed.attention import Shape
from danlu.training.packed.functions import Norm
from danlu.training.packed.linear import Linear


@dataclass(frozen=True)
class Parts:
    """One decoder layer.

    Attributes:
        before, after: the norms before attention and before the MLP.
        joined: the projections to queries, keys and values.
        heads: weights of the norms of queries and keys (Qwen3), or None.
        shape: of attention.
        out: the projection behind attention.
        pair, down: of the MLP: gate and up, and the way back.
    """

    before: Norm
    after: Norm
    joined: tuple[Linear, Linear, Linear]
    heads: tuple[torch.Tensor, torch.Tensor] | None
    shape: Shape
    out: Linear
    pair: tuple[Linear, Linear]
    down: Linear


def parts_of(layer: Any) -> Parts:
    """What one of the layers that `can_pack` accepts is made of."""
    attention, mlp = layer.self_attn, layer.mlp
    heads, epsilon = None, 0.0
    if hasattr(attention, "q_norm"):
        heads, epsilon = (attention.q_norm.weight, attention.k_norm.weight), attention.q_norm.variance_epsilon
    joined = (read(attention.q_proj), read(attention.k_proj), read(attention.v_proj))
    size = attention.head_dim
    count, groups = (layer.weight.shape[0] // size for layer in joined[:2])
    return Parts(
        before=_norm(layer.input_layernorm),
        after=_norm(layer.post_attention_layernorm),
        joined=joined,
        heads=heads,
        shape=Shape(count, groups, size, attention.scaling, epsilon),
        out=read(attention.o_proj),
        pair=(read(mlp.gate_proj), read(mlp.up_proj)),
        down=read(mlp.down_proj),
    )


def _norm(module: Any) -> Norm:
    return Norm(module.weight, module.variance_epsilon)


def read(module: Any) -> Linear:
    """A linear layer, PEFT's adapter around it or not."""
    base = getattr(module, "base_layer", module)
    if base is module or module.disable_adapters:
        return Linear(base.weight, base.bias)
    (name,) = module.active_adapters
    down, up = module.lora_A[name].weight, module.lora_B[name].weight
    return Linear(base.weight, base.bias, down, up, float(module.scaling[name]))
