"""Offloaded optimizers against the same ones without offloading, bit for bit; twins on the host follow the weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from danlu.training import forecast, optimizer
from danlu.training.ema import make_average
from danlu.training.offload import offloaded
from danlu.training.optimizer import make_optimizer, parameter_groups, set_rate
from danlu.training.optimizers import OPTIMIZERS
from tests.training.making import section
from tests.training.test_forecast import told

KINDS = ["adamw", "adamw_8bit", "adafactor", "muon", "schedule_free"]


def made(kind: str, away: bool) -> tuple[dict[str, torch.nn.Parameter], torch.optim.Optimizer, Any]:
    config = section(
        method={"type": "full"}, optimizer={"type": kind, "learning_rate": 0.01, "weight_decay": 0.1}
    ).optimizer
    generator = torch.Generator().manual_seed(4)
    shapes = {"layers.0.w": (96, 64), "embed.weight": (32, 64), "norm.weight": (64,)}
    parameters = {n: torch.nn.Parameter(torch.randn(s, generator=generator)) for n, s in shapes.items()}
    if not away:
        return parameters, make_optimizer(parameters, config), config
    make = OPTIMIZERS.load(kind)
    return parameters, offloaded(parameter_groups(parameters, config), lambda groups: make(groups, config)), config


def step(parameters: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for name, parameter in parameters.items():
        left_out = name == "norm.weight" and number == 1  # a parameter that took no part in a step
        parameter.grad = None if left_out else torch.randn(parameter.shape, generator=generator)
    set_rate(optimizer, 0.01 / (number + 1))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def equal(one: dict[str, torch.nn.Parameter], other: dict[str, torch.nn.Parameter]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_are_the_same_bit_for_bit(kind: str) -> None:
    (here, near, _), (there, far, _) = made(kind, False), made(kind, True)
    start = {name: parameter.detach().clone() for name, parameter in here.items()}
    for number in range(4):
        step(here, near, number)
        step(there, far, number)
        assert equal(here, there), number
    assert not any(torch.equal(here[name], start[name]) for name in here)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_from_its_state(kind: str) -> None:
    there, far, _ = made(kind, True)
    for number in range(3):
        step(there, far, number)
    saved = {name: parameter.detach().clone() for name, parameter in there.items()}
    state = torch.load(_stored(far.state_dict()), weights_only=True)
    step(there, far, 3)
    again, other, _ = made(kind, True)
    step(again, other, 7)  # so that its twins hold something else
    with torch.no_grad():
        for name, parameter in again.items():
            parameter.copy_(saved[name])
    optimizer.load_state(other, state)
    step(again, other, 3)
    assert equal(there, again)


def test_an_average_of_the_optimizers_own_comes_and_goes() -> None:
    (here, near, config), (there, far, _) = made("schedule_free", False), made("schedule_free", True)
    averages = [make_average(some, own, config) for some, own in ((here, near), (there, far))]
    for number in range(4):
        step(here, near, number)
        step(there, far, number)
        before = {name: parameter.detach().clone() for name, parameter in there.items()}
        with averages[0].in_place(), averages[1].in_place():
            assert equal(here, there)
            assert not torch.equal(there["layers.0.w"], before["layers.0.w"]) or number == 0
        assert all(torch.equal(there[name], before[name]) for name in there)
    assert not hasattr(made("adamw", True)[1], "eval")


def test_only_weights_on_a_device_have_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(method={"type": "full"}, optimizer={"offload": True}).optimizer
    here = {"layers.0.w": torch.nn.Parameter(torch.zeros(4, 4))}
    away = {"layers.0.w": torch.nn.Parameter(torch.zeros(4, 4, device="meta"))}
    seen: list[Any] = []
    monkeypatch.setattr(optimizer, "offloaded", lambda groups, make: seen.append(groups))
    make_optimizer(here, config)
    assert not seen
    make_optimizer(away, config)
    assert len(seen) == 1


def test_the_forecast_leaves_out_what_is_not_on_the_device(tiny_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = told("full", tiny_folder, optimizer={"offload": True})
    assert on_cpu.state == told("full", tiny_folder).state > 0
    monkeypatch.setattr(forecast, "default_device", lambda: torch.device("cuda"))
    assert told("full", tiny_folder, optimizer={"offload": True}).state == 0
    assert told("full", tiny_folder).state == on_cpu.state


def _stored(state: dict[str, Any]) -> Any:
    import io

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file
