"""Checkpoints: everything a run needs to go on as if nothing had happened, atomic and checksummed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from danlu.models.device import random_state, restore_random_state
from danlu.runs.durable import publish, write_json
from danlu.runs.hashing import hash_file

WEIGHTS, OPTIMIZER, RANDOM, STATE = "trainable.safetensors", "optimizer.pt", "random.pt", "state.json"
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True)
class Progress:
    """Where training stands: optimizer steps done and tokens seen. The data order follows from the step."""

    step: int = 0
    tokens: int = 0


def save_checkpoint(
    folder: Path,
    progress: Progress,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    keep: int,
) -> Path:
    """Write `folder/step-N`, then delete all but the newest `keep`.

    The files are written under a temporary name, synced, and renamed, so a checkpoint is whole or not there.
    """
    final = folder / f"step-{progress.step:08d}"
    temporary = folder / f".{final.name}.tmp"
    for leftover in (temporary, final):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file({name: p.detach().cpu().contiguous() for name, p in parameters.items()}, temporary / WEIGHTS)
    torch.save(optimizer.state_dict(), temporary / OPTIMIZER)
    torch.save(random_state(), temporary / RANDOM)
    sums = {name: hash_file(temporary / name) for name in (WEIGHTS, OPTIMIZER, RANDOM)}
    write_json(temporary / STATE, {"progress": asdict(progress), "sha256": sums})
    publish(temporary, final)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name))


def restore_newest(
    folder: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    on_fault: Callable[[str], None],
) -> Progress:
    """Load the newest sound checkpoint into parameters, optimizer and generators; Progress() if there is none.

    A damaged one is reported to `on_fault` and the one before it is tried.
    """
    for path in reversed(checkpoints(folder)):
        state = _sound_state(path, on_fault)
        if state is None:
            continue
        saved = load_file(path / WEIGHTS)
        if set(saved) != set(parameters):
            on_fault(f"{path.name} holds other parameters than this run trains; it is not used")
            continue
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(saved[name])
        optimizer.load_state_dict(torch.load(path / OPTIMIZER, weights_only=True, map_location="cpu"))
        restore_random_state(torch.load(path / RANDOM, weights_only=True))
        return Progress(**state["progress"])
    return Progress()


def _sound_state(path: Path, on_fault: Callable[[str], None]) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((path / STATE).read_text(encoding="utf-8"))
        for name, expected in state["sha256"].items():
            if hash_file(path / name) != expected:
                on_fault(f"{path.name} is damaged ({name} does not have its SHA-256); the one before is used")
                return None
    except (OSError, ValueError, KeyError) as error:
        on_fault(f"{path.name} cannot be read ({error}); the one before is used")
        return None
    return state
