"""Log-probabilities under the model before training, which preference objectives compare with.

They are computed once, before the method touches the model: no second copy of it, no second pass in every step, and the
same for every method, adapter or not. They are kept in the run's work folder, so that a resumed run has the very same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from danlu.data.batches import bucket
from danlu.models.device import autocast, evaluating
from danlu.training.cross_entropy import sequence_log_probabilities
from danlu.training.objective import Batch, Example

Collate = Callable[[Sequence[Example]], Batch]


def with_reference(
    model: torch.nn.Module,
    examples: Sequence[Example],
    file: Path,
    *,
    collated: Collate,
    dtype: torch.dtype,
    tell: Callable[[int, int], None],
) -> list[Example]:
    """The examples with the log-probability of the learned tokens of each piece, and of each sequence beside it.

    Args:
        model: before training.
        examples: of one split.
        file: where the numbers are kept; read if it is there.
        collated: from examples to a batch, as in training.
        dtype: of the computation, as in training.
        tell: told of (done, all) examples.
    """
    if not examples:
        return []
    if file.is_file():
        numbers = load_file(file)["log_probabilities"].tolist()
    else:
        numbers = _compute(model, examples, collated, dtype, tell)
        temporary = file.with_suffix(".part")
        save_file({"log_probabilities": torch.tensor(numbers)}, temporary)
        os.replace(temporary, file)
    found = iter(numbers)
    return [
        replace(example, reference=tuple(next(found) for _ in (*example.pieces, *example.contrast)))
        for example in examples
    ]


def _compute(
    model: torch.nn.Module,
    examples: Sequence[Example],
    collated: Collate,
    dtype: torch.dtype,
    tell: Callable[[int, int], None],
) -> list[float]:
    """The log-probabilities, piece by piece in the order of the examples."""
    device = next(model.parameters()).device
    # What is read beside an example is read as one more piece of it here
    examples = [replace(example, pieces=(*example.pieces, *example.contrast), contrast=()) for example in examples]
    sizes = [example.longest for example in examples]
    found: dict[int, list[float]] = {}
    with evaluating(model):
        for group in bucket(range(len(examples)), sizes, max(2048, max(sizes))):
            batch = collated([examples[index] for index in group]).to(device)
            with autocast(device, dtype):
                numbers = sequence_log_probabilities(model, batch).float().tolist()
            for index in group:
                count = len(examples[index].pieces)
                found[index], numbers = numbers[:count], numbers[count:]
            tell(len(found), len(examples))
    return [number for index in range(len(examples)) for number in found[index]]
