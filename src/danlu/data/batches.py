"""Which sequences train together, counted in tokens: a pure function of (lengths, seed, epoch)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StepPlan:
    """One optimizer step: its micro-batches, each a list of sample indices, run one after another.

    Attributes:
        micro_batches: indices of the samples of each forward pass.
        tokens: tokens of the whole step, padding not counted.
    """

    micro_batches: tuple[tuple[int, ...], ...]
    tokens: int


def plan_epoch(
    lengths: Sequence[int],
    *,
    seed: int,
    epoch: int,
    step_tokens: int,
    micro_tokens: int,
    step_rows: int | None = None,
) -> list[StepPlan]:
    """The steps of one epoch.

    Samples are shuffled, filled into steps of about `step_tokens`, and inside a step sorted by length and cut into
    micro-batches whose padded size stays within `micro_tokens`. So which samples share an optimizer step never
    depends on what fits in memory, and padding stays small without sorting the whole epoch.

    Args:
        lengths: tokens of each sample.
        seed, epoch: decide the order, and nothing else does.
        step_tokens: a step is closed before the sample that would take it past this (a longer sample stands alone).
        micro_tokens: limit of rows x longest row of a micro-batch (a longer sample stands alone).
        step_rows: samples of a step, in place of `step_tokens`.
    """
    return [
        StepPlan(tuple(bucket(members, lengths, micro_tokens)), sum(lengths[index] for index in members))
        for members in _filled(lengths, seed, epoch, step_tokens, step_rows)
    ]


def count_steps(
    lengths: Sequence[int], *, seed: int, epoch: int, step_tokens: int, step_rows: int | None = None
) -> int:
    """The number of steps that `plan_epoch` makes, without cutting them: a start must not take long at a late epoch."""
    return sum(1 for _ in _filled(lengths, seed, epoch, step_tokens, step_rows))


def _filled(
    lengths: Sequence[int], seed: int, epoch: int, step_tokens: int, step_rows: int | None
) -> Iterator[list[int]]:
    """The members of each step."""
    order = list(range(len(lengths)))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    current: list[int] = []
    tokens = 0
    for index in order:
        full = tokens + lengths[index] > step_tokens if step_rows is None else len(current) == step_rows
        if current and full:
            yield current
            current, tokens = [], 0
        current.append(index)
        tokens += lengths[index]
    if current:
        yield current


def bucket(indices: Sequence[int], lengths: Sequence[int], micro_tokens: int) -> list[tuple[int, ...]]:
    """Indices in groups of similar length, longest first, each at most `micro_tokens` when padded.

    Longest first, so that a machine whose memory is too small fails on the first group and not hours later.
    """
    ordered = sorted(indices, key=lambda i: (-lengths[i], i))
    groups: list[tuple[int, ...]] = []
    group: list[int] = []
    for index in ordered:
        if group and lengths[group[0]] * (len(group) + 1) > micro_tokens:
            groups.append(tuple(group))
            group = []
        group.append(index)
    if group:
        groups.append(tuple(group))
    return groups
