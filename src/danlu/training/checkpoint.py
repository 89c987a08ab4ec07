"""Checkpoints: everything a run needs to go on as if nothing had happened, atomic and checksummed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from danlu.models.device import random_state, restore_random_state
from danlu.recipe.errors import InternalFault
from danlu.runs.durable import publish, write_json
from danlu.runs.hashing import hash_data, hash_file
from danlu.training.ema import Average
from danlu.training.optimizer import load_state

WEIGHTS, OPTIMIZER, RANDOM, STATE = "trainable.safetensors", "optimizer.pt", "random.pt", "state.json"
AVERAGE = "average.safetensors"
"""Only where the recipe asks for a moving average."""
SLACK = 1 << 20
"""Bytes beside the tensors: headers, state of the generators, what the file system needs."""
_NAME = re.compile(r"step-(\d{8})")

OnFault = Callable[[str], None]


@dataclass(frozen=True)
class Progress:
    """Where training stands: optimizer steps done and tokens seen. The data order follows from the step."""

    step: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Trained:
    """What training changes: the weights by name, the optimizer's state, and an average of the weights."""

    parameters: Mapping[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: Average

    def size(self) -> int:
        """Bytes of a checkpoint of it, a little more rather than less."""
        values = [self.parameters, self.optimizer.state_dict(), self.average.state()]
        return SLACK + sum(tensor.numel() * tensor.element_size() for tensor in _tensors(values))

    def finite(self) -> bool:
        """Whether every weight is a number: one pass over them."""
        norms = torch._foreach_norm([parameter.detach() for parameter in self.parameters.values()])
        return bool(torch.isfinite(torch.stack([norm.float() for norm in norms])).all())


@dataclass(frozen=True)
class Snapshot:
    """A run at one step, copied to the host: training may go on while it is written.

    Attributes:
        progress: where training stood.
        weights, averages: tensors by name.
        optimizer, random: state of the optimizer and of the generators.
        books: plain data that the rest of a run needs to go on.
    """

    progress: Progress
    weights: Mapping[str, torch.Tensor]
    averages: Mapping[str, torch.Tensor]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    books: dict[str, Any]


def take_snapshot(trained: Trained, progress: Progress, books: dict[str, Any]) -> Snapshot:
    """Copy what training changes. It takes the room of a checkpoint in the host's memory until it is written."""
    return Snapshot(
        progress,
        _on_host(dict(trained.parameters)),
        _on_host(trained.average.state()),
        _on_host(trained.optimizer.state_dict()),
        random_state(),
        books,
    )


def write_checkpoint(folder: Path, snapshot: Snapshot) -> Path:
    """Write `folder/step-N`.

    The files are written under a temporary name, synced, and renamed, so a checkpoint is whole or not there.
    """
    final = folder / f"step-{snapshot.progress.step:08d}"
    temporary = folder / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    if final.exists():
        _remove(final)
    temporary.mkdir(parents=True)
    try:
        _write_files(temporary, snapshot)
        publish(temporary, final)
    except Exception:
        shutil.rmtree(temporary, ignore_errors=True)  # room for the next try; the one before is untouched
        raise
    return final


def _write_files(folder: Path, snapshot: Snapshot) -> None:
    save_file(dict(snapshot.weights), folder / WEIGHTS)
    if snapshot.averages:
        save_file(dict(snapshot.averages), folder / AVERAGE)
    torch.save(snapshot.optimizer, folder / OPTIMIZER)
    torch.save(snapshot.random, folder / RANDOM)
    names = (WEIGHTS, OPTIMIZER, RANDOM, *([AVERAGE] if snapshot.averages else []))
    state = {
        "progress": asdict(snapshot.progress),
        "books": snapshot.books,
        "sha256": {name: hash_file(folder / name) for name in names},
    }
    write_json(folder / STATE, {**state, "own_sha256": hash_data(state)})


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name))


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint folder was made after."""
    return int(checkpoint.name.removeprefix("step-"))


def prune(folder: Path, step: int, keep: int, stay: Collection[int]) -> None:
    """Remove all checkpoints but the newest `keep` up to `step` and those of the steps in `stay`.

    Later ones are left over from before the run went back: damaged, or about to be made again.
    """
    known = checkpoints(folder)
    newest = [path for path in known if step_of(path) <= step][-keep:]
    for path in known:
        if path not in newest and not (step_of(path) in stay and step_of(path) <= step):
            _remove(path)


def clear_leftovers(folder: Path) -> None:
    """Remove what a kill in the middle of writing or removing left."""
    for path in [*folder.glob(".*.tmp"), *folder.glob(".step-*.old")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def check_room(folder: Path, needed: int) -> None:
    """Make sure that a checkpoint can be written before the attempt.

    Raises:
        InternalFault: the disk has less than `needed` bytes free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InternalFault(
            f"a checkpoint takes {needed / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free; "
            "those written before are whole",
            where=str(folder),
            fix="make room and give the same command again; train.checkpoints.keep: 1 needs less",
        )


def restore(path: Path, trained: Trained, on_fault: OnFault) -> tuple[Progress, dict[str, Any]] | None:
    """Load one checkpoint into weights, optimizer, average and generators; None, and `on_fault` told, if it is damaged.

    Returns:
        Where training stood, and the books.
    """
    state = _sound_state(path, on_fault)
    if state is None:
        return None
    saved = load_file(path / WEIGHTS)
    averages = load_file(path / AVERAGE) if AVERAGE in state["sha256"] else {}
    if set(saved) != set(trained.parameters) or set(averages) != set(trained.average.state()):
        on_fault(f"{path.name} holds other parameters than this run trains")
        return None
    with torch.no_grad():
        for name, parameter in trained.parameters.items():
            parameter.copy_(saved[name])
    load_state(trained.optimizer, torch.load(path / OPTIMIZER, weights_only=True, map_location="cpu"))
    trained.average.load(averages)
    restore_random_state(torch.load(path / RANDOM, weights_only=True))
    return Progress(**state["progress"]), state["books"]


def restore_newest(folder: Path, trained: Trained, on_fault: OnFault) -> tuple[Progress, dict[str, Any]] | None:
    """Load the newest sound checkpoint; None if there is none. A damaged one is told and the one before is tried."""
    known, faults = checkpoints(folder), list[str]()
    for path in reversed(known):
        restored = restore(path, trained, faults.append)
        if restored is not None:
            return restored
        then = "there is none before it" if path == known[0] else "the one before is used"
        on_fault(f"{faults[-1]}; {then}")
    return None


def _sound_state(path: Path, on_fault: OnFault) -> dict[str, Any] | None:
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        if not isinstance(state, dict):
            raise ValueError(f"{STATE} holds no object")
        own = state.pop("own_sha256")
        if hash_data(state) != own:
            on_fault(f"{path.name} is damaged ({STATE} does not have its SHA-256)")
            return None
        for name, expected in state["sha256"].items():
            if hash_file(path / name) != expected:
                on_fault(f"{path.name} is damaged ({name} does not have its SHA-256)")
                return None
    except (OSError, ValueError, KeyError) as error:
        on_fault(f"{path.name} cannot be read ({error})")
        return None
    return cast(dict[str, Any], state)


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no kill leaves a part of it under its name."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    os.rename(path, old)
    shutil.rmtree(old, ignore_errors=True)


def _on_host(value: Any) -> Any:
    """A copy of plain data with every tensor in it copied to the host, each with a memory of its own."""
    if torch.is_tensor(value):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, Mapping):
        return {key: _on_host(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_on_host(item) for item in value)
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
