"""The merged export: equal to what was trained, loadable by plain transformers, refused when it is off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from danlu.export import merged
from danlu.export.equivalence import measure_equivalence
from danlu.export.merged import ExportInput, export_merged
from danlu.models.card import ModelCard, read_card
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model, load_renderer
from danlu.recipe.errors import InternalFault, UserError
from danlu.recipe.export import MergedExport
from danlu.recipe.methods import LoraMethod
from danlu.training.method import Preparation, trainable
from danlu.training.methods.lora import Lora
from tests.tiny import build_tiny_model
from tests.training.making import made_samples


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ExportInput:
    """An adapter that changes its base a good deal, as if trained, and held-out samples."""
    folder = build_tiny_model(tmp_path_factory.mktemp("tiny"))
    base, renderer = ModelFolder("tiny", folder, fingerprint(folder)), load_renderer(folder)
    out, method = tmp_path_factory.mktemp("adapter"), Lora(LoraMethod(rank=4))
    model = method.prepare(load_model(folder, dtype=torch.float32), Preparation(1))
    for name, parameter in trainable(model).items():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    method.save(model, out)
    ModelCard("adapter", "tiny", base.fingerprint, renderer.rendering_hash, thinking=True).save(out)
    return ExportInput(MergedExport(), out, base, renderer, made_samples(6))


def test_it_equals_the_adapter_and_says_so(given: ExportInput, tmp_path: Path) -> None:
    facts = export_merged(given, tmp_path)
    assert facts["mean_kl"] < 1e-6 and facts["max_kl"] < 1e-5 and facts["top1"] == 1.0
    assert facts["positions"] == sum(min(64, sample.learned) for sample in given.samples)
    assert facts["dtype"] == "float32" and facts["size_bytes"] > 100_000
    difference = measure_equivalence(
        load_model(given.base.path, dtype=torch.float32), load_model(tmp_path), given.samples
    )
    assert difference.mean_kl > 0.01  # the adapter is in it


def test_plain_transformers_loads_it_and_generates(given: ExportInput, tmp_path: Path) -> None:
    export_merged(given, tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "你好"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert answer.shape[1] > prompt["input_ids"].shape[1]
    assert not list(tmp_path.glob("adapter*")) and not list(tmp_path.glob("*.bin"))


def test_its_card_is_of_a_merged_model(given: ExportInput, tmp_path: Path) -> None:
    export_merged(given, tmp_path)
    card, trained = read_card(tmp_path), read_card(given.trained)
    assert card is not None and trained is not None
    assert card == replace(trained, kind="merged") and card.thinking


def test_bf16_is_half_the_size_and_still_close(given: ExportInput, tmp_path: Path) -> None:
    loose = MergedExport(dtype="bf16", max_mean_kl=0.1, min_top1=0.5)
    facts = export_merged(replace(given, config=loose), tmp_path)
    assert facts["dtype"] == "bfloat16" and 0 < facts["mean_kl"] < 0.1
    assert load_model(tmp_path).dtype == torch.bfloat16


def test_a_sabotaged_export_fails(given: ExportInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def perturbed(folder: Path, **options: Any) -> Any:
        model = load_model(folder, **options)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
        return model

    monkeypatch.setattr(merged, "load_model", perturbed)
    with pytest.raises(InternalFault, match=r"is not the trained one: mean KL .* top-1 agreement") as error:
        export_merged(given, tmp_path)
    assert error.value.where == "export"


def test_without_held_out_rows_nothing_is_exported(given: ExportInput, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no held-out rows"):
        export_merged(replace(given, samples=[]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_kl_is_what_its_formula_says(given: ExportInput, tmp_path: Path) -> None:
    one = load_model(given.base.path, dtype=torch.float32)
    two = load_model(build_tiny_model(tmp_path, seed=4), dtype=torch.float32)
    found = measure_equivalence(one, two, given.samples)
    divergences, agreed = [], 0
    for sample in given.samples:
        ids = torch.tensor([sample.input_ids])
        with torch.no_grad():
            p, q = (np.asarray(m(input_ids=ids).logits[0].tolist(), dtype=np.float64) for m in (one, two))
        p, q = (np.exp(x - x.max(-1, keepdims=True)) for x in (p, q))
        p, q = (x / x.sum(-1, keepdims=True) for x in (p, q))
        learned = [position - 1 for start, end in sample.spans for position in range(start, end)][:64]
        divergences += [float((p[t] * np.log(p[t] / q[t])).sum()) for t in learned]
        agreed += sum(int(p[t].argmax() == q[t].argmax()) for t in learned)
    assert found.mean_kl == pytest.approx(float(np.mean(divergences)), rel=1e-4)
    assert found.max_kl == pytest.approx(max(divergences), rel=1e-4)
    assert (found.top1, found.positions) == (agreed / len(divergences), len(divergences))
    assert found.mean_kl > 0.1
    with pytest.raises(ValueError, match="no position"):
        measure_equivalence(one, two, [])
