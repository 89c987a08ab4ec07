"""One call for all sequences gives what a call for each gives; every torch is called as it wants to be called."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import varlen
from torch.nn.functional import scaled_dot_product_attention

from danlu.recipe.objectives import SftObjective
from danlu.training import cross_entropy
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import collate
from danlu.training.objectives.sft import Sft
from danlu.training.packed.decoder import lay_end_to_end
from danlu.training.packed.varlen import Spans, varlen_attention
from danlu.training.packed.ways import Ways
from tests.training.making import PAD, assert_close, gradients, made_samples
from tests.training.packed.test_decoder import prepared

CALLS: list[tuple[torch.Tensor, int]] = []


def by_spans(
    states: tuple[torch.Tensor, torch.Tensor, torch.Tensor], spans: torch.Tensor, longest: int, **told: Any
) -> torch.Tensor:
    """Plain attention of each sequence, found by the offsets that the kernel is given, and by nothing else."""
    CALLS.append((spans, longest))
    assert spans.dtype == torch.int32 and longest == int(spans.diff().max())
    outs = []
    for start, end in pairwise(spans.tolist()):
        query, key, value = (some[start:end].transpose(0, 1)[None] for some in states)
        outs.append(scaled_dot_product_attention(query, key, value, is_causal=True, **told)[0].transpose(0, 1))
    return torch.cat(outs)


def read(given: tuple[Any, ...]) -> tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor, int]:
    """The seven positional arguments that every torch takes: states, offsets twice, longest twice."""
    query, key, value, starts, key_starts, longest, longest_key = given
    assert key_starts is starts and longest_key == longest
    return (query, key, value), starts, longest


def newest(
    *given: Any, scale: float | None = None, window_size: tuple[int, int] = (-1, -1), enable_gqa: bool = False
) -> torch.Tensor:
    """As in torch 2.13."""
    assert window_size == (-1, 0)
    return by_spans(*read(given), scale=scale, enable_gqa=enable_gqa)


def without_groups(*given: Any, scale: float | None = None, window_size: tuple[int, int] = (-1, -1)) -> torch.Tensor:
    """A torch whose kernel wants as many keys as queries."""
    assert window_size == (-1, 0) and given[1].shape == given[0].shape == given[2].shape
    return by_spans(*read(given), scale=scale)


def oldest(*given: Any, is_causal: bool = False) -> torch.Tensor:
    """A torch that has a flag in place of the window, and no scale of one's own."""
    assert is_causal and given[1].shape == given[0].shape == given[2].shape
    return by_spans(*read(given))


@pytest.mark.parametrize("kernel", [newest, without_groups, oldest])
def test_every_signature_gives_the_same(monkeypatch: pytest.MonkeyPatch, kernel: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    lengths, scale = [3, 1, 5], 0.4
    queries, keys, values = (torch.randn(9, heads, 8, generator=generator) for heads in (4, 2, 2))
    starts = torch.tensor([0, 3, 4, 9], dtype=torch.int32)
    expected = by_spans((queries, keys, values), starts, 5, scale=scale, enable_gqa=True)
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    monkeypatch.setattr("danlu.training.packed.decoder.FILLED", 1)  # no sequence that only fills up
    packed = lay_end_to_end(torch.ones(3, 5, dtype=torch.long), lengths, torch.tensor([0]))
    assert packed.spans.starts.tolist() == [0, 3, 4, 9]
    torch.testing.assert_close(varlen_attention(queries, keys, values, packed.spans, scale), expected)


def test_the_installed_torch_takes_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the kernel itself, which has no CPU."""
    states = torch.ones(4, 2, 8, dtype=torch.bfloat16)
    with pytest.raises((NotImplementedError, RuntimeError), match=r"CPU|cpu|CUDA"):
        varlen_attention(states, states, states, Spans(torch.tensor([0, 4], dtype=torch.int32), 4), 0.5)


def test_a_model_learns_the_same(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = prepared(tiny_folder, {"type": "full"}), Sft(SftObjective()).examples(made_samples(5))
    wanted = completion_loss(model, collate(samples, PAD))
    wanted.backward()  # type: ignore[no-untyped-call]
    expected = gradients(model)
    monkeypatch.setattr(varlen, "varlen_attn", newest)
    monkeypatch.setattr(cross_entropy, "ways_for", lambda *given: Ways("varlen"))
    CALLS.clear()
    found = completion_loss(model, collate(samples, PAD))
    found.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert_close(gradients(model), expected, tolerance=2e-4)
    assert len(CALLS) == 2 and CALLS[0][0] is CALLS[1][0]  # a layer makes no offsets of its own
