"""What every fine-tuning method of the table promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from danlu.models.card import ModelCard
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.models.trained import load_trained
from danlu.recipe import train as recipe
from danlu.training.history import read_history
from danlu.training.loop import TrainingJob, train
from danlu.training.method import Method, group_plans, trainable
from danlu.training.methods import METHODS
from tests.tiny import build_tiny_model
from tests.training.making import made_samples, make_job, section

CONFIGS: dict[str, Any] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(recipe.Method)[0])}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = build_tiny_model(tmp_path_factory.mktemp("tiny"))
    return ModelFolder(str(folder), folder, fingerprint(folder))


@pytest.fixture(params=sorted(METHODS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str) -> Method:
    method: Method = METHODS.load(kind)(CONFIGS[kind]())
    return method


def job_of(kind: str, base: ModelFolder, work: Path, **fields: Any) -> TrainingJob:
    config = section(method={"type": kind}, max_steps=25, epochs=20, **fields)
    return make_job(base.path, work, config, made_samples(8, longest=20))


def logits(model: Any) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=torch.tensor([[21, 22, 23, 24, 25]]), use_cache=False).logits)


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_the_table_and_the_recipe_name_the_same_methods() -> None:
    assert set(METHODS) == set(CONFIGS) == set(recipe.DEFAULT_LEARNING_RATES)


def test_its_learning_rate_has_a_default(kind: str) -> None:
    train_section = recipe.TrainSection.model_validate({"method": {"type": kind}})
    assert train_section.optimizer.learning_rate == recipe.DEFAULT_LEARNING_RATES[kind]


def test_it_says_what_it_makes(kind: str) -> None:
    assert made(kind).kind in ("adapter", "weights")
    assert made(kind).frozen_dtype == (made(kind).kind == "adapter")


def test_a_prepared_model_computes_what_the_base_does(kind: str, base: ModelFolder) -> None:
    plain = load_model(base.path, dtype=torch.float32)
    expected = logits(plain)
    assert torch.equal(logits(made(kind).prepare(plain, seed=1)), expected)


def test_preparing_is_decided_by_the_seed(kind: str, base: ModelFolder) -> None:
    one, same = (
        trainable(made(kind).prepare(load_model(base.path, dtype=torch.float32), seed=seed)) for seed in (1, 1)
    )
    assert one and all(torch.equal(one[name], same[name]) for name in one)
    assert all(parameter.dtype == torch.float32 for parameter in one.values())


def test_parameters_that_train_are_fp32_whatever_the_base_is_held_in(kind: str, base: ModelFolder) -> None:
    method = made(kind)
    stored = torch.bfloat16 if method.frozen_dtype else torch.float32
    model = method.prepare(load_model(base.path, dtype=stored), seed=1)
    assert {parameter.dtype for parameter in trainable(model).values()} == {torch.float32}


def test_group_plans_count_every_parameter(kind: str, base: ModelFolder) -> None:
    model = made(kind).prepare(load_model(base.path, dtype=torch.float32), seed=1)
    plans = group_plans(model)
    assert sum(plan.total for plan in plans) == sum(p.numel() for p in model.parameters())
    assert sum(plan.trained for plan in plans) == sum(p.numel() for p in trainable(model).values()) > 0
    assert {"attention", "mlp", "embeddings", "norms"} <= {plan.group for plan in plans}


def test_the_loss_falls_and_what_is_frozen_stays_bit_for_bit(kind: str, base: ModelFolder, tmp_path: Path) -> None:
    job = job_of(kind, base, tmp_path)
    before = snapshot(job.model)
    train(job)
    losses = [record["loss"] for record in read_history(tmp_path / "history.jsonl")]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    moved = {name for name, value in snapshot(job.model).items() if not torch.equal(value, before[name])}
    assert moved == set(trainable(job.model))


def test_what_is_saved_loads_with_identical_logits(kind: str, base: ModelFolder, tmp_path: Path) -> None:
    job = job_of(kind, base, tmp_path / "work")
    train(job)
    out = tmp_path / "out"
    out.mkdir()
    method = made(kind)
    method.save(job.model, out)
    ModelCard(method.kind, base.name, base.fingerprint, "hash").save(out)
    again = load_trained(out, base, dtype=torch.float32)
    assert torch.equal(logits(again), logits(job.model))
    assert not list(out.glob("*.bin")) and list(out.glob("*.safetensors"))
    assert not torch.equal(logits(again), logits(load_model(base.path, dtype=torch.float32)))


def test_it_trains_in_bf16(kind: str, base: ModelFolder, tmp_path: Path) -> None:
    from dataclasses import replace

    job = replace(job_of(kind, base, tmp_path), dtype=torch.bfloat16)
    train(job)
    losses = [record["loss"] for record in read_history(tmp_path / "history.jsonl")]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert {parameter.dtype for parameter in trainable(job.model).values()} == {torch.float32}
