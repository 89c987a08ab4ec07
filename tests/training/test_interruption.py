"""SIGTERM and Ctrl-C: the step is finished, a checkpoint saved, and the run goes on exactly."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.recipe.errors import Interrupted
from danlu.training.checkpoint import checkpoints
from danlu.training.interruption import Interruption
from danlu.training.loop import train
from danlu.training.method import trainable
from tests.training.making import made_samples, make_job, section, timeless


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """Those of a process in the foreground: a shell has SIGINT ignored in what it starts in the background."""
    usual: dict[signal.Signals, Any] = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, found in before.items():
        signal.signal(number, found)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = handlers()
    with Interruption() as interruption:
        assert interruption.by is None
        os.kill(os.getpid(), number)
        assert interruption.by == number.name
    assert handlers() == before


def test_a_second_ctrl_c_ends_it_and_a_second_sigterm_does_not() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.by == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup and shells do in the background
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.by is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_it_does_nothing() -> None:
    before, seen = handlers(), list[Any]()

    def work() -> None:
        with Interruption() as interruption:
            seen.extend([*handlers(), interruption.by])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [*before, None]


@pytest.mark.parametrize(("step", "last"), [(4, False), (7, True)])
def test_a_run_stops_after_its_step_and_goes_on_exactly(
    tiny_folder: Path, tmp_path: Path, step: int, last: bool
) -> None:
    config = section(
        method={"type": "lora", "rank": 2, "dropout": 0.3},
        max_steps=7,
        epochs=9,
        checkpoints={"every": 3},
        validate_every=2,
    )
    samples, held_out = made_samples(18), made_samples(2, seed=8)

    def run(name: str, stop: int | None = None) -> dict[str, torch.Tensor]:
        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step" and event["step"] == stop:
                os.kill(os.getpid(), signal.SIGTERM)

        job = make_job(tiny_folder, tmp_path / name, config, samples, validation=held_out, on_event=on_event)
        train(job)
        return {name: p.detach().clone() for name, p in trainable(job.model).items()}

    expected = run("whole")
    with pytest.raises(Interrupted) as stopped:
        run("cut", stop=step - 1)  # it comes as step - 1 is told: the next one is finished
    assert stopped.value.exit_code == 0
    assert stopped.value.reason.startswith(f"stopped by SIGTERM after step {step} of 7")
    assert checkpoints(tmp_path / "cut")[-1].name == f"step-{step:08d}"
    assert len(timeless(tmp_path / "cut")) == step
    found = run("cut")
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "whole")
    assert all(torch.equal(found[name], expected[name]) for name in expected)
