"""Models of earlier steps that stay for good, made from the checkpoints that were kept for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from danlu.recipe.train import TrainSection
from danlu.training.checkpoint import checkpoints, restore, step_of
from danlu.training.state import TrainingState

KEPT = "kept"


def steps_to_keep(config: TrainSection, best_step: int | None, done: int) -> dict[str, int]:
    """Name of a model below `kept/` -> the step whose weights it has."""
    every = config.checkpoints.keep_every
    found = {f"step-{step:08d}": step for step in range(every, done + 1, every)} if every else {}
    if config.checkpoints.keep_best and best_step is not None:
        found["best"] = best_step
    return found


def write_kept(
    fresh: Callable[[], TrainingState],
    wanted: dict[str, int],
    work: Path,
    save: Callable[[str], None],
    on_fault: Callable[[str], None],
) -> dict[str, int]:
    """Put the weights of each wanted step into the model and have it saved; the model holds the last of them after.

    Args:
        fresh: a state over the trained model, which is saved already.
        wanted: from `steps_to_keep`.
        work: folder of the checkpoints.
        save: called with each name while the model has its weights.
        on_fault: told of a checkpoint that is missing or damaged; its model is left out.

    Returns:
        Those of `wanted` that were saved.
    """
    if not wanted:
        return {}
    state, written = fresh(), dict[str, int]()
    paths = {step_of(path): path for path in checkpoints(work)}
    for name, step in wanted.items():
        faults = [f"step {step} has no checkpoint"]
        if step not in paths or restore(paths[step], state.trained, faults.append) is None:
            on_fault(f"{faults[-1]}; {KEPT}/{name} is left out, the result is whole")
            continue
        state.average.put()
        save(name)
        written[name] = step
    return written
