"""Causal attention inside each of several sequences laid end to end; none sees another.

On a CPU the whole step from the projections' output to the heads' is one function: norms of queries and keys, rotary
positions, and for every sequence plain matrix products over blocks of queries, each with the keys up to its end. Only
what comes in is kept: turned queries and keys and the probabilities are made again in the backward pass. For long
sequences in fp32, and on other devices, torch's kernels are used.

Legend: T tokens of all sequences, t of one, H query heads, G key-value heads, E size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from danlu.training.packed.functions import NormFunction, inverse_rms, norm_backward, rms_norm
from danlu.training.packed.products import FILLED, filled

LONG = 1024
"""Tokens of a sequence beyond which torch's kernel is a quarter faster in fp32; in bf16 it is slower at any length."""
BLOCK = 192
"""Most queries of a block."""
SCORES = 1 << 22
"""Scores that are held at once, where a block of `FILLED` queries has not more."""
_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Shape:
    """Of one attention layer.

    Attributes:
        heads, groups, size: H, G, E.
        scale: of the scores.
        epsilon: of the norms of queries and keys.
    """

    heads: int
    groups: int
    size: int
    scale: float
    epsilon: float


@dataclass(frozen=True)
class Rotary:
    """Angles of every token: cosine and sine [T, E], as transformers gives them, second half as the first."""

    cosine: torch.Tensor
    sine: torch.Tensor


def attend(
    joined: torch.Tensor,
    norms: tuple[torch.Tensor, torch.Tensor] | None,
    rotary: Rotary,
    lengths: Sequence[int],
    shape: Shape,
) -> torch.Tensor:
    """[T, (H + 2 G) E] queries, keys and values side by side -> [T, H E].

    Args:
        joined: as the projections give them.
        norms: weights [E] of the norms of queries and keys (Qwen3), or None.
        rotary: of every token.
        lengths: of the sequences, in their order.
        shape: of the layer.
    """
    query, key = norms if norms is not None else (None, None)
    if joined.device.type != "cpu" or (joined.dtype not in _HALF and max(lengths) > LONG):
        return by_sequence(*turned_heads(joined, norms, rotary, shape), lengths, shape.scale)
    found: torch.Tensor = _Attend.apply(joined, query, key, rotary, tuple(lengths), shape)  # type: ignore[no-untyped-call]
    return found


def turned_heads(
    joined: torch.Tensor,
    norms: tuple[torch.Tensor, torch.Tensor] | None,
    rotary: Rotary,
    shape: Shape,
    norm: NormFunction = rms_norm,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries [T, H, E] and keys [T, G, E], normed and turned, and values [T, G, E]."""
    query_norm, key_norm = norms if norms is not None else (None, None)
    heads = joined.view(joined.shape[0], -1, shape.size)
    queries, keys, values = heads.split([shape.heads, shape.groups, shape.groups], dim=1)  # type: ignore[no-untyped-call]
    turned = []
    for states, weight in ((queries, query_norm), (keys, key_norm)):
        normed = states if weight is None else norm(states, weight, shape.epsilon)
        half = normed.roll(shape.size // 2, -1) * _signs(shape.size, normed)
        turned.append(normed * rotary.cosine[:, None] + half * rotary.sine[:, None])
    return turned[0], turned[1], values


def by_sequence(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, lengths: Sequence[int], scale: float
) -> torch.Tensor:
    """[T, H, E], [T, G, E] twice -> [T, H E]: causal attention by a call of torch's kernel for each sequence."""
    outs = []
    for start, end in _bounds(lengths):
        q, k, v = (t[start:end].transpose(0, 1)[None] for t in (queries, keys, values))
        outs.append(
            scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)[0].transpose(0, 1)
        )
    return torch.cat(outs).reshape(queries.shape[0], -1)


def _signs(size: int, like: torch.Tensor) -> torch.Tensor:
    """-1 for the first half of a head, 1 for the second."""
    return torch.cat([like.new_full((size // 2,), -1), like.new_ones(size - size // 2)])


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        joined: torch.Tensor,
        query_norm: torch.Tensor | None,
        key_norm: torch.Tensor | None,
        rotary: Rotary,
        lengths: tuple[int, ...],
        shape: Shape,
    ) -> torch.Tensor:
        heads = joined.view(joined.shape[0], -1, shape.size)
        turned, _ = _turned(heads, query_norm, key_norm, rotary, shape)
        out, hidden = joined.new_empty(joined.shape[0], shape.heads, shape.size), _hidden(joined)
        for start, end in _bounds(lengths):
            _forward(turned[start:end], heads[start:end], hidden, out[start:end], shape)
        ctx.save_for_backward(joined, query_norm, key_norm)
        ctx.rest = (rotary, lengths, shape)
        return out.view(joined.shape[0], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        joined, query_norm, key_norm = ctx.saved_tensors
        rotary, lengths, shape = ctx.rest
        heads = joined.view(joined.shape[0], -1, shape.size)
        turned, inverse = _turned(heads, query_norm, key_norm, rotary, shape)
        grad = grads[0].view(joined.shape[0], shape.heads, shape.size)
        back, hidden = torch.empty_like(heads), _hidden(joined)
        for start, end in _bounds(lengths):
            rows = slice(start, end)
            _backward(grad[rows], turned[rows], heads[rows], hidden, back[rows], shape)
        found, own = _through_norms(ctx, (query_norm, key_norm), heads, back, inverse)
        back[:, : shape.heads + shape.groups] = found
        return back.view(joined.shape), *own, None, None, None


def _turned(
    heads: torch.Tensor,
    query_norm: torch.Tensor | None,
    key_norm: torch.Tensor | None,
    rotary: Rotary,
    shape: Shape,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Queries and keys [T, H + G, E] normed, turned and, the queries, scaled; and one over their root mean squares."""
    both = heads[:, : shape.heads + shape.groups]
    inverse = None if query_norm is None else inverse_rms(both, shape.epsilon)
    normed = both if inverse is None else (both * inverse).to(heads.dtype)
    return _Turn.of(rotary, query_norm, key_norm, shape).forward(normed), inverse


def _through_norms(
    ctx: Any, norms: tuple[Any, Any], heads: torch.Tensor, back: torch.Tensor, inverse: torch.Tensor | None
) -> tuple[torch.Tensor, tuple[torch.Tensor | None, torch.Tensor | None]]:
    """From the gradient of turned queries and keys to that of the projections' output, and of the norms' weights."""
    query_norm, key_norm = norms
    rotary, _, shape = ctx.rest
    both = slice(0, shape.heads + shape.groups)
    if inverse is None:
        return _Turn.of(rotary, None, None, shape).backward(back[:, both]), (None, None)
    train = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
    first, second = (None, None) if train else (query_norm, key_norm)
    inner = _Turn.of(rotary, first, second, shape).backward(back[:, both]).to(inverse.dtype)
    states = heads[:, both].to(inverse.dtype)
    own: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)
    weight = inner.new_ones(1)
    if train:
        share = (inner * states * inverse).sum(0)  # [H + G, E]
        own = (share[: shape.heads].sum(0).to(query_norm.dtype), share[shape.heads :].sum(0).to(key_norm.dtype))
        weight = torch.cat([query_norm.expand(shape.heads, -1), key_norm.expand(shape.groups, -1)]).to(inner.dtype)
    found, _ = norm_backward(inner, states, inverse, weight)
    return found, own


@dataclass(frozen=True)
class _Turn:
    """Rotary positions, with the norms' weights and the scale of the scores in their tables.

    With halves x = (a, b) of a head: (a, b) -> (a c - b s, b c + a s), and each table times the weight of the half that
    it multiplies.

    Attributes:
        tables: for queries, then for keys: c of a, s of b, c of b, s of a; [T, 1, E / 2] each.
        heads: H.
    """

    tables: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], ...]
    heads: int

    @classmethod
    def of(cls, rotary: Rotary, query: torch.Tensor | None, key: torch.Tensor | None, shape: Shape) -> _Turn:
        half = shape.size // 2
        cosine, sine = rotary.cosine[:, None, :half], rotary.sine[:, None, :half]
        made = []
        for weight, scale in ((query, shape.scale), (key, 1.0)):
            whole = cosine.new_full((shape.size,), scale) if weight is None else weight.to(cosine.dtype) * scale
            first, second = whole[:half], whole[half:]
            made.append((cosine * first, sine * second, cosine * second, sine * first))
        return cls(tuple(made), shape.heads)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[T, H + G, E] turned."""
        out = torch.empty(states.shape, dtype=states.dtype, device=states.device)
        for (c_a, s_b, c_b, s_a), a, b, x, y in self._halves(states, out):
            torch.mul(a, c_a, out=x).addcmul_(b, s_b, value=-1)
            torch.mul(b, c_b, out=y).addcmul_(a, s_a)
        return out

    def backward(self, grads: torch.Tensor) -> torch.Tensor:
        """[T, H + G, E] turned back: the transposed of `forward`."""
        out = torch.empty(grads.shape, dtype=grads.dtype, device=grads.device)
        for (c_a, s_b, c_b, s_a), x, y, a, b in self._halves(grads, out):
            torch.mul(x, c_a, out=a).addcmul_(y, s_a)
            torch.mul(y, c_b, out=b).addcmul_(x, s_b, value=-1)
        return out

    def _halves(self, source: torch.Tensor, target: torch.Tensor) -> Any:
        half = source.shape[-1] // 2
        for tables, part in zip(self.tables, (slice(0, self.heads), slice(self.heads, None)), strict=True):
            yield tables, *(t[:, part, some] for t in (source, target) for some in (slice(0, half), slice(half, None)))


def _bounds(lengths: Sequence[int]) -> list[tuple[int, int]]:
    found, start = [], 0
    for length in lengths:
        found.append((start, start + length))
        start += length
    return found


def _blocks(length: int, heads: int) -> list[tuple[int, int]]:
    """Ranges of queries: as many at once as `BLOCK` and `SCORES` allow."""
    size = min(BLOCK, max(FILLED, SCORES // (heads * length) // FILLED * FILLED))
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _filled(states: torch.Tensor) -> torch.Tensor:
    """[t, ...] -> in the formats that oneDNN multiplies with zeros behind: it makes a kernel for every number of keys.

    No query but those that are filled up with sees such a key, and nothing reads what these find.
    """
    return filled(states) if states.dtype in _HALF else states


def _grouped(states: torch.Tensor, shape: Shape) -> torch.Tensor:
    """[t, H, E] -> [G, H / G * t, E]: queries that read the same keys one below another."""
    shared = states.reshape(states.shape[0], shape.groups, -1, shape.size)
    return shared.permute(1, 2, 0, 3).reshape(shape.groups, -1, shape.size)


def _spread(states: torch.Tensor, shape: Shape) -> torch.Tensor:
    """[G, H / G * t, E] seen as [t, G, H / G, E]: what `_grouped` did, undone."""
    return states.view(shape.groups, shape.heads // shape.groups, -1, shape.size).permute(2, 0, 1, 3)


def _hidden(like: torch.Tensor) -> torch.Tensor:
    """[BLOCK, BLOCK]: what to add to the scores of keys after their query, and to the others."""
    return like.new_full((BLOCK, BLOCK), float("-inf")).triu_(1)


def _chances(queries: torch.Tensor, keys: torch.Tensor, block: int, hidden: torch.Tensor) -> torch.Tensor:
    """[G, H / G * b, E], [G, E, keys] -> probabilities [G, H / G * b, keys]; the last b keys are the queries' own."""
    scores = torch.bmm(queries, keys)
    scores.view(scores.shape[0], -1, block, scores.shape[-1])[..., -block:].add_(hidden[:block, :block])
    return torch.softmax(scores, -1)


def _forward(turned: torch.Tensor, heads: torch.Tensor, hidden: torch.Tensor, out: torch.Tensor, shape: Shape) -> None:
    """One sequence: writes [t, H, E] into `out`."""
    turned, both = _filled(turned), shape.heads + shape.groups
    keys = turned[:, shape.heads :].permute(1, 2, 0)  # [G, E, t]
    values = _filled(heads[:, both:]).transpose(0, 1)  # [G, t, E]
    for start, end in _blocks(len(turned), shape.heads):
        queries = _grouped(turned[start:end, : shape.heads], shape)
        chances = _chances(queries, keys[:, :, :end], end - start, hidden)
        found = _spread(torch.bmm(chances, values[:, :end]), shape)
        rows = out[start:end]
        rows.view(len(rows), shape.groups, -1, shape.size).copy_(found[: len(rows)])


def _backward(
    grad: torch.Tensor,
    turned: torch.Tensor,
    heads: torch.Tensor,
    hidden: torch.Tensor,
    back: torch.Tensor,
    shape: Shape,
) -> None:
    """One sequence: writes the gradients of its turned queries, turned keys and values into `back`."""
    turned, grad, both, length = _filled(turned), _filled(grad), shape.heads + shape.groups, len(back)
    keys = turned[:, shape.heads :].transpose(0, 1)  # [G, t, E]
    values = _filled(heads[:, both:]).permute(1, 2, 0)  # [G, E, t]
    to_keys, to_values = torch.zeros_like(keys), torch.zeros_like(keys)
    for start, end in _blocks(len(turned), shape.heads):
        queries, inner = _grouped(turned[start:end, : shape.heads], shape), _grouped(grad[start:end], shape)
        chances = _chances(queries, keys[:, :end].transpose(1, 2), end - start, hidden)
        to_values[:, :end].baddbmm_(chances.transpose(1, 2), inner)
        scores = torch._softmax_backward_data(torch.bmm(inner, values[:, :, :end]), chances, -1, chances.dtype)
        rows = back[start:end, : shape.heads]
        found = _spread(torch.bmm(scores, keys[:, :end]), shape)
        rows.view(len(rows), shape.groups, -1, shape.size).copy_(found[: len(rows)])
        to_keys[:, :end].baddbmm_(scores.transpose(1, 2), queries)
    back[:, shape.heads : both] = to_keys[:, :length].transpose(0, 1)
    back[:, both:] = to_values[:, :length].transpose(0, 1)
