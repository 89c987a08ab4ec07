"""Micro-batches side by side give what they give one after another, in the same order every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.recipe.objectives import SftObjective
from danlu.training.cross_entropy import completion_loss
from danlu.training.method import Preparation
from danlu.training.micro_batches import learn
from danlu.training.objective import Batch, collate
from danlu.training.objectives.sft import Sft
from tests.training.making import PAD, assert_close, gradients, made_samples, method_of, section


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def batches(unpadded: bool = True) -> list[Batch]:
    examples = Sft(SftObjective()).examples(made_samples(7))
    return [collate(examples[start : start + 2], PAD, unpadded) for start in range(0, 7, 2)]


@pytest.fixture
def model(tiny_folder: Path) -> Any:
    method = method_of(section(method={"type": "hybrid", "lora": {"rank": 4}}))
    return method.prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(5)).train()


def test_side_by_side_equals_one_after_another(two_threads: None, model: Any) -> None:
    seen: list[int] = []

    def loss_of(batch: Batch) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return completion_loss(model, batch)

    found = learn(model, batches(), loss_of)
    assert seen == [1] * 4 and torch.get_num_threads() == 2
    ours = gradients(model)
    expected = torch.stack([completion_loss(model, batch) for batch in batches()]).sum()
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, expected.detach())
    assert_close(ours, gradients(model))


def test_it_is_the_same_to_the_bit_every_time(two_threads: None, model: Any) -> None:
    found = []
    for _ in range(5):
        loss = learn(model, batches(), lambda batch: completion_loss(model, batch))
        found.append((loss, gradients(model)))
    for loss, made in found[1:]:
        assert torch.equal(loss, found[0][0])
        assert all(torch.equal(made[name], found[0][1][name]) for name in made)


def test_what_transformers_computes_is_not_run_side_by_side(two_threads: None, model: Any) -> None:
    seen: list[int] = []

    def loss_of(batch: Batch) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return completion_loss(model, batch)

    learn(model, batches(unpadded=False), loss_of)
    assert seen == [2] * 4


def test_a_fault_in_one_of_them_is_raised(two_threads: None, model: Any) -> None:
    def loss_of(batch: Batch) -> torch.Tensor:
        raise ArithmeticError("stop")

    with pytest.raises(ArithmeticError, match="stop"):
        learn(model, batches(), loss_of)
    assert torch.get_num_threads() == 2
