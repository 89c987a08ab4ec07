"""Rows with a better and a worse answer as examples of two sequences each, and what is reported of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from danlu.data.dataset import TrainingSample
from danlu.recipe.errors import UserError
from danlu.training.objective import Batch, Example, Piece, PlainObjective

# E pairs


class PairObjective(PlainObjective):
    """What objectives on pairs report: how often, and by how much, the better answer has the higher reward."""

    figures = ("validation_loss", "validation_accuracy", "validation_reward_margin")

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """See Objective."""
        assert batch.targets is not None
        losses, margin = self.losses(model, batch)
        weights = batch.targets[:, 0]
        return {
            "loss": (weights * losses).sum(),
            "right": (weights * (margin > 0)).sum().detach(),
            "margin": (weights * margin).sum().detach(),
        }

    def losses(self, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """([E] losses, [E] reward of the better answer less that of the worse)."""
        raise NotImplementedError

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed over pairs, each by its weight."""
        return self.measure(model, batch)["loss"]

    def summary(self, sums: dict[str, torch.Tensor], weight: float) -> dict[str, float]:
        """See Objective."""
        return {
            "validation_loss": float(sums["loss"]) / weight,
            "validation_accuracy": float(sums["right"]) / weight,
            "validation_reward_margin": float(sums["margin"]) / weight,
        }


def preference_pairs(samples: Sequence[TrainingSample]) -> list[Example]:
    """One example for each row: the better answer, then the worse one; each counts its row's weight.

    Raises:
        UserError: a row has no worse answer, or an answer falls in several sequences.
    """
    rows: dict[str, tuple[list[TrainingSample], list[TrainingSample]]] = {}
    for sample in samples:
        rows.setdefault(sample.row_id, ([], []))[1 if sample.rejected else 0].append(sample)
    return [_pair(row_id, *found) for row_id, found in rows.items()]


def _pair(row_id: str, better: list[TrainingSample], worse: list[TrainingSample]) -> Example:
    if not worse:
        raise UserError(
            "has no second answer to compare with",
            where=row_id,
            fix="give rows with 'prompt', 'chosen' and 'rejected', or another train.objective",
        )
    first = min(worse[0].turns)  # before it both are the same, and nothing is learned
    pieces = []
    for answer in (better, worse):
        holders = [sample for sample in answer if max(sample.turns) >= first]
        if len(holders) != 1:
            raise UserError(
                "has an answer of several turns that this chat template renders apart",
                where=row_id,
                fix="end the answers with their first turn, or use rows of one turn",
            )
        spans = [span for span, turn in zip(holders[0].spans, holders[0].turns, strict=True) if turn >= first]
        pieces.append(Piece(holders[0].input_ids, spans))
    return Example(row_id, tuple(pieces), better[0].weight, targets=(better[0].weight,))
