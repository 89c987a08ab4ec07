"""Direct preference optimisation (Rafailov et al., 2023, arXiv:2305.18290)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.recipe.objectives import DpoObjective
from danlu.training.cross_entropy import sequence_log_probabilities
from danlu.training.objective import Batch, Example
from danlu.training.pairs import PairObjective, preference_pairs

# E pairs


class Dpo(PairObjective):
    """The objective of `{type: dpo}`.

    With r(y) = beta (log pi(y|x) - log ref(y|x)) the loss of a pair is -log sigmoid(r(better) - r(worse)), equation 7
    of the paper; ref is the model before training. Label smoothing e: (1 - e) times it and e times the loss of the pair
    turned round (equation 3 of the authors' note on conservative DPO).
    """

    needs_reference = True

    def __init__(self, config: DpoObjective) -> None:
        self.config = config

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """Pairs; see `preference_pairs`."""
        return preference_pairs(samples)

    def losses(self, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """See PairObjective."""
        assert batch.reference is not None
        found = sequence_log_probabilities(model, batch)
        rewards = self.config.beta * (found - batch.reference).view(-1, 2)  # [E, 2]
        margin = rewards[:, 0] - rewards[:, 1]
        smooth = self.config.label_smoothing
        losses = -(1 - smooth) * functional.logsigmoid(margin) - smooth * functional.logsigmoid(-margin)
        if self.config.sft_weight:
            learned = torch.zeros_like(found).index_add(0, batch.owners, found.new_ones(len(batch.owners)))
            losses = losses - self.config.sft_weight * (found / learned).view(-1, 2)[:, 0]
        return losses, margin.detach()
