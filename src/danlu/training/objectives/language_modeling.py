"""Plain language modelling: every token but the first carries a loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from danlu.data.dataset import TrainingSample
from danlu.recipe.objectives import LanguageModelingObjective
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import Batch, Example, Piece, PlainObjective


class LanguageModeling(PlainObjective):
    """The objective of `{type: language_modeling}`."""

    learns_ends = False  # the end of a text that is cut into windows is none

    def __init__(self, config: LanguageModelingObjective) -> None:
        self.config = config

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """Whole sequences; what a preference row likes less is not learned."""
        pieces = [(s, Piece(s.input_ids, [(1, len(s.input_ids))], [s.weight])) for s in samples if not s.rejected]
        return [Example(sample.row_id, (piece,), piece.weight) for sample, piece in pieces]

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross-entropy."""
        return completion_loss(model, batch)
