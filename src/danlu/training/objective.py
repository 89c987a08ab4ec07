"""What every objective is, and the batch it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from danlu.data.dataset import TrainingSample

# B batch, T time, N labelled positions


@dataclass(frozen=True)
class Batch:
    """One micro-batch.

    Attributes:
        input_ids: [B, T] token ids, padded on the right. Causal attention never looks right, so no mask is needed.
        positions: [N] flat indices (row * T + time) of the hidden states that predict a learned token.
        labels: [N] the tokens they should predict.
        tokens: tokens of the batch, padding not counted.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, without waiting for the copy where the device allows it."""
        input_ids, positions, labels = (
            t.to(device, non_blocking=True) for t in (self.input_ids, self.positions, self.labels)
        )
        return Batch(input_ids, positions, labels, self.tokens)


class Objective(Protocol):
    """Decides what is learned in a sample, and the loss."""

    def spans(self, sample: TrainingSample) -> list[tuple[int, int]]:
        """Half-open ranges of the sample's positions whose tokens are learned."""
        ...

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Scalar: the loss summed over the batch's learned tokens. The loop divides by those of the whole step."""
        ...


def collate(samples: Sequence[TrainingSample], objective: Objective, pad_id: int) -> Batch:
    """Samples as one padded batch."""
    width = max(len(sample.input_ids) for sample in samples)
    input_ids = torch.full((len(samples), width), pad_id, dtype=torch.long)
    positions: list[int] = []
    labels: list[int] = []
    for row, sample in enumerate(samples):
        input_ids[row, : len(sample.input_ids)] = torch.tensor(sample.input_ids)
        for start, end in objective.spans(sample):
            first = max(start, 1)  # nothing predicts the first token of a sequence
            positions.extend(range(row * width + first - 1, row * width + end - 1))
            labels.extend(sample.input_ids[first:end])
    tokens = sum(len(sample.input_ids) for sample in samples)
    return Batch(input_ids, torch.tensor(positions), torch.tensor(labels), tokens)


def learned_tokens(sample: TrainingSample, objective: Objective) -> int:
    """Number of tokens of a sample that carry a loss."""
    return sum(end - max(start, 1) for start, end in objective.spans(sample))
