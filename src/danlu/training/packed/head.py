"""Losses of labels under a frozen head, with the gradient made in the same pass, so that logits never stay.

Legend: N labelled positions, D hidden, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch

from danlu.training.packed.products import product

CHUNK = 1 << 21
"""Logits held at once (8 MiB in fp32): about what a CPU's cache holds."""
FEWEST = 64
"""Rows that are enough for a fast product; their number is a multiple of this on a CPU, where oneDNN makes a kernel for
each."""
GPU_CHUNK = 1 << 27
"""The same on a GPU (512 MiB in fp32): with Qwen3's vocabulary 883 rows, enough to keep all processors at work."""


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
    return max(FEWEST, (GPU_CHUNK if device.type == "cuda" else CHUNK) // vocabulary // FEWEST * FEWEST)


def _logits(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[N, D] -> [N, V]."""
    return product(_filled(states), weight.t())[: len(states)]


def _slopes(chances: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[N, V] -> [N, D]."""
    return product(_filled(chances), weight)[: len(chances)]


def _filled(rows: torch.Tensor) -> torch.Tensor:
    missing = -len(rows) % FEWEST if rows.device.type == "cpu" else 0
    return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]) if missing else rows


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
                logits = _logits(states[part], held).float()
                picks = labels[part, None]
                level = logits.amax(1, keepdim=True) - logits.gather(1, picks)
                chances = torch.softmax(logits, 1)
                # The largest probability is one over the sum of exp(logit - largest logit)
                losses[part] = (level - chances.amax(1, keepdim=True).log_()).squeeze(1)
                if slopes is not None:
                    chances.scatter_add_(1, picks, torch.full_like(level, -1.0))
                    slopes[part] = _slopes(chances.to(states.dtype), held)
        ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0][:, None].to(slopes.dtype), None, None
