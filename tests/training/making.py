"""Token sequences, jobs and a plain reference of the loss, made for tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.device import seed_everything
from danlu.models.loading import load_model
from danlu.recipe.train import TrainSection
from danlu.training.loop import TrainingJob
from danlu.training.methods import METHODS
from danlu.training.objectives import OBJECTIVES

PAD = 0


def made_samples(count: int, seed: int = 0, longest: int = 40) -> list[TrainingSample]:
    """Random sequences with one or two learned spans; a few words only, so that they can be learned."""
    chance = random.Random(seed)
    samples = []
    for index in range(count):
        length = chance.randint(8, longest)
        ids = [chance.randint(20, 40) for _ in range(length)]
        middle = chance.randint(2, length - 3)
        spans = [(middle, length)] if index % 2 else [(1, middle), (middle + 1, length)]
        samples.append(TrainingSample(f"made:{index + 1}", ids, spans, text=False))
    return samples


def section(**fields: Any) -> TrainSection:
    """A train section: small steps, LoRA of rank 4, unless told otherwise."""
    given: dict[str, Any] = {
        "method": {"type": "lora", "rank": 4},
        "optimizer": {"learning_rate": 5e-3},
        "batch": {"step_tokens": 120, "micro_tokens": 60},
        "precision": "fp32",
        "epochs": 2,
    }
    return TrainSection.model_validate({**given, **fields})


def make_job(
    base: Path, work: Path, config: TrainSection, samples: Sequence[TrainingSample], **more: Any
) -> TrainingJob:
    """A job over a fresh model, prepared and seeded as the stage does."""
    method = METHODS.load(config.method.type)(config.method)
    model = method.prepare(load_model(base, dtype=torch.float32), seed=5)
    seed_everything(5)
    work.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {"validation": [], "dtype": torch.float32, "on_event": lambda event: None, **more}
    objective = OBJECTIVES.load(config.objective.type)(config.objective)
    return TrainingJob(
        model=model, objective=objective, train=samples, config=config, seed=5, pad_id=PAD, folder=work, **given
    )


def plain_loss(model: Any, samples: Sequence[TrainingSample]) -> torch.Tensor:
    """Mean loss per learned token as a textbook computes it: one padded batch, a mask, all logits, labels of -100."""
    width = max(len(sample.input_ids) for sample in samples)
    ids = torch.full((len(samples), width), PAD)
    labels = torch.full((len(samples), width), -100)
    mask = torch.zeros((len(samples), width), dtype=torch.long)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.input_ids)] = torch.tensor(sample.input_ids)
        mask[row, : len(sample.input_ids)] = 1
        for start, end in sample.spans:
            labels[row, start:end] = ids[row, start:end]
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of every gradient there is, by name; they are cleared."""
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def assert_close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 1e-5) -> None:
    """Equal names, and every tensor equal within a tolerance."""
    assert one.keys() == other.keys() and one
    for name in one:
        torch.testing.assert_close(
            one[name],
            other[name],
            rtol=tolerance,
            atol=tolerance,
            msg=f"{name} differs by {(one[name] - other[name]).abs().max()}",
        )
