"""Linear layers that read the same states, frozen or training, with adapters or without, as one differentiable step.

y_i = x W_i^T + b_i + s_i (x A_i^T) B_i^T, side by side in one tensor. PEFT and torch compute the same in many small
steps; here each product has the shape in which a CPU's matrix library is fast: a product that is eight columns wide
runs five times faster as one that is eight rows high.

Legend: T tokens, D width of the states, O width of an output, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from danlu.training.packed.functions import Norm
from danlu.training.packed.preludes import Gated, Normed, Nothing, Prelude
from danlu.training.packed.products import by_onednn, narrow_product, product, product_plus


@dataclass(frozen=True)
class Linear:
    """One linear layer.

    Attributes:
        weight: [O, D].
        bias: [O], or None.
        down: A [R, D] of an adapter, or None.
        up: B [O, R] of it.
        scale: s.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    scale: float = 1.0


def project(
    states: torch.Tensor,
    layers: Sequence[Linear],
    residual: torch.Tensor | None = None,
    norm: Norm | None = None,
) -> torch.Tensor:
    """[T, D] -> [T, sum of O]: the layers' outputs side by side, added to `residual` where one is given.

    Args:
        states: what the layers multiply, or what `norm` is applied to before.
        layers: all read the same.
        residual: [T, sum of O].
        norm: before the layers; its output is made again in the backward pass.
    """
    (found,) = _run(*_normed(states, norm), layers, residual, apart=False)
    return found


def project_apart(states: torch.Tensor, layers: Sequence[Linear], norm: Norm | None = None) -> tuple[torch.Tensor, ...]:
    """As `project`, with an output [T, O] for each layer: saves a pass over memory where they are read one by one."""
    return _run(*_normed(states, norm), layers, None, apart=True)


def project_gated(gate: torch.Tensor, up: torch.Tensor, layer: Linear, residual: torch.Tensor) -> torch.Tensor:
    """[T, I] twice -> [T, O]: silu(gate) * up through the layer; the product is made again in the backward pass."""
    (found,) = _run(Gated(), (gate, up), [layer], residual, apart=False)
    return found


def _normed(states: torch.Tensor, norm: Norm | None) -> tuple[Prelude, tuple[torch.Tensor, ...]]:
    return (Nothing(), (states,)) if norm is None else (Normed(norm.epsilon), (states, norm.weight))


def _run(
    prelude: Prelude,
    sources: tuple[torch.Tensor, ...],
    layers: Sequence[Linear],
    residual: torch.Tensor | None,
    apart: bool,
) -> tuple[torch.Tensor, ...]:
    flat = [tensor for layer in layers for tensor in (layer.weight, layer.bias, layer.down, layer.up)]
    form = _Form(prelude, len(sources), tuple(layer.scale for layer in layers), apart)
    found: tuple[torch.Tensor, ...] = _Project.apply(form, residual, *sources, *flat)  # type: ignore[no-untyped-call]
    return found


@dataclass(frozen=True)
class _Form:
    """What of a call is no tensor.

    Attributes:
        prelude: before the layers.
        sources: tensors that it reads.
        scales: s of each layer.
        apart: whether outputs are apart or side by side.
    """

    prelude: Prelude
    sources: int
    scales: tuple[float, ...]
    apart: bool


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, form: _Form, residual: torch.Tensor | None, *tensors: torch.Tensor | None
    ) -> tuple[torch.Tensor, ...]:
        sources, flat = _split(form, tensors)
        states = form.prelude.forward(sources)
        layers = _layers(flat, form.scales, states.dtype)
        downs = [layer.down for layer in layers if layer.down is not None]
        inner = narrow_product(states, torch.cat(downs).t(), "rows") if downs else None  # [T, sum of R]
        whole: torch.Tensor | None = None
        if not form.apart and len(layers) > 1:
            whole = states.new_empty(states.shape[0], sum(layer.weight.shape[0] for layer in layers))
        outs, start, rank = [], 0, 0
        for layer in layers:
            into = None if whole is None else whole[:, start : start + layer.weight.shape[0]]
            part = _first(states, layer, residual, into)
            if layer.down is not None and layer.up is not None and inner is not None:
                width = layer.down.shape[0]
                part.addmm_(inner[:, rank : rank + width], layer.up.t(), alpha=layer.scale)
                rank += width
            outs.append(part)
            start += layer.weight.shape[0]
        ctx.save_for_backward(inner, *tensors)
        ctx.form = form
        return tuple(outs) if whole is None else (whole,)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        form: _Form = ctx.form
        inner, *tensors = ctx.saved_tensors
        sources, flat = _split(form, tensors)
        states, beside = form.prelude.again(sources)
        to_residual, to_sources, to_flat = (
            ctx.needs_input_grad[1],
            ctx.needs_input_grad[2 : 2 + form.sources],
            ctx.needs_input_grad[2 + form.sources :],
        )
        layers = _layers(flat, form.scales, states.dtype)
        found: list[torch.Tensor | None] = [None] * len(flat)
        back: torch.Tensor | None = None
        inners: list[torch.Tensor] = []  # [R, T] each: s B^T dy^T
        start = rank = 0
        for index, layer in enumerate(layers):
            part = grads[index] if form.apart else grads[0][:, start : start + layer.weight.shape[0]]
            at, want = 4 * index, to_flat[4 * index : 4 * index + 4]
            if any(to_sources):
                back = product(part, layer.weight) if back is None else product_plus(part, layer.weight, back)
            if want[0]:
                found[at] = product(part.t(), states)
            if want[1]:
                found[at + 1] = part.sum(0)
            if layer.down is not None and layer.up is not None:
                width = layer.down.shape[0]
                inners.append(narrow_product(layer.up.t(), part.t(), "columns").mul_(layer.scale))
                if want[3]:
                    up = narrow_product(inner[:, rank : rank + width].t(), part, "inner").mul_(layer.scale)
                    found[at + 3] = up.t().contiguous()
                rank += width
            start += layer.weight.shape[0]
        if inners:
            back = _through_adapters(layers, torch.cat(inners), states, back, found)
        del states
        before: list[torch.Tensor | None] = [None] * form.sources
        if back is not None:
            before = form.prelude.backward(back, sources, beside, to_sources[-1])
        given = [None if g is None or f is None else g.to(f.dtype) for g, f in zip(found, flat, strict=True)]
        return (None, grads[0] if to_residual else None, *before, *given)


def _split(
    form: _Form, tensors: Sequence[torch.Tensor | None]
) -> tuple[list[torch.Tensor], Sequence[torch.Tensor | None]]:
    """(sources, what the layers hold)."""
    return [tensor for tensor in tensors[: form.sources] if tensor is not None], tensors[form.sources :]


def _first(
    states: torch.Tensor, layer: Linear, residual: torch.Tensor | None, into: torch.Tensor | None
) -> torch.Tensor:
    """x W^T with what is added to it, into `into` where it is given."""
    right = layer.weight.t()
    if residual is not None:
        out = product_plus(states, right, residual)
    elif into is None or by_onednn(states, right):
        out = product(states, right)
    else:
        return _with_bias(torch.mm(states, right, out=into), layer)
    return _with_bias(out if into is None else into.copy_(out), layer)


def _with_bias(out: torch.Tensor, layer: Linear) -> torch.Tensor:
    return out if layer.bias is None else out.add_(layer.bias)


def _through_adapters(
    layers: Sequence[Linear],
    inners: torch.Tensor,
    states: torch.Tensor,
    back: torch.Tensor | None,
    found: list[torch.Tensor | None],
) -> torch.Tensor | None:
    """Gradients of all A at once into `found`, and what flows on through them to the states."""
    downs = torch.cat([layer.down for layer in layers if layer.down is not None])
    grads = narrow_product(inners, states, "inner")  # [sum of R, D]
    rank = 0
    for index, layer in enumerate(layers):
        if layer.down is not None:
            found[4 * index + 2] = grads[rank : rank + layer.down.shape[0]]
            rank += layer.down.shape[0]
    return None if back is None else back.addmm_(inners.t(), downs)


def _layers(flat: Sequence[torch.Tensor | None], scales: Sequence[float], dtype: torch.dtype) -> list[Linear]:
    """The layers behind the flat list, in the number format that is computed in."""
    held = [None if tensor is None else tensor.to(dtype) for tensor in flat]
    made = []
    for index, scale in enumerate(scales):
        weight, bias, down, up = held[4 * index : 4 * index + 4]
        assert weight is not None
        made.append(Linear(weight, bias, down, up, scale))
    return made
