"""Log-probabilities under the model before training, which preference objectives compare with.

They are computed once, before the method touches the model: no second copy of it, no second pass in every step, and the
same for every method, adapter or not. They are kept in the run's work folder as they are computed, so that a run that
goes on has the very same, and computes none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from danlu.data.batches import bucket
from danlu.models.device import autocast, evaluating
from danlu.recipe.errors import Interrupted
from danlu.training.cross_entropy import sequence_log_probabilities
from danlu.training.interruption import Interruption
from danlu.training.objective import Batch, Example
from danlu.training.reference_file import ReferenceFile

Collate = Callable[[Sequence[Example]], Batch]
OnEvent = Callable[[dict[str, Any]], None]


def with_reference(
    model: torch.nn.Module,
    splits: Mapping[str, Sequence[Example]],
    folder: Path,
    *,
    collated: Collate,
    dtype: torch.dtype,
    on_event: OnEvent,
) -> dict[str, list[Example]]:
    """The examples with the log-probability of the learned tokens of each piece, and of each sequence beside it.

    Args:
        model: before training.
        splits: name -> examples.
        folder: where the numbers are kept; what is there is not computed again.
        collated: from examples to a batch, as in training.
        dtype: of the computation, as in training.
        on_event: told of progress, and of numbers on the disk that are damaged.

    Raises:
        Interrupted: SIGTERM or SIGINT came; what is computed is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Interruption() as interruption:
        one_pass = _Pass(model, collated, dtype, on_event, interruption)
        found = {
            split: one_pass.over(examples, folder / f"reference-{split}.jsonl") if examples else []
            for split, examples in splits.items()
        }
        one_pass.check("the last row")
    return found


class _Pass:
    """A pass with the model before training."""

    def __init__(
        self,
        model: torch.nn.Module,
        collated: Collate,
        dtype: torch.dtype,
        on_event: OnEvent,
        interruption: Interruption,
    ) -> None:
        self._model = model
        self._collated = collated
        self._dtype = dtype
        self._on_event = on_event
        self._interruption = interruption

    def over(self, examples: Sequence[Example], path: Path) -> list[Example]:
        """The examples of one split, with their numbers."""
        # What is read beside an example is read as one more piece of it here
        read = [replace(example, pieces=(*example.pieces, *example.contrast), contrast=()) for example in examples]
        sizes = [example.longest for example in read]
        groups = bucket(range(len(read)), sizes, max(2048, max(sizes)))
        counts = {group: sum(len(read[index].pieces) for index in group) for group in groups}
        found: dict[int, tuple[float, ...]] = {}
        with ReferenceFile(path, counts, self._fault) as file, evaluating(self._model):
            for group in groups:
                computed = group not in file.known
                if computed:
                    file.add(group, self._numbers([read[index] for index in group]))
                numbers = iter(file.known[group])
                found |= {index: tuple(next(numbers) for _ in read[index].pieces) for index in group}
                if computed:
                    self._tell(len(found), len(read))
                self.check(f"{len(found)} of {len(read)} rows")
        return [replace(example, reference=found[index]) for index, example in enumerate(examples)]

    def check(self, done: str) -> None:
        """Leave if a signal came.

        Raises:
            Interrupted: it did.
        """
        by = self._interruption.by
        if by is not None:
            raise Interrupted(f"stopped by {by} after {done} with the model before training; what is done is kept")

    def _numbers(self, examples: Sequence[Example]) -> list[float]:
        device = next(self._model.parameters()).device
        batch = self._collated(examples).to(device)
        with autocast(device, self._dtype):
            numbers: list[float] = sequence_log_probabilities(self._model, batch).float().tolist()
        return numbers

    def _tell(self, done: int, total: int) -> None:
        self._on_event({"event": "progress", "done": done, "total": total, "note": "the model before training"})

    def _fault(self, reason: str) -> None:
        self._on_event({"event": "fault", "kind": "reference", "reason": reason})
