"""The optimizer's groups, and learning rates against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from danlu.recipe.train import OptimizerSection
from danlu.training.optimizer import learning_rate, make_optimizer

FORMULAS: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}


@pytest.mark.parametrize("schedule", sorted(FORMULAS))
def test_schedules_follow_their_formulas(schedule: str) -> None:
    config = OptimizerSection.model_validate({"learning_rate": 2e-4, "schedule": schedule, "warmup": 0.1})
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([2e-4 * (step + 1) / 10 for step in range(10)])
    assert rates[10:] == pytest.approx([2e-4 * FORMULAS[schedule](step / 90) for step in range(90)])
    assert max(rates) == pytest.approx(2e-4) and min(rates) > 0


def test_without_warmup_the_first_step_has_the_peak_and_one_step_is_enough() -> None:
    config = OptimizerSection(learning_rate=1e-3, warmup=0)
    assert learning_rate(0, 10, config) == 1e-3
    assert learning_rate(0, 1, config) == 1e-3
    assert learning_rate(0, 1, OptimizerSection(learning_rate=1e-3, warmup=0.5)) == 1e-3


def test_only_matrices_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
    config = OptimizerSection(learning_rate=1e-3, weight_decay=0.1, betas=(0.8, 0.95), epsilon=1e-6)
    optimizer = make_optimizer(dict(model.named_parameters()), config)
    decayed, others = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1 and [p.ndim for p in decayed["params"]] == [2]
    assert others["weight_decay"] == 0.0 and [p.ndim for p in others["params"]] == [1, 1, 1]
    assert (decayed["lr"], decayed["betas"], decayed["eps"]) == (1e-3, (0.8, 0.95), 1e-6)


def test_parameters_of_one_kind_make_one_group() -> None:
    optimizer = make_optimizer({"w": torch.nn.Parameter(torch.ones(2, 2))}, OptimizerSection(learning_rate=1e-3))
    assert len(optimizer.param_groups) == 1


def test_a_step_is_adamw_as_the_paper_writes_it() -> None:
    start, gradient = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 0.25]])
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make_optimizer({"w": parameter}, OptimizerSection(learning_rate=0.1, weight_decay=0.01))
    parameter.grad = gradient.clone()
    optimizer.step()
    expected = start * (1 - 0.1 * 0.01) - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(parameter.detach(), expected)
