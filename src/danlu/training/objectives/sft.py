"""Supervised fine-tuning: only the assistant's tokens, end of turn included, carry a loss."""

from __future__ import annotations

import torch

from danlu.data.dataset import TrainingSample
from danlu.recipe.errors import UserError
from danlu.recipe.train import SftObjective
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import Batch


class Sft:
    """The objective of `{type: sft}`."""

    def __init__(self, config: SftObjective) -> None:
        self.config = config

    def spans(self, sample: TrainingSample) -> list[tuple[int, int]]:
        """The completions.

        Raises:
            UserError: a plain-text row has none.
        """
        if sample.text:
            raise UserError(
                "is plain text, which has no assistant turn to learn",
                where=sample.row_id,
                fix="set train.objective: {type: language_modeling}, or give conversations",
            )
        return sample.spans

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross-entropy."""
        return completion_loss(model, batch)
