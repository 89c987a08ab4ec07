"""Reads a transformers model as the few numbers and tensors that the packed decoder computes with, where it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from danlu.training.packed.attention import Rotary, Shape, attend
from danlu.training.packed.functions import rms_norm, swiglu
from danlu.training.packed.linear import Linear, project

# T tokens of all sequences, D hidden, N picked positions

_MODELS = ("Qwen3Model", "Qwen2Model", "LlamaModel")
_TORCH_PARTS = {
    torch.nn.Linear,
    torch.nn.Embedding,
    torch.nn.SiLU,
    torch.nn.Identity,
    torch.nn.Dropout,
    torch.nn.ModuleList,
    torch.nn.ModuleDict,
    torch.nn.ParameterDict,
}
"""Dropout is PEFT's, and looked at where it is used."""
_OTHER_PARTS = {"SiLUActivation", "BufferDict"}
_STATIC_ROPE = {"default", "linear", "llama3", "yarn"}


@dataclass(frozen=True)
class Packed:
    """Sequences laid end to end.

    Attributes:
        input_ids: [T].
        times: [T] position of each token in its sequence.
        lengths: of the sequences.
        picked: [N] where states are wanted.
    """

    input_ids: torch.Tensor
    times: torch.Tensor
    lengths: tuple[int, ...]
    picked: torch.Tensor


def packed_states(decoder: Any, packed: Packed, dtype: torch.dtype) -> torch.Tensor:
    """[N, D]: what the decoder's last norm gives at the picked positions, computed in `dtype`.

    `decoder` must be one that `can_pack` accepts.
    """
    with torch.autocast(packed.input_ids.device.type, enabled=False):
        table = decoder.embed_tokens
        states = torch.nn.functional.embedding(packed.input_ids, table.weight, table.padding_idx).to(dtype)
        rotary = Rotary(*(table[0] for table in decoder.rotary_emb(states, packed.times[None])))
        last = len(decoder.layers) - 1
        for number, layer in enumerate(decoder.layers):
            states = _layer(layer, states, rotary, packed, packed.picked if number == last else None)
        return rms_norm(states, decoder.norm.weight, decoder.norm.variance_epsilon)


def _layer(
    layer: Any, states: torch.Tensor, rotary: Rotary, packed: Packed, picked: torch.Tensor | None
) -> torch.Tensor:
    """One decoder layer. Behind the last attention only the picked tokens matter."""
    attention, mlp = layer.self_attn, layer.mlp
    before = rms_norm(states, layer.input_layernorm.weight, layer.input_layernorm.variance_epsilon)
    joined = project(before, [read(getattr(attention, name)) for name in ("q_proj", "k_proj", "v_proj")])
    norms, epsilon = None, 0.0
    if hasattr(attention, "q_norm"):
        norms, epsilon = (attention.q_norm.weight, attention.k_norm.weight), attention.q_norm.variance_epsilon
    size = attention.head_dim
    groups = joined.shape[1] // size // (attention.num_key_value_groups + 2)
    shape = Shape(groups * attention.num_key_value_groups, groups, size, attention.scaling, epsilon)
    found = attend(joined, norms, rotary, packed.lengths, shape)
    if picked is not None:
        found, states = found.index_select(0, picked), states.index_select(0, picked)
    states = project(found, [read(attention.o_proj)], states)
    after = layer.post_attention_layernorm
    between = rms_norm(states, after.weight, after.variance_epsilon)
    inner = swiglu(project(between, [read(mlp.gate_proj), read(mlp.up_proj)]))
    return project(inner, [read(mlp.down_proj)], states)


def read(module: Any) -> Linear:
    """A linear layer, PEFT's adapter around it or not."""
    base = getattr(module, "base_layer", module)
    if base is module or module.disable_adapters:
        return Linear(base.weight, base.bias)
    (name,) = module.active_adapters
    down, up = module.lora_A[name].weight, module.lora_B[name].weight
    return Linear(base.weight, base.bias, down, up, float(module.scaling[name]))


def can_pack(decoder: Any, training: bool) -> bool:
    """Whether the packed decoder computes what this one does: known parts only, and nothing hooked in between."""
    if type(decoder).__name__ not in _MODELS or not type(decoder).__module__.startswith("transformers.models."):
        return False
    config = decoder.config
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    plain = (
        config.hidden_act == "silu"
        and rope in _STATIC_ROPE
        and set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
        and not (training and (config.attention_dropout or decoder.gradient_checkpointing))
    )
    return plain and all(_known(module, training) for module in decoder.modules())


def _known(module: Any, training: bool) -> bool:
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
        return False
    if "forward" in vars(module):  # replaced on the instance
        return False
    if hasattr(module, "lora_A"):
        return _plain_lora(module, training)
    kind = type(module)
    return kind in _TORCH_PARTS or kind.__module__.startswith("transformers.models.") or kind.__name__ in _OTHER_PARTS


def _plain_lora(module: Any, training: bool) -> bool:
    """PEFT's LoRA on a linear layer, one adapter, without what this decoder does not know (DoRA, dropout ...)."""
    from peft.tuners.lora.layer import Linear as LoraLinear

    if type(module) is not LoraLinear or type(module.base_layer) is not torch.nn.Linear:
        return False
    if module.disable_adapters:
        return True
    names = module.active_adapters
    return (
        len(names) == 1
        and not module.merged
        and not module.lora_variant
        and names[0] in module.lora_A
        and module.lora_B[names[0]].bias is None
        and not module.fan_in_fan_out
        and (not training or not getattr(module.lora_dropout[names[0]], "p", 0))
    )


def lay_end_to_end(input_ids: torch.Tensor, lengths: Sequence[int], positions: torch.Tensor) -> Packed:
    """A padded batch [B, T] without its padding.

    Args:
        input_ids: padded on the right.
        lengths: of the rows.
        positions: flat indices (row * T + time) of the states that are wanted.
    """
    width, device = input_ids.shape[1], input_ids.device
    times = [torch.arange(length, device=device) for length in lengths]
    flat = torch.cat([time + row * width for row, time in enumerate(times)])
    where = torch.empty(input_ids.numel(), dtype=torch.long, device=device)
    where[flat] = torch.arange(len(flat), device=device)
    return Packed(input_ids.reshape(-1)[flat], torch.cat(times), tuple(lengths), where[positions])
