"""Models from folders: safetensors only, no code of the folder is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from danlu.models.loading import load_encoder, load_model
from danlu.models.quantized import Quantization
from danlu.recipe.errors import UserError
from tests.tiny import build_tiny_model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3."""
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def test_an_encoder_is_the_model_without_its_head(model_folder: Path) -> None:
    encoder = load_encoder(model_folder)
    whole = load_model(model_folder)
    ids = torch.tensor([[5, 6, 7]])
    expected = whole(ids, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(encoder(ids).last_hidden_state.to(expected.dtype), expected)


def test_an_encoder_runs_no_code_and_reads_no_pickles(model_folder: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(model_folder, pickled)
    for file in pickled.glob("*.safetensors*"):
        file.unlink()
    torch.save(load_model(model_folder).state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="the encoder cannot be loaded"):
        load_encoder(pickled)
    coded = tmp_path / "coded"
    shutil.copytree(model_folder, coded)
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "mine.py").write_text("raise SystemExit('code of the folder was run')")
    with pytest.raises(UserError, match="the encoder cannot be loaded"):
        load_encoder(coded)


def test_bitsandbytes_does_not_lay_weights_out_anew(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)  # on such a CPU it would
    model = load_model(model_folder, dtype=torch.float32, quantization=Quantization())
    held = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    assert held and not any(module.support_avx512bf16_for_cpu for module in held)
