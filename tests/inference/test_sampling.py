"""The choice of a token, against a plain reference implementation and in the long run."""

from __future__ import annotations

import pytest
import torch

from danlu.inference import sampling as module
from danlu.inference.completion import Sampling
from danlu.inference.sampling import TokenSampler, candidates


def reference(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Probabilities [V] by the definition: temperature, then top_k, then top_p (Holtzman et al. 2020)."""
    scaled = logits.double() / sampling.temperature
    if sampling.top_k:
        kth = scaled.sort(descending=True).values[min(sampling.top_k, len(scaled)) - 1]
        scaled = torch.where(scaled < kth, -torch.inf, scaled)
    probabilities = scaled.softmax(0)
    order = probabilities.argsort(descending=True)
    before = probabilities[order].cumsum(0) - probabilities[order]
    probabilities[order[before >= sampling.top_p]] = 0
    return probabilities / probabilities.sum()


CASES = [
    Sampling(temperature=1.0),
    Sampling(temperature=0.5, top_k=5),
    Sampling(temperature=1.0, top_p=0.8),
    Sampling(temperature=2.0, top_p=0.99),
    Sampling(temperature=0.7, top_k=20, top_p=0.9),
    Sampling(temperature=1.0, top_k=1),
    Sampling(temperature=1.0, top_p=1e-9),
    Sampling(temperature=1.0, top_k=10_000),
]


@pytest.mark.parametrize("sampling", CASES)
@pytest.mark.parametrize("likely", [4, 512])
def test_candidates_equal_the_reference(sampling: Sampling, likely: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIKELY", likely)
    logits = torch.randn(300, generator=torch.Generator().manual_seed(1)) * 2
    ids, weights = candidates(logits, sampling)
    found = torch.zeros(300, dtype=torch.float64)
    found[torch.arange(300) if ids is None else ids] = weights / weights.sum()
    torch.testing.assert_close(found, reference(logits, sampling), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("sampling", [CASES[0], CASES[3], CASES[4]])
def test_frequencies_approach_the_probabilities(sampling: Sampling) -> None:
    logits = torch.randn(12, generator=torch.Generator().manual_seed(2))
    draws, expected = 4000, reference(logits, sampling)
    sampler = TokenSampler(Sampling(**{**sampling.__dict__, "seed": 3}))
    counts = torch.zeros(12, dtype=torch.float64)
    for _ in range(draws):
        counts[sampler.pick(logits)] += 1
    assert counts[expected == 0].sum() == 0
    likely = expected > 0
    chi_square = ((counts - draws * expected)[likely] ** 2 / (draws * expected[likely])).sum()
    degrees = int(likely.sum()) - 1
    assert chi_square < degrees + 4 * (2 * degrees) ** 0.5  # about four standard deviations


def test_greedy_takes_the_likeliest() -> None:
    assert TokenSampler(Sampling()).pick(torch.tensor([0.1, 3.0, 2.0])) == 1


def test_a_seed_repeats_and_no_seed_does_not() -> None:
    logits = torch.zeros(1000)
    picks = [
        [sampler.pick(logits) for _ in range(20)]
        for sampler in (TokenSampler(Sampling(temperature=1, seed=seed)) for seed in (7, 7, 8, None, None))
    ]
    assert picks[0] == picks[1]
    assert len({tuple(pick) for pick in picks}) == 4


def test_torchs_own_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    TokenSampler(Sampling(temperature=1)).pick(torch.zeros(10))
    assert torch.equal(before, torch.get_rng_state())
