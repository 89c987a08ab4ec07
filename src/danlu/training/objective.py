"""What every objective is: which tokens of which sequences are learned together, and the loss of a batch of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from danlu.data.dataset import TrainingSample
from danlu.models.heads import HeadConfig
from danlu.recipe.gpu import AS_IT_COMES, GpuSection

# B sequences, T time, N labelled positions, E examples


@dataclass(frozen=True)
class Piece:
    """A token sequence and what is learned of it.

    Attributes:
        input_ids: token ids [T].
        spans: half-open ranges of positions whose tokens are learned.
        weights: of each span in the loss; empty: one each.
    """

    input_ids: Sequence[int]
    spans: Sequence[tuple[int, int]]
    weights: Sequence[float] = ()

    @property
    def learned(self) -> int:
        """Tokens that carry a loss; nothing predicts the first of a sequence."""
        return sum(end - max(start, 1) for start, end in self.spans)

    @property
    def weight(self) -> float:
        """Learned tokens, each counted by the weight of its span."""
        if not self.weights:
            return float(self.learned)
        pairs = zip(self.spans, self.weights, strict=True)
        return sum(weight * (end - max(start, 1)) for (start, end), weight in pairs)


@dataclass(frozen=True)
class Example:
    """What is shuffled and batched as a whole: one sequence, or an answer together with the one it is compared with.

    Attributes:
        row_id: `file:line` of the row.
        pieces: the sequences.
        weight: what the example counts in the mean: its learned tokens, or 1 where an answer counts as a whole.
        targets: what else the loss needs to know, such as the index of a class.
        contrast: sequences that are read beside the pieces and never learned.
        reference: log-probability of each piece, then of each of `contrast`, under the model before training; empty
            where none is needed.
    """

    row_id: str
    pieces: tuple[Piece, ...]
    weight: float
    targets: tuple[float, ...] = ()
    contrast: tuple[Piece, ...] = ()
    reference: tuple[float, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of all pieces."""
        return sum(len(piece.input_ids) for piece in self.pieces)

    @property
    def longest(self) -> int:
        """Tokens of the longest piece, times the pieces: what it takes in a padded batch."""
        return max(len(piece.input_ids) for piece in self.pieces) * len(self.pieces)

    @property
    def learned(self) -> int:
        """Tokens that carry a loss."""
        return sum(piece.learned for piece in self.pieces)


@dataclass(frozen=True)
class Batch:
    """One micro-batch.

    Attributes:
        input_ids: [B, T] token ids, padded on the right. Causal attention never looks right, so no mask is needed.
        positions: [N] flat indices (sequence * T + time) of the hidden states that predict a learned token.
        labels: [N] the tokens they should predict.
        weights: [N] of each label in the loss; None: one each.
        owners: [N] the sequence of each label.
        targets: [E, ...] of the examples; None where the objective needs none.
        reference: [B] log-probabilities before training; None where none is needed.
        contrast: the batch of what is read beside these sequences; None where there is nothing.
        tokens: tokens of the batch, padding not counted.
        lengths: of each sequence up to the last token that a label depends on; empty: unknown, so padding is computed.
        gpu: how a GPU computes it.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None
    owners: torch.Tensor
    targets: torch.Tensor | None
    reference: torch.Tensor | None
    contrast: Batch | None
    tokens: int
    lengths: tuple[int, ...] = ()
    gpu: GpuSection = AS_IT_COMES

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, without waiting for the copy where the device allows it."""

        def there(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return Batch(
            self.input_ids.to(device, non_blocking=True),
            self.positions.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            there(self.weights),
            self.owners.to(device, non_blocking=True),
            there(self.targets),
            there(self.reference),
            None if self.contrast is None else self.contrast.to(device),
            self.tokens,
            self.lengths,
            self.gpu,
        )


class Objective(Protocol):
    """Decides what is learned, and the loss."""

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """The samples of a split as examples, in their order.

        Raises:
            UserError: a row that this objective cannot learn from; it is named.
        """
        ...

    needs_reference: bool
    """Whether examples must be given their log-probabilities under the model before training."""

    learns_ends: bool
    """Whether its learned spans are answers, each to be closed by an end of turn."""

    figures: tuple[str, ...]
    """Names of what `summary` gives."""

    def head(self) -> HeadConfig | None:
        """What the numbers of a new head stand for, or None: the language model's own is enough."""
        ...

    def before_step(self, model: torch.nn.Module, batches: Sequence[Batch]) -> None:
        """Look at all micro-batches of a step, or of a validation, before the first is learned or measured."""
        ...

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Scalar: the loss summed over the batch, all by their weights. The loop divides by the step's weight."""
        ...

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Sums over the batch that validation adds up: 'loss', and what `summary` makes its figures from."""
        ...

    def summary(self, sums: dict[str, torch.Tensor], weight: float) -> dict[str, float]:
        """Figures of a validation, by name; 'validation_loss' always."""
        ...


class PlainObjective:
    """What most objectives have in common: whole answers, no reference, no head of their own, one figure: the loss."""

    needs_reference = False
    learns_ends = True
    figures: tuple[str, ...] = ("validation_loss",)

    def head(self) -> HeadConfig | None:
        """See Objective."""
        return None

    def before_step(self, model: torch.nn.Module, batches: Sequence[Batch]) -> None:
        """See Objective."""

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """See Objective."""
        raise NotImplementedError

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """See Objective."""
        return {"loss": self.loss(model, batch)}

    def summary(self, sums: dict[str, torch.Tensor], weight: float) -> dict[str, float]:
        """See Objective."""
        return {"validation_loss": float(sums["loss"]) / weight}


def collate(examples: Iterable[Example], pad_id: int, unpadded: bool = True, gpu: GpuSection = AS_IT_COMES) -> Batch:
    """Examples as one padded batch; the pieces of an example lie one after another.

    Args:
        examples: at least one.
        pad_id: fills short rows.
        unpadded: whether the batch may be computed without its padding.
        gpu: how a GPU computes it.
    """
    given = list(examples)
    pieces = [piece for example in given for piece in example.pieces]
    width = max(len(piece.input_ids) for piece in pieces)
    input_ids = torch.full((len(pieces), width), pad_id, dtype=torch.long)
    positions: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    owners: list[int] = []
    for row, piece in enumerate(pieces):
        input_ids[row, : len(piece.input_ids)] = torch.tensor(piece.input_ids)
        for (start, end), weight in zip(piece.spans, piece.weights or (1.0,) * len(piece.spans), strict=True):
            first = max(start, 1)  # nothing predicts the first token of a sequence
            positions.extend(range(row * width + first - 1, row * width + end - 1))
            labels.extend(piece.input_ids[first:end])
            weights.extend([weight] * (end - first))
            owners.extend([row] * (end - first))
    reference = [value for example in given for value in example.reference[: len(example.pieces)]]
    beside = [
        Example(example.row_id, example.contrast, 0.0, reference=example.reference[len(example.pieces) :])
        for example in given
        if example.contrast
    ]
    return Batch(
        input_ids,
        torch.tensor(positions, dtype=torch.long),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(weights) if any(weight != 1 for weight in weights) else None,
        torch.tensor(owners, dtype=torch.long),
        torch.tensor([example.targets for example in given], dtype=torch.float32) if given[0].targets else None,
        torch.tensor(reference) if reference else None,
        collate(beside, pad_id, unpadded, gpu) if beside else None,
        sum(example.tokens for example in given),
        tuple(_needed(piece) for piece in pieces) if unpadded else (),
        gpu,
    )


def _needed(piece: Piece) -> int:
    """Tokens up to the last that a label depends on: nothing depends on the last learned token itself."""
    return max((end - 1 for _, end in piece.spans), default=0) or len(piece.input_ids)
