"""The watchdog: what is not a number, what is zero, and what is far above the losses before it."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

from danlu.recipe.faults import FaultSection
from danlu.training.watchdog import BadStep, Watchdog


@pytest.mark.parametrize(
    ("loss", "norm", "said"),
    [
        (math.nan, 1.0, "the loss is nan"),
        (math.inf, 1.0, "the loss is inf"),
        (1.0, math.nan, "gradient norm is nan"),
        (1.0, math.inf, "gradient norm is inf"),
        (1.0, 0.0, "zero"),
    ],
)
def test_what_cannot_be_right(loss: float, norm: float, said: str) -> None:
    with pytest.raises(BadStep, match=said):
        Watchdog(FaultSection()).judge(loss, norm)


def test_a_spike_is_none_unless_the_recipe_asks() -> None:
    dog = Watchdog(FaultSection())
    for _ in range(200):
        dog.passed(1.0)
    dog.judge(1e6, 1.0)


@pytest.mark.parametrize("spread", [0.3, 0.0])
def test_a_spike_begins_where_the_median_and_its_deviation_say(spread: float) -> None:
    chance = random.Random(4)
    config = FaultSection(spike=6.0, window=31)
    dog, losses = Watchdog(config), [2.0 + chance.gauss(0, 1) * spread for _ in range(80)]
    for number, loss in enumerate(losses):
        if number < 31:
            dog.judge(1e9, 1.0)  # no judgement before the window is full
        dog.passed(loss)
    last = np.array(losses[-31:])
    median = np.median(last)
    deviation = max(1.4826 * np.median(np.abs(last - median)), 0.01 * median)
    limit = median + 6 * deviation
    dog.judge(float(limit) - 1e-9, 1.0)
    with pytest.raises(BadStep, match="far above"):
        dog.judge(float(limit) + 1e-9, 1.0)


def test_its_state_goes_through_json() -> None:
    config = FaultSection(spike=5.0, window=5)
    one, other = Watchdog(config), Watchdog(config)
    for loss in (0.1 + 0.2, 1 / 3, 0.31, 0.32, 0.3, 0.29, 0.33):
        one.passed(loss)
    other.load(json.loads(json.dumps(one.state())))
    assert other.state() == one.state() and len(one.state()["losses"]) == 5
    with pytest.raises(BadStep):
        other.judge(9.0, 1.0)
