"""The end of a step: clipping, bad steps that change nothing, and the loss scale of fp16."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.training.history import read_history
from danlu.training.loop import train
from danlu.training.method import trainable
from danlu.training.state import TrainingState
from danlu.training.update import update
from danlu.training.watchdog import BadStep
from tests.training.making import made_samples, make_job, section, timeless


def state_of(dtype: torch.dtype = torch.float32) -> TrainingState:
    """A state over a 2x2 layer of ones, with SGD so that a step can be computed by hand."""
    layer = torch.nn.Linear(2, 2, bias=False)
    torch.nn.init.ones_(layer.weight)
    state = TrainingState(layer, section(method={"type": "full"}), dtype)
    state.optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    return state


def give(state: TrainingState, gradient: float) -> torch.nn.Parameter:
    (parameter,) = state.parameters.values()
    parameter.grad = torch.full((2, 2), gradient)
    return parameter


def test_the_gradient_is_clipped_and_its_norm_before_is_recorded() -> None:
    state = state_of()
    parameter = give(state, 3.0)
    assert update(state, 1.0, 0.5, 1.0) == {"loss": 0.5, "grad_norm": pytest.approx(6.0)}
    torch.testing.assert_close(parameter.detach(), torch.full((2, 2), 0.5), atol=1e-5, rtol=0)
    assert parameter.grad is None


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 1.0), (1.0, math.inf), (1.0, math.nan), (1.0, 0.0)])
def test_a_bad_step_changes_nothing(loss: float, gradient: float) -> None:
    state = state_of()
    parameter = give(state, gradient)
    with pytest.raises(BadStep):
        update(state, 1.0, loss, 1.0)
    assert torch.equal(parameter.detach(), torch.ones(2, 2)) and parameter.grad is None


def scaled(state: TrainingState, gradient: float) -> torch.nn.Parameter:
    """A backward pass of a scaled loss whose gradient is `gradient` everywhere."""
    (parameter,) = state.parameters.values()
    state.scaler.scale(parameter.sum() * gradient).backward()  # type: ignore[no-untyped-call]
    return parameter


def test_fp16_unscales_before_it_clips() -> None:
    state = state_of(torch.float16)
    parameter = scaled(state, 3.0)
    assert parameter.grad is not None and float(parameter.grad[0, 0]) == 3.0 * 65536
    assert update(state, 1.0, 0.5, 1.0)["grad_norm"] == pytest.approx(6.0)
    torch.testing.assert_close(parameter.detach(), torch.full((2, 2), 0.5), atol=1e-5, rtol=0)


def test_fp16_overflow_halves_the_scale_and_leaves_the_weights() -> None:
    state = state_of(torch.float16)
    parameter = scaled(state, 1e38)
    assert update(state, 1.0, 0.5, 1.0) == {"loss": 0.5, "overflow": True}
    assert torch.equal(parameter.detach(), torch.ones(2, 2)) and parameter.grad is None
    assert state.scaler.get_scale() == 32768
    scaled(state, 1.0)
    assert "grad_norm" in update(state, 1.0, 0.5, None)
    assert not torch.equal(parameter.detach(), torch.ones(2, 2))


def test_fp16_an_overflow_without_a_scale_left_is_a_bad_step() -> None:
    state = state_of(torch.float16)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    scaled(state, math.inf)
    with pytest.raises(BadStep, match="gradient norm"):
        update(state, 1.0, 0.5, 1.0)


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 1.0), (math.nan, math.nan), (1.0, 0.0)])
def test_fp16_goes_on_after_a_bad_step_with_the_same_scale(loss: float, gradient: float) -> None:
    state = state_of(torch.float16)
    parameter = scaled(state, gradient)
    for _ in range(2):
        with pytest.raises(BadStep):
            update(state, 1.0, loss, 1.0)
        assert state.scaler.get_scale() == 65536
        scaled(state, gradient)
    parameter.grad = None
    scaled(state, 3.0)
    assert update(state, 1.0, 0.5, 1.0)["grad_norm"] == pytest.approx(6.0)
    torch.testing.assert_close(parameter.detach(), torch.full((2, 2), 0.5), atol=1e-5, rtol=0)


def test_fp16_refuses_to_train_parameters_in_fp16(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="fp16 cannot be trained"):
        TrainingState(load_model(tiny_folder, dtype=torch.float16), section(), torch.float16)


def test_a_run_in_fp16_learns_counts_its_overflows_and_goes_on_exactly(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scale so high that the first steps overflow; killed after the checkpoint of step 4, it is the same run."""
    made = torch.amp.GradScaler
    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda device, enabled: made(device, init_scale=2.0**24, enabled=enabled)
    )

    class Cut(Exception):
        pass

    def run(name: str, stop: int | None = None) -> Any:
        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step" and event["step"] == stop:
                raise Cut

        config = section(
            max_steps=24, epochs=24, checkpoints={"every": 4}, optimizer={"learning_rate": 5e-3, "ema": 0.5}
        )
        job = make_job(tiny_folder, tmp_path / name, config, made_samples(8, longest=20), on_event=on_event)
        outcome = train(replace(job, dtype=torch.float16))
        return outcome, {name: p.detach().clone() for name, p in trainable(job.model).items()}

    outcome, weights = run("whole")
    records = timeless(tmp_path / "whole")
    assert outcome.overflows == sum("overflow" in record for record in records) > 4
    losses = [record["loss"] for record in records]
    assert losses[-1] < losses[0] - 0.5
    with pytest.raises(Cut):
        run("cut", stop=6)
    again, same = run("cut")
    assert again == outcome and timeless(tmp_path / "cut") == records
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert len(read_history(tmp_path / "cut" / "history.jsonl")) == 24
