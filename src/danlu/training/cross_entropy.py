"""Log-probabilities of labels with the head only where there is one, in chunks when the vocabulary is large."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from danlu.models.loading import decoder_and_head
from danlu.training.objective import Batch

# B sequences, T time, D hidden, V vocabulary, N labelled positions

MAX_LOGITS = 1 << 26
"""Most logits held at once (256 MiB in fp32); with Qwen3's vocabulary that is 441 positions."""


def completion_loss(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Sum over labelled positions of -log p(label), each by its weight."""
    losses = negative_log_likelihoods(model, batch)
    return losses.sum() if batch.weights is None else (losses * batch.weights).sum()


def sequence_log_probabilities(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """[B]: sum over each sequence's labelled positions of log p(label)."""
    losses = negative_log_likelihoods(model, batch)
    return losses.new_zeros(batch.input_ids.shape[0]).index_add(0, batch.owners, -losses)


def negative_log_likelihoods(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """[N]: -log p(label) at each labelled position, in fp32.

    The decoder runs on all of [B, T]; its hidden states at the N labelled positions, and no others, go through the
    head. Beyond `MAX_LOGITS` the head runs in chunks whose logits are computed again for the backward pass, so that
    memory does not grow with N x V.
    """
    decoder: Any
    head: Any
    decoder, head = decoder_and_head(model)
    hidden = decoder(input_ids=batch.input_ids, use_cache=False).last_hidden_state
    picked: torch.Tensor = hidden.reshape(-1, hidden.shape[-1]).index_select(0, batch.positions)
    chunk = max(1, MAX_LOGITS // int(head.weight.shape[0]))
    if len(batch.labels) <= chunk:
        return _of_states(picked, batch.labels, head)
    parts = [
        checkpoint(_of_states, states, labels, head, use_reentrant=False)
        for states, labels in zip(torch.split(picked, chunk), torch.split(batch.labels, chunk), strict=True)
    ]
    return torch.cat(parts)


def states_at(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """[N, D]: the decoder's hidden states at the labelled positions."""
    decoder: Any
    decoder, _ = decoder_and_head(model)
    hidden = decoder(input_ids=batch.input_ids, use_cache=False).last_hidden_state
    return hidden.reshape(-1, hidden.shape[-1]).index_select(0, batch.positions)


def _of_states(hidden: torch.Tensor, labels: torch.Tensor, head: torch.nn.Module) -> torch.Tensor:
    """hidden [N, D], labels [N] -> [N], logits in fp32."""
    return functional.cross_entropy(head(hidden).float(), labels, reduction="none")
