"""What the stage makes of its input before the loop begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.chat import ChatRenderer
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.recipe.model import ModelSection
from danlu.recipe.objectives import SftObjective
from danlu.training.objectives.sft import Sft
from danlu.training.run import TrainingInput, make_job
from tests.training.making import made_samples, section


@pytest.mark.parametrize(
    ("decoder", "held"), [("auto", torch.bfloat16), ("transformers", torch.float32)], ids=["own", "theirs"]
)
def test_frozen_layers_stay_as_their_file_has_them_where_the_own_decoder_computes(
    decoder: str, held: torch.dtype, tiny_folder: Path, renderer: ChatRenderer, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    model: Any = load_model(tiny_folder, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    given = TrainingInput(
        model=ModelSection(base=str(folder)),
        train=section(method={"type": "lora", "rank": 4}, precision="fp32", decoder=decoder),
        seed=1,
        base=ModelFolder("base", folder, fingerprint(folder)),
        renderer=renderer,
        dataset=tmp_path,
    )
    objective = Sft(SftObjective())
    examples = {"train": objective.examples(made_samples(3)), "validation": [], "test": []}
    job, _, _ = make_job(given, objective, examples, tmp_path / "work", lambda event: None)
    frozen = {
        name: parameter.dtype
        for name, parameter in job.model.named_parameters()
        if not parameter.requires_grad and parameter.ndim == 2
    }
    assert {dtype for name, dtype in frozen.items() if ".layers." in name} == {held}
    assert {dtype for name, dtype in frozen.items() if ".layers." not in name} == {torch.float32}
