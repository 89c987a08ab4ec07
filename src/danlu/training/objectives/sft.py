"""Supervised fine-tuning: only the assistant's tokens, end of turn included, carry a loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from danlu.data.dataset import TrainingSample
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import SftObjective
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import Batch, Example, Piece, PlainObjective


class Sft(PlainObjective):
    """The objective of `{type: sft}`."""

    def __init__(self, config: SftObjective) -> None:
        self.config = config

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """The answers that the recipe picks, each by its weight; what a preference row likes less is not learned.

        Raises:
            UserError: a plain-text row, which has no answers.
        """
        last = {sample.row_id: max(sample.turns) for sample in samples if sample.turns}  # one row, several samples
        made = []
        for sample in samples:
            if sample.text:
                raise UserError(
                    "is plain text, which has no assistant turn to learn",
                    where=sample.row_id,
                    fix="set train.objective: {type: language_modeling}, or give conversations",
                )
            if not sample.rejected:
                made.append(self._example(sample, last.get(sample.row_id, 0)))
        return [example for example in made if example.weight > 0]

    def _example(self, sample: TrainingSample, last: int) -> Example:
        kept = [
            (span, weight * sample.weight)
            for span, weight, turn in zip(sample.spans, sample.span_weights, sample.turns, strict=True)
            if weight > 0 and (self.config.turns == "all" or turn == last)
        ]
        piece = Piece(sample.input_ids, [span for span, _ in kept], [weight for _, weight in kept])
        return Example(sample.row_id, (piece,), piece.weight)

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross-entropy."""
        return completion_loss(model, batch)
