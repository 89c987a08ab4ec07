"""Triton kernels of norms, gated activation and rotary positions: one pass over memory each. Imported late.

They compute what `functions` and `attention` compute with torch, rounded at the same places where states are bf16 or
fp16; sums are in fp32. Every program holds whole vectors (or blocks of them) that are filled up to a power of two under
a mask. Offsets are 64 bits wide: a large micro-batch has more than two billion numbers.

Legend: T tokens, D width, I inner width of the MLP, H heads, E size of a head, P programs.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
import triton
import triton.language as tl

from danlu.training.packed.attention import Rotary, Shape

_PROGRAMS = 1024
"""Most programs that add up the gradient of a weight, each over its share of the rows: several for each processor."""
_COLUMNS = 1024
"""Columns of the activation in one program."""


def rms_norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """[T, D]: as `functions.rms_norm`."""
    found: torch.Tensor = _RmsNorm.apply(states, weight, epsilon)  # type: ignore[no-untyped-call]
    return found


def swiglu(pair: torch.Tensor) -> torch.Tensor:
    """[T, 2 I] -> [T, I]: as `functions.swiglu`."""
    found: torch.Tensor = _SwiGlu.apply(pair)  # type: ignore[no-untyped-call]
    return found


def turned_heads(
    joined: torch.Tensor, norms: tuple[torch.Tensor, torch.Tensor] | None, rotary: Rotary, shape: Shape
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[T, (H + 2 G) E] -> queries, keys, values: as `attention.turned_heads`."""
    query, key = norms if norms is not None else (None, None)
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = _Turned.apply(joined, query, key, rotary, shape)  # type: ignore[no-untyped-call]
    return found


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        states, (rows, width) = _inner_contiguous(states), states.shape
        out = torch.empty(rows, width, dtype=states.dtype, device=states.device)
        inverse = torch.empty(rows, dtype=torch.float32, device=states.device)
        block = triton.next_power_of_2(width)
        with _on(states):
            _norm_forward[(rows,)](
                states, states.stride(0), weight, out, out.stride(0), inverse, width, epsilon,
                BLOCK=block, num_warps=_warps(block),
            )  # fmt: skip
        ctx.save_for_backward(states, weight, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        states, weight, inverse = ctx.saved_tensors
        grad, (rows, width), trains = _inner_contiguous(grads[0]), states.shape, ctx.needs_input_grad[1]
        back = torch.empty(rows, width, dtype=states.dtype, device=states.device)
        programs = min(rows, _PROGRAMS) if trains else rows
        shares = torch.empty(programs if trains else 1, width, dtype=torch.float32, device=states.device)
        block = triton.next_power_of_2(width)
        with _on(states):
            _norm_backward[(programs,)](
                grad, grad.stride(0), states, states.stride(0), weight, inverse, back, back.stride(0), shares,
                rows, width, TRAINS=trains, BLOCK=block, num_warps=_warps(block),
            )  # fmt: skip
        return back, shares.sum(0).to(weight.dtype) if trains else None, None


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pair: torch.Tensor) -> torch.Tensor:
        pair, (rows, width) = _inner_contiguous(pair), (pair.shape[0], pair.shape[1] // 2)
        out = torch.empty(rows, width, dtype=pair.dtype, device=pair.device)
        with _on(pair):
            _gate_forward[(rows, triton.cdiv(width, _COLUMNS))](
                pair, pair.stride(0), out, out.stride(0), width, BLOCK=_COLUMNS
            )
        ctx.save_for_backward(pair)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (pair,) = ctx.saved_tensors
        grad, (rows, width) = _inner_contiguous(grads[0]), (pair.shape[0], pair.shape[1] // 2)
        back = torch.empty(pair.shape, dtype=pair.dtype, device=pair.device)
        with _on(pair):
            _gate_backward[(rows, triton.cdiv(width, _COLUMNS))](
                grad, grad.stride(0), pair, pair.stride(0), back, back.stride(0), width, BLOCK=_COLUMNS
            )
        return back


class _Turned(torch.autograd.Function):
    """Values are copied out of the joined tensor, so that its gradient is written once, in one piece."""

    @staticmethod
    def forward(
        ctx: Any,
        joined: torch.Tensor,
        query_norm: torch.Tensor | None,
        key_norm: torch.Tensor | None,
        rotary: Rotary,
        shape: Shape,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        heads = _inner_contiguous(joined).view(joined.shape[0], -1, shape.size)
        outs, inverses = [], []
        for part, weight in _parts(heads, query_norm, key_norm, shape):
            out = torch.empty(part.shape, dtype=part.dtype, device=part.device)
            inverse = torch.empty(part.shape[:2] if weight is not None else (1, 1), device=part.device)
            with _on(part):
                _turn_forward[(len(part),)](
                    part, part.stride(0), out, out.stride(0), _given(weight, part), rotary.cosine, rotary.sine,
                    rotary.cosine.stride(0), rotary.sine.stride(0), inverse, part.shape[1], shape.epsilon,
                    NORMED=weight is not None, **_tile(part),
                )  # fmt: skip
            outs.append(out)
            inverses.append(inverse)
        ctx.save_for_backward(joined, query_norm, key_norm, rotary.cosine, rotary.sine, *inverses)
        ctx.shape = shape
        return outs[0], outs[1], heads[:, shape.heads + shape.groups :].contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        joined, query_norm, key_norm, cosine, sine, *inverses = ctx.saved_tensors
        shape: Shape = ctx.shape
        heads = _inner_contiguous(joined).view(joined.shape[0], -1, shape.size)
        back = torch.empty(heads.shape, dtype=heads.dtype, device=heads.device)
        back[:, shape.heads + shape.groups :] = grads[2]
        own: list[torch.Tensor | None] = []
        sources = _parts(heads, query_norm, key_norm, shape)
        targets = _parts(back, query_norm, key_norm, shape)
        for index, ((part, weight), (target, _)) in enumerate(zip(sources, targets, strict=True)):
            trains, grad = bool(ctx.needs_input_grad[1 + index]), grads[index].contiguous()
            programs = min(len(part), _PROGRAMS) if trains else len(part)
            shares = torch.empty(programs if trains else 1, shape.size, dtype=torch.float32, device=part.device)
            with _on(part):
                _turn_backward[(programs,)](
                    grad, grad.stride(0), part, part.stride(0), target, target.stride(0), _given(weight, part),
                    cosine, sine, cosine.stride(0), sine.stride(0), inverses[index], shares, len(part), part.shape[1],
                    NORMED=weight is not None, TRAINS=trains, **_tile(part),
                )  # fmt: skip
            own.append(shares.sum(0).to(weight.dtype) if trains and weight is not None else None)
        return back.view(joined.shape), *own, None, None


def _parts(
    heads: torch.Tensor, query_norm: torch.Tensor | None, key_norm: torch.Tensor | None, shape: Shape
) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Queries and keys among all heads [T, H + 2 G, E], with the weights of their norms."""
    queries, keys, _ = heads.split([shape.heads, shape.groups, shape.groups], dim=1)  # type: ignore[no-untyped-call]
    return [(queries, query_norm), (keys, key_norm)]


def _given(weight: torch.Tensor | None, instead: torch.Tensor) -> torch.Tensor:
    """A pointer is wanted even where nothing is read through it."""
    return instead if weight is None else weight


def _tile(part: torch.Tensor) -> dict[str, int]:
    """Sizes of a program's tile over [heads, half of a head]."""
    heads, half = triton.next_power_of_2(part.shape[1]), triton.next_power_of_2(part.shape[2] // 2)
    return {"HALF": part.shape[2] // 2, "HEADS": heads, "BLOCK": half, "num_warps": _warps(heads * half)}


def _warps(numbers: int) -> int:
    """Groups of 32 threads for a program that holds so many numbers: eight numbers a thread, or more in large ones."""
    return min(max(triton.next_power_of_2(numbers) // 256, 1), 8)


def _inner_contiguous(states: torch.Tensor) -> torch.Tensor:
    """Rows may lie apart; within a row numbers lie side by side."""
    return states if states.stride(-1) == 1 else states.contiguous()


def _on(states: torch.Tensor) -> contextlib.AbstractContextManager[Any]:
    """Kernels start on the current device, which need not be the tensors'."""
    return torch.cuda.device(states.device) if states.is_cuda else contextlib.nullcontext()


@triton.jit
def _norm_forward(states, apart, weight, out, out_apart, inverse, width, epsilon, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    inside = place < width
    x = tl.load(states + row * apart + place, mask=inside, other=0.0).to(tl.float32)
    factor = 1 / tl.sqrt(tl.sum(x * x, 0) / width + epsilon)
    scale = tl.load(weight + place, mask=inside, other=0.0).to(out.dtype.element_ty).to(tl.float32)
    unit = (x * factor).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + row * out_apart + place, (unit * scale).to(out.dtype.element_ty), mask=inside)
    tl.store(inverse + row, factor)


@triton.jit
def _norm_backward(  # type: ignore[no-untyped-def]
    grads, grads_apart, states, apart, weight, inverse, back, back_apart, shares, rows, width,
    TRAINS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """inverse * (g w - h mean(g w h)) with h the normed states; with TRAINS a program adds up g h of its rows."""
    first = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    inside = place < width
    scale = tl.load(weight + place, mask=inside, other=0.0).to(tl.float32)
    share = tl.zeros([BLOCK], dtype=tl.float32)
    for row in range(first, rows, tl.num_programs(0)):
        x = tl.load(states + row * apart + place, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(grads + row * grads_apart + place, mask=inside, other=0.0).to(tl.float32)
        factor = tl.load(inverse + row)
        unit = x * factor
        inner = g * scale
        found = factor * (inner - unit * (tl.sum(inner * unit, 0) / width))
        tl.store(back + row * back_apart + place, found.to(back.dtype.element_ty), mask=inside)
        if TRAINS:
            share += g * unit
    if TRAINS:
        tl.store(shares + first * width + place, share, mask=inside)


@triton.jit
def _gate_forward(pair, apart, out, out_apart, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = place < width
    gate = tl.load(pair + row * apart + place, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(pair + row * apart + width + place, mask=inside, other=0.0).to(tl.float32)
    opened = (gate * tl.sigmoid(gate)).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + row * out_apart + place, (opened * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gate_backward(grads, grads_apart, pair, apart, back, back_apart, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = place < width
    g = tl.load(grads + row * grads_apart + place, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(pair + row * apart + place, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(pair + row * apart + width + place, mask=inside, other=0.0).to(tl.float32)
    chance = tl.sigmoid(gate)
    to_gate = g * up * chance * (1 + gate * (1 - chance))
    to_up = g * gate * chance
    tl.store(back + row * back_apart + place, to_gate.to(back.dtype.element_ty), mask=inside)
    tl.store(back + row * back_apart + width + place, to_up.to(back.dtype.element_ty), mask=inside)


@triton.jit
def _turn_forward(  # type: ignore[no-untyped-def]
    states, apart, out, out_apart, weight, cosine, sine, cosine_apart, sine_apart, inverse, heads, epsilon,
    NORMED: tl.constexpr, HALF: tl.constexpr, HEADS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """All heads of a token: halves (a, b) -> (a c - b s, b c + a s), normed before."""
    row = tl.program_id(0).to(tl.int64)
    head, place = tl.arange(0, HEADS), tl.arange(0, BLOCK)
    inside = (head < heads)[:, None] & (place < HALF)[None, :]
    spot = head[:, None] * (2 * HALF) + place[None, :]
    a = tl.load(states + row * apart + spot, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(states + row * apart + spot + HALF, mask=inside, other=0.0).to(tl.float32)
    if NORMED:
        factor = 1 / tl.sqrt((tl.sum(a * a, 1) + tl.sum(b * b, 1)) / (2 * HALF) + epsilon)
        tl.store(inverse + row * heads + head, factor, mask=head < heads)
        first = tl.load(weight + place, mask=place < HALF, other=0.0).to(out.dtype.element_ty).to(tl.float32)
        second = tl.load(weight + HALF + place, mask=place < HALF, other=0.0).to(out.dtype.element_ty).to(tl.float32)
        a = (a * factor[:, None]).to(out.dtype.element_ty).to(tl.float32) * first[None, :]
        b = (b * factor[:, None]).to(out.dtype.element_ty).to(tl.float32) * second[None, :]
    c = tl.load(cosine + row * cosine_apart + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
    s = tl.load(sine + row * sine_apart + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
    tl.store(out + row * out_apart + spot, (a * c - b * s).to(out.dtype.element_ty), mask=inside)
    tl.store(out + row * out_apart + spot + HALF, (b * c + a * s).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _turn_backward(  # type: ignore[no-untyped-def]
    grads, grads_apart, states, apart, back, back_apart, weight, cosine, sine, cosine_apart, sine_apart, inverse,
    shares, rows, heads,
    NORMED: tl.constexpr, TRAINS: tl.constexpr, HALF: tl.constexpr, HEADS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Turned back, then through the norm; with TRAINS a program adds up its tokens' part of the weight's gradient."""
    begin = tl.program_id(0).to(tl.int64)
    head, place = tl.arange(0, HEADS), tl.arange(0, BLOCK)
    inside = (head < heads)[:, None] & (place < HALF)[None, :]
    spot = head[:, None] * (2 * HALF) + place[None, :]
    first_share = tl.zeros([BLOCK], dtype=tl.float32)
    second_share = tl.zeros([BLOCK], dtype=tl.float32)
    for row in range(begin, rows, tl.num_programs(0)):
        x = tl.load(grads + row * grads_apart + spot, mask=inside, other=0.0).to(tl.float32)
        y = tl.load(grads + row * grads_apart + spot + HALF, mask=inside, other=0.0).to(tl.float32)
        c = tl.load(cosine + row * cosine_apart + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
        s = tl.load(sine + row * sine_apart + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
        p, q = x * c + y * s, y * c - x * s
        if NORMED:
            factor = tl.load(inverse + row * heads + head, mask=head < heads, other=0.0)[:, None]
            a = tl.load(states + row * apart + spot, mask=inside, other=0.0).to(tl.float32) * factor
            b = tl.load(states + row * apart + spot + HALF, mask=inside, other=0.0).to(tl.float32) * factor
            if TRAINS:
                first_share += tl.sum(p * a, 0)
                second_share += tl.sum(q * b, 0)
            p = p * tl.load(weight + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
            q = q * tl.load(weight + HALF + place, mask=place < HALF, other=0.0).to(tl.float32)[None, :]
            shared = ((tl.sum(p * a, 1) + tl.sum(q * b, 1)) / (2 * HALF))[:, None]
            p, q = factor * (p - a * shared), factor * (q - b * shared)
        tl.store(back + row * back_apart + spot, p.to(back.dtype.element_ty), mask=inside)
        tl.store(back + row * back_apart + spot + HALF, q.to(back.dtype.element_ty), mask=inside)
    if TRAINS:
        tl.store(shares + begin * (2 * HALF) + place, first_share, mask=place < HALF)
        tl.store(shares + begin * (2 * HALF) + HALF + place, second_share, mask=place < HALF)
