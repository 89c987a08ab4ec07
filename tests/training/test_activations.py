"""Activation checkpointing: the same losses and gradients, less memory; and what it cannot be combined with."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import SftObjective
from danlu.training.activations import set_checkpointing
from danlu.training.history import read_history
from danlu.training.loop import train
from danlu.training.method import Preparation
from danlu.training.methods import METHODS
from danlu.training.objective import collate
from danlu.training.objectives.sft import Sft
from tests.training.making import PAD, assert_close, gradients, made_samples, make_job, section


@pytest.mark.parametrize("mode", ["selective", "full"])
@pytest.mark.parametrize("kind", ["full", "lora", "adapter"])
def test_gradients_are_those_of_states_that_were_kept(kind: str, mode: Any, tiny_folder: Path) -> None:
    found = {}
    for checkpointing in ("off", mode):
        config = section(method={"type": kind}).method
        model: Any = METHODS.load(kind)(config).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(1))
        set_checkpointing(model, checkpointing)
        model.train()
        count = Counter[str]()
        hook = model.get_submodule(_first_norm(model)).register_forward_hook(partial(_counted, count))
        objective = Sft(SftObjective())
        objective.loss(model, collate(objective.examples(made_samples(4)), PAD)).backward()  # type: ignore[no-untyped-call]
        hook.remove()
        assert count["calls"] == (1 if checkpointing == "off" else 2)  # once more for the backward pass
        found[checkpointing] = gradients(model)
    assert_close(found["off"], found[mode])


def _counted(count: Counter[str], *_: Any) -> None:
    count["calls"] += 1


def _first_norm(model: Any) -> str:
    return next(name for name, _ in model.named_modules() if name.endswith("layers.0.input_layernorm"))


def test_training_with_it_gives_the_same_run(tiny_folder: Path, tmp_path: Path) -> None:
    losses = {}
    for mode in ("off", "full"):
        method = {"type": "lora", "rank": 4, "dropout": 0.2}
        job = make_job(
            tiny_folder, tmp_path / mode, section(max_steps=4, checkpointing=mode, method=method), made_samples(8)
        )
        set_checkpointing(job.model, job.config.checkpointing)
        train(job)
        losses[mode] = [record["loss"] for record in read_history(tmp_path / mode / "history.jsonl")]
    assert losses["full"] == pytest.approx(losses["off"], rel=1e-5)


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_learned_positions_are_refused(kind: str, tiny_folder: Path) -> None:
    config = section(method={"type": kind}).method
    model = METHODS.load(kind)(config).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(1))
    with pytest.raises(UserError, match="cannot compute inner states again") as error:
        set_checkpointing(model, "full")
    assert error.value.where == "train.checkpointing"
