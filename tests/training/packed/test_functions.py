"""Each written-out backward pass, against torch's own of the same formula and against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from danlu.training.packed import attention, head
from danlu.training.packed.attention import Rotary, Shape, attend
from danlu.training.packed.functions import rms_norm, swiglu
from danlu.training.packed.head import linear_losses
from danlu.training.packed.linear import Linear, project

T, D = 5, 6


def made(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


def test_rms_norm() -> None:
    states, weight = made(T, D), made(D)
    torch.testing.assert_close(rms_norm(states, weight, 1e-6), functional.rms_norm(states, [D], weight, 1e-6))
    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, 1e-6), (states, weight))


def test_swiglu() -> None:
    pair = made(T, 2 * D)
    gate, up = pair.chunk(2, dim=1)
    torch.testing.assert_close(swiglu(pair), functional.silu(gate) * up)
    assert torch.autograd.gradcheck(swiglu, (pair,))


@pytest.mark.parametrize("with_residual", [False, True])
def test_linear_layers_side_by_side(with_residual: bool) -> None:
    states, weight, bias, down, up = made(T, D), made(4, D), made(4), made(2, D), made(4, 2)
    bare, other_down, other_up = made(3, D), made(1, D), made(3, 1)
    residual = made(T, 7, seed=9)

    def ours(*given: torch.Tensor) -> torch.Tensor:
        states, weight, bias, down, up, bare, other_down, other_up, residual = given
        layers = [Linear(weight, bias, down, up, 0.5), Linear(bare, None, other_down, other_up, 3.0)]
        return torch.cat([project(states, layers)] if not with_residual else [_apart(states, layers, residual)])

    def _apart(states: torch.Tensor, layers: list[Linear], residual: torch.Tensor) -> torch.Tensor:
        parts = residual.split([4, 3], dim=1)  # type: ignore[no-untyped-call]
        return torch.cat([project(states, [layer], part) for layer, part in zip(layers, parts, strict=True)], dim=1)

    first = functional.linear(states, weight, bias) + 0.5 * (states @ down.T) @ up.T
    second = functional.linear(states, bare) + 3 * (states @ other_down.T) @ other_up.T
    expected = torch.cat([first, second], dim=1) + (residual if with_residual else 0)
    given = (states, weight, bias, down, up, bare, other_down, other_up, residual)
    torch.testing.assert_close(ours(*given), expected)
    assert torch.autograd.gradcheck(ours, given)


SHAPE = Shape(heads=4, groups=2, size=4, scale=0.7, epsilon=1e-6)


def plain_attention(
    joined: torch.Tensor, norms: tuple[torch.Tensor, torch.Tensor] | None, rotary: Rotary, lengths: list[int]
) -> torch.Tensor:
    """As a textbook has it: all scores, a mask that keeps sequences apart, a softmax."""
    heads = joined.view(len(joined), -1, 4)
    queries, keys, values = heads[:, :4], heads[:, 4:6], heads[:, 6:]
    if norms is not None:
        queries, keys = (functional.rms_norm(x, [4], w, 1e-6) for x, w in ((queries, norms[0]), (keys, norms[1])))

    def turn(x: torch.Tensor) -> torch.Tensor:
        swapped = torch.cat([-x[..., 2:], x[..., :2]], dim=-1)
        return x * rotary.cosine[:, None] + swapped * rotary.sine[:, None]

    queries, keys = turn(queries), turn(keys).repeat_interleave(2, 1)
    owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    place = torch.arange(len(joined))
    allowed = (owner[:, None] == owner) & (place[:, None] >= place)
    scores = torch.einsum("qhe,khe->hqk", queries, keys) * 0.7
    chances = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    return torch.einsum("hqk,khe->qhe", chances, values.repeat_interleave(2, 1)).reshape(len(joined), -1)


@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("block", [256, 2])
@pytest.mark.parametrize("kept", [1024, 0], ids=["own", "torch's kernel"])
def test_attention_inside_each_sequence(monkeypatch: pytest.MonkeyPatch, normed: bool, block: int, kept: int) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    monkeypatch.setattr(attention, "KEPT", kept)
    lengths = [3, 1, 5]
    joined, norms = made(9, 32), (made(4), made(4, seed=1))
    angles = torch.cat([torch.arange(n) for n in lengths])[:, None] * torch.tensor([1.0, 0.3]).double()
    rotary = Rotary(torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin())

    def ours(joined: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return attend(joined, (query, key) if normed else None, rotary, lengths, SHAPE)

    expected = plain_attention(joined, norms if normed else None, rotary, lengths)
    torch.testing.assert_close(ours(joined, *norms), expected)
    assert torch.autograd.gradcheck(ours, (joined, *norms))
    frozen = [norm.detach() for norm in norms]  # norms that do not train take another way
    assert torch.autograd.gradcheck(lambda x: ours(x, *frozen), (joined,))


@pytest.mark.parametrize("chunk", [1 << 22, 1])
def test_losses_under_a_frozen_head(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(head, "CHUNK", chunk)
    states, weight = made(150, D).detach().float().requires_grad_(), made(11, D).detach().float() * 3
    labels, factors = torch.arange(150) % 11, torch.linspace(-1, 2, 150)
    expected = functional.cross_entropy(states @ weight.T, labels, reduction="none")
    (wanted,) = torch.autograd.grad((expected * factors).sum(), states)
    found = linear_losses(states, weight, labels)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad((found * factors).sum(), states)[0], wanted)


def test_a_gpu_holds_more_logits_than_a_cpus_cache() -> None:
    rows = {kind: head.rows_at_once(torch.device(kind), 151_936) for kind in ("cpu", "mps", "cuda")}
    assert rows == {"cpu": 64, "mps": 64, "cuda": 883}
    assert head.rows_at_once(torch.device("cpu"), 1000) == 4194


def test_a_loss_beyond_the_reach_of_probabilities_is_still_exact() -> None:
    states, weight = torch.tensor([[200.0]]), torch.tensor([[1.0], [0.0]])
    assert linear_losses(states, weight, torch.tensor([1])).tolist() == [200.0]
