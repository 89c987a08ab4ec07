"""The two halves of a decoder layer around attention, in plain operations for torch.compile to fuse.

Attention stays outside: it is one kernel already, and its lengths would be compiled into the code. Tensors come in as
arguments, not as modules, so one compiled function serves all layers of a model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import linear, silu

from danlu.training.packed.attention import Rotary, turned_heads
from danlu.training.packed.functions import wide
from danlu.training.packed.linear import Linear
from danlu.training.packed.parts import Parts

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Halves:
    """Before attention: states to queries, keys and values. Behind it: what it found and the states, to states."""

    opening: Callable[[torch.Tensor, Parts, Rotary], Heads]
    closing: Callable[[torch.Tensor, torch.Tensor, Parts], torch.Tensor]


@functools.cache
def halves(backend: str | Callable[..., Any] = "inductor") -> Halves:
    """Compiled for any number of tokens."""
    return Halves(
        torch.compile(opening, dynamic=True, backend=backend), torch.compile(closing, dynamic=True, backend=backend)
    )


def opening(states: torch.Tensor, parts: Parts, rotary: Rotary) -> Heads:
    """[T, D] -> queries [T, H, E], keys and values [T, G, E]."""
    joined = _side_by_side(rms_norm(states, parts.before.weight, parts.before.epsilon), parts.joined)
    return turned_heads(joined, parts.heads, rotary, parts.shape, rms_norm)


def closing(found: torch.Tensor, states: torch.Tensor, parts: Parts) -> torch.Tensor:
    """[T, H E] and [T, D] -> [T, D]."""
    states = states + _project(found, parts.out)
    between = rms_norm(states, parts.after.weight, parts.after.epsilon)
    gate, up = (_project(between, layer) for layer in parts.pair)
    return states + _project(silu(gate) * up, parts.down)


def rms_norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """As `functions.rms_norm`, its backward pass left to autograd."""
    broad = states.to(wide(states.dtype))
    inverse = (broad.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return (broad * inverse).to(states.dtype) * weight.to(states.dtype)


def _project(states: torch.Tensor, layer: Linear) -> torch.Tensor:
    dtype = states.dtype
    out = linear(states, layer.weight.to(dtype), None if layer.bias is None else layer.bias.to(dtype))
    if layer.down is None or layer.up is None:
        return out
    return out + linear(linear(states, layer.down.to(dtype)), layer.up.to(dtype)) * layer.scale


def _side_by_side(states: torch.Tensor, layers: Sequence[Linear]) -> torch.Tensor:
    return torch.cat([_project(states, layer) for layer in layers], 1)
