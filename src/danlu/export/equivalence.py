"""How equal two models are: KL divergence and top-1 agreement on the same positions of held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.device import evaluating

# T time, N compared positions, V vocabulary

MAX_POSITIONS = 64
"""Most positions compared in one sample: two times 64 x 151,936 logits in fp32 are 78 MB."""


@dataclass(frozen=True)
class Equivalence:
    """The measured difference of a candidate from a reference.

    Attributes:
        mean_kl: mean over positions of KL(reference || candidate), in nats.
        max_kl: the largest of them.
        top1: share of positions where both put the same token first.
        positions: how many were compared.
    """

    mean_kl: float
    max_kl: float
    top1: float
    positions: int


def measure_equivalence(
    reference: torch.nn.Module, candidate: torch.nn.Module, samples: Sequence[TrainingSample]
) -> Equivalence:
    """Compare next-token distributions at the positions that predict learned tokens.

    KL(p || q) = sum_v p(v) (log p(v) - log q(v)) (Kullback and Leibler, 1951), computed in fp32.

    Raises:
        ValueError: there is no position to compare.
    """
    divergences: list[float] = []
    agreed = 0
    with evaluating(reference), evaluating(candidate):
        for sample in samples:
            positions = [p - 1 for start, end in sample.spans for p in range(max(start, 1), end)][:MAX_POSITIONS]
            if not positions:
                continue
            p = _log_probabilities(reference, sample.input_ids, positions)
            q = _log_probabilities(candidate, sample.input_ids, positions)
            divergences += functional.kl_div(q, p, reduction="none", log_target=True).sum(-1).clamp_min(0).tolist()
            agreed += int((p.argmax(-1) == q.argmax(-1)).sum())
    if not divergences:
        raise ValueError("no position to compare")
    count = len(divergences)
    return Equivalence(sum(divergences) / count, max(divergences), agreed / count, count)


def _log_probabilities(model: Any, ids: list[int], positions: list[int]) -> torch.Tensor:
    """[N, V] log probabilities at the given positions, on the CPU."""
    tensor = torch.tensor([ids], device=next(model.parameters()).device)
    logits = model(input_ids=tensor, use_cache=False).logits[0, positions]
    return torch.log_softmax(logits.float(), dim=-1).cpu()
