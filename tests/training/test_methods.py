"""What is particular to LoRA and to full fine-tuning, and loading what they made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.card import ModelCard
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.models.trained import load_trained
from danlu.recipe.errors import UserError
from danlu.recipe.methods import FullMethod, LoraMethod
from danlu.training.method import Preparation, trainable
from danlu.training.methods.full import Full
from danlu.training.methods.lora import Lora
from tests.tiny import build_tiny_model


def adapted(model: torch.nn.Module) -> list[Any]:
    """The layers that have an adapter."""
    found = [module for module in model.modules() if hasattr(module, "lora_A")]
    assert found
    return found


def test_lora_adapts_every_linear_layer_but_the_head(tiny_folder: Path) -> None:
    model = Lora(LoraMethod(rank=3)).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    names = list(trainable(model))
    assert len(names) == 2 * 7 * 2  # layers, linear layers of each, A and B
    assert all("lora_A" in name or "lora_B" in name for name in names) and not any("lm_head" in n for n in names)
    assert {min(parameter.shape) for parameter in trainable(model).values()} == {3}


def test_lora_targets_and_scale_are_as_told(tiny_folder: Path) -> None:
    config = LoraMethod(rank=4, alpha=6.0, dropout=0.25, targets=("q_proj", "down_proj"))
    model = Lora(config).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trainable(model)} == {"q_proj", "down_proj"}
    assert all(layer.scaling == {"default": 1.5} for layer in adapted(model))
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)][:1] == [0.25]


def test_lora_default_scale_is_two(tiny_folder: Path) -> None:
    model = Lora(LoraMethod(rank=8)).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert all(layer.scaling == {"default": 2.0} for layer in adapted(model))


def test_another_seed_starts_elsewhere(tiny_folder: Path) -> None:
    one, other = (
        trainable(Lora(LoraMethod()).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(s)))
        for s in (1, 2)
    )
    assert any(not torch.equal(one[name], other[name]) for name in one if "lora_A" in name)


def test_an_unknown_target_is_refused_with_the_known_ones(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="no linear layer 'q_porj'") as error:
        Lora(LoraMethod(targets=("q_porj",))).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert "q_proj" in error.value.fix


def test_full_trains_everything_and_keeps_weights_tied(tiny_folder: Path, tmp_path: Path) -> None:
    model = Full(FullMethod()).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert set(trainable(model)) == {name for name, _ in model.named_parameters()}
    Full(FullMethod()).save(model, tmp_path)
    again: Any = load_model(tmp_path)
    assert again.get_input_embeddings().weight is again.get_output_embeddings().weight


def test_an_adapter_on_another_base_is_refused(tiny_folder: Path, base: ModelFolder, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    out.mkdir()
    method = Lora(LoraMethod(rank=2))
    method.save(method.prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0)), out)
    with pytest.raises(UserError, match=r"no danlu\.json"):
        load_trained(out, base)
    ModelCard("adapter", base.name, base.fingerprint, "hash").save(out)
    assert load_trained(out, base) is not None
    changed = build_tiny_model(tmp_path / "other", seed=1)
    other = ModelFolder("other", changed, fingerprint(changed))
    with pytest.raises(UserError, match="was trained on a base with fingerprint") as error:
        load_trained(out, other)
    assert error.value.where == str(out) and error.value.fix
