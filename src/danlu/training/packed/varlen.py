"""Attention of all sequences of a micro-batch in one call of torch's kernel for sequences of varying length.

Legend: T tokens of all sequences, H query heads, G key-value heads, E size of a head, S sequences.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Spans:
    """Where sequences lie; made once a micro-batch, so that no layer waits for the GPU.

    Attributes:
        starts: [S + 1] int32 on the device: first token of each, and T.
        longest: tokens of the longest.
    """

    starts: torch.Tensor
    longest: int


def varlen_attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, spans: Spans, scale: float
) -> torch.Tensor:
    """[T, H, E], [T, G, E] twice -> [T, H, E]: causal inside each sequence."""
    kernel: Callable[..., Any] = importlib.import_module("torch.nn.attention.varlen").varlen_attn
    known = _parameters(kernel)
    if "scale" not in known:  # it then takes one over the root of E
        queries = queries * (scale * queries.shape[-1] ** 0.5)
    if "enable_gqa" not in known:
        shared = queries.shape[1] // keys.shape[1]
        keys, values = (states.repeat_interleave(shared, 1) for states in (keys, values))
    offered: dict[str, Any] = {"scale": scale, "enable_gqa": True}
    offered |= {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    given = {name: value for name, value in offered.items() if name in known or name == "is_causal"}
    found: torch.Tensor = kernel(
        queries, keys, values, spans.starts, spans.starts, spans.longest, spans.longest, **given
    )
    return found


@functools.cache
def _parameters(kernel: Callable[..., Any]) -> frozenset[str]:
    """What it can be told: torch has renamed and added some of it from 2.10 to 2.13."""
    return frozenset(inspect.signature(kernel).parameters)
