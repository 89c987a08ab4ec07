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
from danlu.training.ema import Average
from danlu.training.optimizer import load_state

WEIGHTS, OPTIMIZER, RANDOM, STATE = "trainable.safetensors", "optimizer.pt", "random.pt", "state.json"
AVERAGE = "average.safetensors"
"""Only where the recipe asks for a moving average."""
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
    average: Average | None = None,
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
    averages = average.state() if average is not None else {}
    if averages:
        save_file({name: value.cpu().contiguous() for name, value in averages.items()}, temporary / AVERAGE)
    torch.save(optimizer.state_dict(), temporary / OPTIMIZER)
    torch.save(random_state(), temporary / RANDOM)
    names = (WEIGHTS, OPTIMIZER, RANDOM, *([AVERAGE] if averages else []))
    sums = {name: hash_file(temporary / name) for name in names}
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
    average: Average | None = None,
) -> Progress:
    """Load the newest sound checkpoint into parameters, optimizer, average and generators; Progress() if none.

    A damaged one is reported to `on_fault` and the one before it is tried.
    """
    for path in reversed(checkpoints(folder)):
        state = _sound_state(path, on_fault)
        if state is None:
            continue
        saved = load_file(path / WEIGHTS)
        averages = load_file(path / AVERAGE) if AVERAGE in state["sha256"] else {}
        if set(saved) != set(parameters) or set(averages) != set(average.state() if average is not None else ()):
            on_fault(f"{path.name} holds other parameters than this run trains; it is not used")
            continue
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(saved[name])
        load_state(optimizer, torch.load(path / OPTIMIZER, weights_only=True, map_location="cpu"))
        if average is not None:
            average.load(averages)
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
