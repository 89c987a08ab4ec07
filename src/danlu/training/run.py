"""The train stage: from a dataset and a base model to a folder with what was trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from danlu.models.card import ModelCard
from danlu.models.device import compute_dtype, default_device, seed_everything
from danlu.models.heads import attach_head, save_head
from danlu.models.loading import decoder_and_head, load_model
from danlu.recipe.train import TrainSection
from danlu.training.activations import set_checkpointing
from danlu.training.adapters import rank_warning
from danlu.training.determinism import settled
from danlu.training.history import copy_history
from danlu.training.keeping import HISTORY
from danlu.training.kept import KEPT, steps_to_keep, write_kept
from danlu.training.loop import TrainingJob, memory_of, state_of, train, validate
from danlu.training.method import Method, Preparation, group_plans, hold_for
from danlu.training.methods import METHODS
from danlu.training.objective import Example, Objective, collate
from danlu.training.objectives import OBJECTIVES
from danlu.training.outcome import Outcome
from danlu.training.packed.decoder import can_pack
from danlu.training.packed.products import limit_kernel_cache
from danlu.training.packed.ways import Ways, ways_for
from danlu.training.preflight import look_over
from danlu.training.reference import with_reference
from danlu.training.training_input import TrainingInput


def run_training(
    given: TrainingInput, work: Path, out: Path, on_event: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Train (or go on training), write the result into `out`, and return its facts.

    Args:
        given: what to train, on what.
        work: folder for checkpoints and history; kept until training is finished.
        out: an existing, empty folder for the adapter or weights, the card and the history.
        on_event: told of everything that happens.

    Raises:
        UserError: rows or recipe cannot be trained on (see `look_over`), or the recipe does not fit the model.
        InternalFault: training diverged.
        Interrupted: SIGTERM or SIGINT came; the same call goes on from there.
    """
    objective: Objective = OBJECTIVES.load(given.train.objective.type)(given.train.objective)
    examples, warnings = look_over(given, objective)
    for warning in warnings:
        on_event({"event": "fault", **warning._asdict()})
    job, method, test = make_job(given, objective, examples, work, on_event)
    device, dtype, model = default_device(), job.dtype, job.model
    wide = rank_warning(model)
    if wide is not None:
        on_event({"event": "fault", "kind": "rank", "reason": wide})
    plans = group_plans(model)
    with settled(device, given.train.deterministic) as determinism:
        outcome = train(job)
    written = _write(job, outcome, test, out, partial(_save, given, method, objective, model))
    return {
        **outcome.facts(),
        "precision": str(dtype).removeprefix("torch."),
        "device": str(device),
        "determinism": determinism,
        **_ways(ways_for(given.train.gpu, device, dtype), model, given.train, device),
        "trained_parameters": sum(plan.trained for plan in plans),
        "parameters": sum(plan.total for plan in plans),
        "groups": [asdict(plan) for plan in plans],
        **written,
    }


def make_job(
    given: TrainingInput,
    objective: Objective,
    examples: dict[str, list[Example]],
    work: Path,
    on_event: Callable[[dict[str, Any]], None],
) -> tuple[TrainingJob, Method, list[Example]]:
    """(what the loop needs, the method that prepared the model, the examples of the test split).

    Args:
        given: what to train, on what.
        objective: of the recipe.
        examples: of each split, without the reference that some objectives need: it is computed here.
        work: folder for checkpoints and history.
        on_event: told of everything that happens.

    Raises:
        UserError: the recipe does not fit the model.
        Interrupted: a signal came while the reference was computed; what is done is kept.
    """
    device = default_device()
    dtype = compute_dtype(given.train.precision, device)
    limit_kernel_cache()
    method: Method = METHODS.load(given.train.method.type)(given.train.method)
    model: torch.nn.Module = _base(given, method, dtype, device)
    if objective.needs_reference:
        examples = _with_reference(given, model, examples, dtype, work, on_event)
    model = method.prepare(model, Preparation(given.seed, given.renderer.encode_text))
    head = objective.head()
    if head is not None:
        attach_head(model, len(head.labels), seed=given.seed)
    set_checkpointing(model, given.train.checkpointing)
    hold_for(model, dtype, given.train, device)
    seed_everything(given.seed)
    job = TrainingJob(
        model=model,
        objective=objective,
        train=examples["train"],
        validation=examples["validation"],
        config=given.train,
        seed=given.seed,
        pad_id=given.renderer.pad_id,
        dtype=dtype,
        folder=work,
        on_event=on_event,
        rates=method.rates(),
    )
    return job, method, examples["test"]


def _ways(ways: Ways, model: torch.nn.Module, config: TrainSection, device: torch.device) -> dict[str, Any]:
    """How a GPU computed; nothing on a CPU, which has one way."""
    if device.type != "cuda":
        return {}
    own = config.unpadded and can_pack(decoder_and_head(model)[0], training=True)
    return {"gpu": asdict(ways) if own else "transformers' decoder"}


def _write(
    job: TrainingJob, outcome: Outcome, test: Sequence[Example], out: Path, save: Callable[[Path], None]
) -> dict[str, Any]:
    """The result, the history and the models of earlier steps that stay; what there is to tell of them."""

    def fault(kind: str, reason: str) -> None:
        job.on_event({"event": "fault", "kind": kind, "reason": reason})

    save(out)
    records, damaged = copy_history(job.folder / HISTORY, out / HISTORY)
    if damaged:
        reason = f"{HISTORY} has damaged lines ({damaged}): their steps are missing in the curve, not in the model"
        fault("history", reason)
    figures = _test_figures(job, test, outcome.step)  # before the model takes the weights of earlier steps
    wanted = steps_to_keep(job.config, outcome.best_step, outcome.step)
    kept = write_kept(
        lambda: state_of(job),
        wanted,
        job.folder,
        lambda name: save(out / KEPT / name),
        partial(fault, "checkpoint"),
    )
    losses = [record["loss"] for record in records if "loss" in record]
    return {"kept": kept, "test": figures, "test_rows": len(test), "final_loss": losses[-1] if losses else None}


def _test_figures(job: TrainingJob, examples: Sequence[Example], step: int) -> dict[str, float]:
    """The objective's figures on the test split, or {} where it is empty."""
    found = validate(replace(job, validation=examples), step, memory_of(job)) if examples else {}
    return {name.removeprefix("validation_"): value for name, value in found.items()}


def _base(given: TrainingInput, method: Method, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    """The base model in its file's number format, or as the method wants it held."""
    return load_model(
        given.base.path,
        dtype="auto" if method.quantization is None else dtype,
        device=device,
        weights=given.model.weights,
        seed=given.seed,
        quantization=method.quantization,
    )


def _with_reference(
    given: TrainingInput,
    model: torch.nn.Module,
    examples: dict[str, list[Example]],
    dtype: torch.dtype,
    work: Path,
    on_event: Callable[[dict[str, Any]], None],
) -> dict[str, list[Example]]:
    """Every split's examples with their log-probabilities under the model as it is now."""
    with _as_it_will_compute(model, dtype, given.train):
        return with_reference(
            model,
            examples,
            work,
            collated=lambda group: collate(group, given.renderer.pad_id, given.train.unpadded, given.train.gpu),
            dtype=dtype,
            on_event=on_event,
        )


@contextlib.contextmanager
def _as_it_will_compute(model: torch.nn.Module, dtype: torch.dtype, config: TrainSection) -> Iterator[None]:
    """In fp32, numbers held as training will have them: upwards nothing is lost, nor on the way back afterwards.

    A method prepares what was loaded, and may have transformers' layers compute (a prefix that starts as a text).
    """
    before = [(parameter, parameter.dtype, parameter.requires_grad) for parameter in model.parameters()]
    if dtype == torch.float32:
        hold_for(model.requires_grad_(False), dtype, config, default_device())
    yield
    for parameter, kind, trains in before:
        parameter.data = parameter.data.to(kind)
        parameter.requires_grad_(trains)


def _save(given: TrainingInput, method: Method, objective: Objective, model: torch.nn.Module, out: Path) -> None:
    """What was trained, the head, the tokenizer if it is to stand alone, and the model's card."""
    out.mkdir(parents=True, exist_ok=True)
    method.save(model, out)
    head = objective.head()
    if head is not None:
        save_head(model, head.labels, head.multi_label, out)
    if method.kind == "weights":
        given.renderer.tokenizer.save_pretrained(str(out))
    ModelCard(
        kind=method.kind,
        base=given.base.name,
        base_fingerprint=given.base.fingerprint,
        rendering_hash=given.renderer.rendering_hash,
        thinking=given.thinking,
        base_revision=given.model.revision or "",
    ).save(out)
