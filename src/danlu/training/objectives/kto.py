"""Kahneman-Tversky optimisation (Ethayarajh et al., 2024, arXiv:2402.01306)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from danlu.data.dataset import TrainingSample
from danlu.models.device import evaluating
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import KtoObjective
from danlu.training.cross_entropy import sequence_log_probabilities
from danlu.training.objective import Batch, Example, Piece, PlainObjective

# E examples


class Kto(PlainObjective):
    """The objective of `{type: kto}`.

    With r(y) = log pi(y|x) - log ref(y|x) the loss is w_d (1 - sigmoid(beta (r - z))) for a liked answer and
    w_u (1 - sigmoid(beta (z - r))) for another (equation 8 of the paper). z is the mean of r over answers to other
    questions, at least 0: an estimate of the KL divergence, without a gradient. It is taken over the whole step, or the
    whole validation, so that neither depends on how it is cut into micro-batches. Both answers of a preference row
    count.
    """

    needs_reference = True
    figures = ("validation_loss", "validation_reward_margin")

    def __init__(self, config: KtoObjective) -> None:
        self.config = config
        self._divergence = torch.zeros(())

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """One example for each judged answer, beside it the answer of the row before (of the last for the first).

        Raises:
            UserError: a row says neither that its answer was liked nor that it was not; or there is only one row.
        """
        judged = [(sample, _liked(sample, samples)) for sample in samples]
        if judged and len({sample.row_id for sample, _ in judged}) == 1:
            raise UserError(
                "is the only row of its split, so there is no answer to another question",
                where=judged[0][0].row_id,
                fix="give at least two rows to each split",
            )
        return [self._example(sample, liked, _other(judged, index)) for index, (sample, liked) in enumerate(judged)]

    def _example(self, sample: TrainingSample, liked: bool, other: TrainingSample) -> Example:
        start, end = sample.spans[-1]
        answer = other.input_ids[slice(*other.spans[-1])]
        beside = Piece([*sample.input_ids[:start], *answer], [(start, start + len(answer))])
        factor = self.config.desirable_weight if liked else self.config.undesirable_weight
        targets = (1.0 if liked else -1.0, sample.weight * factor)
        return Example(
            sample.row_id, (Piece(sample.input_ids, [(start, end)]),), sample.weight, targets, contrast=(beside,)
        )

    def before_step(self, model: torch.nn.Module, batches: Sequence[Batch]) -> None:
        """Estimate the divergence for the step or the validation."""
        self._divergence = _divergence(model, batches)

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed over answers, each by its weight."""
        return self._sums(model, batch, self._divergence)["loss"]

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Sums over answers; the divergence is that of the whole validation."""
        return self._sums(model, batch, self._divergence)

    def summary(self, sums: dict[str, torch.Tensor], weight: float) -> dict[str, float]:
        """See Objective."""
        liked, others = (
            float(sums[f"{name}_reward"]) / max(float(sums[name]), 1.0) for name in ("desirable", "undesirable")
        )
        return {"validation_loss": float(sums["loss"]) / weight, "validation_reward_margin": liked - others}

    def _sums(self, model: torch.nn.Module, batch: Batch, divergence: torch.Tensor) -> dict[str, torch.Tensor]:
        assert batch.reference is not None and batch.targets is not None
        rewards = sequence_log_probabilities(model, batch) - batch.reference  # [E]
        direction, weights = batch.targets.unbind(1)
        losses = weights * (1 - torch.sigmoid(self.config.beta * direction * (rewards - divergence)))
        seen = self.config.beta * rewards.detach()
        liked = direction > 0
        return {
            "loss": losses.sum(),
            "desirable": liked.sum(),
            "desirable_reward": seen.where(liked, 0.0).sum(),
            "undesirable": (~liked).sum(),
            "undesirable_reward": seen.where(~liked, 0.0).sum(),
        }


def _other(judged: Sequence[tuple[TrainingSample, bool]], index: int) -> TrainingSample:
    """The nearest sample before this one that is of another row."""
    row_id = judged[index][0].row_id
    before = (judged[index - step][0] for step in range(1, len(judged)))
    return next(sample for sample in before if sample.row_id != row_id)


def _divergence(model: torch.nn.Module, batches: Sequence[Batch]) -> torch.Tensor:
    """Scalar: the mean log-ratio of answers to other questions, at least 0."""
    found = []
    with evaluating(model):
        for batch in batches:
            beside = batch.contrast
            assert beside is not None and beside.reference is not None
            found.append(sequence_log_probabilities(model, beside) - beside.reference)
    return torch.cat(found).mean().clamp(min=0)


def _liked(sample: TrainingSample, samples: Sequence[TrainingSample]) -> bool:
    if sample.rejected:
        return False
    if sample.desirable is not None:
        return sample.desirable
    if any(other.rejected and other.row_id == sample.row_id for other in samples):
        return True
    raise UserError(
        "does not say whether its answer was liked",
        where=sample.row_id,
        fix="give rows the key 'desirable' (true or false), or preference rows with 'chosen' and 'rejected'",
    )
