"""Reward modelling on pairs of answers (Bradley and Terry, 1952; Ouyang et al., 2022, arXiv:2203.02155)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.heads import HeadConfig, head_of
from danlu.recipe.objectives import RewardObjective
from danlu.training.cross_entropy import states_at
from danlu.training.objective import Batch, Example, Piece
from danlu.training.pairs import PairObjective, preference_pairs

# E pairs


class Reward(PairObjective):
    """The objective of `{type: reward}`: -log sigmoid(r(better) - r(worse)), r from the last token's state.

    `centering` c adds c (r(better) + r(worse))^2, which holds rewards near zero (Eisenstein et al., 2023, section 2).
    """

    def __init__(self, config: RewardObjective) -> None:
        self.config = config

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """Pairs, of each of which only the last token's state counts."""
        pairs = preference_pairs(samples)
        return [
            Example(pair.row_id, tuple(_last(piece) for piece in pair.pieces), pair.weight, pair.targets)
            for pair in pairs
        ]

    def head(self) -> HeadConfig:
        """One number."""
        return HeadConfig(("reward",))

    def losses(self, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """See PairObjective."""
        rewards = head_of(model)(states_at(model, batch)).float().view(-1, 2)  # [E, 2]
        margin = rewards[:, 0] - rewards[:, 1]
        return -functional.logsigmoid(margin) + self.config.centering * rewards.sum(1) ** 2, margin.detach()


def _last(piece: Piece) -> Piece:
    """The sequence to the end of its answer, with one labelled position behind its last token."""
    end = piece.spans[-1][1]
    return Piece([*piece.input_ids[:end], piece.input_ids[end - 1]], [(end, end + 1)])
