"""Learning rates against their closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from danlu.recipe.optimizer import AdamWOptimizer, ScheduleFreeOptimizer
from danlu.training.schedule_rates import SHAPES, learning_rate, warmup_steps

FORMULAS: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}


def config(**fields: Any) -> AdamWOptimizer:
    return AdamWOptimizer.model_validate({"learning_rate": 2e-4, "warmup": 0, **fields})


def rates(total: int, **fields: Any) -> list[float]:
    return [learning_rate(step, total, config(**fields)) for step in range(total)]


@pytest.mark.parametrize("schedule", sorted(FORMULAS))
def test_schedules_follow_their_formulas(schedule: str) -> None:
    found = rates(100, schedule=schedule, warmup=0.1)
    assert found[:10] == pytest.approx([2e-4 * (step + 1) / 10 for step in range(10)])
    assert found[10:] == pytest.approx([2e-4 * FORMULAS[schedule](step / 90) for step in range(90)])
    assert max(found) == pytest.approx(2e-4) and min(found) > 0


def test_wsd_rises_stays_and_falls_in_its_share() -> None:
    found = rates(100, schedule="wsd", warmup=5, wsd_decay=0.2)
    assert found[:5] == pytest.approx([2e-4 * (step + 1) / 5 for step in range(5)])
    assert found[5:80] == [2e-4] * 75
    assert found[80:] == pytest.approx([2e-4 * (1 - math.sqrt(step / 20)) for step in range(20)])


def test_a_fall_longer_than_what_follows_the_warmup_starts_behind_it() -> None:
    found = rates(10, schedule="wsd", warmup=4, wsd_decay=1.0)
    assert found[4:] == pytest.approx([2e-4 * (1 - math.sqrt(step / 6)) for step in range(6)])


@pytest.mark.parametrize("schedule", ["linear", "cosine", "wsd"])
def test_the_lowest_rate_is_a_share_of_the_peak(schedule: str) -> None:
    found, plain = rates(50, schedule=schedule, min_rate=0.1), rates(50, schedule=schedule)
    assert found == pytest.approx([0.1 * 2e-4 + 0.9 * rate for rate in plain])
    assert learning_rate(50, 50, config(schedule=schedule, min_rate=0.1)) == pytest.approx(2e-5)


def test_constant_has_no_lowest_rate() -> None:
    assert rates(5, schedule="constant", min_rate=0.1) == [2e-4] * 5


@pytest.mark.parametrize(
    ("warmup", "total", "steps"), [(0.03, 100, 3), (0.03, 10, 1), (0, 10, 0), (1, 10, 1), (7.0, 10, 7), (70, 10, 10)]
)
def test_the_warmup_is_a_share_or_a_number_of_steps(warmup: float, total: int, steps: int) -> None:
    assert warmup_steps(total, config(warmup=warmup)) == steps


@pytest.mark.parametrize("warmup", [1.5, -0.1, 10.01])
def test_a_warmup_that_is_neither_is_refused(warmup: float) -> None:
    with pytest.raises(ValidationError):
        config(warmup=warmup)


def test_without_warmup_the_first_step_has_the_peak_and_one_step_is_enough() -> None:
    assert learning_rate(0, 10, config()) == 2e-4
    assert learning_rate(0, 1, config()) == 2e-4
    assert learning_rate(0, 1, config(warmup=0.5)) == 2e-4


def test_schedule_free_knows_no_other_schedule() -> None:
    assert ScheduleFreeOptimizer(learning_rate=1e-3).schedule == "constant"
    with pytest.raises(ValidationError):
        ScheduleFreeOptimizer.model_validate({"schedule": "cosine"})


@given(
    schedule=st.sampled_from(sorted(SHAPES)),
    total=st.integers(1, 300),
    warmup=st.one_of(st.floats(0, 0.99), st.integers(1, 400)),
    fall=st.floats(0.01, 1),
    lowest=st.floats(0, 1),
)
def test_no_rate_is_zero_or_above_the_peak_and_none_rises_again(
    schedule: str, total: int, warmup: float, fall: float, lowest: float
) -> None:
    found = rates(total, schedule=schedule, warmup=warmup, wsd_decay=fall, min_rate=lowest)
    warm = warmup_steps(total, config(warmup=warmup))
    assert all(0 < rate <= 2e-4 * (1 + 1e-12) for rate in found)
    assert found[:warm] == sorted(found[:warm])
    assert found[warm:] == sorted(found[warm:], reverse=True)
