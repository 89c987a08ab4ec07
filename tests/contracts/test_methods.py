"""What every fine-tuning method of the table promises, on every objective."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from danlu.models.card import ModelCard
from danlu.models.heads import head_of, save_head
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.models.trained import load_trained
from danlu.recipe import methods as recipe
from danlu.recipe.objectives import Objective
from danlu.recipe.train import DEFAULT_LEARNING_RATES, TrainSection
from danlu.training.history import read_history
from danlu.training.loop import TrainingJob, train
from danlu.training.method import Method, Preparation, group_plans, hold, trainable
from danlu.training.methods import METHODS
from danlu.training.objectives import OBJECTIVES
from tests.tiny import build_tiny_model, build_tiny_moe
from tests.training.making import make_job, samples_for, section

CONFIGS: dict[str, Any] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(recipe.Method)[0])}
OBJECTIVE_TYPES = sorted(kind.model_fields["type"].default for kind in get_args(get_args(Objective)[0]))

STEPS = 15
# A rate at which a random model of two layers learns within these steps
RATES = {"full": 5e-3, "freeze": 5e-3, "hybrid": 5e-3, "ia3": 1e-1, "prefix": 5e-2, "prompt": 5e-2}
STARTS_ELSEWHERE = {"prefix", "prompt", "qlora"}
"""Methods whose prepared model does not compute what the base does."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = build_tiny_model(tmp_path_factory.mktemp("tiny"))
    return ModelFolder(str(folder), folder, fingerprint(folder))


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = build_tiny_moe(tmp_path_factory.mktemp("moe"))
    return ModelFolder(str(folder), folder, fingerprint(folder))


@pytest.fixture(params=sorted(METHODS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str) -> Method:
    method: Method = METHODS.load(kind)(CONFIGS[kind]())
    return method


def loaded(kind: str, base: ModelFolder, dtype: torch.dtype | str = torch.float32) -> torch.nn.Module:
    return load_model(base.path, dtype=dtype, quantization=made(kind).quantization)


def prepared(kind: str, base: ModelFolder, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    return hold(made(kind).prepare(loaded(kind, base), Preparation(1)), dtype)


def job_of(
    kind: str, base: ModelFolder, work: Path, objective: str = "sft", method: Any = None, **more: Any
) -> TrainingJob:
    config = section(
        method={"type": kind, **(method or {})},
        objective={"type": objective},
        optimizer={"learning_rate": RATES.get(kind, 1e-2), "warmup": 0.0},
        max_steps=STEPS,
        epochs=30,
    )
    return make_job(base.path, work, config, samples_for(objective), **more)


def logits(model: Any) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=torch.tensor([[21, 22, 23, 24, 25]]), use_cache=False).logits)


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def losses_of(folder: Path) -> list[float]:
    return [record["loss"] for record in read_history(folder / "history.jsonl")]


def assert_learned(kind: str, job: TrainingJob, before: dict[str, torch.Tensor]) -> None:
    """The loss fell, and what is frozen is as it was, bit for bit."""
    losses = losses_of(job.folder)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5]), losses
    moved = {name for name, value in snapshot(job.model).items() if not torch.equal(value, before[name])}
    unused = {name for name in trainable(job.model) if ".mlp.experts." in name or "lm_head" in name}
    assert moved <= set(trainable(job.model)) and moved | unused >= set(trainable(job.model)) - _unreached(job)


def _unreached(job: TrainingJob) -> set[str]:
    """What a head of its own leaves out: the last norm's place is used, the language model's head is not."""
    return {name for name in trainable(job.model) if job.objective.head() is not None and "embed_tokens" in name}


def saved(job: TrainingJob, base: ModelFolder, out: Path) -> Any:
    """The trained model as it comes back from its folder."""
    out.mkdir()
    method: Method = METHODS.load(job.config.method.type)(job.config.method)
    method.prepare(loaded(job.config.method.type, base), Preparation(5))  # a method that keeps where it started
    method.save(job.model, out)
    head = job.objective.head()
    if head is not None:
        save_head(job.model, head.labels, head.multi_label, out)
    ModelCard(method.kind, base.name, base.fingerprint, "hash").save(out)
    assert not list(out.glob("*.bin")) and list(out.glob("*.safetensors"))
    return load_trained(out, base, dtype=torch.float32)


def test_the_table_and_the_recipe_name_the_same_methods() -> None:
    assert set(METHODS) == set(CONFIGS) == set(DEFAULT_LEARNING_RATES)


def test_the_table_and_the_recipe_name_the_same_objectives() -> None:
    assert sorted(OBJECTIVES) == OBJECTIVE_TYPES


def test_its_learning_rate_has_a_default(kind: str) -> None:
    train_section = TrainSection.model_validate({"method": {"type": kind}})
    assert train_section.optimizer.learning_rate == DEFAULT_LEARNING_RATES[kind]


def test_it_says_what_it_makes(kind: str) -> None:
    assert made(kind).kind in ("adapter", "parts", "weights")


def test_a_prepared_model_computes_what_the_base_does(kind: str, base: ModelFolder) -> None:
    equal = torch.equal(logits(prepared(kind, base)), logits(load_model(base.path, dtype=torch.float32)))
    assert equal == (kind not in STARTS_ELSEWHERE)


def test_preparing_is_decided_by_the_seed(kind: str, base: ModelFolder) -> None:
    one, same = (trainable(prepared(kind, base)) for _ in range(2))
    assert one and all(torch.equal(one[name], same[name]) for name in one)


def test_what_trains_is_fp32_and_the_rest_is_held_as_it_is_computed(kind: str, base: ModelFolder) -> None:
    model = prepared(kind, base, torch.bfloat16)
    assert {parameter.dtype for parameter in trainable(model).values()} == {torch.float32}
    frozen = {p.dtype for p in model.parameters() if not p.requires_grad and p.is_floating_point()}
    assert frozen <= {torch.bfloat16}


def test_group_plans_count_every_parameter(kind: str, base: ModelFolder) -> None:
    model = prepared(kind, base)
    plans = group_plans(model)
    base_size = sum(p.numel() for p in load_model(base.path, dtype=torch.float32).parameters())
    own = sum(
        p.numel() for name, p in trainable(model).items() if name not in dict(loaded(kind, base).named_parameters())
    )
    whole = own if kind in {"freeze", "full"} else own - _full_parts(kind, model)
    assert sum(plan.total for plan in plans) == base_size + whole
    assert sum(plan.trained for plan in plans) == sum(p.numel() for p in trainable(model).values()) > 0
    assert {"attention", "mlp", "embeddings", "norms"} <= {plan.group for plan in plans}


def _full_parts(kind: str, model: torch.nn.Module) -> int:
    """Parameters of the base that train under another name, because a wrapper lies around it."""
    if kind != "hybrid":
        return 0
    return sum(p.numel() for name, p in trainable(model).items() if "lora_" not in name)


@pytest.mark.parametrize("objective", OBJECTIVE_TYPES)
def test_it_learns_keeps_what_is_frozen_and_comes_back_the_same(
    kind: str, objective: str, base: ModelFolder, tmp_path: Path
) -> None:
    job = job_of(kind, base, tmp_path / "work", objective)
    before = snapshot(job.model)
    train(job)
    assert_learned(kind, job, before)
    again = saved(job, base, tmp_path / "out")
    assert torch.equal(logits(again), logits(job.model))
    assert not torch.equal(logits(again), logits(load_model(base.path, dtype=torch.float32)))
    if job.objective.head() is not None:
        assert torch.equal(head_of(again).weight, head_of(job.model).weight)


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_it_goes_on_after_a_stop_as_if_there_had_been_none(
    kind: str, objective: str, base: ModelFolder, tmp_path: Path
) -> None:
    def job(folder: Path, steps: int) -> TrainingJob:
        found = job_of(kind, base, folder, objective)
        batch = {"checkpoints": {"every": 3}, "max_steps": steps}
        fields = found.config.model_dump() | batch
        return replace(found, config=TrainSection.model_validate(fields))

    whole = job(tmp_path / "whole", 6)
    train(whole)
    first = job(tmp_path / "cut", 6)
    steps: list[int] = []

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 5:
            steps.append(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(replace(first, on_event=stop))
    again = job(tmp_path / "cut", 6)
    train(again)
    assert steps and losses_of(tmp_path / "cut") == losses_of(tmp_path / "whole")
    expected, found = trainable(whole.model), trainable(again.model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_it_trains_a_mixture_of_experts(kind: str, moe: ModelFolder, tmp_path: Path) -> None:
    # Adapters on the experts' own weights, where the method has any
    own = {
        "hybrid": {"groups": {"attention": "full", "norms": "full", "experts": "lora"}},
        "lora": {"experts": True},
    }
    job = job_of(kind, moe, tmp_path / "work", method=own.get(kind))
    before = snapshot(job.model)
    train(job)
    assert_learned(kind, job, before)
    assert torch.equal(logits(saved(job, moe, tmp_path / "out")), logits(job.model))


def test_it_trains_in_bf16(kind: str, base: ModelFolder, tmp_path: Path) -> None:
    job = job_of(kind, base, tmp_path, dtype=torch.bfloat16)
    before = snapshot(job.model)
    train(job)
    assert_learned(kind, job, before)
    assert {parameter.dtype for parameter in trainable(job.model).values()} == {torch.float32}
