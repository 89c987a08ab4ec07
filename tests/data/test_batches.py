"""Batches: every sample once, in an order that only the seed and the epoch decide, within the token limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from danlu.data.batches import StepPlan, bucket, count_steps, plan_epoch

LENGTHS = st.lists(st.integers(1, 100), max_size=60)
LIMIT = st.integers(1, 300)


def members(step: StepPlan) -> list[int]:
    return [index for micro in step.micro_batches for index in micro]


@given(LENGTHS, st.integers(0, 5), st.integers(0, 3), LIMIT, LIMIT)
def test_an_epoch_is_a_partition_within_the_limits(
    lengths: list[int], seed: int, epoch: int, step_tokens: int, micro_tokens: int
) -> None:
    plan = plan_epoch(lengths, seed=seed, epoch=epoch, step_tokens=step_tokens, micro_tokens=micro_tokens)
    assert count_steps(lengths, seed=seed, epoch=epoch, step_tokens=step_tokens) == len(plan)
    assert sorted(index for step in plan for index in members(step)) == list(range(len(lengths)))
    for step in plan:
        inside = members(step)
        assert step.tokens == sum(lengths[index] for index in inside)
        assert step.tokens <= step_tokens or len(inside) == 1
        for micro in step.micro_batches:
            assert micro
            assert len(micro) * max(lengths[index] for index in micro) <= micro_tokens or len(micro) == 1


@given(LENGTHS, LIMIT, LIMIT, LIMIT)
def test_what_fits_in_memory_does_not_decide_what_trains_together(
    lengths: list[int], step_tokens: int, one: int, other: int
) -> None:
    plans = [
        plan_epoch(lengths, seed=1, epoch=2, step_tokens=step_tokens, micro_tokens=micro) for micro in (one, other)
    ]
    assert [set(members(step)) for step in plans[0]] == [set(members(step)) for step in plans[1]]


def test_seed_and_epoch_decide_the_order_and_nothing_else() -> None:
    lengths = list(range(1, 80))

    def order(seed: int, epoch: int) -> list[list[int]]:
        plan = plan_epoch(lengths, seed=seed, epoch=epoch, step_tokens=200, micro_tokens=100)
        return [members(step) for step in plan]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_steps_are_filled() -> None:
    lengths = [10] * 95
    plan = plan_epoch(lengths, seed=0, epoch=0, step_tokens=100, micro_tokens=50)
    assert [step.tokens for step in plan] == [100] * 9 + [50]
    assert all(len(step.micro_batches) == 2 for step in plan[:-1])


def test_groups_are_alike_and_longest_first() -> None:
    lengths = [5, 90, 6, 80, 7]
    assert bucket(range(5), lengths, 180) == [(1, 3), (4, 2, 0)]
    assert bucket([], lengths, 10) == []
