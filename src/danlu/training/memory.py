"""What does not fit into memory is cut smaller: the same rows in one optimizer step, fewer of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from danlu.models.device import random_state, restore_random_state
from danlu.recipe.errors import UserError
from danlu.training.decisions import Decisions, Halving

T = TypeVar("T")
Groups = Sequence[tuple[int, ...]]
OnEvent = Callable[[dict[str, Any]], None]


class Memory:
    """Runs work in micro-batches that fit; a size that did not is not tried again in this run.

    Args:
        model: whose gradients are in the way after a failure.
        configured: the recipe's tokens of a micro-batch.
        decisions: where smaller sizes are kept.
        on_event: told of each.
    """

    def __init__(self, model: torch.nn.Module, configured: int, decisions: Decisions, on_event: OnEvent) -> None:
        self._model = model
        self._configured = configured
        self._decisions = decisions
        self._on_event = on_event

    def run(
        self, step: int, cut: Callable[[int], Groups], work: Callable[[Groups], T], *, validation: bool = False
    ) -> T:
        """The result of `work` on what `cut` makes of a number of tokens, with as many tokens as fit.

        Args:
            step: of the training, counted from 1.
            cut: from tokens to groups of rows.
            work: forward and backward passes that change nothing but gradients and the state of generators.
            validation: whether this is the validation after the step.

        Raises:
            UserError: not even one row at a time fits.
        """
        while True:
            tokens = self._decisions.micro_tokens(step, self._configured, validation=validation)
            groups, before = cut(tokens), random_state()
            try:
                return work(groups)
            except torch.OutOfMemoryError as error:
                reason = str(error).split("\n")[0].split(". ")[0]
            # Here and not inside `except`, where the error would still hold the tensors that filled the memory
            self._model.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            restore_random_state(before)
            fewer = _smaller(tokens, groups, cut, reason)
            self._decisions.halve(Halving(step, validation, fewer))
            self._on_event(
                {
                    "event": "fault",
                    "kind": "memory",
                    "step": step,
                    "micro_tokens": fewer,
                    "reason": f"step {step} did not fit into memory ({reason}); "
                    f"micro-batches of {fewer} tokens from here",
                }
            )

    def note(self, step: int) -> dict[str, int]:
        """For the record of a step whose micro-batches became smaller: their tokens."""
        if all(halving.step != step or halving.validation for halving in self._decisions.halvings):
            return {}
        return {"micro_tokens": self._decisions.micro_tokens(step, self._configured)}


def _smaller(tokens: int, groups: Groups, cut: Callable[[int], Groups], reason: str) -> int:
    """Half of `tokens`, and half again until the groups become other ones."""
    if all(len(group) == 1 for group in groups):
        raise UserError(
            f"one row at a time does not fit into memory ({reason})",
            where="train.batch.micro_tokens",
            fix="lower data.max_tokens, or train fewer parameters (train.method)",
        )
    while cut(tokens := max(1, tokens // 2)) == groups:
        pass
    return tokens
