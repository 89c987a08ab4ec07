"""Whether a second run gives the same bits: settled before training, and written down with the reason."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextlib.contextmanager
def settled(device: torch.device, asked: bool) -> Iterator[dict[str, Any]]:
    """Inside, computation is as deterministic as the recipe asks; gives what to record of it.

    Args:
        device: that trains.
        asked: the recipe's `train.deterministic`.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if asked:
        os.environ.setdefault(_CUBLAS, ":4096:8")  # read when cuBLAS starts; without it torch refuses
        torch.use_deterministic_algorithms(True)
    try:
        yield facts(device)
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


def facts(device: torch.device) -> dict[str, Any]:
    """Whether the same recipe, versions and machine give the same bits, why, and what else the bits depend on."""
    enforced = (
        torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled()
    )
    if device.type == "cpu":
        why = "one process on a CPU adds in a fixed order for a fixed number of threads"
    elif enforced:
        why = "torch was told to use deterministic algorithms only"
    else:
        why = f"kernels on '{device.type}' may add in varying order; train.deterministic: true forbids those"
    return {
        "deterministic": device.type == "cpu" or enforced,
        "why": why,
        "enforced": enforced,
        "threads": torch.get_num_threads(),
    }
