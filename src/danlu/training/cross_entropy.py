"""Log-probabilities of labels with the head only where there is one, in chunks when the vocabulary is large."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from danlu.models.device import native_bf16
from danlu.models.loading import decoder_and_head
from danlu.training.objective import Batch
from danlu.training.packed.decoder import can_pack, lay_end_to_end, packed_states
from danlu.training.packed.head import linear_losses
from danlu.training.packed.ways import ways_for

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

    The hidden states at the N labelled positions, and no others, go through the head. A frozen head gives its gradient
    at once; before one that trains, beyond `MAX_LOGITS`, chunks of logits are computed again for the backward pass.
    Either way memory does not grow with N x V.
    """
    head: Any
    _, head = decoder_and_head(model)
    picked = states_at(model, batch)
    if _plain(head):
        return linear_losses(picked, head.weight, batch.labels)
    chunk = max(1, MAX_LOGITS // int(head.weight.shape[0]))
    if len(batch.labels) <= chunk:
        return _of_states(picked, batch.labels, head)
    parts = [
        checkpoint(_of_states, states, labels, head, use_reentrant=False)
        for states, labels in zip(torch.split(picked, chunk), torch.split(batch.labels, chunk), strict=True)
    ]
    return torch.cat(parts)


def states_at(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """[N, D]: the decoder's hidden states at the labelled positions.

    Without padding by danlu's own decoder where it knows all parts of the model, else on all of [B, T] by the model's.
    """
    decoder: Any
    decoder, _ = decoder_and_head(model)
    if batch.lengths and can_pack(decoder, model.training):
        packed = lay_end_to_end(batch.input_ids, batch.lengths, batch.positions)
        dtype = _arithmetic(decoder.embed_tokens.weight)
        return packed_states(decoder, packed, dtype, ways_for(batch.gpu, batch.input_ids.device, dtype))
    hidden = decoder(input_ids=batch.input_ids, use_cache=False).last_hidden_state
    return hidden.reshape(-1, hidden.shape[-1]).index_select(0, batch.positions)


def _arithmetic(weight: torch.Tensor) -> torch.dtype:
    """The number format to multiply in: autocast's, or the weights'.

    A CPU without an instruction for bf16 multiplies it ten to eighty times slower than fp32. There weights stay bf16
    and the products are fp32, which loses nothing.
    """
    kind = weight.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
    if dtype == torch.bfloat16 and kind == "cpu" and not native_bf16(weight.device):
        return torch.float32
    return dtype


def _plain(head: Any) -> bool:
    """Whether the head is a frozen linear layer with nothing around it."""
    hooked = head._forward_hooks or head._forward_pre_hooks or head._backward_hooks or "forward" in vars(head)
    return type(head) is torch.nn.Linear and head.bias is None and not head.weight.requires_grad and not hooked


def _of_states(hidden: torch.Tensor, labels: torch.Tensor, head: torch.nn.Module) -> torch.Tensor:
    """hidden [N, D], labels [N] -> [N], logits in fp32."""
    return functional.cross_entropy(head(hidden).float(), labels, reduction="none")
