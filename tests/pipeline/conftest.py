"""A tiny model, a tiny data set and a recipe over them, made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from danlu.recipe import Recipe, parse_recipe
from tests.tiny import build_tiny_model

TEXT = """
name: tiny
seed: 3
model: {{base: {base}}}
data:
  sources: [{{path: {rows}}}]
  split: {{validation: 0.1, test: 0.2}}
  max_tokens: 200
train:
  method: {{type: lora, rank: 4}}
  optimizer: {{learning_rate: 5.0e-3}}
  batch: {{step_tokens: 400, micro_tokens: 200}}
  epochs: 1
  max_steps: 4
  precision: fp32
  checkpoints: {{every: 2}}
evaluate: {{max_rows: 6, max_new_tokens: 6, resamples: 100}}
"""


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3."""
    return build_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty conversations, one of them twice."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [[f"How much is {n} and one? 几何", f"It is {n + 1}. 好"] for n in range(60)]
    lines = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in [*rows, rows[0]]
    ]
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def recipe_text(base_folder: Path, rows_file: Path) -> str:
    """The recipe as YAML."""
    return TEXT.format(base=base_folder, rows=rows_file)


@pytest.fixture(scope="session")
def recipe(recipe_text: str) -> Recipe:
    """The recipe."""
    return parse_recipe(recipe_text)
