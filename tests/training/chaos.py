"""Training runs killed over and over: one process imports torch, and each life of a run is a fork of it.

Usage: python -m tests.training.chaos BASE ROOT METHOD:KILLS ... In ROOT/METHOD/whole a run that nobody disturbs, in
ROOT/METHOD/cut the same one killed with SIGKILL so many times (and now and then asked to stop by SIGTERM), then left
alone to its end. Each output line lists a method's kills as JSON. The runs have everything that has a state: dropout,
an average of the weights, early stopping with its best step, a batch whose loss is not a number, and one that does not
fit into memory.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file

from danlu.recipe.errors import Interrupted
from danlu.training import checkpoint, keeping, loop
from danlu.training.history import History
from danlu.training.loop import Schedule, TrainingJob
from danlu.training.method import trainable
from danlu.training.objective import Batch
from tests.training.making import made_samples, make_job, section

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"type": "lora", "rank": 2, "dropout": 0.3},
    "full": {"type": "full"},
}
PLACES: dict[str, tuple[Any, str, int]] = {
    "weights": (checkpoint, "save_file", 3),
    "optimizer": (torch, "save", 3),
    "sums": (checkpoint, "hash_file", 6),
    "publish": (checkpoint, "publish", 2),
    "sync": (os, "fsync", 14),
    "rename": (os, "rename", 3),
    "replace": (os, "replace", 2),
    "remove": (checkpoint, "_remove", 2),
    "restore": (keeping, "restore_newest", 1),
    "line": (History, "write", 5),
}
"""Functions that a kill may come in, most of them in a save, which another thread does; and the latest call of each."""
POISONED, TOO_LARGE = 17, 31
"""Steps, counted from 1: with a loss that is not a number, and whose micro-batches do not fit into memory."""
SEED = 20


class Faulty:
    """An objective that fails on two batches, the same in every life."""

    def __init__(self, job: TrainingJob) -> None:
        self._inner = job.objective
        schedule = Schedule(job)
        self._poison, self._large = (
            self._batch(job, schedule.step(step - 1).micro_batches[0]) for step in (POISONED, TOO_LARGE)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """The inner objective's, or a failure."""
        if torch.equal(batch.input_ids, self._large):
            raise torch.OutOfMemoryError("made up. Tried to allocate")
        loss = self._inner.loss(model, batch)
        return loss * float("nan") if torch.equal(batch.input_ids, self._poison) and model.training else loss

    def _batch(self, job: TrainingJob, group: tuple[int, ...]) -> torch.Tensor:
        assert len(group) > 1
        return loop._batch(job, [job.train[index] for index in group]).input_ids


def die(*_: Any, **__: Any) -> Any:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str, count: int) -> None:
    """Die in the `count`-th call of a function from here on; this process is the test's own."""
    module, name, _ = PLACES[place]
    inner: Callable[..., Any] = getattr(module, name)
    calls = 0

    def counted(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            if place == "line":  # in the middle of it
                history, record = args
                history._file.write(json.dumps(record).encode()[:20])
                history._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)  # as a power cut would
        return inner(*args, **more)

    mock.patch.object(module, name, counted).start()


def live(job: TrainingJob, place: str = "", count: int = 0) -> int:
    """One life of a run in a process of its own, from its last checkpoint to its end or its kill; its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if place:
            arm(place, count)
        loop.train(job)
        weights = {name: p.detach().contiguous() for name, p in trainable(job.model).items()}
        save_file(weights, job.folder / "final.safetensors")
        code = 0
    except Interrupted:
        code = 0
    finally:
        if code:
            import traceback

            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def strike(job: TrainingJob, chance: random.Random, by: signal.Signals) -> tuple[str, int]:
    """A life that a signal ends, a moment after some steps; when it came, and the life's exit code."""
    lines, moment = chance.randint(0, 4), chance.uniform(0, 0.03)
    history, start = job.folder / "history.jsonl", None
    child = live(job)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        found = history.read_bytes().count(b"\n") if history.is_file() else 0
        start = found if start is None else min(start, found)  # it is cut back at the beginning of the life
        if found - start >= lines:
            time.sleep(moment)
            os.kill(child, by)
            return f"{lines} lines and {moment * 1000:.0f} ms", ended(child)
        time.sleep(0.001)
    return "too late", 0


def ended(child: int) -> int:
    """Exit code of a life; minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def both_runs(base: Path, root: Path, method: str, kills: int) -> list[str]:
    """The undisturbed run and the killed one; when the kills came."""
    config = section(
        method=METHODS[method],
        optimizer={"learning_rate": 5e-3, "ema": 0.8},
        max_steps=60,
        epochs=20,
        batch={"step_tokens": 60, "micro_tokens": 40},
        checkpoints={"every": 3, "keep": 2, "keep_every": 20},
        early_stopping={"patience": 10},
        validate_every=4,
    )
    samples = made_samples(18, longest=20)
    job = make_job(base, root / "whole", config, samples, validation=made_samples(2, seed=8))
    job = replace(job, objective=Faulty(job))
    assert ended(live(job)) == 0
    job = replace(job, folder=root / "cut")
    job.folder.mkdir()
    chance, done = random.Random(SEED), list[str]()
    while len(done) < kills:
        if chance.random() < 0.6:
            place = chance.choice([*PLACES])
            when = f"{place} {chance.randint(1, PLACES[place][2])}"
            code = ended(live(job, place, int(when.split()[1])))
        else:
            when, code = strike(job, chance, signal.SIGKILL)
        assert code == -signal.SIGKILL, f"{when}: the run came to its end before all kills"
        done.append(when)
        if chance.random() < 0.15:
            assert strike(job, chance, signal.SIGTERM)[1] in (0, -signal.SIGTERM)  # the latter before training
    assert ended(live(job)) == 0
    return done


def main(base: str, root: str, *wanted: str) -> None:
    """Each method."""
    torch.set_num_threads(1)
    for method, _, kills in (one.partition(":") for one in wanted):
        print(json.dumps(both_runs(Path(base), Path(root) / method, method, int(kills))))


if __name__ == "__main__":
    main(*sys.argv[1:])
