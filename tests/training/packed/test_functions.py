"""Each written-out backward pass, against torch's own of the same formula and against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from danlu.training.packed import attention, head
from danlu.training.packed.attention import BLOCK as BLOCK_OF_QUERIES
from danlu.training.packed.attention import Rotary, Shape, attend
from danlu.training.packed.functions import Norm, rms_norm
from danlu.training.packed.head import linear_losses
from danlu.training.packed.linear import Linear, project, project_apart, project_gated
from danlu.training.packed.products import BLOCK, narrow_product
from danlu.training.packed.products import FILLED as STEP

T, D = 5, 6
KINDS = (torch.float32, torch.bfloat16, torch.float16)


def made(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


def test_rms_norm() -> None:
    states, weight = made(T, D), made(D)
    torch.testing.assert_close(rms_norm(states, weight, 1e-6), functional.rms_norm(states, [D], weight, 1e-6))
    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, 1e-6), (states, weight))


def test_a_norm_before_the_layers_is_made_again() -> None:
    states, weight = made(T, D), made(D)
    layers = [Linear(made(4, D), made(4), made(2, D), made(4, 2), 0.5), Linear(made(3, D))]

    def ours(states: torch.Tensor, weight: torch.Tensor, *flat: torch.Tensor) -> torch.Tensor:
        first, bias, down, up, second = flat
        given = [Linear(first, bias, down, up, 0.5), Linear(second)]
        apart = torch.cat(project_apart(states, given, Norm(weight, 1e-6)), 1)
        joined = project(states, given, norm=Norm(weight, 1e-6))
        torch.testing.assert_close(apart, joined)
        return apart + joined

    flat = [t for layer in layers for t in (layer.weight, layer.bias, layer.down, layer.up) if t is not None]
    normed = functional.rms_norm(states, [D], weight, 1e-6)
    torch.testing.assert_close(ours(states, weight, *flat), 2 * project(normed, layers))
    assert torch.autograd.gradcheck(ours, (states, weight, *flat))
    frozen = [weight.detach(), *(tensor.detach() for tensor in flat)]
    assert torch.autograd.gradcheck(lambda x: ours(x, *frozen), (states,)), "nothing of the layer trains"
    still = [states.detach(), weight.detach()]
    assert torch.autograd.gradcheck(lambda *some: ours(*still, *some), flat), "nothing before the layer does"


def test_the_gated_product_is_made_again() -> None:
    gate, up, residual = made(T, D), made(T, D, seed=1), made(T, 3)
    weight, down, rise = made(3, D), made(2, D), made(3, 2)

    def ours(gate: torch.Tensor, up: torch.Tensor, residual: torch.Tensor, *some: torch.Tensor) -> torch.Tensor:
        return project_gated(gate, up, Linear(some[0], None, some[1], some[2], 2.0), residual)

    inner = functional.silu(gate) * up
    expected = residual + functional.linear(inner, weight) + 2.0 * (inner @ down.T) @ rise.T
    torch.testing.assert_close(ours(gate, up, residual, weight, down, rise), expected)
    assert torch.autograd.gradcheck(ours, (gate, up, residual, weight, down, rise))
    still = [tensor.detach() for tensor in (gate, up, residual)]
    assert torch.autograd.gradcheck(lambda w: ours(*still, w, down, rise), weight)


def kept_bytes(run: Callable[[], torch.Tensor], *known: torch.Tensor) -> int:
    """Of what is kept for the backward pass and was not there before."""
    seen = {tensor.untyped_storage().data_ptr(): 0 for tensor in known}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = run()
    out.sum().backward()  # type: ignore[no-untyped-call]
    return sum(seen.values())


def test_of_a_layer_only_what_is_dear_to_compute_is_kept() -> None:
    tokens, width, inner = 48, 32, 96
    states, norm = made(tokens, width), Norm(made(width), 1e-6)
    pair, down = [Linear(made(inner, width)), Linear(made(inner, width, seed=1))], Linear(made(width, inner))
    weights = [norm.weight, down.weight, *(layer.weight for layer in pair)]

    def mlp() -> torch.Tensor:
        gate, up = project_apart(states, pair, norm)
        return project_gated(gate, up, down, states)

    assert kept_bytes(mlp, states, *weights) == 2 * tokens * inner * 8, "what the gate and its like give, no more"
    joined, rotary = made(tokens, 8 * 4), Rotary(*(torch.ones(tokens, 4).double() for _ in range(2)))
    assert kept_bytes(lambda: attend(joined, None, rotary, [tokens], SHAPE), joined) == 0


@pytest.mark.parametrize("tokens", [BLOCK, BLOCK + 1, 3 * BLOCK - 7])
def test_narrow_products_in_blocks(tokens: int) -> None:
    down, states, inner = made(3, D).detach(), made(tokens, D).detach(), made(3, tokens).detach()
    torch.testing.assert_close(narrow_product(states, down.T, "rows"), states @ down.T)
    torch.testing.assert_close(narrow_product(down, states.T, "columns"), down @ states.T)
    torch.testing.assert_close(narrow_product(inner, states, "inner"), inner @ states)


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
@pytest.mark.parametrize("long", [1024, 0], ids=["own", "torch's kernel"])
def test_attention_inside_each_sequence(monkeypatch: pytest.MonkeyPatch, normed: bool, block: int, long: int) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    monkeypatch.setattr(attention, "LONG", long)
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


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-9), (torch.bfloat16, 0.05)])
def test_sequences_are_filled_up_where_onednn_multiplies(kind: torch.dtype, tolerance: float) -> None:
    """In bf16 numbers of keys are multiples of a step; in no format does it show."""
    lengths = [STEP + 3, 1, 2 * STEP, 3 * BLOCK_OF_QUERIES + 5]
    total = sum(lengths)
    joined, norms = made(total, 32), (made(4), made(4, seed=1))
    angles = torch.cat([torch.arange(n) for n in lengths])[:, None] * torch.tensor([1.0, 0.3]).double()
    rotary = Rotary(torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin())
    expected = plain_attention(joined, norms, rotary, lengths)
    wanted = torch.autograd.grad(expected.square().sum(), [joined, *norms])
    held = [tensor.detach().to(kind).requires_grad_() for tensor in (joined, *norms)]
    turns = Rotary(rotary.cosine.to(kind), rotary.sine.to(kind))
    found = attend(held[0], (held[1], held[2]), turns, lengths, SHAPE)
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
    for ours, theirs in zip(torch.autograd.grad(found.square().sum(), held), wanted, strict=True):
        assert (ours.double() - theirs).norm() < tolerance * theirs.norm()


def test_only_the_formats_of_onednn_are_filled_up() -> None:
    sizes = {
        kind: [len(attention._filled(torch.ones(n, 2, dtype=kind))) for n in (1, STEP, STEP + 1)] for kind in KINDS
    }
    filled = [STEP, STEP, 2 * STEP]
    assert sizes == {torch.float32: [1, STEP, STEP + 1], torch.bfloat16: filled, torch.float16: filled}


def test_long_sequences_have_smaller_blocks() -> None:
    assert attention._blocks(400, 8) == [(0, 192), (192, 384), (384, 400)]
    sizes = [end - start for start, end in attention._blocks(4096, 16)]
    assert set(sizes) == {STEP} and sum(sizes) == 4096
    assert max(end - start for start, end in attention._blocks(1 << 20, 16)) == STEP, "a step at the least"


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
    assert rows == {"cpu": 64, "mps": 64, "cuda": 832}
    assert head.rows_at_once(torch.device("cpu"), 1000) == 2048


def test_a_loss_beyond_the_reach_of_probabilities_is_still_exact() -> None:
    states, weight = torch.tensor([[200.0]]), torch.tensor([[1.0], [0.0]])
    assert linear_losses(states, weight, torch.tensor([1])).tolist() == [200.0]
