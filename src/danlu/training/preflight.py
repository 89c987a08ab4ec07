"""What is looked at before training, by `danlu plan` and in a run alike: what cannot go well is told or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from danlu.data.dataset import check_dataset_rendering, load_samples
from danlu.models.device import compute_dtype, default_device
from danlu.recipe.errors import UserError
from danlu.recipe.optimizer import rate_warning
from danlu.training.objective import Example, Objective
from danlu.training.packed.ways import ways_for
from danlu.training.stopping import check_stopping
from danlu.training.training_input import TrainingInput

SPLITS = ("train", "validation", "test")


class Warned(NamedTuple):
    """A kind of warning ('learning_rate' or 'end_of_turn') and its sentence."""

    kind: str
    reason: str


def look_over(given: TrainingInput, objective: Objective) -> tuple[dict[str, list[Example]], list[Warned]]:
    """(the examples of each split, what to warn of).

    Args:
        given: the stage's input.
        objective: of the recipe; its classes are fixed here.

    Raises:
        UserError: the dataset was rendered otherwise, a row does not fit the objective, no answer's end would be
            learned, the recipe wants to stop by what validation does not give, or the device lacks what it asks for.
    """
    config, device = given.train, default_device()
    check_dataset_rendering(given.dataset, given.renderer.rendering_hash)
    ways_for(config.gpu, device, compute_dtype(config.precision, device))
    examples = {split: objective.examples(load_samples(given.dataset, split)) for split in SPLITS}
    check_stopping(config, examples["validation"], objective.figures)
    rate = rate_warning(config.method.type, config.optimizer, from_scratch=given.model.weights == "random")
    cut = ends_warning(examples, given.renderer.eos_id) if objective.learns_ends else None
    found = {"learning_rate": rate, "end_of_turn": cut}
    return examples, [Warned(kind, reason) for kind, reason in found.items() if reason is not None]


def ends_warning(examples: Mapping[str, Sequence[Example]], eos_id: int) -> str | None:
    """A sentence if some answers to learn from are cut off before their end of turn, else None.

    Args:
        examples: split -> examples; only 'train' counts.
        eos_id: the token that ends a turn.

    Raises:
        UserError: no answer has its end: the model would learn never to stop.
    """
    train = examples["train"]
    cut = [example for example in train if not all(_ends(example, eos_id, last=True))]
    if not cut:
        return None
    if not any(any(_ends(example, eos_id)) for example in train):
        raise UserError(
            f"end-of-turn never learned: the answers of all {len(train)} training examples are cut off before their "
            "end, so the model would learn never to stop",
            where=cut[0].row_id,
            fix="set data.max_tokens higher, or data.on_too_long: drop",
        )
    return (
        f"{len(cut)} of {len(train)} training examples are cut off before their end of turn (first: {cut[0].row_id}), "
        "and what is cut off does not teach the model to stop: set data.max_tokens higher, or data.on_too_long: drop"
    )


def _ends(example: Example, eos_id: int, *, last: bool = False) -> list[bool]:
    """For each learned answer of the example, or the last one of each sequence: whether its end of turn is learned."""
    return [
        piece.input_ids[end - 1] == eos_id
        for piece in example.pieces
        for _, end in (piece.spans[-1:] if last else piece.spans)
    ]
