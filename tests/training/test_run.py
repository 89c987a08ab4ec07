"""What the stage makes of its input before the loop begins."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.chat import ChatRenderer
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.recipe.model import ModelSection
from danlu.training.forecast import forecast
from danlu.training.loop import TrainingJob
from danlu.training.objective import Objective, collate
from danlu.training.objectives import OBJECTIVES
from danlu.training.run import make_job
from danlu.training.training_input import TrainingInput
from tests.training.making import PAD, made_pairs, method_of, section


def made(tiny_folder: Path, renderer: ChatRenderer, place: Path, **train: Any) -> tuple[TrainingJob, Path]:
    """The job of a recipe over a base whose file is in bf16, and the base's folder."""
    folder = place / "base"
    model: Any = load_model(tiny_folder, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    given = TrainingInput(
        model=ModelSection(base=str(folder)),
        train=section(precision="fp32", **train),
        seed=1,
        base=ModelFolder("base", folder, fingerprint(folder)),
        renderer=renderer,
        dataset=place,
    )
    objective: Objective = OBJECTIVES.load(given.train.objective.type)(given.train.objective)
    examples = {"train": objective.examples(made_pairs(3)), "validation": [], "test": []}
    job, _, _ = make_job(given, objective, examples, place / "work", lambda event: None)
    return job, folder


def frozen_matrices(job: TrainingJob) -> dict[str, torch.dtype]:
    return {
        name: parameter.dtype
        for name, parameter in job.model.named_parameters()
        if not parameter.requires_grad and parameter.ndim == 2
    }


@pytest.mark.parametrize("objective", ["sft", "dpo", "kto"])
@pytest.mark.parametrize(
    ("decoder", "held"), [("auto", torch.bfloat16), ("transformers", torch.float32)], ids=["own", "theirs"]
)
def test_frozen_layers_stay_as_their_file_has_them_where_the_own_decoder_computes(
    decoder: str, held: torch.dtype, objective: str, tiny_folder: Path, renderer: ChatRenderer, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"decoder": decoder, "objective": {"type": objective}}
    job, folder = made(tiny_folder, renderer, tmp_path, method={"type": "lora", "rank": 4}, **given)
    frozen = frozen_matrices(job)
    assert {dtype for name, dtype in frozen.items() if ".layers." in name} == {held}
    assert {dtype for name, dtype in frozen.items() if ".layers." not in name} == {torch.float32}
    holds = sum(parameter.numel() * parameter.element_size() for parameter in job.model.parameters())
    told = forecast(folder, method_of(job.config), job.objective, job.config, job.train)
    assert told.weights == pytest.approx(holds, rel=0.01)


def test_a_prefix_that_starts_as_a_text_is_prepared_from_what_was_loaded(
    tiny_folder: Path, renderer: ChatRenderer, tmp_path: Path
) -> None:
    prefix: dict[str, Any] = {"type": "prefix", "tokens": 4, "text": "be short"}
    job, _ = made(tiny_folder, renderer, tmp_path, method=prefix, objective={"type": "dpo"})
    assert set(frozen_matrices(job).values()) == {torch.float32}, "transformers' layers compute"
    assert torch.isfinite(job.objective.loss(job.model, collate(job.train, PAD)))


def test_pissa_over_a_base_in_bf16_begins_where_the_base_is(
    tiny_folder: Path, renderer: ChatRenderer, tmp_path: Path
) -> None:
    pissa: dict[str, Any] = {"type": "lora", "rank": 4, "init": "pissa"}
    job, folder = made(tiny_folder, renderer, tmp_path, method=pissa, objective={"type": "dpo"})
    loss = job.objective.loss(job.model, collate(job.train, PAD))
    assert loss.item() == pytest.approx(len(job.train) * math.log(2), rel=1e-6)
    assert forecast(folder, method_of(job.config), job.objective, job.config, job.train).step > 0
