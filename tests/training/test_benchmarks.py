"""The benchmarks of training run as the code is now: what nobody runs every day must not fall behind unseen."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest
from transformers import Qwen3Config, Qwen3ForCausalLM

from tests.training.making import made_samples

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "training"


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("method", ["full", "lora"])
def test_optimizers_are_compared_at_rates(method: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizers = benchmark("optimizers")
    monkeypatch.setattr(optimizers, "seedling_folder", lambda: tiny_folder)
    monkeypatch.setattr(optimizers, "STEPS", 2)
    monkeypatch.setattr(optimizers, "load_samples", lambda folder, split: made_samples(6, seed=len(split)))
    low, high = (optimizers.validation_loss(Path(), method, "adamw", rate) for rate in (1e-9, 1e-2))
    assert math.isfinite(low) and high < low


def test_a_run_with_checkpoints_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = benchmark("checkpoints")
    config = Qwen3Config(
        vocab_size=32768, hidden_size=8, intermediate_size=8, num_hidden_layers=1, head_dim=4, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    monkeypatch.setattr(checkpoints, "make_model", lambda: Qwen3ForCausalLM(config))
    monkeypatch.setattr(checkpoints, "STEPS", 12)
    monkeypatch.setattr("sys.argv", ["checkpoints.py", "lora", "rounds=1"])
    monkeypatch.chdir(tmp_path)
    checkpoints.main()
    lines = [
        line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| lora")
    ]
    assert [line[2] for line in lines] == ["none", "background", "waiting"]
    assert [line[1] == "0 MB" for line in lines] == [True, True, True], "a checkpoint of a few kB"
    assert float(lines[0][6]) == 0 < float(lines[2][6]), "what is written, and only that, takes time on the disk"
    assert float(lines[0][7]) == 1
    assert list(tmp_path.iterdir()) == []
