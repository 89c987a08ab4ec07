"""Every shipped recipe loads; the tiny ones run."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.pipeline.execute import execute
from danlu.recipe import load_recipe
from danlu.runs import Workspace

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("recipes/**/*.yaml"), ROOT / "src/danlu/pipeline/starter/recipe.yaml"])
TINY = sorted(ROOT.glob("recipes/tiny/*.yaml"))


def test_there_are_recipes() -> None:
    assert len(TINY) >= 3 and len(SHIPPED) >= 6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_recipe_loads(path: Path) -> None:
    assert load_recipe(path).name


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_tiny_recipe_runs(path: Path, tmp_path: Path) -> None:
    result = execute(load_recipe(path), Workspace(tmp_path))
    assert result.version == f"{result.plan.recipe.name}@1"
    assert result.artifacts["train"].facts["steps"] == 2
    assert result.run.report.is_file()
    assert result.artifacts["export"].facts["top1"] >= 0.98
