"""Norms with a backward pass written out: few passes over memory, little kept. D: width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

NormFunction = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""States [..., D], weight [D] and epsilon -> [..., D]."""


@dataclass(frozen=True)
class Norm:
    """A root-mean-square norm: weight and what is added under the root."""

    weight: torch.Tensor
    epsilon: float


def rms_norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """[..., D]: each vector divided by its root mean square, times the weight (Zhang and Sennrich, 2019)."""
    found: torch.Tensor = _RmsNorm.apply(states, weight, epsilon)  # type: ignore[no-untyped-call]
    return found


def inverse_rms(states: torch.Tensor, epsilon: float) -> torch.Tensor:
    """[..., 1] in fp32 at least: one over the root mean square, `epsilon` under the root."""
    length = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=wide(states.dtype))
    return length.square_().div_(states.shape[-1]).add_(epsilon).rsqrt_()


def wide(dtype: torch.dtype) -> torch.dtype:
    """The format in which norms are computed: fp32, or the states' own where that is wider."""
    return torch.promote_types(dtype, torch.float32)


def norm_backward(
    grad: torch.Tensor, states: torch.Tensor, inverse: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(gradient of the states, states over their root mean square) for y = weight * states * inverse.

    With h = states * inverse and g = grad * weight: inverse * (g - h * mean(g * h)).
    """
    unit = states * inverse
    inner = grad * weight
    shared = (inner * unit).sum(-1, keepdim=True).div_(states.shape[-1])
    return inner.addcmul_(unit, shared, value=-1).mul_(inverse), unit


def normed(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(what `rms_norm` gives, one over the root mean square)."""
    inverse = inverse_rms(states, epsilon)
    return (states * inverse).to(states.dtype).mul_(weight.to(states.dtype)), inverse


def through_norm(
    grad: torch.Tensor, states: torch.Tensor, inverse: torch.Tensor, weight: torch.Tensor, trains: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Gradients of the states and, where it trains, of the weight, from that of what `normed` gave."""
    kind = inverse.dtype
    grad = grad.to(kind)
    back, unit = norm_backward(grad, states.to(kind), inverse, weight.to(kind))
    own = unit.mul_(grad).reshape(-1, weight.shape[0]).sum(0).to(weight.dtype) if trains else None
    return back.to(states.dtype), own


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        found, inverse = normed(states, weight, epsilon)
        ctx.save_for_backward(states, inverse, weight)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        states, inverse, weight = ctx.saved_tensors
        return (*through_norm(grads[0], states, inverse, weight, ctx.needs_input_grad[1]), None)
