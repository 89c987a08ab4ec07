"""Reads a transformers model as the few numbers and tensors that the packed decoder computes with, where it can."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from danlu.recipe.choices import optional
from danlu.training.packed.attention import Rotary, attend, by_sequence, turned_heads
from danlu.training.packed.compiled import Heads, halves
from danlu.training.packed.functions import NormFunction, rms_norm
from danlu.training.packed.linear import project, project_apart, project_gated
from danlu.training.packed.parts import Parts, parts_of
from danlu.training.packed.products import FILLED
from danlu.training.packed.varlen import Spans, varlen_attention
from danlu.training.packed.ways import PLAIN, Ways

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
        picked: [N or more] where states are wanted; what is behind N fills up.
        wanted: N.
        spans: the lengths again, as a kernel for all sequences reads them.
    """

    input_ids: torch.Tensor
    times: torch.Tensor
    lengths: tuple[int, ...]
    picked: torch.Tensor
    wanted: int
    spans: Spans


def packed_states(decoder: Any, packed: Packed, dtype: torch.dtype, ways: Ways = PLAIN) -> torch.Tensor:
    """[N, D]: what the decoder's last norm gives at the picked positions, computed in `dtype`.

    `decoder` must be one that `can_pack` accepts.
    """
    functions = _functions(ways)
    once = _computed_again if _computes_again(decoder) else _computed
    with torch.autocast(packed.input_ids.device.type, enabled=False):
        table = decoder.embed_tokens
        states = torch.nn.functional.embedding(packed.input_ids, table.weight, table.padding_idx).to(dtype)
        rotary = Rotary(*(table[0] for table in decoder.rotary_emb(states, packed.times[None])))
        for layer in decoder.layers[:-1]:
            states = once(_layer, states, parts_of(layer), rotary, packed, ways)
        states = once(_last_layer, states, parts_of(decoder.layers[-1]), rotary, packed, ways)
        return functions.rms_norm(states, decoder.norm.weight, decoder.norm.variance_epsilon)


def _layer(states: torch.Tensor, parts: Parts, rotary: Rotary, packed: Packed, ways: Ways) -> torch.Tensor:
    """[T, D] -> [T, D]."""
    return _functions(ways).closing(_attended(parts, states, rotary, packed, ways), states, parts)


def _last_layer(states: torch.Tensor, parts: Parts, rotary: Rotary, packed: Packed, ways: Ways) -> torch.Tensor:
    """[T, D] -> [N, D]: behind the last attention only the picked tokens matter."""
    found = _attended(parts, states, rotary, packed, ways)
    found, states = found.index_select(0, packed.picked), states.index_select(0, packed.picked)
    return _functions(ways).closing(found, states, parts)[: packed.wanted]


def _computed(layer: Callable[..., torch.Tensor], *given: Any) -> torch.Tensor:
    return layer(*given)


def _computed_again(layer: Callable[..., torch.Tensor], *given: Any) -> torch.Tensor:
    """Keeps what the layer is given and computes the rest again in the backward pass; no random numbers are drawn."""
    found: torch.Tensor = checkpoint(layer, *given, use_reentrant=False, preserve_rng_state=False)
    return found


def _computes_again(decoder: Any) -> bool:
    """Whether whole layers are to be computed again in the backward pass."""
    return bool(decoder.training and decoder.gradient_checkpointing and torch.is_grad_enabled())


def _attended(parts: Parts, states: torch.Tensor, rotary: Rotary, packed: Packed, ways: Ways) -> torch.Tensor:
    """[T, D] -> [T, H E]: what attention finds."""
    if ways == PLAIN:
        joined = project(states, parts.joined, norm=parts.before)
        return attend(joined, parts.heads, rotary, packed.lengths, parts.shape)
    queries, keys, values = _functions(ways).opening(states, parts, rotary)
    if ways.attention == "varlen":
        return varlen_attention(queries, keys, values, packed.spans, parts.shape.scale).flatten(1)
    return by_sequence(queries, keys, values, packed.lengths, parts.shape.scale)


class _Functions:
    """The steps of a layer around attention, of torch's operations."""

    rms_norm: NormFunction = staticmethod(rms_norm)

    def opening(self, states: torch.Tensor, parts: Parts, rotary: Rotary) -> Heads:
        """[T, D] -> queries, keys and values."""
        return turned_heads(project(states, parts.joined, norm=parts.before), parts.heads, rotary, parts.shape)

    def closing(self, found: torch.Tensor, states: torch.Tensor, parts: Parts) -> torch.Tensor:
        """What attention found and the states -> the layer's output."""
        states = project(found, [parts.out], states)
        gate, up = project_apart(states, parts.pair, norm=parts.after)
        return project_gated(gate, up, parts.down, states)


class _Kernels(_Functions):
    """The same, of danlu's kernels for GPUs."""

    def __init__(self) -> None:
        optional("triton", "gpu")
        self._kernels = importlib.import_module("danlu.training.packed.kernels")
        self.rms_norm = self._kernels.rms_norm

    def opening(self, states: torch.Tensor, parts: Parts, rotary: Rotary) -> Heads:
        before = self.rms_norm(states, parts.before.weight, parts.before.epsilon)
        heads: Heads = self._kernels.turned_heads(project(before, parts.joined), parts.heads, rotary, parts.shape)
        return heads

    def closing(self, found: torch.Tensor, states: torch.Tensor, parts: Parts) -> torch.Tensor:
        states = project(found, [parts.out], states)
        between = self.rms_norm(states, parts.after.weight, parts.after.epsilon)
        return project(self._kernels.swiglu(project(between, parts.pair)), [parts.down], states)


class _Compiled(_Functions):
    """The same, each half compiled."""

    def __init__(self) -> None:
        self._halves = halves()

    def opening(self, states: torch.Tensor, parts: Parts, rotary: Rotary) -> Heads:
        return self._halves.opening(states, parts, rotary)

    def closing(self, found: torch.Tensor, states: torch.Tensor, parts: Parts) -> torch.Tensor:
        return self._halves.closing(found, states, parts)


@functools.cache
def _functions(ways: Ways) -> _Functions:
    if ways.compile:
        return _Compiled()
    return _Kernels() if ways.kernels == "triton" else _Functions()


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
        and not (training and (config.attention_dropout or _keeps_some(decoder)))
    )
    return plain and all(_known(module, training) for module in decoder.modules())


def widens(decoder: Any, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether frozen matrices may stay in a narrower format than `dtype`: on a CPU in fp32, by this decoder only.

    It halves what the weights of decoder layers take. On a GPU whose memory counts nobody trains in fp32.
    """
    return device.type == "cpu" and dtype == torch.float32 and can_pack(decoder, training=True)


def _keeps_some(decoder: Any) -> bool:
    """Whether computing again is told to keep some results, which only transformers' layers do so."""
    how = getattr(decoder, "_gradient_checkpointing_func", None)
    return bool(decoder.gradient_checkpointing and "context_fn" in getattr(how, "keywords", {}))


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

    On a CPU a sequence of its own, which nothing depends on, fills the tokens up to a multiple of `FILLED`, and the
    wanted positions are filled up too: oneDNN makes a kernel for every number of rows that it meets, and each takes
    milliseconds and half a megabyte.

    Args:
        input_ids: padded on the right.
        lengths: of the rows.
        positions: flat indices (row * T + time) of the states that are wanted.
    """
    width, device = input_ids.shape[1], input_ids.device
    times = [torch.arange(length, device=device) for length in lengths]
    flat = torch.cat([time + row * width for row, time in enumerate(times)])
    filling = -len(flat) % FILLED if device.type == "cpu" else 0
    where = torch.empty(input_ids.numel(), dtype=torch.long, device=device)
    where[flat] = torch.arange(len(flat), device=device)
    if filling:
        lengths = (*lengths, filling)
        times.append(torch.arange(filling, device=device))
        flat = torch.cat([flat, flat[:1].expand(filling)])
    starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32).to(device, non_blocking=True)
    spans = Spans(starts, max(lengths))
    picked, wanted = where[positions], len(positions)
    if device.type == "cpu" and wanted:
        picked = torch.cat([picked, picked[:1].expand(-wanted % FILLED)])
    return Packed(input_ids.reshape(-1)[flat], torch.cat(times), tuple(lengths), picked, wanted, spans)
