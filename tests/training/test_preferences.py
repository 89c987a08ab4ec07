"""Preference objectives against their formulas, computed the long way round; and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.data.dataset import TrainingSample
from danlu.models.heads import attach_head
from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import DpoObjective, KtoObjective, RewardObjective
from danlu.training.loop import train, validate
from danlu.training.objective import Example, collate
from danlu.training.objectives.dpo import Dpo
from danlu.training.objectives.kto import Kto
from danlu.training.objectives.reward import Reward
from tests.tiny import build_tiny_model
from tests.training import making
from tests.training.making import PAD, made_pairs, make_job, section


@pytest.fixture
def before(tiny_folder: Path) -> Any:
    return load_model(tiny_folder, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_model(build_tiny_model(tmp_path_factory.mktemp("other"), seed=9), dtype=torch.float32).eval()  # type: ignore[no-untyped-call]


def answer_log_probability(model: Any, ids: Sequence[int], start: int) -> float:
    """sum of log p over ids[start:], one softmax after another."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([list(ids)])).logits[0].double()
    return sum(float(torch.log_softmax(logits[t - 1], -1)[ids[t]]) for t in range(start, len(ids)))


def referred(objective: Any, model: Any, samples: list[TrainingSample], folder: Path) -> list[Example]:
    return making.referred(model, {"train": objective.examples(samples)}, folder)["train"]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def log_ratio(before: Any, after: Any, ids: Sequence[int], start: int) -> float:
    return answer_log_probability(after, ids, start) - answer_log_probability(before, ids, start)


@pytest.mark.parametrize(("smoothing", "sft"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.5)])
def test_dpo_is_its_formula(before: Any, after: Any, tmp_path: Path, smoothing: float, sft: float) -> None:
    objective = Dpo(DpoObjective(beta=0.05, label_smoothing=smoothing, sft_weight=sft))
    samples = [replace(sample, weight=2.0) if index < 2 else sample for index, sample in enumerate(made_pairs(3))]
    batch = collate(referred(objective, before, samples, tmp_path), PAD)
    expected, margins = 0.0, []
    for better, worse in zip(samples[::2], samples[1::2], strict=True):
        start = better.spans[0][0]
        margin = 0.05 * (
            log_ratio(before, after, better.input_ids, start) - log_ratio(before, after, worse.input_ids, start)
        )
        loss = -(1 - smoothing) * math.log(sigmoid(margin)) - smoothing * math.log(sigmoid(-margin))
        loss -= sft * answer_log_probability(after, better.input_ids, start) / (len(better.input_ids) - start)
        expected += better.weight * loss
        margins.append(better.weight * margin)
    found = objective.measure(after, batch)
    assert found["loss"].item() == pytest.approx(expected, rel=1e-4)
    assert found["margin"].item() == pytest.approx(sum(margins), rel=1e-3)
    assert found["right"].item() == sum(s.weight for s, m in zip(samples[::2], margins, strict=True) if m > 0)


def test_dpo_starts_at_log_two(before: Any, tmp_path: Path) -> None:
    objective = Dpo(DpoObjective())
    batch = collate(referred(objective, before, made_pairs(4), tmp_path), PAD)
    assert objective.loss(before, batch).item() == pytest.approx(4 * math.log(2), rel=1e-5)


def test_kto_is_its_formula(before: Any, after: Any, tmp_path: Path) -> None:
    objective = Kto(KtoObjective(beta=0.02, desirable_weight=1.5, undesirable_weight=0.5))
    samples = [
        replace(s, rejected=False, row_id=f"r{i}", desirable=not s.rejected) for i, s in enumerate(made_pairs(3))
    ]
    batch = collate(referred(objective, before, samples, tmp_path), PAD)
    beside = []
    for index, sample in enumerate(samples):
        other = samples[index - 1]
        start = sample.spans[0][0]
        ids = sample.input_ids[:start] + other.input_ids[other.spans[0][0] :]
        beside.append(log_ratio(before, after, ids, start))
    divergence = max(0.0, sum(beside) / len(beside))
    expected = 0.0
    for sample in samples:
        ratio = log_ratio(before, after, sample.input_ids, sample.spans[0][0])
        if sample.desirable:
            expected += 1.5 * (1 - sigmoid(0.02 * (ratio - divergence)))
        else:
            expected += 0.5 * (1 - sigmoid(0.02 * (divergence - ratio)))
    objective.before_step(after, [batch])
    assert objective.loss(after, batch).item() == pytest.approx(expected, rel=1e-4)
    assert objective.measure(after, batch)["loss"].item() == pytest.approx(expected, rel=1e-4)


def test_kto_does_not_depend_on_how_a_step_is_cut(before: Any, after: Any, tmp_path: Path) -> None:
    objective = Kto(KtoObjective())
    examples = referred(objective, before, made_pairs(3), tmp_path)
    whole, parts = collate(examples, PAD), [collate([example], PAD) for example in examples]
    objective.before_step(after, [whole])
    expected = objective.loss(after, whole).item()
    objective.before_step(after, parts)
    assert sum(objective.loss(after, part).item() for part in parts) == pytest.approx(expected, rel=1e-5)


def test_kto_validates_the_same_however_it_is_cut(tiny_folder: Path, tmp_path: Path) -> None:
    found = []
    for tokens in (16, 4096):
        batch = {"step_tokens": 4096, "micro_tokens": tokens}
        config = section(objective={"type": "kto"}, optimizer={"learning_rate": 1e-2}, max_steps=3, batch=batch)
        job = make_job(tiny_folder, tmp_path / str(tokens), config, made_pairs(4), validation=made_pairs(6, seed=5))
        with torch.no_grad():  # a model that differs from the one before training
            for name, parameter in job.model.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(torch.linspace(-0.3, 0.3, parameter.numel()).view_as(parameter))
        found.append(validate(job))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_kto_reads_an_answer_to_another_question_beside_each() -> None:
    for example in Kto(KtoObjective()).examples(made_pairs(3)):
        (beside,) = example.contrast
        start = beside.spans[0][0]
        assert beside.input_ids[:start] == example.pieces[0].input_ids[:start]
        assert beside.input_ids[start:] != example.pieces[0].input_ids[start:]


def test_a_reward_is_the_head_on_the_last_token(before: Any) -> None:
    objective = Reward(RewardObjective(centering=0.1))
    head = attach_head(before, 1, seed=4)
    samples = made_pairs(3)
    batch = collate(objective.examples(samples), PAD)
    expected = 0.0
    for better, worse in zip(samples[::2], samples[1::2], strict=True):
        rewards = []
        for sample in (better, worse):
            with torch.no_grad():
                states = before.get_decoder()(input_ids=torch.tensor([sample.input_ids])).last_hidden_state
                rewards.append(float(head(states[0, -1])))
        expected += -math.log(sigmoid(rewards[0] - rewards[1])) + 0.1 * sum(rewards) ** 2
    assert objective.loss(before, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["dpo", "reward", "kto"])
def test_training_prefers_the_better_answers(kind: str, tiny_folder: Path, tmp_path: Path) -> None:
    config = section(objective={"type": kind}, optimizer={"learning_rate": 1e-2}, max_steps=40, epochs=20)
    job = make_job(tiny_folder, tmp_path, config, made_pairs(24), validation=made_pairs(8, seed=5))
    start = validate(job)
    train(job)
    found = validate(job)
    assert found["validation_loss"] < start["validation_loss"]
    assert found["validation_reward_margin"] > max(0, start["validation_reward_margin"])
    if kind != "kto":
        assert found["validation_accuracy"] > 0.8


def test_the_reference_is_kept_for_a_resumed_run(before: Any, after: Any, tmp_path: Path) -> None:
    objective = Dpo(DpoObjective())
    first = referred(objective, before, made_pairs(2), tmp_path)
    assert referred(objective, after, made_pairs(2), tmp_path) == first  # read, not computed with the other model
    assert all(len(example.reference) == 2 for example in first)


@pytest.mark.parametrize("kind", [Dpo(DpoObjective()), Reward(RewardObjective())], ids=["dpo", "reward"])
def test_a_row_without_a_second_answer_is_refused(kind: Any) -> None:
    with pytest.raises(UserError, match="has no second answer") as error:
        kind.examples(made_pairs(2)[:1])
    assert error.value.where == "made:1" and "chosen" in error.value.fix


def test_kto_refuses_what_nobody_judged_and_a_single_row() -> None:
    plain = [sample for sample in made_pairs(3) if not sample.rejected]
    with pytest.raises(UserError, match="does not say whether"):
        Kto(KtoObjective()).examples(plain)
    with pytest.raises(UserError, match="is the only row"):
        Kto(KtoObjective()).examples([replace(plain[0], desirable=True)])
