"""Models of earlier steps that stay for good, made from the checkpoints that were kept for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from danlu.recipe.errors import InternalFault
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
    fresh: Callable[[], TrainingState], wanted: dict[str, int], work: Path, save: Callable[[str], None]
) -> None:
    """Put the weights of each wanted step into the model and have it saved; the model holds the last of them after.

    Args:
        fresh: a state over the trained model, which is saved already.
        wanted: from `steps_to_keep`.
        work: folder of the checkpoints.
        save: called with each name while the model has its weights.

    Raises:
        InternalFault: a checkpoint is missing or damaged.
    """
    if not wanted:
        return
    state = fresh()
    paths = {step_of(path): path for path in checkpoints(work)}
    for name, step in wanted.items():
        faults = [f"step {step} has no checkpoint"]
        if step not in paths or restore(paths[step], state.trained, faults.append) is None:
            raise InternalFault(faults[-1], where=str(work), fix="start training afresh with --fresh")
        state.average.put()
        save(name)
