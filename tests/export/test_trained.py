"""The `trained` export: what cannot be merged leaves as it is, loads over its base, and is proved equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.export.merged import ExportInput
from danlu.export.trained import export_trained
from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.card import ModelCard
from danlu.models.heads import attach_head, head_of, save_head
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model, load_renderer
from danlu.models.trained import load_folder
from danlu.recipe.errors import InternalFault, UserError
from danlu.recipe.export import TrainedExport
from danlu.recipe.loading import parse_recipe
from danlu.recipe.train import TrainSection
from danlu.training.method import Preparation
from danlu.training.methods import METHODS
from tests.training.making import made_samples


@pytest.fixture
def base(tiny_folder: Path) -> ModelFolder:
    return ModelFolder(str(tiny_folder), tiny_folder, fingerprint(tiny_folder))


def trained(kind: str, base: ModelFolder, folder: Path, *, head: bool = False) -> Any:
    folder.mkdir()
    renderer = load_renderer(base.path)
    section = TrainSection.model_validate({"method": {"type": kind}})
    method = METHODS.load(kind)(section.method)
    model: Any = method.prepare(load_model(base.path, dtype=torch.float32), Preparation(3))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.05)
    if head:
        attach_head(model, 2, seed=1)
        save_head(model, ["a", "b"], False, folder)
    method.save(model, folder)
    ModelCard(method.kind, base.name, base.fingerprint, renderer.rendering_hash).save(folder)
    model.train(False)
    return model


def given(base: ModelFolder, folder: Path, samples: Any = None) -> ExportInput:
    rows = made_samples(4) if samples is None else samples
    return ExportInput(TrainedExport(), folder, base, load_renderer(base.path), rows)


@pytest.mark.parametrize("kind", ["prefix", "prompt", "adapter"])
def test_a_server_loads_what_was_trained(kind: str, base: ModelFolder, tmp_path: Path) -> None:
    model = trained(kind, base, tmp_path / "trained")
    out = tmp_path / "out"
    out.mkdir()
    facts = export_trained(given(base, tmp_path / "trained"), out)
    assert facts["max_kl"] == 0 and facts["positions"] > 0
    ids = torch.tensor([[20, 21, 22]])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        assert torch.equal(load_folder(out, dtype=torch.float32).eval()(input_ids=ids).logits, expected)
        assert not torch.equal(load_model(base.path, dtype=torch.float32).train(False)(input_ids=ids).logits, expected)
    assert TransformersEngine.from_folder(out, dtype="fp32").max_context > 0


def test_a_head_travels_along_and_does_not_answer_in_words(base: ModelFolder, tmp_path: Path) -> None:
    model = trained("full", base, tmp_path / "trained", head=True)
    out = tmp_path / "out"
    out.mkdir()
    export_trained(given(base, tmp_path / "trained"), out)
    again = load_folder(out, dtype=torch.float32)
    assert torch.equal(head_of(again).weight, head_of(model).weight)
    with pytest.raises(UserError, match="numbers of a head"):
        TransformersEngine.from_folder(out)


def test_a_changed_file_is_noticed(base: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("adapter", base, tmp_path / "trained")
    out = tmp_path / "out"
    out.mkdir()
    plain = load_model(base.path, dtype=torch.float32)
    monkeypatch.setattr("danlu.export.trained.load_folder", lambda *args, **more: plain)
    with pytest.raises(InternalFault, match="is not the trained one"):
        export_trained(given(base, tmp_path / "trained"), out)
    with pytest.raises(UserError, match="no held-out rows"):
        export_trained(given(base, tmp_path / "trained", samples=[]), out)


RECIPE = "name: a\ndata: {sources: [{path: rows.jsonl}]}\n"


@pytest.mark.parametrize(
    ("train", "export"),
    [
        ("{method: {type: lora}}", "merged"),
        ("{method: {type: prefix}}", "trained"),
        ("{method: {type: adapter}}", "trained"),
        ("{objective: {type: classification}}", "trained"),
        ("{objective: {type: classification, head: words}}", "merged"),
        ("{objective: {type: reward}}", "trained"),
    ],
)
def test_the_default_export_fits_what_is_trained(train: str, export: str) -> None:
    recipe = parse_recipe(RECIPE + f"train: {train}\n")
    assert recipe.export.type == export


@pytest.mark.parametrize("train", ["{method: {type: prompt}}", "{objective: {type: reward}}"])
def test_what_cannot_be_merged_is_refused_when_the_recipe_is_read(train: str) -> None:
    with pytest.raises(UserError, match="cannot be merged"):
        parse_recipe(RECIPE + f"train: {train}\nexport: {{type: merged}}\n")
