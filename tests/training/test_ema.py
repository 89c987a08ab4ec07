"""Averages of the weights: the direct computation, swapping in and out, and their place in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from danlu.recipe.optimizer import AdamWOptimizer, ScheduleFreeOptimizer
from danlu.training.checkpoint import Progress
from danlu.training.ema import Average, Ema, OptimizersOwn, make_average
from danlu.training.history import read_history
from danlu.training.loop import train
from danlu.training.method import trainable
from danlu.training.optimizer import make_optimizer
from tests.training.making import made_samples, make_job, plain_loss, restored, saved, section

Parameters = dict[str, torch.nn.Parameter]


def made(dtype: torch.dtype = torch.float32) -> Parameters:
    torch.manual_seed(3)
    return {name: torch.nn.Parameter(torch.randn(shape).to(dtype)) for name, shape in (("a", (3, 4)), ("b", (5,)))}


def move(parameters: Parameters) -> None:
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(torch.randn_like(parameter))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_it_equals_the_direct_computation(decay: float, dtype: torch.dtype) -> None:
    parameters = made(dtype)
    ema = Ema(parameters, decay)
    expected = {name: p.detach().double() for name, p in parameters.items()}
    for step in range(1, 40):
        move(parameters)
        ema.update(step)
        d = min(decay, (1 + step) / (10 + step))
        expected = {name: d * expected[name] + (1 - d) * p.detach().double() for name, p in parameters.items()}
    for name, value in ema.state().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_a_long_run_weighs_the_past_by_powers_of_the_decay() -> None:
    """The closed form where the decay has reached its value: the weights of k steps ago count (1 - d) d^k."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    ema = Ema({"w": parameter}, 0.5)
    for step in range(1000, 1030):
        with torch.no_grad():
            parameter.fill_(float(step))
        ema.update(step)
    expected = sum(0.5 * 0.5**k * (1029 - k) for k in range(30))
    assert ema.state()["w"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_swapping_gives_the_average_inside_and_the_same_bits_after(dtype: torch.dtype) -> None:
    parameters = made(dtype)
    ema = Ema(parameters, 0.9)
    move(parameters)
    ema.update(1)
    before = {name: p.detach().clone() for name, p in parameters.items()}
    with pytest.raises(KeyError), ema.in_place():
        for name, p in parameters.items():
            assert torch.equal(p, ema.state()[name].to(dtype)) and not torch.equal(p, before[name])
        raise KeyError  # a validation that fails puts them back too
    assert all(torch.equal(p, before[name]) for name, p in parameters.items())
    ema.put()
    assert all(torch.equal(p, ema.state()[name].to(dtype)) for name, p in parameters.items())


def test_no_average_changes_nothing() -> None:
    average = make_average(made(), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))]), AdamWOptimizer())
    assert type(average) is Average and average.state() == {}
    with average.in_place():
        average.update(1)
    average.put()


def test_schedule_free_gives_its_own_average_and_the_same_bits_after() -> None:
    pytest.importorskip("schedulefree")
    parameters = made()
    config = ScheduleFreeOptimizer(learning_rate=0.1, betas=(0.9, 0.99))
    optimizer = make_optimizer(parameters, config)
    average = make_average(parameters, optimizer, config)
    assert isinstance(average, OptimizersOwn)
    for _ in range(3):
        for p in parameters.values():
            p.grad = torch.randn_like(p)
        optimizer.step()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    # y = (1 - beta) z + beta x, so x = (y - (1 - beta) z) / beta
    wanted = {name: (p.detach() - 0.1 * optimizer.state[p]["z"]) / 0.9 for name, p in parameters.items()}
    with average.in_place():
        for name, p in parameters.items():
            torch.testing.assert_close(p.detach(), wanted[name])
    assert all(torch.equal(p, before[name]) for name, p in parameters.items())
    for p in parameters.values():
        p.grad = torch.randn_like(p)
    optimizer.step()  # it is in training mode again, or this raises


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5])
def test_a_decay_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        AdamWOptimizer(ema=value)


def test_schedule_free_takes_no_ema() -> None:
    with pytest.raises(ValidationError):
        ScheduleFreeOptimizer.model_validate({"ema": 0.9})


def test_a_run_validates_and_ends_with_the_average(tiny_folder: Path, tmp_path: Path) -> None:
    samples, held_out = made_samples(20), made_samples(4, seed=9)

    def run(name: str, **optimizer: Any) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor], float]:
        config = section(optimizer={"learning_rate": 5e-3, **optimizer}, max_steps=6, validate_every=2)
        job = make_job(tiny_folder, tmp_path / name, config, samples, validation=held_out)
        train(job)
        weights = {name: p.detach().clone() for name, p in trainable(job.model).items()}
        return read_history(tmp_path / name / "history.jsonl"), weights, plain_loss(job.model.eval(), held_out).item()

    plain, last, _ = run("plain")
    averaged, average, loss = run("ema", ema=0.5)
    assert [r["loss"] for r in averaged] == [r["loss"] for r in plain]  # training itself does not see it
    assert averaged[-1]["validation_loss"] == pytest.approx(loss, rel=1e-6)
    assert averaged[-1]["validation_loss"] != plain[-1]["validation_loss"]
    assert any(not torch.equal(average[name], last[name]) for name in last)


def test_a_checkpoint_holds_the_average_and_one_without_it_is_not_used(tmp_path: Path) -> None:
    parameters = made()
    optimizer = torch.optim.SGD(parameters.values(), lr=0.1)
    ema = Ema(parameters, 0.9)
    saved(tmp_path, Progress(1, 1), parameters, optimizer, 5)
    move(parameters)
    ema.update(2)
    wanted = {name: value.clone() for name, value in ema.state().items()}
    saved(tmp_path, Progress(2, 2), parameters, optimizer, 5, ema)
    move(parameters)
    ema.update(3)
    faults: list[str] = []
    assert restored(tmp_path, parameters, optimizer, faults.append, ema) == Progress(2, 2) and not faults
    assert all(torch.equal(value, wanted[name]) for name, value in ema.state().items())
    assert restored(tmp_path, parameters, optimizer, faults.append) == Progress(1, 1)
    (tmp_path / "step-00000002" / "average.safetensors").unlink()
    assert restored(tmp_path, parameters, optimizer, faults.append, ema) == Progress()
    assert len(faults) == 3 and "other parameters" in faults[0] and "cannot be read" in faults[1]
