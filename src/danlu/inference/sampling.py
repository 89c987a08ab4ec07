"""The choice of one token from the logits of one request, with a generator of its own.

Legend: V vocabulary, K candidates.
"""

from __future__ import annotations

import torch

from danlu.inference.completion import Sampling

# Nearly always enough candidates for top_p, and far cheaper than sorting Qwen3's 151,936 logits
_LIKELY = 512


class TokenSampler:
    """Draws tokens for one request.

    Each token costs exactly one uniform number from the request's own generator (on the CPU, whatever the device), so
    a seed gives the same answer alone and among neighbours.
    """

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def pick(self, logits: torch.Tensor) -> int:
        """A token id from logits [V], by temperature, then top_k, then top_p."""
        if self.sampling.greedy:
            return int(logits.argmax())
        ids, probabilities = candidates(logits, self.sampling)
        cumulative = probabilities.cumsum(0)
        drawn = torch.rand(1, generator=self._generator, dtype=torch.float64) * cumulative[-1]
        at = min(int(torch.searchsorted(cumulative, drawn, right=True)), len(cumulative) - 1)
        return at if ids is None else int(ids[at])


def candidates(logits: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor | None, torch.Tensor]:
    """What may be drawn from logits [V]: token ids [K], likeliest first, and their probabilities [K].

    The probabilities are those before top_p, so they need not sum to 1. The ids are None when every token may be
    drawn: then K is V, in the order of the vocabulary. Both lie on the CPU, the probabilities in float64.
    """
    size = logits.shape[-1]
    if 0 < sampling.top_k < size:
        values, ids = logits.topk(sampling.top_k)
        return _nucleus(ids, torch.softmax(_scaled(values, sampling), 0), sampling.top_p)
    if sampling.top_p == 1:
        return None, torch.softmax(_scaled(logits, sampling), 0)
    whole = torch.logsumexp(_scaled(logits, sampling), 0)
    values, ids = logits.topk(min(_LIKELY, size))
    probabilities = torch.exp(_scaled(values, sampling) - whole)
    if float(probabilities.sum()) < sampling.top_p:
        values, ids = logits.sort(descending=True)
        probabilities = torch.exp(_scaled(values, sampling) - whole)
    return _nucleus(ids, probabilities, sampling.top_p)


def _nucleus(ids: torch.Tensor, probabilities: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The fewest first candidates [K] whose probability reaches `top_p`."""
    kept = len(ids) if top_p == 1 else int((probabilities.cumsum(0) < top_p).sum()) + 1
    return ids[:kept].cpu(), probabilities[:kept]


def _scaled(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    return logits.double().cpu() / sampling.temperature
