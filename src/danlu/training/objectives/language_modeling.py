"""Plain language modelling: every token but the first carries a loss."""

from __future__ import annotations

import torch

from danlu.data.dataset import TrainingSample
from danlu.recipe.train import LanguageModelingObjective
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import Batch


class LanguageModeling:
    """The objective of `{type: language_modeling}`."""

    def __init__(self, config: LanguageModelingObjective) -> None:
        self.config = config

    def spans(self, sample: TrainingSample) -> list[tuple[int, int]]:
        """The whole sequence."""
        return [(1, len(sample.input_ids))]

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross-entropy."""
        return completion_loss(model, batch)
