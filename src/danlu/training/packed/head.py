"""Losses of labels under a frozen head, with the gradient made in the same pass, so that logits never stay.

Legend: N labelled positions, D hidden, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch

from danlu.training.packed.products import FILLED, filled, product

CHUNK = 1 << 21
"""Logits held at once (8 MiB in fp32): about what a CPU's cache holds."""
GPU_CHUNK = 1 << 27
"""The same on a GPU (512 MiB in fp32): with Qwen3's vocabulary 832 rows, enough to keep all processors at work."""


def linear_losses(states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """[N] in fp32: -log softmax(states weight^T) at the labels.

    Args:
        states: [N, D].
        weight: [V, D] of a head that does not train.
        labels: [N].
    """
    found: torch.Tensor = _Losses.apply(states, weight, labels)  # type: ignore[no-untyped-call]
    return found


def rows_at_once(device: torch.device, vocabulary: int) -> int:
    """Labelled positions whose logits are held at once."""
    return max(FILLED, (GPU_CHUNK if device.type == "cuda" else CHUNK) // vocabulary // FILLED * FILLED)


def _product(rows: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`product` for any number of rows."""
    return product(filled(rows), right)[: len(rows)] if rows.device.type == "cpu" else product(rows, right)


class _Losses(torch.autograd.Function):
    """The gradient of loss i by state i is (p_i - onehot_i) W, whatever becomes of the loss afterwards but a factor."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(states.device.type, enabled=False):
            held = weight.to(states.dtype)
            wanted = ctx.needs_input_grad[0]
            losses = torch.empty(len(labels), dtype=torch.float32, device=states.device)
            slopes = torch.empty_like(states) if wanted else None
            rows = rows_at_once(states.device, weight.shape[0])
            for start in range(0, len(labels), rows):
                part = slice(start, start + rows)
                logits = _product(states[part], held.t()).float()
                picks = labels[part, None]
                level = logits.amax(1, keepdim=True) - logits.gather(1, picks)
                chances = torch.softmax(logits, 1)
                # The largest probability is one over the sum of exp(logit - largest logit)
                losses[part] = (level - chances.amax(1, keepdim=True).log_()).squeeze(1)
                if slopes is not None:
                    chances.scatter_add_(1, picks, torch.full_like(level, -1.0))
                    slopes[part] = _product(chances.to(states.dtype), held)
        ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0][:, None].to(slopes.dtype), None, None
