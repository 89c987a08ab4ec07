"""Gradients of the micro-batches of one step: one after another, or side by side on the cores of a CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from danlu.models.loading import decoder_and_head
from danlu.training.allocator import keep_freed_memory
from danlu.training.objective import Batch
from danlu.training.packed.decoder import can_pack

LossOf = Callable[[Batch], torch.Tensor]
Scale = Callable[[torch.Tensor], torch.Tensor]
"""What a loss is multiplied by before it goes backward (fp16)."""


def _as_it_is(loss: torch.Tensor) -> torch.Tensor:
    return loss


def learn(model: torch.nn.Module, batches: Sequence[Batch], loss_of: LossOf, scale: Scale = _as_it_is) -> torch.Tensor:
    """Add the gradients of all micro-batches to the parameters'; returns the sum of the losses.

    On a CPU with several threads each core works on a micro-batch of its own: matrices of a few hundred rows lose a
    tenth of their speed when they are shared. Gradients are added in the order of the micro-batches whichever is ready
    first, so the result does not depend on how the machine is loaded.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(batches) == 1 or not _side_by_side(model, batches):
        total = batches[0].input_ids.new_zeros((), dtype=torch.float32)
        for batch in batches:
            loss = loss_of(batch)
            scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total
    keep_freed_memory()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def work(batch: Batch) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
        loss = loss_of(batch)
        return loss.detach(), torch.autograd.grad(scale(loss), parameters, allow_unused=True)

    with _pool(min(threads, len(batches)), threads) as pool:
        total = torch.zeros(())
        for loss, gradients in pool.map(work, batches):
            total += loss
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return total


@contextlib.contextmanager
def _pool(workers: int, threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute on one core; torch's own number of threads is as before afterwards."""
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def _side_by_side(model: torch.nn.Module, batches: Sequence[Batch]) -> bool:
    """Only danlu's own decoder on a CPU: it keeps nothing between calls and draws no random numbers."""
    if batches[0].input_ids.device.type != "cpu" or not all(batch.lengths for batch in batches):
        return False
    decoder, _ = decoder_and_head(model)
    return can_pack(decoder, model.training)
