"""A training run in a process of its own that kills itself with SIGKILL where it is told to.

Usage: python -m tests.training.killed_run BASE WORK METHOD WHEN, with WHEN 'never', 'step:N' (before history line N is
written), 'line:N' (in the middle of it), or 'save:N:FUNCTION' (inside the saving of step N, as FUNCTION is called).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file

from danlu.training import checkpoint, loop
from danlu.training.history import History
from danlu.training.method import trainable
from tests.training.making import made_samples, make_job, section

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"type": "lora", "rank": 2, "dropout": 0.3},
    "full": {"type": "full"},
}


def die(*_: Any, **__: Any) -> Any:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(when: str) -> None:
    """Put the kill where `when` says; this process is the test's own."""
    where, _, rest = when.partition(":")
    if where == "save":
        step, _, function = rest.partition(":")
        save = checkpoint.save_checkpoint

        def save_and_die(folder: Path, progress: Any, *args: Any) -> Path:
            if progress.step == int(step):
                mock.patch.object(checkpoint, function, die).start()
            return save(folder, progress, *args)

        mock.patch.object(loop, "save_checkpoint", save_and_die).start()
    elif where in ("step", "line"):
        write = History.write

        def write_or_die(self: History, record: dict[str, Any]) -> None:
            if record["step"] == int(rest):
                if where == "line":
                    self._file.write('{"step": 1')
                    self._file.flush()
                die()
            write(self, record)

        mock.patch.object(History, "write", write_or_die).start()


def main(base: str, work: str, method: str, when: str) -> None:
    """Train to the end, or to the kill; the final weights go to final.safetensors."""
    torch.set_num_threads(1)
    arm(when)
    config = section(
        method=METHODS[method],
        epochs=3,
        batch={"step_tokens": 60, "micro_tokens": 40},
        checkpoints={"every": 3, "keep": 2},
        validate_every=4,
    )
    folder = Path(work)
    job = make_job(Path(base), folder, config, made_samples(18, longest=20), validation=made_samples(2, seed=8))
    loop.train(job)
    save_file({name: p.detach().contiguous() for name, p in trainable(job.model).items()}, folder / "final.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
