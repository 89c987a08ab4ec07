"""Token sequences, jobs and a plain reference of the loss, made for tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.device import seed_everything
from danlu.models.heads import attach_head
from danlu.models.loading import load_model
from danlu.recipe.train import TrainSection
from danlu.training.checkpoint import Progress, Trained, prune, restore_newest, take_snapshot, write_checkpoint
from danlu.training.ema import Average
from danlu.training.history import read_history
from danlu.training.loop import TrainingJob
from danlu.training.method import Method, Preparation, hold
from danlu.training.methods import METHODS
from danlu.training.objective import Example, Objective, collate
from danlu.training.objectives import OBJECTIVES
from danlu.training.reference import with_reference

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
        turns = list(range(1, 2 * len(spans), 2))
        samples.append(TrainingSample(f"made:{index + 1}", ids, spans, False, turns, [1.0] * len(spans)))
    return samples


def made_pairs(count: int, seed: int = 0, longest: int = 30) -> list[TrainingSample]:
    """Rows of two answers: the better one ends with low token ids, the worse one with high ones."""
    chance = random.Random(seed)
    samples = []
    for index in range(count):
        prompt = [chance.randint(20, 40) for _ in range(chance.randint(4, longest // 2))]
        for rejected, low in ((False, 50), (True, 70)):
            answer = [chance.randint(low, low + 9) for _ in range(chance.randint(3, longest // 2))]
            spans = [(len(prompt), len(prompt) + len(answer))]
            row_id = f"made:{index + 1}"
            samples.append(TrainingSample(row_id, prompt + answer, spans, False, [1], [1.0], rejected=rejected))
    return samples


def made_classes(count: int, seed: int = 0, several: bool = False) -> list[TrainingSample]:
    """Texts of two classes, told apart by which token ids are in them; with `several`, some are of both."""
    chance = random.Random(seed)
    samples = []
    for index in range(count):
        labels = (("bad", "good") if several and index % 3 == 2 else ("good",)) if index % 2 else ("bad",)
        words = [chance.choice([100, 101] if label == "good" else [110, 111]) for label in labels for _ in range(4)]
        prompt = [*words, *(chance.randint(20, 40) for _ in range(chance.randint(2, 8)))]
        answer = [200 if "good" in labels else 210, 201]
        spans = [(len(prompt), len(prompt) + 2)]
        samples.append(TrainingSample(f"made:{index + 1}", prompt + answer, spans, False, [1], [1.0], labels=labels))
    return samples


def samples_for(objective: str) -> list[TrainingSample]:
    """Eight rows or so that an objective can learn from."""
    if objective in {"dpo", "kto", "reward"}:
        return made_pairs(6)
    return made_classes(8) if objective == "classification" else made_samples(8, longest=20)


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


def method_of(config: TrainSection) -> Method:
    """The method of a section."""
    made: Method = METHODS.load(config.method.type)(config.method)
    return made


def referred(
    model: torch.nn.Module,
    splits: Mapping[str, Sequence[Example]],
    folder: Path,
    dtype: torch.dtype = torch.float32,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> dict[str, list[Example]]:
    """The examples with their numbers under this model."""
    return with_reference(
        model, splits, folder, collated=lambda some: collate(some, PAD), dtype=dtype, on_event=on_event
    )


def make_job(
    base: Path, work: Path, config: TrainSection, samples: Sequence[TrainingSample], **more: Any
) -> TrainingJob:
    """A job over a fresh model, prepared and seeded as the stage does."""
    method = method_of(config)
    objective: Objective = OBJECTIVES.load(config.objective.type)(config.objective)
    work.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {"dtype": torch.float32, "on_event": lambda event: None, **more}
    model: torch.nn.Module = load_model(base, dtype=torch.float32, quantization=method.quantization)
    splits = {"train": samples, "validation": given.pop("validation", [])}
    examples = {split: objective.examples(some) for split, some in splits.items()}
    if objective.needs_reference:
        examples = referred(model, examples, work, given["dtype"], given["on_event"])
    model = method.prepare(model, Preparation(5))
    head = objective.head()
    if head is not None:
        attach_head(model, len(head.labels), seed=5)
    hold(model, given["dtype"])
    seed_everything(5)
    return TrainingJob(
        model=model,
        objective=objective,
        config=config,
        seed=5,
        pad_id=PAD,
        folder=work,
        rates=method.rates(),
        train=examples["train"],
        validation=examples["validation"],
        **given,
    )


def saved(
    folder: Path,
    progress: Progress,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    keep: int,
    average: Average | None = None,
) -> Path:
    """Save a checkpoint of these alone, now, and keep so many."""
    books: dict[str, Any] = {}
    path = write_checkpoint(
        folder, take_snapshot(Trained(parameters, optimizer, average or Average()), progress, books)
    )
    prune(folder, progress.step, keep, ())
    return path


def restored(
    folder: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    on_fault: Callable[[str], None],
    average: Average | None = None,
) -> Progress:
    """Where the newest sound checkpoint stands, loaded; the beginning if there is none."""
    found = restore_newest(folder, Trained(parameters, optimizer, average or Average()), on_fault)
    return Progress() if found is None else found[0]


def timeless(work: Path) -> list[dict[str, Any]]:
    """The history without what depends on the clock."""
    records = read_history(work / "history.jsonl")
    return [{key: value for key, value in record.items() if key != "tokens_per_second"} for record in records]


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
